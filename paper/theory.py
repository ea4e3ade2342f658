"""Closed forms of the paper's workflows: averages over runs, by iteration t = 1 … T. Each is tested on whole runs.

A workflow that ignores the rows' values, with fits by maximum likelihood, conserves the second moment:
E[Σ_t] + E[(μ_t - μ0)(μ_t - μ0)ᵀ] = Σ0. The error of the mean gains what the fitted variance loses.

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
    """E ‖mean of the training set‖² and E ‖a row of it‖², if a new point is a row, drawn with replacement, plus noise.

    Let C_ij be the expected product of two distinct points of generations i and j, S_i the mean square of a point of generation i, and
    N = nt the number of rows in the pool. A point of generation t may be any row, so C_it = (S_i + (n-1) C_ii + n Σ_{j≠i} C_ij) / N, and
    C_tt = E ‖mean of the training set‖². With m rows in the training set (N for accumulate, else n) that is S/m + (1 - 1/m) times the
    mean of C over pairs of distinct rows.

    Args:
        first: C_00; 0 for independent real points, measured from the mean of their distribution.
        second: S_0, the mean square of a real point.
        noise: the gain of the mean square in each generation; 0 for a Gaussian fit, d·h² for a kernel density.
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
    """E tr Σ_t / d for Σ0 = I: (1 - 1/n)^t for replace, Π_{k≤t} (1 - 1/(nk²)) for accumulate, else 1 minus the error of the mean."""
    t = iterations(horizon)
    if entry == "replace":
        return np.asarray((1 - 1 / n) ** t)
    return np.asarray(np.cumprod(1 - 1 / (n * t**2)) if entry == "accumulate" else 1 - moments(entry, n, horizon)[0])


def replace_variances(d: int, n: int, t: int) -> tuple[float, float]:
    """Variances over runs of tr Σ_t / d and of ‖μ_t - μ0‖² under replace, for Σ0 = I.

    A variance estimated from seeds that miss the rare large runs is far too low. nΣ_t is Wishart with m = n - 1 degrees of freedom and
    scale Σ = Σ_{t-1}, so
    E (tr Σ_t)² = (m/n)² (tr Σ)² + 2m/n² tr Σ² and E tr Σ_t² = m(m+1)/n² tr Σ² + m/n² (tr Σ)² (Gupta and Nagar, Matrix Variate
    Distributions, 2000, theorem 3.3.15). Given these, μ_t - μ0 is normal with covariance V = Σ_{s<t} Σ_s / n, so that
    E ‖μ_t - μ0‖⁴ = E (tr V)² + 2 E tr V²; and E[Σ_r | Σ_s] = (m/n)^(r-s) Σ_s for r > s.
    """
    kept, m = 1 - 1 / n, n - 1
    squared_trace, trace_of_square = [float(d * d)], [float(d)]
    for _ in range(t):
        a, b = squared_trace[-1], trace_of_square[-1]
        squared_trace.append(kept**2 * a + 2 * m / n**2 * b)
        trace_of_square.append(m * (m + 1) / n**2 * b + m / n**2 * a)
    # Each pair s ≤ r < t counts twice unless s = r, so Σ_s counts 1 + 2 Σ_{k=1}^{t-1-s} kept^k times.
    times = np.array([1 + 2 * (kept - kept ** (t - s)) * n for s in range(t)])
    fourth = float(times @ (np.array(squared_trace[:t]) + 2 * np.array(trace_of_square[:t]))) / n**2
    return (squared_trace[t] - (kept**t * d) ** 2) / d**2, fourth - (d * (1 - kept**t)) ** 2


def log_determinant(d: int, n: int, horizon: int) -> Vector:
    """E log det Σ_t under replace for Σ0 = I and n > d: t[Σ_{i≤d} ψ((n-i)/2) + d log(2/n)]."""
    step = digamma((n - np.arange(1, d + 1)) / 2).sum() + d * np.log(2 / n)
    return np.asarray(iterations(horizon) * step)


def covariance_trace(entry: str, n: int, horizon: int, first: float, added: float) -> Vector:
    """Expected trace of a generation's covariance (ddof 0) under a kernel density, for any distribution of the real data.

    Args:
        first: the trace of generation 1, which is (1 - 1/n)(V_0 + added), where V_0 is the variance of the real points about their own mean.
        added: d·h².
    """
    v = first / (1 - 1 / n) - added
    errors, squares = moments(entry, n, horizon, -v / (n - 1), v, added)
    return np.asarray((1 - 1 / n) * (squares + added - errors))


def regression_error(entry: str, d: int, n: int, variance: float, horizon: int) -> Vector:
    """Excess test error on a fixed design: b·t for replace and b·Σ_{i≤t} 1/i² for accumulate, with b = σ²d/(n-d-1).

    Source: Gerstgrasser et al. (2024), arXiv 2404.01413, theorem 1.
    """
    t = iterations(horizon)
    return variance * d / (n - d - 1) * (t if entry == "replace" else np.cumsum(1 / t**2))


def regression_error_variance(entry: str, d: int, n: int, variance: float, t: int) -> float:
    """Variance over runs of the squared error of the weights under replace and accumulate; NaN for n ≤ d + 3.

    Given the design X, the error of the weights is normal with covariance vM. Here M = (XᵀX)⁻¹, and v is variance·t under replace and
    variance·Σ_{i≤t} 1/i² under accumulate. So E ‖error‖⁴ = v² E[(tr M)² + 2 tr M²], where E (tr M)² = ((n-d-2)d² + 2d)/c and
    E tr M² = (n-1)d/c with c = (n-d)(n-d-1)(n-d-3).

    Source: von Rosen, Moments for the inverted Wishart distribution (1988), corollary 3.1.
    """
    if n <= d + 3:
        return np.nan
    mean = float(regression_error(entry, d, n, variance, t)[-1])
    v = mean * (n - d - 1) / d
    c = (n - d) * (n - d - 1) * (n - d - 3)
    return v**2 * ((n - d - 2) * d**2 + 2 * d + 2 * (n - 1) * d) / c - mean**2


def accumulate_bound(first: float, t1: int, t2: int) -> float:
    """Upper bound of accumulate's test loss at t2 > t1, given the loss `first` at t1 on the same test set, at a fixed bandwidth.

    The pool at t1 is a part of the pool at t2, and kernels are positive, so p_t2(x) ≥ (t1/t2) p_t1(x) at every point x.
    Hence -log p_t2(x) ≤ -log p_t1(x) + ln(t2/t1) at each test point, and so for their mean and for the mean over runs.
    """
    return first + float(np.log(t2 / t1))


def spread_bound(n: int, t: Vector, share: float) -> Vector:
    """Upper bound of P(σ_t > share·σ0) under replace for d = 1: e^(-t/4n) / share, by Markov's inequality.

    E σ_t/σ_{t-1} = √(2/n)·Γ(n/2)/Γ((n-1)/2) = 1 - 3/(4n) - …, which is below e^(-1/4n).

    Source: arXiv 2412.17646, on the rate of collapse of a recursively fitted Gaussian.
    """
    return np.asarray(np.exp(-t / (4 * n)) / share)


def survival_bound(expected: float, t: Vector) -> Vector:
    """Lower bound of the probability that an outcome of expected count λ in the real data still occurs at t under replace: 1 - e^(-λ/t).

    Source: arXiv 2412.17646, on discrete distributions.
    """
    return np.asarray(1 - np.exp(-expected / t))


def heterozygosity(n: int, t: Vector, first: float) -> Vector:
    """E Σp² of a discrete distribution after t fits under replace: 1 - (1 - 1/n)^t (1 - S_0), S_0 = Σp² of the truth.

    Source: arXiv 2404.05090.
    """
    return np.asarray(1 - (1 - 1 / n) ** t * (1 - first))


def golden_weight(k: float) -> float:
    """The mass on fresh real rows that is best in the long run, for k of them to one row of the latest model: 0.618 for k = 1.

    Source: He, Xu and Cheng (2025), arXiv 2502.18049.
    """
    return float((np.sqrt(k * k + 4 * k) - k) / 2)


def weighted_error(weight: float, fresh: int, synthetic: int, horizon: int) -> Vector:
    """E ‖μ_t - μ0‖² / d where each fit gives `weight` to fresh real rows and the rest to rows of the latest model, Σ0 = I.

    The first fit sees `fresh + synthetic` real rows. A model's rows have variance 1 - E_t about its mean (conservation of the second
    moment), so E_{t+1} = w²/m_real + (1-w)²(E_t + (1 - E_t)/m_synthetic).
    """
    errors = [1 / (fresh + synthetic)]
    for _ in range(horizon - 1):
        errors.append(weight**2 / fresh + (1 - weight) ** 2 * (errors[-1] + (1 - errors[-1]) / synthetic))
    return np.array(errors)


def contaminated_error(real: int, synthetic: int, horizon: int) -> Vector:
    """E ‖μ_t - μ0‖² / d where each iteration adds fresh real rows and rows of the latest model to a pool that all is trained on, Σ0 = I.

    With the share a = real / (real + synthetic), what the pool was wrong about fades as t^-a, since the model's own rows repeat it; and
    new rows average out as t^(-1/2), the rate of a model that sees real rows alone. The root of this decays as t^-min(a, 1/2).
    The first fit sees `synthetic` real rows. By conservation of the second moment the model's rows have variance 1 - E_t about its mean.

    Source: Wang, Niu and Li, Can generative artificial intelligence survive data contamination? (2026), arXiv 2602.16065: the rate is
    the minimum of the model's and the share of real data in each iteration. The recursion is ours.
    """
    rows, error, errors = synthetic, 1 / synthetic, []
    for _ in range(horizon):
        errors.append(error)
        total = rows + real + synthetic
        noise = real + synthetic * (1 - error)
        error, rows = (((rows + synthetic) ** 2) * error + noise) / total**2, total
    return np.array(errors)
