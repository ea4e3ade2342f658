"""Rows under opaque ids, listed only when they are needed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmark.core.history import History
from benchmark.core.streams import Seed, stream
from benchmark.errors import ContractBroken

if TYPE_CHECKING:
    from numpy.random import Generator

Ids = NDArray[np.int64]
Chunk: TypeAlias = "tuple[int, int] | NDArray[np.int64]"
"""Whole generations `first … last - 1`, or row numbers of the history."""


def draw(size: int, count: int, rng: Generator, own: Generator) -> Ids | None:
    """`count` different numbers below `size`, uniformly and in increasing order; None for all of them.

    Args:
        rng: the generator that the strategy passed.
        own: the generator of its context, which it must pass.

    Raises:
        ContractBroken: there are fewer rows, or the generator is another one, which could be searched for a favourable draw.
    """
    if not (isinstance(count, (int, np.integer)) and 0 <= count <= size):
        raise ContractBroken(f"sample({count!r}) of a view of {size} rows: ask for 0 to {size}.")
    if rng is not own:
        raise ContractBroken(f"sample(): the rng is another one, of type {type(rng).__name__}: pass context.rng.")
    return None if count == size else np.sort(rng.choice(size, count, replace=False, shuffle=False))


class Rows:
    """Some rows of a view, as a multiset. `+` lists the right operand's rows after the left one's; numpy converts rows to their ids.

    There is one order, that of `ids`. Rows of `all()`, `sample()` and `first()` are listed in it; rows of `rows(ids)` are listed as the
    ids were given. Weights, features and log-likelihoods follow the order in which the rows are listed.

    Whole generations stay whole, and nothing is listed before it is needed.
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
        starts = self.names.history.starts
        return sum(starts[c[1]] - starts[c[0]] if isinstance(c, tuple) else len(c) for c in self.chunks)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self.names.ids(self.listed()).astype(dtype or np.int64)

    @property
    def whole(self) -> tuple[int, int] | None:
        """The generations, if these rows are one span of whole generations."""
        chunk = self.chunks[0] if len(self.chunks) == 1 else None
        return chunk if isinstance(chunk, tuple) else None

    def listed(self) -> NDArray[np.int64]:
        """Row numbers in the history, in the order in which the rows are listed. For the harness only."""
        return np.concatenate([self._listed(chunk) for chunk in self.chunks])

    def _listed(self, chunk: Chunk) -> NDArray[np.int64]:
        if isinstance(chunk, tuple):
            starts = self.names.history.starts
            return self.names.between(starts[chunk[0]], starts[chunk[1]])
        return chunk


@dataclass(frozen=True, eq=False)
class Names:
    """The ids of all rows at one iteration: a new random permutation each time, so that ids carry no information.

    A strategy sees the rows in the order of their ids. Rows bought during the iteration have ids from `size` on.
    """

    history: History
    size: int
    seed: Seed
    purpose: str
    t: int

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """Rows in the order in which a strategy sees them."""
        return stream(self.seed, f"{self.purpose} order", self.t).permutation(self.size)

    def between(self, start: int, stop: int) -> NDArray[np.int64]:
        """The rows start … stop - 1 in the order in which a strategy sees them."""
        order = self.order
        inside = order if (start, stop) == (0, self.size) else order[(start <= order) & (order < stop)]
        return np.concatenate([inside, np.arange(max(start, self.size), stop)]) if stop > self.size else inside

    def ids(self, rows: NDArray[np.int64]) -> Ids:
        """The ids of some rows."""
        return self._bought_as_they_are(rows, self._of_row)

    def rows(self, ids: Ids) -> NDArray[np.int64]:
        """The rows of some ids."""
        return self._bought_as_they_are(ids, self._to_row)

    def _bought_as_they_are(self, numbers: NDArray[np.int64], named: NDArray[np.int64]) -> NDArray[np.int64]:
        if self.history.size == self.size:
            return named[numbers]
        return np.where(numbers < self.size, named[np.minimum(numbers, self.size - 1)], numbers)

    @cached_property
    def _of_row(self) -> Ids:
        """The id of each row."""
        return _inverse(self.order)

    @cached_property
    def _to_row(self) -> NDArray[np.int64]:
        """The row of each id."""
        return _inverse(self._of_row)


def _inverse(permutation: NDArray[np.int64]) -> NDArray[np.int64]:
    inverse = np.empty_like(permutation)
    inverse[permutation] = np.arange(len(permutation))
    return inverse
