"""Linear regression on a fixed design: the truth is y = xᵀw* + σ·noise, the model N(xᵀw, σ²) by weighted least squares.

The design X, n rows from N(0, I_d), and w* ~ N(0, I_d) are drawn once a seed. Every generation is new labels on the same X:
an example is a row [x, y].

Source: Kazdan et al., Collapse or Thrive? (ICML 2025), figure 4; Dohmatob et al., Model collapse demystified: the case of
regression (2024), arXiv 2402.07712.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, NamedTuple

import numpy as np
from annotated_types import Interval
from scipy.linalg import lapack

from benchmark.core.history import Examples, History, Weighted, real_data_only
from benchmark.core.requests import NEUTRAL
from benchmark.core.task import Sampled, Start
from benchmark.tasks.arrays import Matrix, Vector
from benchmark.tasks.gaussian import LOG_2PI, Gaussian

if TYPE_CHECKING:
    from numpy.random import Generator

    from benchmark.core.requests import FitOptions, SampleRequest

RESOLUTION = 1e-12
"""Eigenvalues of a Gram matrix below this share of the largest count as 0: singular values of the rows below 10⁻⁶ of theirs.

Rounding leaves up to some 10⁻¹⁴ where rows do not span a direction, and normal equations cannot tell less from it.
"""


class World(NamedTuple):
    """What is fixed behind a run's real data."""

    coefficients: Vector  # w*, shape (d,)
    design: Matrix  # X, shape (n, d)


class Linear(NamedTuple):
    """N(xᵀw, σ²) of y at any x, and the design on which it gives labels."""

    coefficients: Vector
    design: Matrix


@dataclass(frozen=True)
class LinearRegression:
    """An instance: d coefficients, a design of n rows, and the known variance σ² of the labels' noise."""

    kind: ClassVar[Literal["vectors", "text"]] = "vectors"
    unit: ClassVar[str] = "nats per example"
    knobs: ClassVar[frozenset[str]] = frozenset({"ridge", "temperature", "blend", "negative"})
    seeds_per_cell: ClassVar[int] = 25
    files: ClassVar[dict[str, Path]] = {}

    d: Annotated[int, Interval(ge=1, le=10**5)]
    n: Annotated[int, Interval(ge=2, le=10**8)]
    noise_variance: Annotated[float, Interval(ge=1e-6, le=1e6)]

    def __post_init__(self) -> None:
        if not 1 <= self.d < self.n:
            raise ValueError(f"n: found {self.n}, expected more than d = {self.d} rows, which is 1 or more")
        if not self.noise_variance > 0:
            raise ValueError(f"noise_variance: found {self.noise_variance}, expected a number above 0")

    @property
    def name(self) -> str:
        return f"d={self.d} n={self.n} σ²={self.noise_variance:g}"

    @property
    def dimension(self) -> int:
        """Of a row [x, y]."""
        return self.d + 1

    def world(self, rng: "Generator") -> World:
        return World(rng.standard_normal(self.d), rng.standard_normal((self.n, self.d)))

    def real_data(self, world: World, count: int, rng: "Generator", skip: int = 0) -> Examples:
        """Shape (count, d + 1): labels on the design's rows in turn, those after the `skip` that had one first."""
        return self._labelled(Linear(*world), count, rng, first=skip)

    def held_back(self, world: World, count: int, rng: "Generator") -> Examples:
        return self.real_data(world, count, rng)

    def held_out(self, world: World, rng: "Generator") -> Vector:
        """w*: no test data, the test loss is exact."""
        return world.coefficients

    def _labelled(
        self, model: Linear, count: int, rng: "Generator", temperature: float = 1.0, first: int = 0
    ) -> Examples:
        """Rows first … first + count - 1 of the design, which goes round, each with a label."""
        # Whole generations are the common case: there the labels are all that is computed.
        whole = count == self.n and first % self.n == 0
        x = model.design if whole else model.design[np.arange(first, first + count) % self.n]
        examples = np.empty((count, self.d + 1))
        examples[:, :-1] = x
        noise = np.sqrt(temperature * self.noise_variance) * rng.standard_normal(count)
        np.add(x @ model.coefficients, noise, out=examples[:, -1])
        return examples

    def fit(self, training_set: Weighted, options: "FitOptions", draw_rng: Callable[[], "Generator"]) -> Linear:
        """w = (G + ridge·(tr G/d)·I)⁺ Σ weight·x·y, G = Σ weight·x·xᵀ: the shortest w where the rows leave a choice."""
        moments = second_moments(training_set)
        gram = moments[:-1, :-1]
        if options.ridge:
            gram = gram + options.ridge * gram.trace() / self.d * np.eye(self.d)
        # The first n rows of a history are generation 0, and so the design in its order.
        return Linear(_solved(gram, moments[:-1, -1]), training_set.history.examples[: self.n, :-1])

    def test_loss(self, model: Linear, test: Vector) -> float:
        """Exact expected negative log-likelihood of the label of a real (x, y), x ~ N(0, I), in nats per example.

        Returns:
            ½[log 2πσ² + 1 + ‖w - w*‖²/σ²], for (y - xᵀw)² is σ² + ‖w - w*‖² in expectation.
        """
        return self._expected_loss(_squared_distance(model.coefficients, test))

    def _expected_loss(self, mse: float) -> float:
        return 0.5 * (LOG_2PI + float(np.log(self.noise_variance)) + 1 + mse / self.noise_variance)

    def simplest_loss(self, real: Examples, test: Vector) -> float:
        """Of w = 0, which looks at no x: ½[log 2πσ² + 1 + ‖w*‖²/σ²]."""
        return self._expected_loss(float(test @ test))

    def sample(self, model: Linear, count: int, request: "SampleRequest", rng: "Generator") -> Sampled:
        """Shape (count, d + 1): new labels from N(xᵀw, τσ²) on the same design, which goes round beyond n."""
        return Sampled(self._labelled(model, count, rng, request.temperature), {})

    def features(self, examples: Examples, rng: "Generator") -> Matrix:
        """The rows [x, y] under the affine map that a Gaussian's examples get: which coordinate is y is hidden too."""
        return Gaussian(self.d + 1, self.n).features(examples, rng)

    def log_likelihood(self, model: Linear, examples: Examples, per_token: bool) -> Vector:
        """Of the label, given x. An example is one token."""
        residuals = examples[:, -1] - examples[:, :-1] @ model.coefficients
        density: Vector = -0.5 * (LOG_2PI + np.log(self.noise_variance) + residuals**2 / self.noise_variance)
        return density

    def log_ratio(self, held_back: Examples, model: Linear, examples: Examples) -> Vector:
        """By least squares on the held-back examples."""
        real = self.fit(real_data_only(History(held_back)), NEUTRAL, np.random.default_rng)
        return self.log_likelihood(real, examples, False) - self.log_likelihood(model, examples, False)

    def blend(self, model: Linear, other: Linear, weight: float) -> Linear:
        """An average of coefficients."""
        return model._replace(coefficients=(1 - weight) * model.coefficients + weight * other.coefficients)

    def away(self, model: Linear, other: Linear, weight: float) -> Linear:
        """In the coefficients."""
        return model._replace(coefficients=(1 + weight) * model.coefficients - weight * other.coefficients)

    def diagnostics(self, model: Linear, generation: Examples, start: Start, *, full: bool) -> dict[str, float]:
        """The paper's: the mean squared error on fresh noiseless targets, which is ‖w - w*‖² in expectation over x."""
        return {"mse": _squared_distance(model.coefficients, start.test)}

    def show(self, generation: Examples) -> list[str]:
        return []


def _squared_distance(a: Vector, b: Vector) -> float:
    return float((a - b) @ (a - b))


def second_moments(training_set: Weighted) -> Matrix:
    """Σ weight·[x, y]ᵀ[x, y], shape (d + 1, d + 1). Whole generations enter through what was summed of them before."""
    known = training_set.history.memo.setdefault("second moments", {})
    whole = training_set.of_spans(known, _of_rows, np.add)
    total = sum(span.weight * part for part, span in zip(whole, training_set.spans, strict=True))
    if len(training_set.rows):
        rows = training_set.history.examples[training_set.rows]
        total = total + _of_rows(rows * np.sqrt(training_set.weights)[:, None])
    return np.asarray(total)


def _of_rows(examples: Examples) -> Matrix:
    return np.asarray(examples.T @ examples)


def _solved(gram: Matrix, moment: Vector) -> Vector:
    """gram⁺·moment: by Cholesky's factor, or by eigenvectors where the Gram matrix is next to singular."""
    factor, failed = lapack.dpotrf(gram, lower=1)
    if not failed and lapack.dpocon(factor, np.abs(gram).sum(axis=0).max(), uplo="L")[0] > RESOLUTION:
        return np.asarray(lapack.dpotrs(factor, moment, lower=1)[0])
    values, vectors = np.linalg.eigh(gram)
    held = values > RESOLUTION * values[-1]
    return np.asarray(vectors[:, held] @ (vectors[:, held].T @ moment / values[held]))
