"""Multivariate Gaussian estimation: a model N(μ, Σ) is fitted by weighted maximum likelihood to data from N(m, A Aᵀ).

The paper's truth is N(0, I). Here m and A are drawn by seed, so that no strategy gains by knowing the truth. The paper's three
workflows are affine-equivariant: they treat m + A z exactly as they treat z. We therefore measure losses and diagnostics in the
truth's own coordinates, z = A⁻¹(x - m), where their values are those of the paper.

Source: Kazdan et al., Collapse or Thrive? (ICML 2025), section 2: mean and biased covariance (ddof 0).
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
from annotated_types import Interval
from scipy.special import gammaincinv

from benchmark.core.history import Examples, Weighted
from benchmark.core.task import Sampled, Start
from benchmark.errors import ContractBroken
from benchmark.tasks.arrays import Matrix, Vector
from benchmark.tasks.normal import Normal, Truth, log_without_warning

if TYPE_CHECKING:
    from numpy.random import Generator

    from benchmark.core.requests import FitOptions, SampleRequest

LOG_2PI = float(np.log(2 * np.pi))
MOST_GROWTH = 4 / 3
"""Of a covariance by knobs of the fit: that of a ddof of a quarter of the rows."""


class Statistic(NamedTuple):
    """All that a weighted Gaussian fit needs to know about some rows."""

    mass: float  # Σ w
    squared_mass: float  # Σ w²
    mean: Vector  # (d,)
    scatter: Matrix  # (d, d): Σ w (x - mean)(x - mean)ᵀ


@dataclass(frozen=True)
class Gaussian:
    """An instance: d dimensions, n examples in a generation, and a temperature by which the sampler multiplies every entry's own."""

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
        """The truth itself. There are no test data, because the test loss is exact."""
        return world

    def fit(self, training_set: Weighted, options: "FitOptions", draw_rng: Callable[[], "Generator"]) -> Normal:
        """Σ = scatter / (Σw·(1 - ddof/N)), N = (Σw)²/Σw², which for unit weights is scatter / (n - ddof); plus ridge·(tr Σ/d)·I.

        Raises:
            ContractBroken: ddof is below -(2d + 2), or it and ridge make the trace larger than `MOST_GROWTH` allows.
        """
        total = statistic(training_set)
        effective_size = total.mass**2 / total.squared_mass
        _check_growth(options, effective_size, self.d)
        covariance = total.scatter / (total.mass * (1 - options.ddof / effective_size))
        if options.ridge:
            covariance += options.ridge * covariance.trace() / self.d * np.eye(self.d)
        return Normal(total.mean, covariance)

    def test_loss(self, model: Normal, test: Truth) -> float:
        """Exact expected negative log-likelihood under the truth, minus log |det A|, in nats per example.

        With μ and Σ in the truth's coordinates, this is the loss of the model under N(0, I).

        Returns:
            ½[d log 2π + log det Σ + tr Σ⁻¹ + μᵀΣ⁻¹μ]; +inf if Σ is singular, in these coordinates or in those of the data.

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
        """The loss of N(x, A Aᵀ) around a single real example x, averaged over the real data: ½[d log 2π + d + mean ‖z‖²]."""
        z = test.whiten(real)
        return 0.5 * (self.d * LOG_2PI + self.d + float(np.vdot(z, z)) / len(z))

    def sample(self, model: Normal, count: int, request: "SampleRequest", rng: "Generator") -> Sampled:
        """Rows from N(μ, τΣ), shape (count, d). Top-p keeps to the ellipsoid that holds the share p of the mass."""
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
        """The examples under a random affine map x → B x + b, where B = Q₁ D Q₂ with rotations Q₁, Q₂ and scales e⁻¹ to e."""
        turned = [np.linalg.qr(rng.standard_normal((self.d, self.d)))[0] for _ in range(2)]
        scales, offset = np.exp(rng.uniform(-1, 1, self.d)), 10 * rng.standard_normal(self.d)
        return np.asarray(examples @ (turned[0] * scales) @ turned[1] + offset)

    def log_likelihood(self, model: Normal, examples: Examples, per_token: bool) -> Vector:
        """-inf for every example if the model is singular. An example is one token."""
        if model.whitening is None:
            return np.full(len(examples), -np.inf)
        z = (examples - model.mean) @ model.whitening.T
        density: Vector = -0.5 * (np.einsum("ij,ij->i", z, z) + model.log_determinant + self.d * LOG_2PI)
        return density

    def log_ratio(self, held_back: Examples, model: Normal, examples: Examples) -> Vector:
        """Against a Gaussian fitted to the held-back examples. 0, which says nothing, where neither model has a density."""
        total = _of_rows(held_back)
        real = self.log_likelihood(Normal(total.mean, total.scatter / total.mass), examples, False)
        own = self.log_likelihood(model, examples, False)
        return np.subtract(real, own, out=np.zeros_like(own), where=np.isfinite(real) | np.isfinite(own))

    def blend(self, model: Normal, other: Normal, weight: float) -> Normal:
        """Averages means and covariances."""
        return Normal(
            (1 - weight) * model.mean + weight * other.mean,
            (1 - weight) * model.covariance + weight * other.covariance,
        )

    def away(self, model: Normal, other: Normal, weight: float) -> Normal:
        """In mean and log-covariance; a singular model moves nothing.

        The log-covariance moves by weight·(log Σ - log Σ_other), of which each eigenvalue counts up to log `MOST_GROWTH`.
        """
        if model.whitening is None or other.whitening is None:
            return model
        log_own = log_without_warning(model.covariance)
        moves, along = np.linalg.eigh(weight * (log_own - log_without_warning(other.covariance)))
        values, vectors = np.linalg.eigh(log_own + (along * np.minimum(moves, np.log(MOST_GROWTH))) @ along.T)
        return Normal((1 + weight) * model.mean - weight * other.mean, (vectors * np.exp(values)) @ vectors.T)

    def diagnostics(self, model: Normal, generation: Examples, start: Start, *, full: bool) -> dict[str, float]:
        """The paper's diagnostics, in the truth's coordinates: error of the mean; trace and determinant relative to the truth; a 1-D marginal.

        With `full` also the squared 2-Wasserstein distance to the truth, and the shares of the generation outside the
        balls that hold 0.99 (its tails) and 0.999 of the truth.
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


def _check_growth(options: "FitOptions", effective_size: float, d: int) -> None:
    """No knob undoes what rows without scatter do to a covariance: else the pool's real rows alone would make the model."""
    if not -(2 * d + 2) <= options.ddof < effective_size:
        raise ContractBroken(
            f"FitOptions.ddof is {options.ddof}: expected at least -{2 * d + 2} (2d + 2), and less than {effective_size:g}, the training "
            "set's effective size."
        )
    growth = (1 + options.ridge) / (1 - options.ddof / effective_size)
    if (options.ridge > 0 or options.ddof > 1) and growth > MOST_GROWTH * (1 + 1e-9):
        raise ContractBroken(
            f"FitOptions.ddof is {options.ddof} and ridge {options.ridge}: together they multiply the covariance's trace by {growth:.4g}, "
            f"expected at most 4/3 (of {effective_size:g} effective rows a ddof of {effective_size / 4:g}; ddof = 1 alone is always allowed)."
        )


def _chi_square_quantile(share: Matrix | float, d: int) -> Any:
    """Squared radius of the ball that holds this share of N(0, I_d)."""
    return 2 * gammaincinv(d / 2, share)


def statistic(training_set: Weighted) -> Statistic:
    """The statistic of a training set. The statistic of a whole generation is computed once and reused."""
    known = training_set.history.memo.setdefault("statistics", {})
    whole = training_set.of_spans(known, _of_rows, _merged)
    parts = [_scaled(part, span.weight) for part, span in zip(whole, training_set.spans, strict=True)]
    if len(training_set.rows):
        parts.append(_of_rows(training_set.history.examples[training_set.rows], training_set.weights))
    return functools.reduce(_merged, parts)


def _of_rows(examples: Examples, weights: Vector | None = None) -> Statistic:
    """Computed in two passes, so that a small spread far from the origin keeps its digits."""
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
    """The statistic of both sets of rows together.

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
