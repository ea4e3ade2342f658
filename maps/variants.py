"""Entries with other hyperparameters than their card's, run and kept like all others."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from benchmark.entries.entry import Entry
from benchmark.errors import ThriveError
from benchmark.runs import sweep
from benchmark.runs.cells import Cell, Store, write_atomically
from benchmark.runs.progress import SILENT, Progress
from benchmark.runs.project import Project

ENTRIES = Path(__file__).parent / "entries"


class Kept:
    """The cells of the maps, in a folder of the clone's `cells`. A cell's key knows the hyperparameters, so that none is computed twice."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.folder = project.cells / "maps"
        self.store = Store(self.folder)

    def entry(self, kind: str, name: str, hyperparameters: dict[str, Any]) -> Entry:
        """An entry of maps/entries with these hyperparameters: a folder of its own, which a worker can load.

        Args:
            name: tells it from others of its kind.
        """
        template = Entry(ENTRIES / kind)
        folder = self.folder / "entries" / f"{kind}-{name}"
        card = template.card.model_dump(mode="json", exclude_defaults=True)
        card |= {"id": folder.name, "hyperparameters": hyperparameters}
        write_atomically(folder / "card.yaml", yaml.safe_dump(card, sort_keys=False).encode())
        write_atomically(folder / "strategy.py", (template.folder / "strategy.py").read_bytes())
        return Entry(folder)

    def blocks(self, task_setting: str) -> dict[str, list[Cell]]:
        """By instance, the cells of any entry: `of` puts another in its place."""
        found: dict[str, list[Cell]] = {}
        for cell in sweep.cells(self.project, task_setting, [Entry(ENTRIES / "mixture")]):
            found.setdefault(cell.instance.name, []).append(cell)
        return found

    def compute(self, cells: list[Cell], jobs: int, progress: Progress = SILENT) -> None:
        """Compute those that are not finished.

        Raises:
            ThriveError: some could not be computed. The others are kept.
        """
        to_do = sweep.plan(self.store, cells).to_do
        failures = sweep.compute(self.project.root, self.store, to_do, jobs, progress) if to_do else []
        if failures:
            lines = "\n".join(f"{failure.cell}: {failure.error}" for failure in failures)
            raise ThriveError(
                f"{len(failures)} of {len(to_do)} cells failed, so that there is no map; the others are kept.\n{lines}"
            )

    def excess(self, cells: list[Cell]) -> pd.DataFrame:
        """Test loss minus that of a fit on the real data, in nats: a row for each seed, a column for each iteration. +inf where a run diverged.

        Raises:
            ThriveError: a cell is missing, or the entry refuses the task-setting.
        """
        tables = [(cell, self.store.read(cell)) for cell in cells]
        missing = [str(cell) for cell, table in tables if table is None or table.num_rows == 0]
        if missing:
            raise ThriveError(f"no records of {missing[0]}. Run it again.")
        records = pd.concat([table.to_pandas() for _, table in tables if table is not None])
        records["excess"] = (records["test_loss"] - records["real_loss"]).fillna(float("inf"))
        by_seed: pd.DataFrame = records.pivot(index="seed", columns="t", values="excess")
        return by_seed


def of(entry: Entry, blocks: list[Cell]) -> list[Cell]:
    """The same cells of this entry."""
    return [replace(cell, entry=entry) for cell in blocks]
