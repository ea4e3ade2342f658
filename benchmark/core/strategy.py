"""What a strategy is: the closed action space, and nothing else.

A strategy decides which rows train the next model and with which weights, how the model is sampled, and a few
dimensionless knobs. The harness owns data, fitting, sampling and evaluation; rows are opaque ids that it draws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from benchmark.core.pool import Candidates, Pool
from benchmark.core.requests import NEUTRAL, NEUTRAL_REQUEST, FitOptions, SampleRequest, TrainingSet
from benchmark.core.rows import Ids, Rows
from benchmark.core.rules import Rules
from benchmark.errors import ContractBroken

if TYPE_CHECKING:
    from numpy.random import Generator


@dataclass(frozen=True)
class Spec:
    """What a strategy learns before the run: no task name, no horizon, nothing of the test set.

    Attributes:
        kind: "vectors" or "text".
        n: rows of generation 0, and of every generation unless the strategy asks for more.
        dimension: number of features; None for text.
        rules: track and budget.
    """

    kind: Literal["vectors", "text"]
    n: int
    dimension: int | None
    rules: Rules


@dataclass(frozen=True)
class Context:
    """Where the run stands, and what is for sale.

    Attributes:
        t: the model-fitting iteration, from 1.
        n: rows of generation 0.
    """

    t: int
    n: int
    _draw_rng: Callable[[], Generator]
    _buy: Callable[[int], Pool]

    @cached_property
    def rng(self) -> Generator:
        """A random stream of the strategy's own, new at every iteration."""
        return self._draw_rng()  # drawn when asked for: most strategies never do

    def buy_real(self, count: int) -> Pool:
        """A view of `count` fresh real rows, at most as many as one training set may have. Track `assisted` only.

        They can be used at once, and are in the pool from the next iteration on. To be asked in `training_set`.
        """
        return self._buy(count)


class Strategy:
    """A data strategy. Hyperparameters of the card arrive as arguments of `__init__`.

    Under track `blind` every iteration gets a new object, so that attributes carry nothing from one to the next.
    """

    def setup(self, spec: Spec) -> None:
        """Called once, before anything else."""

    def training_set(self, context: Context, pool: Pool) -> TrainingSet | Rows | Ids:
        """Which rows of the pool train the next model, with which weights: the one method that is required."""
        raise ContractBroken(f"{type(self).__name__} must define training_set(context, pool).")

    def sample_request(self, context: Context) -> SampleRequest:
        """How the model is sampled."""
        return NEUTRAL_REQUEST

    def keep(self, context: Context, candidates: Candidates) -> Rows | Ids:
        """Which candidates enter the pool, n at least: the first n."""
        return candidates.first(min(context.n, len(candidates)))

    def fit_options(self, context: Context) -> FitOptions:
        """How the next model is fitted."""
        return NEUTRAL
