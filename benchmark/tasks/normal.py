"""Normal distributions: the fitted model, and the truth that real data come from, which brings coordinates of its own."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import blas, lapack

from benchmark.core.history import Examples
from benchmark.tasks.arrays import Matrix, Vector

if TYPE_CHECKING:
    from numpy.random import Generator

LOG_CONDITION = float(np.log(10))
"""The largest log condition number of A. A factor of 10 makes it a large error to shrink a covariance towards a multiple of I; the
change of coordinates costs at most one digit."""


@dataclass(frozen=True, eq=False)
class Normal:
    """N(mean, covariance)."""

    mean: Vector
    covariance: Matrix
    seen: list[Any] = field(default_factory=list)  # a cache: a truth, and this model in the coordinates of that truth

    @cached_property
    def eigenvalues(self) -> Vector:
        """The eigenvalues of the covariance, in increasing order."""
        return np.asarray(np.linalg.eigvalsh(self.covariance), np.float64)

    @cached_property
    def _cholesky(self) -> tuple[Matrix, Matrix] | None:
        """L with L Lᵀ = covariance, and L⁻¹; None if numerically there is no such L."""
        factor, failed = lapack.dpotrf(self.covariance, lower=1, clean=1)
        return None if failed else (factor, lapack.dtrtri(factor, lower=1)[0])

    @cached_property
    def whitening(self) -> Matrix | None:
        """L⁻¹, which maps the model to N(0, I); None if the covariance is singular.

        A covariance counts as singular if λmin ≤ d·ε·λmax: numerically, the model has lost a direction.
        """
        if self._cholesky is None:
            return None
        inverse = self._cholesky[1]
        resolution = len(self.mean) * np.finfo(float).eps
        # λmax/λmin ≤ tr Σ · tr Σ⁻¹. This bound usually decides, at a fifth of the cost of the eigenvalues.
        if self.covariance.trace() * np.vdot(inverse, inverse) * resolution < 0.5:
            return inverse
        return inverse if self.eigenvalues[0] > resolution * self.eigenvalues[-1] else None

    def spread(self, noise: Matrix) -> Matrix:
        """Turn N(0, I) into N(0, covariance), shape (count, d): by the Cholesky factor, or by eigenvectors if the covariance is singular.

        `noise` may be overwritten.
        """
        if self.whitening is not None and self._cholesky is not None:
            # A triangular product costs half as much as a general one and works in place. BLAS reads our rows as its columns.
            return np.asarray(blas.dtrmm(1.0, self._cholesky[0], noise.T, lower=1, overwrite_b=1).T)
        values, vectors = np.linalg.eigh(self.covariance)
        root: Matrix = vectors * np.sqrt(np.maximum(values, 0))
        return noise @ root.T

    @cached_property
    def log_determinant(self) -> float:
        """log det Σ; -inf if Σ is singular."""
        return -np.inf if self.whitening is None else -2 * float(np.log(self.whitening.diagonal()).sum())


@dataclass(frozen=True, eq=False)
class Truth:
    """N(shift, spread·spreadᵀ): the distribution of real data.

    Attributes:
        shift: m, shape (d,).
        spread: A, shape (d, d), lower triangular with a positive diagonal.
    """

    shift: Vector
    spread: Matrix

    @classmethod
    def drawn(cls, d: int, rng: "Generator") -> "Truth":
        """A random truth: A Aᵀ = s² Q D² Qᵀ with a uniform rotation Q, a diagonal D that is log-uniform within a factor of 10, and a scale s."""
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
        """m + A z for standard normal z, shape (count, d)."""
        return np.asarray(rng.standard_normal((count, len(self.shift))) @ self.spread.T + self.shift)

    def whiten(self, examples: Examples) -> Examples:
        """z = A⁻¹(x - m) of each example."""
        return np.asarray((examples - self.shift) @ self.inverse.T)

    def seen_from(self, model: Normal) -> Normal:
        """The model in the coordinates in which this truth is N(0, I)."""
        if not model.seen or model.seen[0] is not self:
            covariance = self.inverse @ model.covariance @ self.inverse.T
            model.seen[:] = self, Normal(self.inverse @ (model.mean - self.shift), (covariance + covariance.T) / 2)
        seen: Normal = model.seen[1]
        return seen


def log_without_warning(covariance: Matrix) -> Matrix:
    values, vectors = np.linalg.eigh(covariance)
    logarithm: Matrix = (vectors * np.log(values)) @ vectors.T
    return logarithm
