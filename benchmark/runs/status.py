"""What is finished of a profile, what failed, and what the store holds beside it."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.runs import sweep
from benchmark.runs.carry import known_cells
from benchmark.runs.cells import Cell, Store, files_in, keys_in, provenance_of_schema
from benchmark.runs.project import Project

UNKNOWN = "?"


class Line(NamedTuple):
    """The cells of one entry in one task-setting."""

    task_setting: str
    entry: str
    finished: int
    failed: int
    """Of those to do: how many failed when they were last computed."""
    to_do: int
    stale: int
    seconds: float
    """Estimated for what is to do, on one core."""


class Stale(NamedTuple):
    """A file of a cell whose key no entry on no instance of any profile has: of other code, numbers or entries."""

    path: Path
    cell: str
    horizon: int

    @property
    def place(self) -> tuple[str, str]:
        """Task-setting and entry."""
        task_setting, _, rest = self.cell.partition(" ")
        return task_setting, (rest.split(" · ") + [UNKNOWN] * 2)[1]


class Status(NamedTuple):
    """The state of a profile.

    Attributes:
        lines: one for each entry and task-setting.
        failures: cells that failed when they were last computed, each with the reason.
        stale: files that nothing reads.
        anew: of each horizon, cells to do that are finished to another one. They start anew: a cell keeps the losses of its runs, and not
            the models and generations that they would go on from.
    """

    lines: list[Line]
    failures: dict[Cell, str]
    stale: list[Stale]
    anew: Counter[tuple[int, int]]


def status(project: Project) -> Status:
    """The state of a profile."""
    store, finished = Store(project.cells), keys_in(project.cells)
    old = list(stale(project.root))
    by_place = Counter(one.place for one in old)
    horizons = {one.cell: one.horizon for one in old}
    entries = [project.entries[id] for id in project.ids() if id in project.readable]
    found = Status([], {}, old, Counter())
    for task_setting in project.task_settings():
        of_entry: dict[str, list[Cell]] = {}
        for cell in sweep.cells(project, task_setting, entries, finished=finished):
            of_entry.setdefault(cell.entry.id, []).append(cell)
        for id, cells in of_entry.items():
            plan = sweep.plan(store, cells)
            failures = {cell: why for cell in plan.to_do if (why := store.failure(cell)) is not None}
            found.failures.update(failures)
            counts = len(plan.done), len(failures), len(plan.to_do), by_place[task_setting, id]
            found.lines.append(Line(task_setting, id, *counts, plan.seconds))
            found.anew.update(
                (cell.instance.horizon, horizons[str(cell)])
                for cell in plan.to_do
                if horizons.get(str(cell), cell.instance.horizon) != cell.instance.horizon
            )
    return found


def stale(root: Path) -> Iterator[Stale]:
    """Files of cells whose key no entry on no instance of any profile has."""
    known = {cell.key for cell in known_cells(root, keys_in(root / "cells"))}
    for key, path in files_in(root / "cells"):
        if key not in known:
            yield _described(path)


def _described(path: Path) -> Stale:
    try:
        found = pq.read_metadata(path)
        cell = str(provenance_of_schema(found.schema.to_arrow_schema())["cell"])
        first, _, end = cell.rpartition(" ")[2].partition(":")
        return Stale(path, cell, found.num_rows // (int(end) - int(first)))
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError, ZeroDivisionError):
        return Stale(path, UNKNOWN, 0)
