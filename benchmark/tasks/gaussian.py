"""Multivariate Gaussian estimation: the truth is N(m, A Aᵀ), drawn by seed, the model N(μ, Σ) by weighted maximum likelihood.

The paper's truth is N(0, I). Its three workflows are affine-equivariant: they do to m + A z what they do to z. So losses and
diagnostics are taken in the truth's own coordinates z = A⁻¹(x - m), where the numbers are the paper's, and no strategy gains by
knowing a truth that is the same for every seed.

Source: Kazdan et al., Collapse or Thrive? (ICML 2025), section 2: mean and biased covariance (ddof 0).
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
from annotated_types import Interval
from numpy.typing import NDArray
from scipy.linalg import blas, lapack
from scipy.special import gammaincinv

from benchmark.core.history import Examples, Weighted
from benchmark.core.task import Sampled, Start
from benchmark.errors import ContractBroken

if TYPE_CHECKING:
    from numpy.random import Generator

    from benchmark.core.requests import FitOptions, SampleRequest

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

LOG_2PI = float(np.log(2 * np.pi))
LOG_CONDITION = float(np.log(10))
"""Of A at most: shrinking a covariance towards a multiple of I is a large error then, and the coordinates cost one digit."""


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
    seen: list[Any] = field(default_factory=list)  # a truth, and this model in its coordinates

    @cached_property
    def eigenvalues(self) -> Vector:
        """Of the covariance, increasing."""
        return np.asarray(np.linalg.eigvalsh(self.covariance), np.float64)

    @cached_property
    def _cholesky(self) -> tuple[Matrix, Matrix] | None:
        """L with L Lᵀ = covariance, and L⁻¹; None where numerically there is no such L."""
        factor, failed = lapack.dpotrf(self.covariance, lower=1, clean=1)
        return None if failed else (factor, lapack.dtrtri(factor, lower=1)[0])

    @cached_property
    def whitening(self) -> Matrix | None:
        """L⁻¹, which makes the model N(0, I); None where the covariance is singular.

        Singular is λmin ≤ d·ε·λmax: numerically, the model has lost a direction.
        """
        if self._cholesky is None:
            return None
        inverse = self._cholesky[1]
        resolution = len(self.mean) * np.finfo(float).eps
        # λmax/λmin ≤ tr Σ · tr Σ⁻¹: mostly that settles it, at a fifth of the cost of eigenvalues
        if self.covariance.trace() * np.vdot(inverse, inverse) * resolution < 0.5:
            return inverse
        return inverse if self.eigenvalues[0] > resolution * self.eigenvalues[-1] else None

    def spread(self, noise: Matrix) -> Matrix:
        """N(0, covariance) from N(0, I), shape (count, d): by Cholesky's factor, or by eigenvectors where singular.

        `noise` may be overwritten.
        """
        if self.whitening is not None and self._cholesky is not None:
            # Half the cost of a general product, and in place: LAPACK sees the transpose of our rows as its columns.
            return np.asarray(blas.dtrmm(1.0, self._cholesky[0], noise.T, lower=1, overwrite_b=1).T)
        values, vectors = np.linalg.eigh(self.covariance)
        root: Matrix = vectors * np.sqrt(np.maximum(values, 0))
        return noise @ root.T

    @cached_property
    def log_determinant(self) -> float:
        """log det Σ; -inf where Σ is singular."""
        return -np.inf if self.whitening is None else -2 * float(np.log(self.whitening.diagonal()).sum())


@dataclass(frozen=True, eq=False)
class Truth:
    """N(shift, spread·spreadᵀ), where real data come from.

    Attributes:
        shift: m, shape (d,).
        spread: A, shape (d, d), lower triangular with a positive diagonal.
    """

    shift: Vector
    spread: Matrix

    @classmethod
    def drawn(cls, d: int, rng: "Generator") -> "Truth":
        """A Aᵀ = s² Q D² Qᵀ with a uniform rotation Q, D log-uniform within a factor of 10, and a scale s."""
        rotation = np.linalg.qr(rng.standard_normal((d, d)))[0]
        scales = np.exp(rng.uniform(-1, 1) + LOG_CONDITION * rng.uniform(-0.5, 0.5, d))
        spread = np.linalg.cholesky((rotation * scales**2) @ rotation.T)
        return cls(scales.max() * rng.standard_normal(d), np.asarray(spread))

    @cached_property
    def inverse(self) -> Matrix:
        """A⁻¹."""
        return np.asarray(lapack.dtrtri(self.spread, lower=1)[0])

    @cached_property
    def log_determinant(self) -> float:
        """log |det A|."""
        return float(np.log(self.spread.diagonal()).sum())

    def sample(self, count: int, rng: "Generator") -> Examples:
        """Shape (count, d): m + A z."""
        return np.asarray(rng.standard_normal((count, len(self.shift))) @ self.spread.T + self.shift)

    def whiten(self, examples: Examples) -> Examples:
        """z = A⁻¹(x - m) of each example."""
        return np.asarray((examples - self.shift) @ self.inverse.T)

    def seen_from(self, model: Normal) -> Normal:
        """The model in the truth's own coordinates, where the truth is N(0, I)."""
        if not model.seen or model.seen[0] is not self:
            covariance = self.inverse @ model.covariance @ self.inverse.T
            model.seen[:] = self, Normal(self.inverse @ (model.mean - self.shift), (covariance + covariance.T) / 2)
        seen: Normal = model.seen[1]
        return seen


@dataclass(frozen=True)
class Gaussian:
    """An instance: d dimensions, n examples a generation, and the temperature that its sampler adds to everyone's."""

    kind: ClassVar[Literal["vectors", "text"]] = "vectors"
    unit: ClassVar[str] = "nats per example"
    knobs: ClassVar[frozenset[str]] = frozenset({"ddof", "ridge", "temperature", "top_p", "blend", "negative"})
    seeds_per_cell: ClassVar[int] = 25
    files: ClassVar[dict[str, Path]] = {}

    d: Annotated[int, Interval(ge=1, le=10**5)]
    n: Annotated[int, Interval(ge=2, le=10**8)]  # one point has no spread
    sampler_temperature: Annotated[float, Interval(ge=0.01, le=100)] = 1.0

    @property
    def name(self) -> str:
        return f"d={self.d} n={self.n}" + ("" if self.sampler_temperature == 1 else f" τ={self.sampler_temperature}")

    @property
    def dimension(self) -> int:
        return self.d

    def world(self, rng: "Generator") -> Truth:
        return Truth.drawn(self.d, rng)

    def real_data(self, world: Truth, count: int, rng: "Generator", skip: int = 0) -> Examples:
        """Shape (count, d), from the truth."""
        return world.sample(count, rng)

    def held_back(self, world: Truth, count: int, rng: "Generator") -> Examples:
        return self.real_data(world, count, rng)

    def held_out(self, world: Truth, rng: "Generator") -> Truth:
        """The truth itself: no test data, the test loss is exact."""
        return world

    def fit(self, training_set: Weighted, options: "FitOptions", draw_rng: Callable[[], "Generator"]) -> Normal:
        """Σ = scatter / (Σw·(1 - ddof/N)), N = (Σw)²/Σw², which for unit weights is scatter / (n - ddof); plus ridge·(tr Σ/d)·I."""
        total = statistic(training_set)
        effective_size = total.mass**2 / total.squared_mass
        if options.ddof >= effective_size:
            raise ContractBroken(
                f"FitOptions.ddof is {options.ddof}: expected less than {effective_size:g}, the training set's effective size."
            )
        most = min(2 * self.d + 2, max(1.0, effective_size / 4))
        if abs(options.ddof) > most:
            raise ContractBroken(
                f"FitOptions.ddof is {options.ddof}: expected -{most:g} to {most:g}, the smaller of 2d + 2 and a quarter of the training "
                "set's effective size (but 1 at least): any estimator of a covariance is within."
            )
        covariance = total.scatter / (total.mass * (1 - options.ddof / effective_size))
        if options.ridge:
            covariance += options.ridge * covariance.trace() / self.d * np.eye(self.d)
        return Normal(total.mean, covariance)

    def test_loss(self, model: Normal, test: Truth) -> float:
        """Exact expected negative log-likelihood under the truth, minus log |det A|, in nats per example.

        That is the loss of the model (μ, Σ) in the truth's coordinates, under N(0, I).

        Returns:
            ½[d log 2π + log det Σ + tr Σ⁻¹ + μᵀΣ⁻¹μ]; +inf where Σ is singular, there or in the coordinates of the data.

        Source:
            Bishop, Pattern Recognition and Machine Learning (2006), eq. 2.43, averaged over x.
        """
        seen = test.seen_from(model)
        if model.whitening is None or seen.whitening is None:
            return float("inf")
        trace_of_inverse = float(np.vdot(seen.whitening, seen.whitening))
        offset = seen.whitening @ seen.mean
        return 0.5 * (self.d * LOG_2PI + seen.log_determinant + trace_of_inverse + float(offset @ offset))

    def simplest_loss(self, real: Examples, test: Truth) -> float:
        """Of N(x, A Aᵀ) around a single real example x, the mean over the real data: ½[d log 2π + d + mean ‖z‖²]."""
        z = test.whiten(real)
        return 0.5 * (self.d * LOG_2PI + self.d + float(np.vdot(z, z)) / len(z))

    def sample(self, model: Normal, count: int, request: "SampleRequest", rng: "Generator") -> Sampled:
        """Shape (count, d), from N(μ, τΣ); top-p cuts at the ellipsoid that holds the share p of the mass."""
        noise = rng.standard_normal((count, self.d))
        if request.top_p < 1:
            noise *= self._radii_within(request.top_p, count, rng) / np.linalg.norm(noise, axis=1, keepdims=True)
        temperature = request.temperature * self.sampler_temperature
        if temperature != 1:
            noise *= np.sqrt(temperature)
        examples = model.spread(noise)
        examples += model.mean
        return Sampled(examples, {})

    def _radii_within(self, share: float, count: int, rng: "Generator") -> Matrix:
        radii: Matrix = np.sqrt(_chi_square_quantile(share * rng.random((count, 1)), self.d))
        return radii

    def features(self, examples: Examples, rng: "Generator") -> Matrix:
        """The examples under x → B x + b, B = Q₁ D Q₂ with scales e^±1 and an offset."""
        turned = [np.linalg.qr(rng.standard_normal((self.d, self.d)))[0] for _ in range(2)]
        scales, offset = np.exp(rng.uniform(-1, 1, self.d)), 10 * rng.standard_normal(self.d)
        return np.asarray(examples @ (turned[0] * scales) @ turned[1] + offset)

    def log_likelihood(self, model: Normal, examples: Examples, per_token: bool) -> Vector:
        """-inf where the model is singular. An example is one token."""
        if model.whitening is None:
            return np.full(len(examples), -np.inf)
        z = (examples - model.mean) @ model.whitening.T
        density: Vector = -0.5 * (np.einsum("ij,ij->i", z, z) + model.log_determinant + self.d * LOG_2PI)
        return density

    def log_ratio(self, held_back: Examples, model: Normal, examples: Examples) -> Vector:
        """By a Gaussian fitted to the held-back examples; 0 where neither has a density, which tells nothing."""
        total = _of_rows(held_back)
        real = self.log_likelihood(Normal(total.mean, total.scatter / total.mass), examples, False)
        own = self.log_likelihood(model, examples, False)
        return np.subtract(real, own, out=np.zeros_like(own), where=np.isfinite(real) | np.isfinite(own))

    def blend(self, model: Normal, other: Normal, weight: float) -> Normal:
        """An average of means and covariances."""
        return Normal(
            (1 - weight) * model.mean + weight * other.mean,
            (1 - weight) * model.covariance + weight * other.covariance,
        )

    def away(self, model: Normal, other: Normal, weight: float) -> Normal:
        """In mean and log-covariance; a lost direction stays as the model has it."""
        if model.whitening is None or other.whitening is None:
            return model
        log_covariance = (1 + weight) * _log(model.covariance) - weight * _log(other.covariance)
        values, vectors = np.linalg.eigh(log_covariance)
        return Normal((1 + weight) * model.mean - weight * other.mean, (vectors * np.exp(values)) @ vectors.T)

    def diagnostics(self, model: Normal, generation: Examples, start: Start, *, full: bool) -> dict[str, float]:
        """In the truth's coordinates the paper's: error of the mean, trace and determinant, relative to the truth; and a 1-D marginal.

        With `full` also the squared 2-Wasserstein distance to the truth and the shares of the generation outside the
        balls that hold .99 (its tails) and .999 of the truth.
        """
        seen = start.test.seen_from(model)
        cheap = {
            "mean_error": float(seen.mean @ seen.mean),  # ‖μ - μ0‖²
            "trace_ratio": float(seen.covariance.trace()) / self.d,
            "log_determinant_ratio": seen.log_determinant,  # log(det Σ / det I)
            "marginal_mean": float(seen.mean[0]),
            "marginal_variance": float(seen.covariance[0, 0]),
        }
        return cheap | (self._full_diagnostics(seen, start.test.whiten(generation)) if full else {})

    def _full_diagnostics(self, model: Normal, generation: Examples) -> dict[str, float]:
        # W2² = ‖μ‖² + tr(Σ + I - 2 Σ^½): Givens and Shortt (1984), Proposition 7.
        spread = (np.sqrt(np.maximum(model.eigenvalues, 0)) - 1) ** 2
        squared_radii = np.einsum("ij,ij->i", generation, generation)
        return {
            "wasserstein2_squared": float(model.mean @ model.mean + spread.sum()),
            "tail_mass": float((squared_radii > _chi_square_quantile(0.99, self.d)).mean()),
            "outside_mass": float((squared_radii > _chi_square_quantile(0.999, self.d)).mean()),
        }

    def show(self, generation: Examples) -> list[str]:
        return []


def _chi_square_quantile(share: Matrix | float, d: int) -> Any:
    """Squared radius of the ball that holds this share of N(0, I_d)."""
    return 2 * gammaincinv(d / 2, share)


def _log(covariance: Matrix) -> Matrix:
    values, vectors = np.linalg.eigh(covariance)
    logarithm: Matrix = (vectors * np.log(values)) @ vectors.T
    return logarithm


def statistic(training_set: Weighted) -> Statistic:
    """The statistic of a training set. Whole generations enter through what was summed of them before."""
    known = training_set.history.memo.setdefault("statistics", {})
    whole = training_set.of_spans(known, _of_rows, _merged)
    parts = [_scaled(part, span.weight) for part, span in zip(whole, training_set.spans, strict=True)]
    if len(training_set.rows):
        parts.append(_of_rows(training_set.history.examples[training_set.rows], training_set.weights))
    return functools.reduce(_merged, parts)


def _of_rows(examples: Examples, weights: Vector | None = None) -> Statistic:
    """Two passes, so that a small spread far from the origin keeps its digits."""
    if weights is None:
        mean = examples.mean(axis=0)
        centred = examples - mean
        return Statistic(len(examples), len(examples), mean, centred.T @ centred)
    mass = float(weights.sum())
    mean = weights @ examples / mass
    centred = (examples - mean) * np.sqrt(weights)[:, None]
    return Statistic(mass, float(weights @ weights), mean, centred.T @ centred)


def _scaled(part: Statistic, weight: float) -> Statistic:
    if weight == 1:
        return part
    return Statistic(weight * part.mass, weight**2 * part.squared_mass, part.mean, weight * part.scatter)


def _merged(a: Statistic, b: Statistic) -> Statistic:
    """Of both together.

    Source: Chan, Golub and LeVeque, Updating formulae and a pairwise algorithm for computing sample variances (1982).
    """
    mass = a.mass + b.mass
    apart = b.mean - a.mean
    return Statistic(
        mass,
        a.squared_mass + b.squared_mass,
        a.mean + b.mass / mass * apart,
        a.scatter + b.scatter + a.mass * b.mass / mass * np.outer(apart, apart),
    )
