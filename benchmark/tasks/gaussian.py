"""Multivariate Gaussian estimation: the truth is N(0, I_d), the model N(μ, Σ) by weighted maximum likelihood.

Source: Kazdan et al., Collapse or Thrive? (ICML 2025), section 2: mean and biased covariance (ddof 0).
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from benchmark.history import Examples, History, Weighted
from benchmark.task import Sampled

if TYPE_CHECKING:
    from numpy.random import Generator

    from benchmark.strategy import FitOptions, SampleRequest

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

LOG_2PI = float(np.log(2 * np.pi))


class Statistic(NamedTuple):
    """All that a weighted Gaussian fit needs to know of some rows."""

    mass: float  # Σ w
    squared_mass: float  # Σ w²
    mean: Vector  # (d,)
    scatter: Matrix  # (d, d): Σ w (x - mean)(x - mean)ᵀ


@dataclass(frozen=True, eq=False)
class Normal:
    """N(mean, covariance)."""

    mean: Vector
    covariance: Matrix

    @cached_property
    def eigenvalues(self) -> Vector:
        """Of the covariance, increasing."""
        return np.asarray(np.linalg.eigvalsh(self.covariance), np.float64)

    @cached_property
    def is_singular(self) -> bool:
        """λmin ≤ d·ε·λmax: numerically, the model has lost a direction."""
        smallest, largest = self.eigenvalues[0], self.eigenvalues[-1]
        return bool(smallest <= len(self.mean) * np.finfo(float).eps * largest)

    @cached_property
    def factor(self) -> Matrix:
        """F with F Fᵀ = covariance: Cholesky's, or by eigenvectors where the covariance is (nearly) singular."""
        # At the edge of singular, Cholesky's rounding can differ from that of the eigenvalues.
        with contextlib.suppress(np.linalg.LinAlgError):
            if not self.is_singular:
                return np.asarray(np.linalg.cholesky(self.covariance), np.float64)
        values, vectors = np.linalg.eigh(self.covariance)
        root: Matrix = vectors * np.sqrt(np.maximum(values, 0))
        return root

    @cached_property
    def log_determinant(self) -> float:
        """log det Σ; -inf where Σ is singular."""
        return -np.inf if self.is_singular else float(np.log(self.eigenvalues).sum())


@dataclass(frozen=True)
class Gaussian:
    """An instance: d dimensions, n examples a generation."""

    kind: ClassVar[Literal["vectors", "text"]] = "vectors"
    unit: ClassVar[str] = "nats per example"
    knobs: ClassVar[frozenset[str]] = frozenset({"ddof", "ridge", "temperature", "top_p"})
    seeds_per_cell: ClassVar[int] = 25
    pins: ClassVar[tuple[str, ...]] = ()

    d: int
    n: int

    @property
    def name(self) -> str:
        return f"d={self.d} n={self.n}"

    @property
    def dimension(self) -> int:
        return self.d

    def world(self, rng: "Generator") -> None:
        """Nothing is fixed behind N(0, I)."""

    def real_data(self, world: None, count: int, rng: "Generator") -> Examples:
        """Shape (count, d), from N(0, I)."""
        return rng.standard_normal((count, self.d))

    def held_out(self, world: None, rng: "Generator") -> None:
        """No test data: the test loss is exact."""

    def fit(self, training_set: Weighted, options: "FitOptions", draw_rng: Callable[[], "Generator"]) -> Normal:
        """Σ = scatter / (Σw - ddof·Σw²/Σw), which for unit weights is scatter / (n - ddof); plus ridge·(tr Σ/d)·I."""
        total = statistic(training_set)
        covariance = total.scatter / (total.mass - options.ddof * total.squared_mass / total.mass)
        if options.ridge:
            covariance += options.ridge * covariance.trace() / self.d * np.eye(self.d)
        return Normal(total.mean, covariance)

    def test_loss(self, model: Normal, test: None) -> float:
        """Exact expected negative log-likelihood under N(0, I), in nats per example.

        Returns:
            ½[d log 2π + log det Σ + tr Σ⁻¹ + μᵀΣ⁻¹μ]; +inf where Σ is singular.

        Source:
            Bishop, Pattern Recognition and Machine Learning (2006), eq. 2.43, averaged over x.
        """
        if model.is_singular:
            return float("inf")
        trace_of_inverse = float((1 / model.eigenvalues).sum())
        offset = float(model.mean @ np.linalg.solve(model.covariance, model.mean))
        return 0.5 * (self.d * LOG_2PI + model.log_determinant + trace_of_inverse + offset)

    def sample(self, model: Normal, count: int, request: "SampleRequest", rng: "Generator") -> Sampled:
        """Shape (count, d), from N(μ, τΣ); top-p cuts at the ellipsoid that holds the share p of the mass."""
        noise = rng.standard_normal((count, self.d))
        if request.top_p < 1:
            noise *= self._radii_within(request.top_p, count, rng) / np.linalg.norm(noise, axis=1, keepdims=True)
        factor = model.factor if request.temperature == 1 else np.sqrt(request.temperature) * model.factor
        examples = noise @ factor.T
        examples += model.mean
        return Sampled(examples, {})

    def _radii_within(self, share: float, count: int, rng: "Generator") -> Matrix:
        radii: Matrix = np.sqrt(_chi_square_quantile(share * rng.random((count, 1)), self.d))
        return radii

    def diagnostics(self, model: Normal, generation: Examples, test: None, *, full: bool) -> dict[str, float]:
        """The paper's: error of the mean, trace and determinant, relative to the truth; and a 1-D marginal.

        With `full` also the squared 2-Wasserstein distance to the truth and the share of the generation outside the
        ball that holds .99 of the truth.
        """
        cheap = {
            "mean_error": float(model.mean @ model.mean),  # ‖μ - μ0‖²
            "trace_ratio": float(model.covariance.trace()) / self.d,
            "log_determinant_ratio": model.log_determinant,  # log(det Σ / det I)
            "marginal_mean": float(model.mean[0]),
            "marginal_variance": float(model.covariance[0, 0]),
        }
        return cheap | (self._full_diagnostics(model, generation) if full else {})

    def _full_diagnostics(self, model: Normal, generation: Examples) -> dict[str, float]:
        # W2² = ‖μ‖² + tr(Σ + I - 2 Σ^½): Givens and Shortt (1984), Proposition 7.
        spread = (np.sqrt(np.maximum(model.eigenvalues, 0)) - 1) ** 2
        outside = np.einsum("ij,ij->i", generation, generation) > _chi_square_quantile(0.99, self.d)
        return {
            "wasserstein2_squared": float(model.mean @ model.mean + spread.sum()),
            "tail_mass": float(outside.mean()),
        }

    def show(self, generation: Examples) -> list[str]:
        return []


def _chi_square_quantile(share: Matrix | float, d: int) -> Any:
    """Squared radius of the ball that holds this share of N(0, I_d)."""
    return 2 * gammaincinv(d / 2, share)


def statistic(training_set: Weighted) -> Statistic:
    """The statistic of a training set. Whole generations enter through what was summed of them before."""
    history = training_set.history
    parts: list[Statistic] = []
    for first, last, weight in training_set.spans:
        whole = [_up_to(history, last)] if first == 0 else [_of_generation(history, g) for g in range(first, last)]
        parts += [_scaled(part, weight) for part in whole]
    if len(training_set.rows):
        parts.append(_of_rows(history.examples[training_set.rows], training_set.weights))
    total = parts[0]
    for part in parts[1:]:
        total = _merged(total, part)
    return total


def _up_to(history: History, last: int) -> Statistic:
    """Of generations 0 … last-1: last time's, and what has come since."""
    known: dict[int, Statistic] = history.memo.setdefault("up to", {0: _EMPTY})
    start = last if last in known else max(g for g in known if g < last)
    total = known[start]
    for g in range(start, last):
        total = _merged(total, _of_generation(history, g))
    known[last] = total
    return total


def _of_generation(history: History, g: int) -> Statistic:
    known: dict[int, Statistic] = history.memo.setdefault("of generation", {})
    if g not in known:
        known[g] = _of_rows(history.generation(g), None)
    return known[g]


def _of_rows(examples: Examples, weights: Vector | None) -> Statistic:
    """Two passes, so that a small spread far from the origin keeps its digits."""
    if weights is None:
        mean = examples.mean(axis=0)
        centred = examples - mean
        return Statistic(len(examples), len(examples), mean, centred.T @ centred)
    mass = float(weights.sum())
    mean = weights @ examples / mass
    centred = (examples - mean) * np.sqrt(weights)[:, None]
    return Statistic(mass, float(weights @ weights), mean, centred.T @ centred)


_EMPTY = Statistic(0.0, 0.0, np.zeros(1), np.zeros((1, 1)))


def _scaled(part: Statistic, weight: float) -> Statistic:
    if weight == 1:
        return part
    return Statistic(weight * part.mass, weight**2 * part.squared_mass, part.mean, weight * part.scatter)


def _merged(a: Statistic, b: Statistic) -> Statistic:
    """Of both together.

    Source: Chan, Golub and LeVeque, Updating formulae and a pairwise algorithm for computing sample variances (1982).
    """
    if a.mass == 0:
        return b
    mass = a.mass + b.mass
    apart = b.mean - a.mean
    return Statistic(
        mass,
        a.squared_mass + b.squared_mass,
        a.mean + b.mass / mass * apart,
        a.scatter + b.scatter + a.mass * b.mass / mass * np.outer(apart, apart),
    )
