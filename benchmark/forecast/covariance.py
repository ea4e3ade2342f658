"""The covariance of a run's iterations, from the seeds: of fewer seeds than iterations, and so shrunk."""

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

MODEL_ERROR = 0.02
"""No law is exact: a curve may leave its law by this share of its change since t = 1. Without it, the first iterations, which seeds show
to a thousandth, would decide a fit that is wanted for the last."""
ROUNDING = 1e-6  # of the range of the curve: where seeds do not differ at all


def shrunk(losses: Matrix) -> Matrix:
    """Covariance of the columns: correlations shrunk towards 0 by the share that their own errors suggest, variances as they are.

    Args:
        losses: seeds × iterations.

    Source:
        Schäfer and Strimmer, A shrinkage approach to large-scale covariance matrix estimation (2005), target D; their λ* of section 2.4.
    """
    n = len(losses)
    centred = losses - losses.mean(axis=0)
    spread = centred.std(axis=0, ddof=1)
    spread = np.where(spread > 0, spread, spread.max() * ROUNDING)
    if not spread.any():
        return np.zeros((losses.shape[1],) * 2)
    z = centred / spread
    products = z.T @ z
    errors = n / (n - 1) ** 3 * ((z**2).T @ z**2 - products**2 / n)  # of the correlations, as variances
    correlations = products / (n - 1)
    off = ~np.eye(len(products), dtype=bool)
    weight = float(np.clip(errors[off].sum() / (correlations[off] ** 2).sum(), 0, 1))
    correlations = (1 - weight) * correlations
    np.fill_diagonal(correlations, 1)
    return np.asarray(correlations * np.outer(spread, spread))


def whitener(losses: Matrix) -> Matrix:
    """The matrix by which residuals of the mean over seeds become independent with variance 1: the inverse of a root of its covariance."""
    mean = losses.mean(axis=0)
    change = mean - mean[0]
    covariance = shrunk(losses) / len(losses)
    covariance += np.diag((MODEL_ERROR * change) ** 2 + (ROUNDING * np.ptp(mean)) ** 2)
    inverse: Matrix = np.linalg.inv(np.linalg.cholesky(covariance))
    return inverse


def without_each(losses: Matrix) -> Matrix:
    """The mean over seeds in the first row; below it the means without one seed, which the jackknife needs."""
    return np.vstack([losses.mean(axis=0), (losses.sum(axis=0) - losses) / (len(losses) - 1)])


def jackknife_error(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard errors of what was computed from the rows of `without_each`, along the first axis.

    Source:
        Tukey, Bias and confidence in not-quite large samples (1958).
    """
    others = values[1:]
    n = len(others)
    return np.asarray(np.sqrt((n - 1) / n * ((others - others.mean(axis=0)) ** 2).sum(axis=0)))
