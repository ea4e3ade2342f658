"""Closed forms of what the paper's workflows come to on average, by iteration t = 1 … T; each is tested on whole runs.

Value-blind workflows with maximum likelihood conserve the second moment: E[Σ_t] + E[(μ_t - μ0)(μ_t - μ0)ᵀ] = Σ0, so what a fitted
variance loses, the error of the mean gains.

Sources: Kazdan et al., Collapse or Thrive? (ICML 2025), section 2, for replace and accumulate; the recursion of accumulate-subsample
is ours.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

Vector = NDArray[np.float64]


def iterations(horizon: int) -> Vector:
    return np.arange(1.0, horizon + 1)


def moments(
    entry: str, n: int, horizon: int, first: float = 0, second: float = 1, noise: float = 0
) -> tuple[Vector, Vector]:
    """E ‖mean of the training set‖² and E ‖a row of it‖², where a new point is a row, drawn with replacement, plus noise.

    With C_ij the expected product of two distinct points of generations i and j, S_i the mean square of a point, N = nt rows in the pool:
    a point of generation t is any row, so C_it = (S_i + (n-1) C_ii + n Σ_{j≠i} C_ij) / N; C_tt = E ‖mean of the training set‖². That
    is S/m + (1 - 1/m) times the mean over pairs of distinct rows, m the number of rows: N of accumulate, else n.

    Args:
        first: C_00, which is 0 for independent real points about the mean of their law.
        second: S_0, the mean square of a real point.
        noise: what the mean square of a generation gains; 0 for a Gaussian fit, d·h² for a kernel density.
    """
    c, s = np.zeros((horizon + 1, horizon + 1)), np.zeros(horizon + 1)
    c[0, 0], s[0] = first, second
    errors, squares = np.zeros(horizon), np.zeros(horizon)
    for t in range(1, horizon + 1):
        pool = slice(t - 1, t) if entry == "replace" else slice(0, t)
        among, own, size = c[pool, pool], s[pool], n * len(s[pool])
        rows = size if entry == "accumulate" else n
        pairs = (n**2 * among.sum() - n * among.trace()) / (size * (size - 1))
        squares[t - 1] = own.mean()
        c[t, t] = errors[t - 1] = own.mean() / rows + (1 - 1 / rows) * pairs
        c[pool, t] = c[t, pool] = (own - among.diagonal() + n * among.sum(axis=1)) / size
        s[t] = own.mean() + noise
    return errors, squares


def trace_ratio(entry: str, n: int, horizon: int) -> Vector:
    """E tr Σ_t / d, Σ0 = I: (1 - 1/n)^t of replace, Π_{k≤t} (1 - 1/(nk²)) of accumulate, else 1 minus the error of the mean."""
    t = iterations(horizon)
    if entry == "replace":
        return np.asarray((1 - 1 / n) ** t)
    return np.asarray(np.cumprod(1 - 1 / (n * t**2)) if entry == "accumulate" else 1 - moments(entry, n, horizon)[0])


def log_determinant(d: int, n: int, horizon: int) -> Vector:
    """E log det Σ_t of replace, Σ0 = I, n > d: t[Σ_{i≤d} ψ((n-i)/2) + d log(2/n)]."""
    step = digamma((n - np.arange(1, d + 1)) / 2).sum() + d * np.log(2 / n)
    return np.asarray(iterations(horizon) * step)


def covariance_trace(entry: str, n: int, horizon: int, first: float, added: float) -> Vector:
    """E of the trace of a generation's covariance (ddof 0) under a kernel density, of any law of the real data.

    Args:
        first: that of generation 1, which is (1 - 1/n)(V_0 + added) of real points of variance V_0 about their own mean.
        added: d·h².
    """
    v = first / (1 - 1 / n) - added
    errors, squares = moments(entry, n, horizon, -v / (n - 1), v, added)
    return np.asarray((1 - 1 / n) * (squares + added - errors))


def regression_error(entry: str, d: int, n: int, variance: float, horizon: int) -> Vector:
    """Excess test error of replace, b·t, and of accumulate on one design, b·Σ_{i≤t} 1/i², b = σ²d/(n-d-1).

    Source: Gerstgrasser et al. (2024), arXiv 2404.01413, theorem 1.
    """
    t = iterations(horizon)
    return variance * d / (n - d - 1) * (t if entry == "replace" else np.cumsum(1 / t**2))


def heterozygosity(entry: str, n: int, horizon: int) -> Vector:
    """E[1 - Σp²] over that of the truth: as the trace ratio, since an outcome is a vector of one 1."""
    return trace_ratio(entry, n, horizon)
