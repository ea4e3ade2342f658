"""What has been generated so far, and which rows of it train the next model."""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

S = TypeVar("S")

Examples = NDArray[Any]
"""Examples, one a row: float64 of shape (n, d) for vectors, an object array of n strings for text."""


class History:
    """Generations 0 … t-1 of one run, end to end in one growing array.

    Generation g is `examples[starts[g]:starts[g + 1]]`, of which the first `real_up_to[g + 1] - real_up_to[g]` are real: all of
    generation 0, and what a strategy bought at iteration g. No generation copies the pool: there is `room` for that
    many rows from the start (the system gives memory for those that are used), and beyond it the array
    doubles. `memo` is for the task alone, which keeps there what it has already computed of these
    rows; rows never change, so nothing in it ever goes stale.
    """

    def __init__(self, real: Examples, room: int = 0) -> None:
        self._buffer = real  # not copied: whoever drew it gives it away
        if room > len(real):
            self._buffer = np.empty((room, *real.shape[1:]), real.dtype)
            self._buffer[: len(real)] = real
        self.starts = [0, len(real)]
        self.real_up_to = [0, len(real)]
        self._lent = 0
        self.memo: dict[Hashable, Any] = {}

    def __len__(self) -> int:
        """Number of generations."""
        return len(self.starts) - 1

    @property
    def size(self) -> int:
        """Number of rows, with those bought at this iteration."""
        return self.starts[-1] + self._lent

    @property
    def number_of_real(self) -> int:
        """How many of them are real."""
        return self.real_up_to[-1] + self._lent

    @property
    def examples(self) -> Examples:
        """All rows, read-only."""
        view = self._buffer[: self.size]
        view.flags.writeable = False
        return view

    def is_real(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each of these rows is real."""
        if self.number_of_real == self.starts[1]:  # nothing was ever bought
            return rows < self.starts[1]
        starts, real = np.array(self.starts), np.diff([*self.real_up_to, self.number_of_real])
        generation = np.searchsorted(starts, rows, side="right") - 1
        found: NDArray[np.bool_] = rows - starts[generation] < real[generation]
        return found

    def lend(self, bought: Examples) -> None:
        """Add real rows that were bought at this iteration: they will be the first of the next generation."""
        self._extend(bought)
        self._lent += len(bought)

    def append(self, generation: Examples) -> None:
        """Add the next generation."""
        self._extend(generation)
        self.starts.append(self.size + len(generation))
        self.real_up_to.append(self.number_of_real)
        self._lent = 0

    def _extend(self, examples: Examples) -> None:
        start, stop = self.size, self.size + len(examples)
        if stop > len(self._buffer):
            grown = np.empty((max(stop, 2 * start), *self._buffer.shape[1:]), self._buffer.dtype)
            grown[:start] = self._buffer[:start]
            self._buffer = grown
        self._buffer[start:stop] = examples


class Span(NamedTuple):
    """Whole generations `first … last - 1`, every row with one weight."""

    first: int
    last: int
    weight: float


NO_ROWS = np.empty(0, np.int64)
NO_WEIGHTS = np.empty(0)


@dataclass(frozen=True, eq=False)
class Weighted:
    """A training set in canonical form, as a task sees it: whole generations, then single rows.

    Whole generations stay whole so that a task can use what it has summed of them before, and *accumulate*
    costs per generation what *replace* costs.

    Attributes:
        history: where the rows are.
        spans: whole generations, in order.
        rows: indices into `history.examples`, increasing; a row drawn twice stands twice.
        weights: positive, one for each of `rows`.
    """

    history: History
    spans: tuple[Span, ...] = ()
    rows: NDArray[np.int64] = field(default_factory=lambda: NO_ROWS)
    weights: NDArray[np.float64] = field(default_factory=lambda: NO_WEIGHTS)

    @property
    def size(self) -> int:
        """Number of rows, with repeats."""
        return sum(stop - start for start, stop, _ in self.ranges()) + len(self.rows)

    @property
    def mass(self) -> float:
        """Sum of the weights of all rows."""
        whole = sum((stop - start) * weight for start, stop, weight in self.ranges())
        return whole + float(self.weights.sum()) if len(self.rows) else whole

    @property
    def real_share(self) -> float:
        """Share of the mass that lies on real rows, 0 to 1."""
        real_up_to = self.history.real_up_to
        whole = sum((real_up_to[last] - real_up_to[first]) * weight for first, last, weight in self.spans)
        single = float(self.weights[self.history.is_real(self.rows)].sum()) if len(self.rows) else 0.0
        return (whole + single) / self.mass

    @property
    def real_share_of_rows(self) -> float:
        """Share of the real rows in the effective number of rows, 0 to 1: of rows that weigh alike their share in number.

        Kish's (Σw)²/Σw² of the real rows, over that plus the same of the synthetic ones; a row listed twice is two.
        """
        rows, weights = self.expanded()
        real = self.history.is_real(rows)
        sizes = [weights[part].sum() ** 2 / (weights[part] @ weights[part]) for part in (real, ~real) if part.any()]
        return float(real.all()) if len(sizes) == 1 else float(sizes[0] / sum(sizes))

    @property
    def effective_rows(self) -> float:
        """Kish's effective number (Σw)²/Σw² of different rows; the weight of a row listed twice is the sum."""
        rows, weights = self.expanded()
        of_row = np.bincount(np.unique(rows, return_inverse=True)[1], weights)
        return float(of_row.sum() ** 2 / (of_row @ of_row))

    @property
    def is_first_generation(self) -> bool:
        """Whether this is exactly generation 0, all rows alike: the real data, or all candidates."""
        return len(self.rows) == 0 and [(s.first, s.last) for s in self.spans] == [(0, 1)]

    def ranges(self) -> Iterator[tuple[int, int, float]]:
        """Each span as rows `start … stop - 1` of the history, with the weight of one row."""
        for span in self.spans:
            yield self.history.starts[span.first], self.history.starts[span.last], span.weight

    def of_spans(
        self, known: dict[tuple[int, int], S], of_rows: Callable[[Examples], S], joined: Callable[[S, S], S]
    ) -> list[S]:
        """What a task has summed of the rows of each span.

        Each sum goes on from where the last training set left it, so that *accumulate* sums one generation an
        iteration. Only the last training set's sums are kept: memory does not grow with t.

        Args:
            known: where the task keeps them, by first and last generation.
            of_rows: the sum of some rows, all of weight 1.
            joined: of two sums, the sum of both their rows.
        """
        history = self.history
        now: dict[tuple[int, int], S] = {}
        for first, last, _ in self.spans:
            done = max((stop for start, stop in known if start == first and stop <= last), default=first)
            total = known.get((first, done))
            if done < last:
                new = of_rows(history.examples[history.starts[done] : history.starts[last]])
                total = new if total is None else joined(total, new)
            now[first, last] = cast(S, total)
        known.clear()
        known.update(now)
        return [now[first, last] for first, last, _ in self.spans]

    def expanded(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """All rows and their weights, listed one by one: costs what the training set is long."""
        whole = [(np.arange(start, stop), np.full(stop - start, weight)) for start, stop, weight in self.ranges()]
        rows = np.concatenate([r for r, _ in whole] + [self.rows])
        return rows, np.concatenate([w for _, w in whole] + [self.weights])


def real_data_only(history: History) -> Weighted:
    """Generation 0, unweighted."""
    return Weighted(history, (Span(0, 1, 1.0),))
