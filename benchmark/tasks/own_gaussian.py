"""Gaussian estimation on one's own vectors: the task-setting `gaussian`, but that real data are rows of a file.

The truth is unknown, so that the test loss is not exact: it is the mean negative log-likelihood of held-out rows. Where the rows are far
from normal, it measures misfit too, of all iterations alike.
"""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from benchmark.core.history import Examples
from benchmark.errors import ThriveError
from benchmark.tasks.gaussian import Gaussian
from benchmark.tasks.normal import Normal, Truth
from benchmark.tasks.own_vectors import OwnVectors, Split, path_of, vectors

if TYPE_CHECKING:
    from numpy.random import Generator


@dataclass(frozen=True, eq=False)
class HeldOut(Truth):
    """Test rows, with the moments of the whole file in the place of the truth's, as coordinates of the diagnostics.

    Attributes:
        rows: shape (count, d).
    """

    rows: Examples


@functools.cache
def moments(path: Path, columns: str) -> tuple[Examples, Examples]:
    """Mean of all rows of a file, and the Cholesky factor of their covariance.

    Raises:
        ThriveError: the columns are linearly dependent.
    """
    rows = vectors(path, columns)
    whole = Normal(rows.mean(axis=0), np.atleast_2d(np.cov(rows.T, ddof=0)))
    if whole.whitening is None:
        raise ThriveError(f"{path}: the columns are linearly dependent. Leave some out.")
    return whole.mean, np.linalg.cholesky(whole.covariance)


@dataclass(frozen=True, kw_only=True)
class OwnGaussian(OwnVectors, Gaussian):  # type: ignore[misc, override]
    """An instance: a file, and n examples in a generation."""

    @property
    def name(self) -> str:
        return f"{Path(self.file).stem} n={self.n}" + (
            "" if self.sampler_temperature == 1 else f" τ={self.sampler_temperature}"
        )

    @property
    def obstacle(self) -> str | None:
        """What is wrong with the file; None where nothing is."""
        problem = super().obstacle
        if problem is None:
            try:
                _ = moments(path_of(self.file), self.columns)
            except ThriveError as dependent:
                problem = str(dependent)
        return problem

    d: ClassVar[int]  # type: ignore[misc]  # no field: the file has it

    @property  # type: ignore[no-redef]
    def d(self) -> int:
        return self.dimension

    def held_out(self, world: Split, rng: "Generator") -> HeldOut:  # type: ignore[override]
        return HeldOut(*moments(path_of(self.file), self.columns), world.test)

    def test_loss(self, model: Normal, test: HeldOut) -> float:  # type: ignore[override]
        """Mean of -log p(x) over the test rows, in nats per example; +inf if the covariance is singular."""
        return -float(self.log_likelihood(model, test.rows, False).mean())

    def simplest_loss(self, real: Examples, test: HeldOut) -> float:  # type: ignore[override]
        """The loss of a Gaussian with the means and variances of the real rows, and no correlations."""
        simplest = Normal(real.mean(axis=0), np.diag(real.var(axis=0)))
        return self.test_loss(simplest, test)
