"""What a strategy may look at: read-only views of rows under opaque ids."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.core.history import Examples
from benchmark.core.rows import Ids, Names, Rows, draw
from benchmark.core.services import Services, Under
from benchmark.errors import ContractBroken, TrackBroken

if TYPE_CHECKING:
    from numpy.random import Generator


class Pool:
    """A read-only view of generations `first … last - 1`, the only access that a strategy has to data.

    `all` and `sample` are lazy: rows that nobody lists cost nothing.
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
        """The rows of these ids, in the order of the ids, repeats included. Rows that have just been bought are allowed.

        Raises:
            ContractBroken: an id does not belong to this view.
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
        """The ids of all rows, int64. Every other array of this view comes in this order."""
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
        """The view of the newest generation, including rows bought then; at iteration 1 the real data."""
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
        """Feature vectors of rows, shape (rows, k).

        Vectors are the examples themselves under a hidden affine map, so that knowing the truth does not help. Texts are salted hashes
        of n-grams, or vectors of a frozen encoder under a random rotation. Track `blind` describes candidates only, draws a new map at every iteration and
        rounds values to 1/200 of the candidates' standard deviation along each axis, so that a row seen once cannot be recognized later. The other tracks keep one map for the run.

        Args:
            rows: ids or rows, answered in the order in which they are listed; by default all rows in the order of `ids`.
        """
        self._may_be_examined("features")
        return self._services.features(self._examples(rows))

    def log_likelihood(
        self, rows: Rows | Ids | None = None, under: Under = "current", per_token: bool = False
    ) -> NDArray[np.float64]:
        """Log-likelihood of each row under a model, in nats per example (text with `per_token`: per token), shape (rows,).

        -inf if the model is singular, as a Gaussian fitted to n ≤ d rows is. Track `blind` rates candidates only, relative to their mean
        and rounded to 0.01 nats. Metered: 4n rows an iteration at most (budget `growing`: 4n·⌈t^1.5⌉).

        Args:
            rows: as for `features`.
            under: "current": in `training_set` the previous model, in `keep` the one that has just been fitted; "first":
                the model of iteration 1, not in track `blind`.
        """
        self._may_be_examined("log_likelihood")
        return self._services.log_likelihood(self._examples(rows), under, per_token)

    def verifier_scores(self, per_row: float, rows: Rows | Ids | None = None) -> NDArray[np.float64]:
        """A verifier's estimates of log p(real) - log p(current model) at each row, shape (rows,). Track `assisted` only.

        The verifier is trained on `per_row`·n held-back real examples, the same ones throughout a run, and counts as cost.
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

    def _may_be_examined(self, asked: str) -> None:
        """Refuse in track `blind`: a strategy that shapes its samples, by temperature or choice, would recognize real rows by their looks."""
        if not self._services.rules.sees_generations:
            raise TrackBroken(
                f"{asked}() of the pool can tell rows apart by age, which track 'blind' withholds: "
                "ask about candidates, in keep(), or declare track 'labelled' in card.yaml."
            )

    def _needs_generations(self, asked: str) -> None:
        if not self._services.rules.sees_generations:
            raise TrackBroken(
                f"{asked}() tells rows apart by age, which track 'blind' withholds: "
                "declare track 'labelled' in card.yaml, or do without."
            )


class Bought(Pool):
    """A view of real rows that were bought at this iteration."""

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
    """A view of the samples of this iteration's model: all synthetic, all of one generation."""

    def _may_be_examined(self, asked: str) -> None:
        """Allow on every track."""

    def _needs_generations(self, asked: str) -> None:
        raise ContractBroken(f"{asked}(): candidates are of one generation, the model's of this iteration.")

    def first(self, count: int) -> Rows:
        """The `count` candidates that were drawn first; candidates are exchangeable."""
        if not 0 <= count <= len(self):
            raise ContractBroken(f"first({count}) of {len(self)} candidates: ask for 0 to {len(self)}.")
        return self.all() if count == len(self) else self._rows(self.names.between(0, count))
