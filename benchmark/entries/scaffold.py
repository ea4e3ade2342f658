"""A new entry: a copy of another one that already runs, for its author to change."""

import ast
import io
import keyword
import re
import shutil
import tempfile
import tokenize
from pathlib import Path
from typing import Any

import yaml

from benchmark.core.loop import run
from benchmark.core.rules import Role, Rules
from benchmark.entries.card import ID, PLACEHOLDER
from benchmark.entries.catalogue import find, named
from benchmark.entries.entry import Entry
from benchmark.errors import BadEntry, ThriveError
from benchmark.strict_yaml import read_text, shown_name
from benchmark.tasks.gaussian import Gaussian

CARD = """\
api: 1
id: {id}
name: {name}
version: 0.1.0
authors: {authors}
licence: Apache-2.0
# url: where your paper or code is
# citation: how to cite it
description: {description}
track: {track}  # blind, labelled or assisted: what it may know of a row
budget: {budget}  # fixed: n rows an iteration; growing: n·⌈t^1.5⌉
role: entry
hyperparameters: {hyperparameters}  # arguments of the class: one set for all task-settings and seeds
tuned_on: nothing  # or which instances
configurations_tried: 1
"""
README = """\
# {name}

What it does to the pool, and why that should help. It began as a copy of `{origin}`.
"""


def create(root: Path, id: str, origin: str, author: str | None) -> Path:
    """Write submissions/ID, a copy of another entry with a card of its own; returns the folder.

    Args:
        author: None leaves a placeholder in the card.

    Raises:
        BadEntry: the id is taken or is none, or the origin does not exist or would not run as an entry.
    """
    entries = find(root)
    folder = root / "submissions" / id
    _check_id(id, folder, entries)
    (source,) = named(entries, [origin])
    _check_runs(source)
    strategy = read_text(source.folder / "strategy.py", BadEntry)
    name = id.replace("-", " ").capitalize()
    _ = source.sources  # no link leads out of the entries' folders
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-") as temporary:  # all of it, or none
        draft = Path(temporary) / id
        shutil.copytree(source.folder, draft, ignore=shutil.ignore_patterns("__pycache__", "card.yaml", "README*"))
        (draft / "strategy.py").write_text(renamed(strategy, source.strategy_class.__name__, id), encoding="utf-8")
        (draft / "card.yaml").write_text(_card(source, id, name, author), encoding="utf-8")
        (draft / "README.md").write_text(README.format(name=name, origin=origin), encoding="utf-8")
        draft.rename(folder)
    return folder


def _check_id(id: str, folder: Path, entries: dict[str, Entry]) -> None:
    if not re.fullmatch(ID, id) or len(id) > 60:
        near = re.sub(r"[^a-z0-9.]+", "-", id.lower()).strip("-.")[:60] or "my-idea"
        raise BadEntry(
            f"id '{shown_name(id)}': expected lower-case letters, digits, '-' and '.', at most 60, such as '{near}'."
        )
    if id in entries or folder.exists():
        where = entries[id].folder if id in entries else folder
        raise BadEntry(f"id '{id}' is taken: {where}. Choose another, or change that one.")


def _check_runs(source: Entry) -> None:
    """Some iterations of it, as an entry: a reference line is free of a rule that entries are held to."""
    rules = Rules(source.card.track, source.card.budget, Role.ENTRY)
    tiny: Any = Gaussian(d=2, n=12)
    try:
        list(run(tiny, source.make, rules, seed=0, horizon=3))
    except ThriveError as error:
        raise BadEntry(f"a copy of '{source.id}' would not run as an entry: {error} Start --from another.") from error


def renamed(code: str, old: str, id: str) -> str:
    """The code with its class named after the id; comments and strings stay as they are."""
    new = class_name(id, {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)})
    lines = code.splitlines(keepends=True)
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    for row, column in reversed([t.start for t in tokens if t.type == tokenize.NAME and t.string == old]):
        line = lines[row - 1]
        lines[row - 1] = line[:column] + new + line[column + len(old) :]
    return "".join(lines)


def class_name(id: str, taken: set[str]) -> str:
    """The id in CamelCase: `my-idea` is MyIdea; with a prefix where Python or the code has another use for that."""
    name = "".join(part.capitalize() for part in re.split(r"[-.]", id))
    return f"My{name}" if name in taken or keyword.iskeyword(name) or not name.isidentifier() else name


def _card(source: Entry, id: str, name: str, author: str | None) -> str:
    return CARD.format(
        id=_flow(id),
        name=_flow(name),
        authors=_flow([author or f"{PLACEHOLDER}: your name"]),
        description=_flow(f"{PLACEHOLDER}: one sentence on what it does."),
        track=source.card.track,
        budget=source.card.budget,
        hyperparameters=_flow(source.card.hyperparameters),
    )


def _flow(value: Any) -> str:
    """A value as YAML within one line, quoted where it must be."""
    text = yaml.safe_dump([value], default_flow_style=True, allow_unicode=True, width=10**6, sort_keys=False)
    return text.strip()[1:-1]
