"""What an entry sees, changed in a way that must not matter to it: other ids, other hidden labels, other test data."""

import copy
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from benchmark.core.history import History
from benchmark.core.pool import Pool
from benchmark.core.rows import Ids, Names, Rows
from benchmark.core.streams import stream
from benchmark.core.task import Task

View = TypeVar("View", bound=Pool)
RowNumbers = NDArray[np.int64]


class Disguise:
    """None at all, and what the others derive from."""

    def view(self, view: View, names: Names) -> View:
        """The view under other names."""
        seen = copy.copy(view)
        seen.names = names
        return seen

    def names(self, names: Names) -> Names:
        """What the rows are called."""
        return names

    def rows(self, rows: RowNumbers, size: int) -> RowNumbers:
        """The harness's numbers of rows that were chosen in disguise, from a pool of this size."""
        return rows


class Renaming(Disguise):
    """Every row, in its old place, has another id."""

    def names(self, names: Names) -> Names:
        return _Renamed(**_values(names), plain=names)


@dataclass(frozen=True, eq=False)
class _Renamed(Names):
    plain: Names

    @cached_property
    def order(self) -> RowNumbers:
        """The old one, so that drawing by place from a list of rows draws the same ones."""
        return self.plain.order

    @cached_property
    def _of_row(self) -> Ids:
        return stream(self.seed, f"{self.purpose} other ids", self.t).permutation(self.size)


class Relabelling(Disguise):
    """Every example, in its old place and with its old id, has another age, and may be real where it was synthetic."""

    def names(self, names: Names) -> Names:
        if names.purpose != "pool":  # candidates are all of one age
            return names
        moved = self._moved(names.size)
        history = _moved(names.history, moved)
        return _Relabelled(**{**_values(names), "history": history}, plain=names, moved=moved)

    def rows(self, rows: RowNumbers, size: int) -> RowNumbers:
        return np.argsort(self._moved(size))[rows]

    def _moved(self, size: int) -> RowNumbers:
        """Where each row goes: a permutation that depends on nothing but their number."""
        return np.random.default_rng(size).permutation(size)


@dataclass(frozen=True, eq=False)
class _Relabelled(Names):
    plain: Names
    moved: RowNumbers

    @cached_property
    def _of_row(self) -> Ids:
        return self.plain.ids(np.argsort(self.moved))

    @cached_property
    def order(self) -> RowNumbers:
        return self.moved[self.plain.order]


class Listing(Disguise):
    """Lazy rows are ids already: what a strategy selects and weighs must not depend on how its rows are held."""

    def view(self, view: View, names: Names) -> View:
        seen = super().view(view, names)
        seen.__class__ = type("Listed", (_Listed, type(view)), {})
        return seen


class _Listed(Pool):
    def all(self) -> Rows:
        return self.rows(np.asarray(super().all()))

    def sample(self, count: int, rng: Generator) -> Rows:
        return self.rows(np.asarray(super().sample(count, rng)))

    def generations(self, first: int, last: int) -> Pool:
        return Listing().view(super().generations(first, last), self.names)


def _values(of: Any) -> dict[str, Any]:
    """The fields of a dataclass, as they are."""
    return {field.name: getattr(of, field.name) for field in fields(of)}


def _moved(history: History, moved: RowNumbers) -> History:
    """The same examples with the same generation sizes, each example where `moved` says."""
    examples = np.empty_like(history.examples)
    examples[moved] = history.examples
    found = History(examples[: history.starts[1]])
    for start, stop in pairwise(history.starts[1:]):
        found.append(examples[start:stop])
    return found


DISGUISES = {"none": Disguise(), "renamed": Renaming(), "relabelled": Relabelling(), "listed": Listing()}


def poisoned(task: Task) -> Task:
    """The instance with test data and test losses that are not numbers."""
    kind = type(task)

    def held_out(self: Any, world: Any, rng: np.random.Generator) -> Any:
        test = kind.held_out(task, world, rng)
        return np.full_like(test, np.nan) if isinstance(test, np.ndarray) else None

    methods = {
        "held_out": held_out,
        "test_loss": lambda self, model, test: float("nan"),
        "refuse_copies": lambda self, generation, start: None,
        "simplest_loss": lambda self, real, test: float("nan"),
        "diagnostics": lambda self, model, generation, test, full: {},  # some cannot be had of such test data
    }
    found: Task = type(kind.__name__, (kind,), methods)(**_values(task))
    return found
