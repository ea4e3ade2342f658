"""Near-duplicates of an entry: another entry whose code is nearly the same, or whose losses are.

Common random numbers make losses telling: two different strategies never lose the same to the last digit, and a copy always does. A copy
with a slightly changed hyperparameter does not, but its code is the same but for numbers. Neither is forbidden: it is named.
"""

import ast
import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.core.loop import run
from benchmark.core.streams import Seed
from benchmark.entries.entry import Entry
from benchmark.errors import ThriveError
from benchmark.results.scoring import Vector
from benchmark.runs.params import Instance

CODE_ALIKE = 0.9
"""Share of the code's parts that are the same in the same order, between entries that use the same words of the harness."""
MOST_PARTS = 4000
LOSSES_ALIKE = 0.05
"""Standard deviation over seeds of two entries' difference, in units of each one's own: a correlation of 0.999. Of the shipped entries,
accumulate-subsample and low-temperature are nearest, at 0.08."""
ON_NEARLY_ALL = 0.9  # of the instances
ROUNDING = 1e-9
Flags = NDArray[np.bool_]
FEWEST_SEEDS = 5  # to tell losses that are near from luck
METHODS = frozenset({"setup", "training_set", "fit_options", "sample_request", "keep"})


def code(folder: Path) -> tuple[str, ...]:
    """What an entry's code does, in the order in which it does it: names that it chose, numbers, prose and imports left out."""
    paths = sorted(path for path in folder.rglob("*.py") if path.is_file() and "__pycache__" not in path.parts)
    return tuple(part for path in paths for part in _parts_of_text(path.read_text(encoding="utf-8", errors="replace")))


@lru_cache(maxsize=1024)
def _parts_of_text(text: str) -> tuple[str, ...]:
    try:
        tree = ast.parse(text)
        return tuple(_parts(tree, _own_names(tree)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last: too deep for the parser
        return ()


def _own_names(tree: ast.AST) -> set[str]:
    """Names that the code gives, and may give otherwise, as `_parts` has them: a variable `real` is not the harness's `.real`."""
    own = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            own |= {f"arg {node.arg}", f"Name {node.arg}"}
        elif isinstance(node, ast.alias):
            own.add(f"Name {node.asname or node.name}")
        elif isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name not in METHODS:
            own |= {f"{kind} {node.name}" for kind in (type(node).__name__, "Name", "Attribute")}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            own.add(f"Name {node.id}")
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            own.add(f"Attribute {node.attr}")
    return own


def _parts(node: ast.AST, own: set[str]) -> Iterator[str]:
    """Of a tree, in the order of its text."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.expr_context) or _is_prose(node):
        return
    kind = type(node).__name__
    name = next((getattr(node, key) for key in ("id", "attr", "name", "arg") if hasattr(node, key)), None)
    if isinstance(node, ast.Constant):
        name = type(node.value).__name__
    part = kind if name is None else f"{kind} {name}"
    yield kind if part in own else part
    for key, child in ast.iter_fields(node):
        for inner in child if isinstance(child, list) else [child]:
            if isinstance(inner, ast.AST) and key not in ("annotation", "returns"):
                yield from _parts(inner, own)


def _is_prose(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def likeness(a: Sequence[str], b: Sequence[str]) -> float:
    """Share of the parts of both that are the same in the same order: 0 to 1.

    0 where they use different words of the harness or of libraries: a strategy is a few lines, of which most are alike in all.
    """
    if not (a and b and _words(a) == _words(b)):
        return 0.0
    if max(len(a), len(b)) > MOST_PARTS:  # the comparison takes time in proportion to the square
        return float(a == b)
    return difflib.SequenceMatcher(None, a, b, autojunk=False).ratio()


def _words(parts: Sequence[str]) -> set[str]:
    return {part for part in parts if part.startswith(("Attribute ", "keyword "))}


def by_code(entry: Entry, others: Iterable[Entry]) -> dict[str, str]:
    """Of the others, those whose code is nearly the entry's, and in what words."""
    own = code(entry.folder)
    found = {}
    for other in others:
        if other.id == entry.id or (share := likeness(own, code(other.folder))) < CODE_ALIKE:
            continue
        if share < 1:
            found[other.id] = f"{share:.0%} of the code is the same"
        else:
            same = entry.card.hyperparameters == other.card.hyperparameters
            found[other.id] = (
                "the same code but for names and numbers" if same else "the same code, other hyperparameters"
            )
    return found


def by_losses(runs: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Of each entry, the others that lose the same, and in what words.

    Args:
        runs: as `benchmark.results.scoring.per_seed` gives them.
    """
    ids = sorted(set(runs["entry"]))
    seen, near, same = (np.zeros((len(ids), len(ids)), np.int16) for _ in range(3))
    for _, of_instance in runs.groupby(["task", "instance"], sort=False):
        excess = of_instance["final"] - of_instance["real_loss"]
        table = excess.groupby([of_instance["entry"], of_instance["seed"]]).mean().unstack().dropna()
        places = np.searchsorted(ids, table.index.to_list())
        values = table.to_numpy()
        for place, own in zip(places, values, strict=True):
            equal, alike = _alike(own, values)
            seen[place, places] += 1
            same[place, places] += equal
            near[place, places] += alike
    found: dict[str, dict[str, str]] = {}
    for i, j in np.argwhere((seen > 0) & (near >= ON_NEARLY_ALL * seen)):
        if i != j:
            words = f"nearly the same losses on {near[i, j]} of {seen[i, j]} instances"
            found.setdefault(ids[i], {})[ids[j]] = (
                "the same losses, to the last digit" if same[i, j] == seen[i, j] else words
            )
    return found


def _alike(own: Vector, others: Vector) -> tuple[Flags, Flags]:
    """Which of others, a row each, lose the same as an entry on one instance, and which at least nearly so. By seed."""
    finite, whole = bool(np.isfinite(own).any()), bool(np.isfinite(own).all())
    close = np.isclose(own, others, rtol=ROUNDING, atol=ROUNDING)
    equal: Flags = np.asarray(np.all(close, axis=1), np.bool_) & finite
    telling = np.isfinite(others).all(axis=1) & (whole and len(own) >= FEWEST_SEEDS)
    with np.errstate(invalid="ignore"):
        spread = np.minimum(others.std(axis=1), own.std())
        near: Flags = telling & ((others - own).std(axis=1) < LOSSES_ALIKE * spread)
    return equal, equal | near


def under_salt(
    instance: Instance, seeds: Sequence[Seed], final: Sequence[float], others: Iterable[Entry]
) -> dict[str, str]:
    """Of others, those that lose the very same as an entry on one instance and secret seeds. Runs their code: give it the project's own."""
    found = {}
    for other in others:
        try:
            losses = [_last_loss(instance, other, seed) for seed in seeds]
        except ThriveError:  # it does not run there
            continue
        if _alike(np.asarray(final), np.array([losses]))[0].any():
            found[other.id] = f"the same losses on {instance.name}, to the last digit"
    return found


def _last_loss(instance: Instance, entry: Entry, seed: Seed) -> float:
    *_, last = run(instance.task, entry.make, entry.rules, seed, instance.horizon)
    return float(last["test_loss"])


def merged(*parts: Mapping[str, str]) -> list[str]:
    """One line for each other entry."""
    ids = sorted({id for part in parts for id in part})
    return [f"{id}: {'; '.join(part[id] for part in parts if id in part)}" for id in ids]
