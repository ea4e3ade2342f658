"""Closed form of the excess of a Gaussian that is fitted to real rows and to the last model's samples."""

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


def excess(d: int, n: int, real: float, synthetic: float, temperature: float, horizon: int) -> Vector:
    """Expected excess by iteration t = 1 … T, in nats: to first order in 1/n for a fluctuation, exact in the mean of the fitted covariance.

    Each training set has real·n of the n real rows, drawn anew, and synthetic·n samples of the last model, whose covariance the sampler
    multiplies by τ; w and v are their shares of it. Let Σ0 = I, m_t = E ‖μ_t‖²/d, e_t = E tr Σ_t / d, and let u_t be the variance of an entry
    of Σ_t off the diagonal (the diagonal's is 2 u_t). A point of generation t-1 has variance τ e_{t-1}; c_t and g_t are the covariances of a real
    point, or of its products, with the fit that it was part of:

        m_t = w²/(real n) + v² (τ e_{t-1}/(synthetic n) + m_{t-1}) + 2wv c_{t-1},    c_t = w/n + v c_{t-1},    m_1 = c_1 = 1/n
        u_t = w²/(real n) + v² τ² (e_{t-1}²/(synthetic n) + u_{t-1}) + 2wvτ g_{t-1}, g_t = w/n + vτ g_{t-1},   u_1 = g_1 = 1/n
        e_t + m_t = w + v (τ e_{t-1} + m_{t-1}),                                     e_1 = 1 - 1/n

    where the last line is the conservation of the second moment. The loss above the truth's is the mean of ½[log det Σ + tr Σ⁻¹(I + μμᵀ) - d],
    expanded to second order around e_t I: ½[d(log e + 1/e - 1) + d(d+1) u (1/e³ - 1/(2e²)) + d m/e]. At τ = 1 and small 1/n it is
    d(d+3)/4 · m_t, with n m_∞ = (1 + 2α(1-α)) / (α(2-α)) for a share α of n rows.

    Returns:
        The loss at t minus that at t = 1, shape (T,).
    """
    w, v = real / (real + synthetic), synthetic / (real + synthetic)
    of_real, of_synthetic = (w * w / (real * n) if real else 0.0), (v * v / (synthetic * n) if synthetic else 0.0)
    m = c = u = g = 1 / n
    e = 1 - 1 / n
    losses = []
    for t in range(1, horizon + 1):
        if t > 1:
            hot = temperature * e
            spread = w + v * (hot + m)
            m, c = of_real + of_synthetic * hot + v * v * m + 2 * w * v * c, w / n + v * c
            u, g = (
                of_real + of_synthetic * hot**2 + (v * temperature) ** 2 * u + 2 * w * v * temperature * g,
                w / n + v * temperature * g,
            )
            e = spread - m
        losses.append(d * (np.log(e) + 1 / e - 1) + d * (d + 1) * u * (e**-3 - 0.5 * e**-2) + d * m / e)
    return np.asarray(0.5 * (np.array(losses) - losses[0]))
