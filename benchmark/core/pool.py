"""What a strategy looks at: rows under opaque ids, in read-only views that list nothing until asked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmark.core.history import Examples, History
from benchmark.core.services import Services, Under
from benchmark.core.streams import Seed, stream
from benchmark.errors import ContractBroken, TrackBroken

if TYPE_CHECKING:
    from numpy.random import Generator

Ids = NDArray[np.int64]

Chunk: TypeAlias = "tuple[int, int] | NDArray[np.int64]"
"""Whole generations `first … last - 1`, or row numbers of the history."""


def draw(size: int, count: int, rng: Generator, own: Generator) -> Ids | None:
    """`count` different numbers below `size`, uniformly and in increasing order; None for all of them.

    Args:
        rng: what the strategy passed.
        own: what it must have passed: the generator of its context.

    Raises:
        ContractBroken: there are not so many, or it is another generator, which could be searched for a draw to one's liking.
    """
    if not (isinstance(count, (int, np.integer)) and 0 <= count <= size):
        raise ContractBroken(f"sample({count!r}) of a view of {size} rows: ask for 0 to {size}.")
    if rng is not own:
        raise ContractBroken(f"sample(): the rng is another one, of type {type(rng).__name__}: pass context.rng.")
    return None if count == size else np.sort(rng.choice(size, count, replace=False, shuffle=False))


class Rows:
    """Some rows of a view, as a multiset: `+` puts one after the other. Numpy turns it into the ids.

    There is one order, that of `ids`: rows of `all()`, `sample()` and `first()` are listed in it, rows of `rows(ids)` as their ids were
    given. Weights, features and log-likelihoods of rows come in the order in which the rows are listed.

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
        starts = self.names.history.starts
        return sum(starts[c[1]] - starts[c[0]] if isinstance(c, tuple) else len(c) for c in self.chunks)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self.names.ids(self.listed()).astype(dtype or np.int64)

    @property
    def whole(self) -> tuple[int, int] | None:
        """The generations, where these rows are nothing but whole generations in one piece."""
        chunk = self.chunks[0] if len(self.chunks) == 1 else None
        return chunk if isinstance(chunk, tuple) else None

    def listed(self) -> NDArray[np.int64]:
        """Row numbers in the history, in the order in which the rows are listed: for the harness alone."""
        return np.concatenate([self._listed(chunk) for chunk in self.chunks])

    def _listed(self, chunk: Chunk) -> NDArray[np.int64]:
        if isinstance(chunk, tuple):
            starts = self.names.history.starts
            return self.names.between(starts[chunk[0]], starts[chunk[1]])
        return chunk


@dataclass(frozen=True, eq=False)
class Names:
    """The ids of all rows for one iteration: drawn anew at every iteration, so nothing can be told by them.

    Ids count the rows in a random order, which is the one in which a strategy sees them.
    Rows that are bought later in the iteration have ids from `size` on: their buyer knows them anyway.
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
        """`count` rows, uniformly without replacement.

        Args:
            rng: `context.rng`; any other generator is refused.
        """
        numbers = draw(len(self), count, rng, self._services.rng)
        return self.all() if numbers is None else self.drawn(numbers)

    def drawn(self, numbers: NDArray[np.int64]) -> Rows:
        """The rows at these places of `ids`. For the harness alone."""
        return self._rows(self._order[numbers])

    def rows(self, ids: Ids) -> Rows:
        """The rows of these ids, in their order, an id twice where it stands twice. They may be of rows that have just been bought.

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
        return self.names.between(self._start, self._stop)

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

        For vectors the examples themselves, under a hidden affine map, so that knowing the truth is no help; for text salted hashes
        of n-grams, or vectors of a frozen encoder under a random rotation. In track `blind` the map is a new one at every iteration, and values are
        rounded to 1/200 of the pool's standard deviation along each axis: nothing that is seen of a row at one iteration
        recognizes it at another. Elsewhere the map is one for the run.

        Args:
            rows: ids, or what `all()` and `sample()` gave, in the order in which they are listed; without it, all in the order of `ids`.
        """
        return self._services.features(self._examples(rows))

    def log_likelihood(
        self, rows: Rows | Ids | None = None, under: Under = "current", per_token: bool = False
    ) -> NDArray[np.float64]:
        """Of each row under a model, in nats per example (text with `per_token`: per token), shape (rows,).

        -inf where the model is singular, as a Gaussian of n ≤ d rows is. In track `blind` of candidates alone, from their mean and rounded
        to 0.01 nats. Metered: 4n rows an iteration at most (budget `growing`: 4n·⌈t^1.5⌉).

        Args:
            rows: as for `features`.
            under: "current": in `training_set` the last model, in `keep` the one that has just been fitted; "first":
                that of iteration 1, not in track `blind`.
        """
        self._may_be_rated()
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
            numbers = rows.listed()
        else:
            numbers = self.rows(np.asarray(rows)).listed()
        return self.names.history.examples[numbers]

    def _may_be_rated(self) -> None:
        """Likelihoods of rows that one has anyway tell the parameters of the last model, and weights could make the next one equal to it."""
        if not self._services.rules.sees_generations:
            raise TrackBroken(
                "log_likelihood() of the pool tells the last model, which track 'blind' withholds: "
                "ask about candidates, in keep(), or declare track 'labelled' in card.yaml."
            )

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
        return self._rows(self._order)

    def _needs_generations(self, asked: str) -> None:
        raise ContractBroken(f"{asked}(): bought rows are all real, and of this iteration.")


class Candidates(Pool):
    """What the model of this iteration has just sampled: all synthetic, all of one age."""

    def _may_be_rated(self) -> None:
        """By the model that sampled them, on every track."""

    def _needs_generations(self, asked: str) -> None:
        raise ContractBroken(f"{asked}(): candidates are of one generation, the model's of this iteration.")

    def first(self, count: int) -> Rows:
        """The `count` that were drawn first; being exchangeable, any others would do as well."""
        if not 0 <= count <= len(self):
            raise ContractBroken(f"first({count}) of {len(self)} candidates: ask for 0 to {len(self)}.")
        return self.all() if count == len(self) else self._rows(self.names.between(0, count))
