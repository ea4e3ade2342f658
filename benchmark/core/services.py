"""The harness's services to a strategy: it describes rows, rates them under a model, and sells real data. Every use is metered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from benchmark.core.history import Examples, History
from benchmark.core.rules import Meter, Rules, Track
from benchmark.core.streams import Seed, stream
from benchmark.errors import BudgetExceeded, ContractBroken, TrackBroken

if TYPE_CHECKING:
    from numpy.random import Generator

    from benchmark.core.task import Task

Under = Literal["current", "first"]
Vector = NDArray[np.float64]

MOST_SHOWN = 10**300
"""Larger numbers are shown as this one: a float cannot hold them, and Python's whole numbers have no limit."""
FEATURE_STEP = 1 / 200
"""Of the candidates' standard deviation along an axis, in track `blind`."""
LIKELIHOOD_STEP = 0.01
"""In nats, or nats per token. Rounding leaves no digits by which a row could be recognized later."""


@dataclass
class Services:
    """The services of one iteration of a run.

    Attributes:
        history: of the pool; bought rows are added to it.
        models: "current" (the previous iteration's; in `keep` this iteration's) and "first"; empty at iteration 1.
        real_mass: the share of real rows that each of these models rests on.
        candidates: the samples of this iteration's model; none before there are any.
    """

    task: Task
    world: Any
    history: History
    rules: Rules
    meter: Meter
    seed: Seed
    t: int
    models: dict[Under, Any] = field(default_factory=dict)
    real_mass: dict[Under, float] = field(default_factory=dict)
    candidates: Examples = field(default_factory=lambda: np.empty(0))
    over: bool = False

    def must_not_be_over(self) -> None:
        """Refuse a context or a view that was kept beyond its iteration: no meter would count its use."""
        if self.over:
            raise ContractBroken(f"the context and the views of iteration {self.t} are of that iteration alone.")

    @cached_property
    def rng(self) -> Generator:
        """The strategy's own generator for this iteration."""
        return stream(self.seed, "strategy", self.t)  # drawn when asked for: most strategies never do

    def features(self, examples: Examples) -> NDArray[np.float64]:
        """Vectors that describe examples, one a row, under a hidden map: one for the run, in track `blind` one for each iteration.

        Track `blind` also rounds them, so that a row cannot be recognized by its digits under another map.
        """
        self.must_not_be_over()
        found = self._mapped(examples)
        return found if self.rules.sees_generations else _rounded(found, self._feature_steps)

    def _mapped(self, examples: Examples) -> NDArray[np.float64]:
        if len(examples) == 0:  # as many columns as any row has
            return self._mapped(self.history.examples[:1])[:0]
        t = 0 if self.rules.sees_generations else self.t
        return self.task.features(examples, stream(self.seed, "feature map", t))

    @cached_property
    def _feature_steps(self) -> Vector:
        """The rounding step along each axis: of the candidates, for a step of the pool's would tell its spread."""
        return np.asarray(FEATURE_STEP * self._mapped(self.candidates).std(axis=0))

    def log_likelihood(self, examples: Examples, under: Under, per_token: bool) -> Vector:
        """Log-likelihood of each example under a model, in nats; in track `blind` relative to their mean, and rounded."""
        self.must_not_be_over()
        if under == "first" and not self.rules.sees_generations:
            raise TrackBroken(
                "log_likelihood(under='first') tells the first model from the others, which track 'blind' withholds: "
                "declare track 'labelled' in card.yaml, or use under='current'."
            )
        if under not in ("current", "first"):
            raise ContractBroken(f"log_likelihood(under={under!r}): expected 'current' or 'first'.")
        if under not in self.models:
            raise ContractBroken(
                "log_likelihood() before there is a model: at iteration 1 there is one only in keep()."
            )
        self._count_judged(examples)
        if len(examples) == 0:
            return np.empty(0)
        found = self.task.log_likelihood(self.models[under], examples, per_token)
        return found if self.rules.sees_generations else _coarse(found, LIKELIHOOD_STEP)

    def buy_real(self, count: int) -> None:
        """Add `count` new real rows to the history."""
        self.must_not_be_over()
        self._needs_assisted("buy_real")
        if not (isinstance(count, (int, np.integer)) and count >= 1):
            raise ContractBroken(f"buy_real({count!r}): expected a whole number of at least 1.")
        self.meter.fresh_real_rows += int(count)
        most = self.rules.max_training_rows(self.task.n, self.t)
        within("fresh real rows", self.meter.fresh_real_rows, most)
        fresh = self.task.real_data(self.world, int(count), self._fresh_rng, self.history.number_of_real)
        self.history.lend(fresh)

    @cached_property
    def _fresh_rng(self) -> Generator:  # one for the iteration: two purchases are different rows
        return stream(self.seed, "fresh real rows", self.t)

    def verifier(self, per_row: float) -> Callable[[Examples], Vector]:
        """A verifier trained on `per_row`·n held-back real examples, the same ones throughout a run."""
        self.must_not_be_over()
        self._needs_assisted("verifier")
        most = self.rules.max_verifier
        if not 0 < per_row <= most:
            raise ContractBroken(
                f"verifier({per_row!r}): expected real examples per row of the pool, above 0, at most {most}."
            )
        if "current" not in self.models:
            raise ContractBroken("verifier() before there is a model: at iteration 1 there is one only in keep().")
        count = max(1, round(per_row * self.task.n))
        self.meter.verifier_rows = max(self.meter.verifier_rows, count)
        held_back = self.task.held_back(self.world, count, stream(self.seed, "held back"))

        def rate(examples: Examples) -> Vector:
            self._count_judged(examples)
            if len(examples) == 0:
                return np.empty(0)
            return self.task.log_ratio(held_back, self.models["current"], examples)

        return rate

    def _count_judged(self, examples: Examples) -> None:
        """Rows whose likelihood is told, or its ratio to that of real rows."""
        self.meter.log_likelihood_rows += len(examples)
        most = self.rules.max_log_likelihood_rows(self.task.n, self.t)
        within("log-likelihood rows", self.meter.log_likelihood_rows, most)

    def _needs_assisted(self, asked: str) -> None:
        if self.rules.track is not Track.ASSISTED:
            raise TrackBroken(
                f"{asked}() is sold on track 'assisted' only, and the track is '{self.rules.track}': "
                "declare track 'assisted' in card.yaml, or do without."
            )


def _rounded(values: Vector, step: float | Vector) -> Vector:
    """Values rounded to multiples of the step; an axis of step 0 has no spread and stays as it is."""
    return np.asarray(np.round(values / np.where(step == 0, 1.0, step)) * step)


def _coarse(values: Vector, step: float) -> Vector:
    """Values relative to the mean of the finite ones, rounded."""
    finite = np.isfinite(values)
    return _rounded(values - (values[finite].mean() if finite.any() else 0.0), step)


def within(what: str, found: float, most: float) -> None:
    """Refuse use beyond what track and budget allow.

    Raises:
        BudgetExceeded: names the use and its limit.
    """
    if found > most * (1 + 1e-9):  # a share is a quotient of sums
        raise BudgetExceeded(f"{what}: {min(found, MOST_SHOWN):g}, and the track and budget allow {most:g}.")
