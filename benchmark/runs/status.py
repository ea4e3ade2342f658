"""What is finished of a profile, and what the store holds beside it."""

from pathlib import Path
from typing import NamedTuple

from benchmark.runs import sweep
from benchmark.runs.carry import known_cells
from benchmark.runs.cells import Cell, Store, files_in
from benchmark.runs.project import Project


class Line(NamedTuple):
    """The cells of one entry in one task-setting."""

    task_setting: str
    entry: str
    finished: int
    to_do: int
    seconds: float
    """Estimated for what is to do, on one core."""


def lines(project: Project) -> list[Line]:
    """One for each entry of the profile and each task-setting."""
    store = Store(project.cells)
    found = []
    entries = [project.entries[id] for id in project.ids() if id in project.readable]
    for task_setting in project.task_settings():
        of_entry: dict[str, list[Cell]] = {}
        for cell in sweep.cells(project, task_setting, entries):
            of_entry.setdefault(cell.entry.id, []).append(cell)
        for id, cells in of_entry.items():
            plan = sweep.plan(store, cells)
            found.append(Line(task_setting, id, len(plan.done), len(plan.to_do), plan.seconds))
    return found


def stale(root: Path) -> list[Path]:
    """Files of cells whose key no entry on no instance of any profile has: of other code, numbers or entries."""
    keys = {cell.key for cell in known_cells(root)}
    return [path for key, path in files_in(root / "cells") if key not in keys]
