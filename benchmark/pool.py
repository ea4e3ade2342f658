"""What a strategy looks at: rows under opaque ids, in read-only views that list nothing until asked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import ContractBroken, TrackBroken
from benchmark.history import Examples, History
from benchmark.services import Services, Under
from benchmark.streams import Seed, stream

if TYPE_CHECKING:
    from numpy.random import Generator

Ids = NDArray[np.int64]

Chunk: TypeAlias = "tuple[int, int] | NDArray[np.int64]"
"""Whole generations `first … last - 1`, or row numbers of the history."""


def draw(size: int, count: int, rng: Generator) -> Ids | None:
    """`count` different numbers below `size`, uniformly; None for all of them.

    Raises:
        ContractBroken: there are not so many, or that is no generator of NumPy.
    """
    if not 0 <= count <= size:
        raise ContractBroken(f"sample({count}) of a view of {size} rows: ask for 0 to {size}.")
    if type(rng) is not np.random.Generator:
        raise ContractBroken(f"sample(): the rng is of type {type(rng).__name__}: pass context.rng.")
    return None if count == size else rng.choice(size, count, replace=False, shuffle=False)


class Rows:
    """Some rows of a view, as a multiset: `+` joins two. Numpy turns it into the ids, in increasing order.

    Whole generations stay whole and nothing is listed before it is needed.
    """

    __array_ufunc__ = None  # an array of ids + Rows is an error, not an addition of numbers

    def __init__(self, names: Names, chunks: tuple[Chunk, ...]) -> None:
        self.names = names
        self.chunks = chunks

    def __add__(self, other: Rows) -> Rows:
        if not isinstance(other, Rows) or other.names is not self.names:
            raise ContractBroken("`+` joins rows of one view at one iteration: see `Pool.rows` for ids.")
        return Rows(self.names, self.chunks + other.chunks)

    def __len__(self) -> int:
        return sum(len(self._numbers(chunk)) for chunk in self.chunks)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self.names.listed(self.numbers()).astype(dtype or np.int64)

    @property
    def whole(self) -> tuple[int, int] | None:
        """The generations, where these rows are nothing but whole generations in one piece."""
        chunk = self.chunks[0] if len(self.chunks) == 1 else None
        return chunk if isinstance(chunk, tuple) else None

    def numbers(self) -> NDArray[np.int64]:
        """Row numbers in the history: for the harness alone."""
        return np.concatenate([np.asarray(self._numbers(chunk), np.int64) for chunk in self.chunks])

    def _numbers(self, chunk: Chunk) -> range | NDArray[np.int64]:
        if isinstance(chunk, tuple):
            starts = self.names.history.starts
            return range(starts[chunk[0]], starts[chunk[1]])
        return chunk


@dataclass(frozen=True, eq=False)
class Names:
    """The ids of all rows for one iteration: drawn anew at every iteration, so nothing can be told by them.

    Rows that are bought later in the iteration have ids from `size` on: their buyer knows them anyway.
    """

    history: History
    size: int
    seed: Seed
    purpose: str
    t: int

    def ids(self, rows: NDArray[np.int64]) -> Ids:
        """The ids of some rows."""
        return self._of_row[rows] if self.history.size == self.size else self._bought_as_they_are(rows, self._of_row)

    def listed(self, rows: NDArray[np.int64]) -> Ids:
        """The ids of lazy rows, in the order in which a strategy is shown them."""
        return np.sort(self.ids(rows))  # history's order would tell ages

    def rows(self, ids: Ids) -> NDArray[np.int64]:
        """The rows of some ids."""
        return self._to_row[ids] if self.history.size == self.size else self._bought_as_they_are(ids, self._to_row)

    def _bought_as_they_are(self, numbers: NDArray[np.int64], named: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.where(numbers < self.size, named[np.minimum(numbers, self.size - 1)], numbers)

    @cached_property
    def _of_row(self) -> Ids:
        return stream(self.seed, f"{self.purpose} ids", self.t).permutation(self.size)

    @cached_property
    def _to_row(self) -> NDArray[np.int64]:
        rows = np.empty_like(self._of_row)
        rows[self._of_row] = np.arange(len(rows))
        return rows

    def veiled(self, numbers: NDArray[np.int64], size: int) -> NDArray[np.int64]:
        """Numbers below `size` under a hidden one-to-one map: a strategy cannot pick rows by picking a generator."""
        factor, shift = self._veil
        while math.gcd(factor, size) > 1:
            factor += 1
        return (numbers * (factor % size) + shift) % size

    @cached_property
    def _veil(self) -> tuple[int, int]:
        factor, shift = stream(self.seed, f"{self.purpose} veil", self.t).integers(2**31, size=2).tolist()
        return factor, shift

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """Rows in the order in which a strategy sees them."""
        return stream(self.seed, f"{self.purpose} order", self.t).permutation(self.size)


class Pool:
    """A read-only view of generations `first … last - 1`: all that a strategy may look at.

    `all` and `sample` are lazy: they cost nothing for rows that nobody lists.
    """

    def __init__(self, names: Names, services: Services, first: int, last: int) -> None:
        self.names = names
        self._services = services
        self._first = first
        self._last = last

    def __len__(self) -> int:
        """Number of rows."""
        return self._stop - self._start

    @property
    def _start(self) -> int:
        return self.names.history.starts[self._first]

    @property
    def _stop(self) -> int:
        return self.names.history.starts[self._last]

    def all(self) -> Rows:
        """Every row, once."""
        return Rows(self.names, ((self._first, self._last),))

    def sample(self, count: int, rng: Generator) -> Rows:
        """`count` rows, uniformly without replacement."""
        numbers = draw(len(self), count, rng)
        return self.all() if numbers is None else self.drawn(numbers)

    def drawn(self, numbers: NDArray[np.int64]) -> Rows:
        """The rows that different numbers below len(self) stand for. For the harness alone."""
        return self._rows(self._start + self.names.veiled(numbers, len(self)))

    def rows(self, ids: Ids) -> Rows:
        """The rows of these ids, which may be of rows that have just been bought.

        Raises:
            ContractBroken: an id is not of this view.
        """
        if ids.ndim != 1 or (ids.size and not np.issubdtype(ids.dtype, np.integer)):
            raise ContractBroken(f"ids of shape {ids.shape} and type {ids.dtype}: expected a 1-D array of integers.")
        ids = ids.astype(np.int64)
        known = (ids >= 0) & (ids < self.names.history.size)
        numbers = self.names.rows(np.where(known, ids, 0))
        bought = numbers >= self.names.size
        known &= bought | ((self._start <= numbers) & (numbers < self._stop))
        if not known.all():
            raise ContractBroken(f"id {ids[~known][0]} is not of this view ({len(self)} rows): return ids from `ids`.")
        return self._rows(numbers)

    def _rows(self, numbers: NDArray[np.int64]) -> Rows:
        return Rows(self.names, (numbers,))

    @property
    def ids(self) -> Ids:
        """The ids of all rows, int64, in the order in which every other array of this view comes."""
        return self.names.ids(self._order)

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        order = self.names.order
        return order[(self._start <= order) & (order < self._stop)]

    def generation(self) -> NDArray[np.int64]:
        """The generation of each row; 0 is real."""
        self._needs_generations("generation")
        return np.searchsorted(self.names.history.starts, self._order, side="right") - 1

    def is_real(self) -> NDArray[np.bool_]:
        """Whether each row is real."""
        self._needs_generations("is_real")
        return self.names.history.is_real(self._order)

    def real(self) -> Pool:
        """The view of generation 0 alone."""
        return self.generations(0, 1)

    def latest(self) -> Pool:
        """The view of the newest generation alone, with what was bought then: at iteration 1 that is the real data."""
        return self.generations(self._last - 1, self._last)

    def generations(self, first: int, last: int) -> Pool:
        """The view of generations `first … last - 1` alone."""
        self._needs_generations("generations")
        if not self._first <= first < last <= self._last:
            raise ContractBroken(
                f"generations({first}, {last}) of a view of generations {self._first} … {self._last - 1}."
            )
        return Pool(self.names, self._services, first, last)

    def features(self, rows: Rows | Ids | None = None) -> NDArray[np.float64]:
        """What can be measured of rows: shape (rows, k).

        For vectors the examples themselves, under an affine map that is drawn once a run, so that knowing the truth is
        no help; for text a frozen encoder's vectors.

        Args:
            rows: ids, or what `all()` and `sample()` gave; without it, all. The order is that of the ids.
        """
        return self._services.features(self._examples(rows))

    def log_likelihood(
        self, rows: Rows | Ids | None = None, under: Under = "current", per_token: bool = False
    ) -> NDArray[np.float64]:
        """Of each row under a model, in nats per example (text with `per_token`: per token), shape (rows,).

        Metered: 4n rows an iteration at most (budget `growing`: 4n·⌈t^1.5⌉).

        Args:
            rows: as for `features`.
            under: "current": in `training_set` the last model, in `keep` the one that has just been fitted; "first":
                that of iteration 1, not in track `blind`.
        """
        return self._services.log_likelihood(self._examples(rows), under, per_token)

    def verifier_scores(self, per_row: float, rows: Rows | Ids | None = None) -> NDArray[np.float64]:
        """Estimates of log p(real) - log p(current model) at each row, shape (rows,), by a verifier that is for sale.

        It is trained on `per_row`·n real examples that are held back from everyone else, the same ones all through a
        run. Track `assisted` only.
        """
        return self._services.verifier(per_row)(self._examples(rows))

    def _examples(self, rows: Rows | Ids | None) -> Examples:
        if rows is None:
            numbers = self._order
        elif isinstance(rows, Rows):
            if rows.names is not self.names:
                raise ContractBroken("rows of another view: ask about rows of the view that this call was given.")
            numbers = self.names.rows(np.asarray(rows))
        else:
            numbers = self.rows(np.asarray(rows)).numbers()
        return self.names.history.examples[numbers]

    def _needs_generations(self, asked: str) -> None:
        if not self._services.rules.sees_generations:
            raise TrackBroken(
                f"{asked}() tells rows apart by age, which track 'blind' withholds: "
                "declare track 'labelled' in card.yaml, or do without."
            )


class Bought(Pool):
    """Real rows that were bought at this iteration."""

    def __init__(self, names: Names, services: Services, start: int, stop: int) -> None:
        super().__init__(names, services, 0, len(names.history))
        self._bounds = start, stop

    @property
    def _start(self) -> int:
        return self._bounds[0]

    @property
    def _stop(self) -> int:
        return self._bounds[1]

    def all(self) -> Rows:
        return self._rows(np.arange(*self._bounds))

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        return np.arange(*self._bounds)

    def _needs_generations(self, asked: str) -> None:
        raise ContractBroken(f"{asked}(): bought rows are all real, and of this iteration.")


class Candidates(Pool):
    """What the model of this iteration has just sampled: all synthetic, all of one age."""

    def _needs_generations(self, asked: str) -> None:
        raise ContractBroken(f"{asked}(): candidates are of one generation, the model's of this iteration.")

    def first(self, count: int) -> Rows:
        """The `count` that were drawn first; being exchangeable, any others would do as well."""
        if not 0 <= count <= len(self):
            raise ContractBroken(f"first({count}) of {len(self)} candidates: ask for 0 to {len(self)}.")
        return self.all() if count == len(self) else self._rows(np.arange(count))
