"""A discrete distribution: the truth is uniform on K outcomes; the model is their weighted frequencies in the training set.

With *replace* this is the neutral Wright-Fisher model of population genetics: outcomes are alleles, and a lost outcome never
comes back.

Source: Kazdan et al., Collapse or Thrive? (ICML 2025), appendix; for the Wright-Fisher model Ewens, Mathematical Population
Genetics (2004).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Interval
from numpy.typing import NDArray
from scipy.special import entr

from benchmark.core.history import Examples, Weighted
from benchmark.core.task import Sampled, Start
from benchmark.tasks.arrays import Vector

if TYPE_CHECKING:
    from numpy.random import Generator

    from benchmark.core.requests import FitOptions, SampleRequest

Frequencies = NDArray[np.float64]
"""A model: the probability of each outcome, shape (K,)."""


@dataclass(frozen=True)
class Discrete:
    """An instance: K outcomes, n examples in a generation."""

    kind: ClassVar[Literal["vectors", "text"]] = "vectors"
    unit: ClassVar[str] = "nats per example"
    knobs: ClassVar[frozenset[str]] = frozenset({"temperature", "blend"})
    seeds_per_cell: ClassVar[int] = 25
    files: ClassVar[dict[str, Path]] = {}

    outcomes: Annotated[int, Interval(ge=2, le=10**6)]
    n: Annotated[int, Interval(ge=1, le=10**8)]

    def __post_init__(self) -> None:
        if self.outcomes < 2:
            raise ValueError(f"outcomes: found {self.outcomes}, expected 2 or more")

    @property
    def name(self) -> str:
        return f"K={self.outcomes} n={self.n}"

    @property
    def dimension(self) -> int:
        return self.outcomes

    def world(self, rng: "Generator") -> None:
        """None: the uniform distribution has no parameters to draw."""

    def real_data(self, world: None, count: int, rng: "Generator", skip: int = 0) -> Examples:
        """Outcomes 0 … K - 1, shape (count,)."""
        return rng.integers(self.outcomes, size=count)

    def held_back(self, world: None, count: int, rng: "Generator") -> Examples:
        return self.real_data(world, count, rng)

    def held_out(self, world: None, rng: "Generator") -> None:
        """None: there are no test data, because the test loss is exact."""

    def fit(self, training_set: Weighted, options: "FitOptions", draw_rng: Callable[[], "Generator"]) -> Frequencies:
        counts = self.weighted_counts(training_set)
        frequencies: Frequencies = counts / counts.sum()
        return frequencies

    def weighted_counts(self, training_set: Weighted) -> Vector:
        """Total weight of each outcome, shape (K,). The counts of a whole generation are made once and reused."""
        known = training_set.history.memo.setdefault("counts", {})
        whole = training_set.of_spans(known, self._count, np.add)
        total = np.zeros(self.outcomes)
        for part, span in zip(whole, training_set.spans, strict=True):
            total += span.weight * part
        if len(training_set.rows):
            rows = training_set.history.examples[training_set.rows]
            total += np.bincount(rows, training_set.weights, minlength=self.outcomes)
        return total

    def _count(self, examples: Examples) -> NDArray[np.int64]:
        return np.bincount(examples, minlength=self.outcomes)

    def test_loss(self, model: Frequencies, test: None) -> float:
        """Exact expected negative log-likelihood under the uniform truth, in nats per example.

        Returns:
            -(1/K) Σ log p_k; +inf if an outcome has probability 0. This is no artefact of ours: sooner or later real data contain
            that outcome, which the model calls impossible. Among n examples any one outcome is missing with probability
            (1 - 1/K)^n. So with n below K·log K few runs have a finite loss even at iteration 1, and *replace* loses an outcome
            for good in every run. The diagnostics, which are always finite, show what happens afterwards.
        """
        with np.errstate(divide="ignore"):
            return -float(np.log(model).mean())

    def simplest_loss(self, real: Examples, test: None) -> float:
        """The loss of the uniform distribution, log K. Here it is the truth, so no fit to real data is better."""
        return float(np.log(self.outcomes))

    def sample(self, model: Frequencies, count: int, request: "SampleRequest", rng: "Generator") -> Sampled:
        """Outcomes with probabilities proportional to p^(1/τ), shape (count,)."""
        if request.temperature != 1:
            model = (model / model.max()) ** (1 / request.temperature)
        cumulated = model.cumsum()
        # The inverse of the distribution function. side="right" skips outcomes of probability 0, at which the function does not rise.
        drawn = cumulated.searchsorted(rng.random(count) * cumulated[-1], side="right")
        return Sampled(np.minimum(drawn, model.nonzero()[0][-1]), {})

    def features(self, examples: Examples, rng: "Generator") -> NDArray[np.float64]:
        """Each outcome as a random point, shape (count, K). With probability 1 this is an invertible map of the unit vectors."""
        points: NDArray[np.float64] = rng.standard_normal((self.outcomes, self.outcomes))
        return points[examples]

    def log_likelihood(self, model: Frequencies, examples: Examples, per_token: bool) -> Vector:
        """-inf for an outcome that the model has lost. An example is one token."""
        with np.errstate(divide="ignore"):
            density: Vector = np.log(model[examples])
        return density

    def log_ratio(self, held_back: Examples, model: Frequencies, examples: Examples) -> Vector:
        """Against the frequencies of the held-back examples, with ½ added to each count (Krichevsky and Trofimov 1981)."""
        counts = self._count(held_back) + 0.5
        return self.log_likelihood(counts / counts.sum(), examples, False) - self.log_likelihood(model, examples, False)

    def blend(self, model: Frequencies, other: Frequencies, weight: float) -> Frequencies:
        """Mixes the two distributions."""
        return (1 - weight) * model + weight * other

    def away(self, model: Frequencies, other: Frequencies, weight: float) -> Frequencies:
        raise NotImplementedError("a lost outcome has no logarithm to extrapolate: `knobs` has no 'negative'")

    def diagnostics(self, model: Frequencies, generation: Examples, start: Start, *, full: bool) -> dict[str, float]:
        """The paper's entropy in nats, which is 0 after total collapse; H = 1 - Σp² (Gini, Simpson); the number of outcomes left."""
        return {
            "entropy": float(entr(model).sum()),
            "gini": 1 - float(model @ model),
            "support": float(np.count_nonzero(model)),
        }

    def show(self, generation: Examples) -> list[str]:
        return []
