"""Linear regression on a fixed design: a model N(xᵀw, σ²) is fitted by weighted least squares to labels y = xᵀw* + σ·noise.

The design X, n rows from N(0, I_d), and w* ~ N(0, I_d) are drawn once for each seed. A generation is a set of new labels on the same
X. An example is a row [x, y].

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
"""Eigenvalues of a Gram matrix below this share of the largest count as 0; that is, singular values of the rows below 10⁻⁶ of the largest.

In a direction that the rows do not span, rounding leaves an eigenvalue of up to about 10⁻¹⁴ of the largest. Normal equations cannot
tell a smaller one from it.
"""


class World(NamedTuple):
    """What stays fixed for a run."""

    coefficients: Vector  # w*, shape (d,)
    design: Matrix  # X, shape (n, d)


class Linear(NamedTuple):
    """A model: y is N(xᵀw, σ²) at any x. With it, the design whose rows it labels."""

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
        """The length of a row [x, y]."""
        return self.d + 1

    def world(self, rng: "Generator") -> World:
        return World(rng.standard_normal(self.d), rng.standard_normal((self.n, self.d)))

    def real_data(self, world: World, count: int, rng: "Generator", skip: int = 0) -> Examples:
        """Labelled rows, shape (count, d + 1): the design's rows in turn, beginning after the first `skip`."""
        return self._labelled(Linear(*world), count, rng, first=skip)

    def held_back(self, world: World, count: int, rng: "Generator") -> Examples:
        return self.real_data(world, count, rng)

    def held_out(self, world: World, rng: "Generator") -> Vector:
        """w*. There are no test data, because the test loss is exact."""
        return world.coefficients

    def _labelled(
        self, model: Linear, count: int, rng: "Generator", temperature: float = 1.0, first: int = 0
    ) -> Examples:
        """Rows `first` to `first + count - 1` of the design, each with a label. After its last row the design begins again."""
        # A whole generation is the common case: then only the labels have to be computed.
        whole = count == self.n and first % self.n == 0
        x = model.design if whole else model.design[np.arange(first, first + count) % self.n]
        examples = np.empty((count, self.d + 1))
        examples[:, :-1] = x
        noise = np.sqrt(temperature * self.noise_variance) * rng.standard_normal(count)
        np.add(x @ model.coefficients, noise, out=examples[:, -1])
        return examples

    def fit(self, training_set: Weighted, options: "FitOptions", draw_rng: Callable[[], "Generator"]) -> Linear:
        """w = (G + ridge·(tr G/d)·I)⁺ Σ weight·x·y with G = Σ weight·x·xᵀ: of several solutions, the shortest w."""
        moments = second_moments(training_set)
        gram = moments[:-1, :-1]
        if options.ridge:
            gram = gram + options.ridge * gram.trace() / self.d * np.eye(self.d)
        # The first n rows of a history are generation 0, whose x are the design in its order.
        return Linear(_solved(gram, moments[:-1, -1]), training_set.history.examples[: self.n, :-1])

    def test_loss(self, model: Linear, test: Vector) -> float:
        """Exact expected negative log-likelihood of the label of a real (x, y), x ~ N(0, I), in nats per example.

        Returns:
            ½[log 2πσ² + 1 + ‖w - w*‖²/σ²], because the expectation of (y - xᵀw)² is σ² + ‖w - w*‖².
        """
        return self._expected_loss(_squared_distance(model.coefficients, test))

    def _expected_loss(self, mse: float) -> float:
        return 0.5 * (LOG_2PI + float(np.log(self.noise_variance)) + 1 + mse / self.noise_variance)

    def simplest_loss(self, real: Examples, test: Vector) -> float:
        """The loss of w = 0, which ignores x: ½[log 2πσ² + 1 + ‖w*‖²/σ²]."""
        return self._expected_loss(float(test @ test))

    def sample(self, model: Linear, count: int, request: "SampleRequest", rng: "Generator") -> Sampled:
        """New labels from N(xᵀw, τσ²) on the design, shape (count, d + 1). After n rows the design begins again."""
        return Sampled(self._labelled(model, count, rng, request.temperature), {})

    def features(self, examples: Examples, rng: "Generator") -> Matrix:
        """The rows [x, y] under the same random affine map as a Gaussian's examples. It also hides which coordinate is y."""
        return Gaussian(self.d + 1, self.n).features(examples, rng)

    def log_likelihood(self, model: Linear, examples: Examples, per_token: bool) -> Vector:
        """The log-likelihood of the label, given x. An example is one token."""
        residuals = examples[:, -1] - examples[:, :-1] @ model.coefficients
        density: Vector = -0.5 * (LOG_2PI + np.log(self.noise_variance) + residuals**2 / self.noise_variance)
        return density

    def log_ratio(self, held_back: Examples, model: Linear, examples: Examples) -> Vector:
        """Against least squares on the held-back examples."""
        real = self.fit(real_data_only(History(held_back)), NEUTRAL, np.random.default_rng)
        return self.log_likelihood(real, examples, False) - self.log_likelihood(model, examples, False)

    def blend(self, model: Linear, other: Linear, weight: float) -> Linear:
        """Averages the coefficients."""
        return model._replace(coefficients=(1 - weight) * model.coefficients + weight * other.coefficients)

    def away(self, model: Linear, other: Linear, weight: float) -> Linear:
        """Extrapolates the coefficients."""
        return model._replace(coefficients=(1 + weight) * model.coefficients - weight * other.coefficients)

    def diagnostics(self, model: Linear, generation: Examples, start: Start, *, full: bool) -> dict[str, float]:
        """The paper's mean squared error on fresh noiseless targets, in expectation over x: ‖w - w*‖²."""
        return {"mse": _squared_distance(model.coefficients, start.test)}

    def show(self, generation: Examples) -> list[str]:
        return []


def _squared_distance(a: Vector, b: Vector) -> float:
    return float((a - b) @ (a - b))


def second_moments(training_set: Weighted) -> Matrix:
    """Σ weight·[x, y]ᵀ[x, y], shape (d + 1, d + 1). The sum over a whole generation is computed once and reused."""
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
    """gram⁺·moment: by the Cholesky factor, or by eigenvectors if the Gram matrix is nearly singular."""
    factor, failed = lapack.dpotrf(gram, lower=1)
    if not failed and lapack.dpocon(factor, np.abs(gram).sum(axis=0).max(), uplo="L")[0] > RESOLUTION:
        return np.asarray(lapack.dpotrs(factor, moment, lower=1)[0])
    values, vectors = np.linalg.eigh(gram)
    held = values > RESOLUTION * values[-1]
    return np.asarray(vectors[:, held] @ (vectors[:, held].T @ moment / values[held]))
