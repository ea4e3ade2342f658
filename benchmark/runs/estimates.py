"""How long cells take: the estimates of params.yaml, corrected by what an entry's own cells took."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from benchmark.runs.cells import Cell, Store, provenance_of


class Group(NamedTuple):
    """Cells that are as much slower, or faster, than params.yaml says."""

    entry: str
    task_setting: str


def group_of(cell: Cell) -> Group:
    return Group(cell.entry.id, cell.instance.task_setting)


class Estimates:
    """Seconds on one core."""

    def __init__(self) -> None:
        self._estimated: dict[Group, float] = defaultdict(float)
        self._measured: dict[Group, float] = defaultdict(float)

    def learn(self, cell: Cell, cpu_seconds: float) -> None:
        """Take in what a cell took."""
        self._estimated[group_of(cell)] += cell.seconds
        self._measured[group_of(cell)] += cpu_seconds

    def factor(self, group: Group) -> float:
        """How much longer than params.yaml says the finished cells of a group took; 1 where there are none."""
        estimated = self._estimated[group]
        return self._measured[group] / estimated if estimated else 1.0

    def of(self, cell: Cell) -> float:
        """What a cell will take."""
        return cell.seconds * self.factor(group_of(cell))


def learned(store: Store, done: Sequence[Cell], to_do: Sequence[Cell]) -> Estimates:
    """What the finished cells say about those to do."""
    estimates, wanted = Estimates(), {group_of(cell) for cell in to_do}
    for cell in done:
        table = store.read(cell) if group_of(cell) in wanted else None
        if table is not None:
            estimates.learn(cell, provenance_of(table)["cpu_seconds"])
    return estimates
