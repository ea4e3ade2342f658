"""Carry finished cells to new keys, after a change of code that must not move a number.

A part of the cells is computed again. Where all of these have the bits that they had, every cell gets its new key and a line in its
provenance; where one differs, nothing is changed. The old revision's own code says what the old keys were.
"""

import hashlib
import io
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.digest.hashes import PACKAGE
from benchmark.errors import ThriveError
from benchmark.runs import sweep
from benchmark.runs.cells import Cell, Store, as_bytes, files_in, provenance_of
from benchmark.runs.machine import obstacle_of
from benchmark.runs.progress import SILENT, Progress
from benchmark.runs.project import Project
from benchmark.strict_yaml import shown_name

SHARE = 0.02
LEAST = 20
"""Cells of a task-setting that are computed again: this share, and at least so many."""


class Move(NamedTuple):
    """A finished cell, and the key that it has at the old revision."""

    cell: Cell
    old: dict[str, Any]
    file: Path


def known_cells(root: Path, finished: Collection[str] = ()) -> list[Cell]:
    """Every entry on every instance of every profile that this machine can run, each key once.

    Args:
        finished: see `benchmark.runs.sweep.cells`.
    """
    chosen = Project.load(root)
    cells = [
        cell
        for profile in chosen.params.profiles
        for task_setting in replace(chosen, profile=profile).task_settings()
        for instance in replace(chosen, profile=profile).instances(task_setting)
        if obstacle_of(instance) is None
        for cell in sweep.cells_of(chosen, instance, list(chosen.readable.values()), finished=finished)
    ]
    return list({cell.key: cell for cell in cells}.values())


def keys(root: Path) -> dict[str, Any]:
    """The key of every cell, and what the cell computes, as another revision asks for it."""
    return {"package": str(PACKAGE), "cells": [_described(cell) for cell in known_cells(root)]}


def _described(cell: Cell) -> dict[str, Any]:
    return {
        "key": cell.key,
        "what": [cell.instance.task_setting, cell.instance.horizon, cell.entry.id, cell.seeds.start, cell.seeds.stop],
        "numbers": json.loads(json.dumps(asdict(cell.instance.task))),  # type: ignore[call-overload]
        "files": cell.files,
        "entry": cell.entry.digest,
    }


def carry(root: Path, revision: str, jobs: int, progress: Progress = SILENT) -> int:
    """Carry all finished cells of a revision to the keys of the code as it is now; returns how many.

    Args:
        jobs: processes.
        progress: hears how many cells there are, and of each that is computed again.

    Raises:
        ThriveError: a cell that was computed again differs, or could not be computed. No file was changed then.
    """
    commit = _commit(root, revision)
    with _checked_out(root, commit) as folder:
        old = _keys_of(folder, revision)
    folder = root / "cells"
    files = dict(files_in(folder))
    cells = known_cells(root)
    moves = list(_moves(cells, old, files))
    to_do = [move for move in moves if move.cell.key not in files]
    if not to_do:
        progress.say(f"{len(old)} keys of {revision}: no finished cell has one of them and lacks its new one.")
    sample = _sample(to_do)
    progress.say(f"{len(to_do)} cells to carry from {revision}; computing {len(sample)} of them again.")
    _compare(root, sample, jobs, progress)
    counts = {"recomputed": len(sample), "of": len(to_do)}
    line = counts | {"from_commit": commit, "date": datetime.now(UTC).date().isoformat()}
    now = sweep.provenance(root)
    line |= {"commit": now["commit"], "dirty": now["dirty"]}
    store = Store(folder)
    for move in to_do:
        table = _read(move.file)
        provenance = provenance_of(table)
        provenance["carried"] = [*provenance.get("carried", []), {"key": move.old["key"], **line}]
        store.write(move.cell, as_bytes(table, provenance))
    _remove(store, moves, {cell.key for cell in cells})
    return len(to_do)


def _moves(cells: list[Cell], old: list[dict[str, Any]], files: dict[str, Path]) -> Iterator[Move]:
    """Cells that are finished under one old key: same task-setting and numbers, horizon, entry, seeds and files."""
    of: dict[str, list[dict[str, Any]]] = {}
    for each in old:
        if each["key"] in files:
            of.setdefault(json.dumps([each["what"], each["files"]]), []).append(each)
    for cell in cells if of else []:
        mine = _described(cell)
        same = [each for each in of.get(json.dumps([mine["what"], mine["files"]]), ()) if _agree(each, mine)]
        if len(same) == 1 and same[0]["key"] != cell.key and _is_whole(files[same[0]["key"]]):
            yield Move(cell, same[0], files[same[0]["key"]])


def _agree(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether two descriptions agree in every number that both revisions have."""
    return all(new["numbers"][name] == value for name, value in old["numbers"].items() if name in new["numbers"])


def _is_whole(file: Path) -> bool:
    """Whether a file has its own checksum: a truncated or edited one is not carried."""
    return hashlib.sha256(file.read_bytes()).hexdigest().startswith(file.name.split(".")[1])


def _sample(moves: list[Move]) -> list[Move]:
    """A random sample of each task-setting, and of each entry in it whose own code has changed."""
    groups: dict[tuple[str, str | None], list[Move]] = {}
    for move in moves:
        changed = move.old["entry"] != move.cell.entry.digest
        groups.setdefault((move.cell.instance.task_setting, move.cell.entry.id if changed else None), []).append(move)
    chosen = random.SystemRandom()
    sizes = [min(len(group), max(LEAST, math.ceil(SHARE * len(group)))) for group in groups.values()]
    return [move for group, size in zip(groups.values(), sizes, strict=True) for move in chosen.sample(group, size)]


def _compare(root: Path, sample: list[Move], jobs: int, progress: Progress) -> None:
    with tempfile.TemporaryDirectory(prefix="thrive-carry-") as scratch:
        store = Store(Path(scratch))
        failures = sweep.compute(root, store, [move.cell for move in sample], jobs, progress) if sample else []
        if failures:
            raise ThriveError(f"nothing was carried: {failures[0].cell} could not be computed: {failures[0].error}")
        for move in sample:
            table = store.read(move.cell)
            change = "it is not there" if table is None else difference(_read(move.file), table)
            if change:
                raise ThriveError(
                    f"nothing was carried: {move.cell} is not what it was: {change}. "
                    "If numbers are meant to move, compute them: thrive run"
                )


def difference(before: pa.Table, now: pa.Table) -> str | None:
    """The first one between the records of two cells, bit by bit; None where there is none."""
    if before.num_rows == now.num_rows == 0:  # refused, both
        return None
    for name in dict.fromkeys([*before.column_names, *now.column_names]):
        for table, when in ((before, "before"), (now, "now")):
            if name not in table.column_names:
                return f"column '{name}' is not there {when}"
        if before[name].type != now[name].type:
            return f"column '{name}' is of type {now[name].type}, and was of type {before[name].type}"
        if before.num_rows != now.num_rows:
            return f"it has {now.num_rows} rows, and had {before.num_rows}"
        for row, (a, b) in enumerate(zip(_bits(before[name]), _bits(now[name]), strict=True)):
            if a != b:
                return (
                    f"column '{name}', row {row} is {now[name][row].as_py()!r}, and was {before[name][row].as_py()!r}"
                )
    return None


def _bits(column: pa.ChunkedArray) -> list[Any]:
    """Values of which two are equal where all of their bits are."""
    if not pa.types.is_floating(column.type):
        return list(column.to_pylist())
    bits = column.combine_chunks().to_numpy(zero_copy_only=False).view(f"i{column.type.bit_width // 8}").tolist()
    return list(zip(bits, column.is_null().to_pylist(), strict=True))


def _remove(store: Store, moves: list[Move], current: set[str]) -> None:
    """Old files whose cell is there under its new key, from this call or from one that was interrupted."""
    for move in moves:
        table = store.read(move.cell)
        carried = provenance_of(table).get("carried", []) if table is not None else []
        if move.old["key"] not in current and any(line["key"] == move.old["key"] for line in carried):
            move.file.unlink(missing_ok=True)


def _read(file: Path) -> pa.Table:
    return pq.read_table(io.BytesIO(file.read_bytes()))


@contextmanager
def _checked_out(root: Path, commit: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="thrive-carry-") as scratch:
        folder = Path(scratch, "clone")
        _git(root, "worktree", "add", "--detach", "--quiet", str(folder), commit)
        try:
            yield folder
        finally:
            _git(root, "worktree", "remove", "--force", str(folder))


def _keys_of(folder: Path, revision: str) -> list[dict[str, Any]]:
    """The keys of a revision, which its own `thrive carry --keys` prints, wherever its code lies."""
    module, _, function = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["scripts"][
        "thrive"
    ].partition(":")
    code = f"import sys; from {module} import {function}; sys.argv = ['thrive', 'carry', '--keys']; {function}()"
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ThriveError(f"--from {revision}: its code cannot list its keys, by `thrive carry --keys`: {reason}")
    answer: dict[str, Any] = json.loads(done.stdout)
    if not Path(answer["package"]).resolve().is_relative_to(folder.resolve()):
        raise ThriveError(
            f"--from {revision}: its keys were listed by the code in {answer['package']}, expected its own."
        )
    cells: list[dict[str, Any]] = answer["cells"]
    return cells


def _commit(root: Path, revision: str) -> str:
    _git(root, "rev-parse", "--git-dir")  # where there is no repository, git says so
    try:
        return _git(root, "rev-parse", "--verify", f"{revision}^{{commit}}")
    except ThriveError:
        hint = "there is no such revision. See: git log --oneline --all"
        raise ThriveError(f"--from {shown_name(revision)}: {hint}") from None


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise ThriveError(f"git {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout.strip()
