"""The runs behind a board, as arrays, and what a statistical method makes of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark.results.scoring import REFERENCE, Interval

Array = NDArray[np.float64]


@dataclass(frozen=True)
class TaskRuns:
    """Runs on the ranked instances of one task-setting. Losses are in nats (text: per token). The last axis of all arrays is the seed.

    Attributes:
        excess: final loss minus that of a fit on the real data, shape (entries, instances, seeds).
        drift: slope·T, the same shape.
        late: slope over the last half, times T, the same shape.
        damage: the loss added by one generation of replace, shape (instances, seeds).
        real: loss of a fit on the real data, shape (instances, seeds).
        field: the entries that everybody duels with.
    """

    entries: tuple[str, ...]
    instances: tuple[str, ...]
    excess: Array
    drift: Array
    late: Array
    damage: Array
    real: Array
    field: tuple[str, ...]

    def at(self, instances: Sequence[int]) -> "TaskRuns":
        """On these instances, each by its place; one may be named twice."""
        names = tuple(self.instances[k] for k in instances)
        excess, drift, late = (array[:, instances] for array in (self.excess, self.drift, self.late))
        damage, real = self.damage[instances], self.real[instances]
        return TaskRuns(self.entries, names, excess, drift, late, damage, real, self.field)

    @property
    def seeds(self) -> int:
        return int(self.damage.shape[1])

    def of(self, entry: str, array: Array) -> Array:
        """The part of an array that belongs to an entry, shape (instances, seeds)."""
        return np.asarray(array[self.entries.index(entry)])


class Division(NamedTuple):
    """Entries that are ranked among themselves, and the base that words compare them with (which may be ranked elsewhere)."""

    name: str
    base: str
    entries: tuple[str, ...]


@dataclass(frozen=True)
class Runs:
    """All runs of a board."""

    tasks: Mapping[str, TaskRuns]
    divisions: tuple[Division, ...]

    @property
    def complete(self) -> list[str]:
        """Entries that ran on every task-setting, without the reference lines."""
        first, *others = self.tasks.values()
        return [
            id for id in first.entries if id not in (REFERENCE, "real-only") and all(id in o.entries for o in others)
        ]


Intervals = dict[str, dict[str, Interval]]
"""Intervals by quantity, such as "score, gaussian", and by entry, or entry and instance as "entry @ instance"."""


@dataclass(frozen=True)
class Method:
    """A way to turn runs into what the board prints.

    Attributes:
        centres: the estimates alone, by quantity and key. Taken of a whole population they are the truth that intervals should hold.
        intervals: the same quantities and keys with their intervals of 95 %.
        order: by entry, what it is ranked by; lower is better.
        ranks: by division and entry, the lowest and the highest rank left open.
        words: by division and entry, "better", "worse" or anything else beside the division's base.
        verdicts: a word for each "entry @ instance", and for each "entry @ task-setting".
    """

    name: str
    centres: Callable[[Runs], dict[str, dict[str, float]]]
    intervals: Callable[[Runs], Intervals]
    order: Callable[[Runs], Mapping[str, float]]
    ranks: Callable[[Runs], dict[str, dict[str, tuple[int, int]]]]
    words: Callable[[Runs], dict[str, dict[str, str]]]
    verdicts: Callable[[Runs], dict[str, str]]
