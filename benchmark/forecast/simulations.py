"""The paper's workflows for many seeds at once, in few lines and without strategies: what laws are tried on, where the answer is known.

The Gaussian draws sufficient statistics (a mean and a Wishart scatter) instead of rows, except where rows are drawn again. Real data are
N(0, I_d), or moons for the kernel density. All return losses or moments as seeds × iterations.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark.forecast.covariance import Matrix

Arrays = NDArray[np.float64]
Generator = np.random.Generator


class GaussianRuns(NamedTuple):
    """Expected test loss under N(0, I_d) in nats, and ‖mean‖² of each fit."""

    loss: Matrix
    mean_error: Matrix


def gaussian(rng: Generator, *, seeds: int, d: int, n: int, horizon: int, accumulate: bool) -> GaussianRuns:
    """Replace, or accumulate."""
    mean, covariance = np.zeros((seeds, d)), np.tile(np.eye(d), (seeds, 1, 1))
    rows, sums, squares = 0, 0 * mean, 0 * covariance
    losses, errors = [], []
    for _ in range(horizon):
        root = np.asarray(np.linalg.cholesky(covariance), np.float64)
        centre = mean + np.einsum("sij,sj->si", root, rng.standard_normal((seeds, d))) / np.sqrt(n)
        scatter = _wishart(rng, root, n - 1)
        if not accumulate:
            rows, sums, squares = 0, 0 * sums, 0 * squares
        rows, sums, squares = rows + n, sums + n * centre, squares + scatter + n * _outer(centre)
        mean = sums / rows
        covariance = squares / rows - _outer(mean)
        losses.append(_loss(mean, covariance))
        errors.append((mean**2).sum(axis=1))
    return GaussianRuns(np.array(losses).T, np.array(errors).T)


def accumulate_subsample(rng: Generator, *, seeds: int, d: int, n: int, horizon: int) -> Matrix:
    """The Gaussian's test loss where n rows of the pool are drawn without replacement for each fit."""
    pool = np.empty((seeds, n * horizon, d))
    pool[:, :n] = rng.standard_normal((seeds, n, d))
    losses = []
    for size in range(n, n * horizon + 1, n):
        chosen = np.array([rng.choice(size, n, replace=False, shuffle=False) for _ in range(seeds)])
        rows = np.take_along_axis(pool, chosen[:, :, None], axis=1)
        mean = rows.mean(axis=1)
        centred = rows - mean[:, None]
        covariance = centred.swapaxes(1, 2) @ centred / n
        losses.append(_loss(mean, covariance))
        root = np.linalg.cholesky(covariance)
        pool[:, size : size + n] = (
            mean[:, None] + (rng.standard_normal((seeds, n, d)) @ root.swapaxes(1, 2))[:, : pool.shape[1] - size]
        )
    return np.array(losses).T


def kernel_trace(rng: Generator, *, seeds: int, n: int, horizon: int, bandwidth: float, power: float = 0) -> Matrix:
    """Variance of a kernel density in one dimension under accumulate, for a bandwidth that falls as t^-power."""
    pool = np.empty((seeds, n * horizon))
    pool[:, :n] = rng.standard_normal((seeds, n))
    sums, squares = np.zeros(seeds), np.zeros(seeds)
    variances = []
    for t in range(1, horizon + 1):
        size, h = n * t, bandwidth * t**-power
        latest = pool[:, size - n : size]
        sums, squares = sums + latest.sum(axis=1), squares + (latest**2).sum(axis=1)
        variances.append(squares / size - (sums / size) ** 2 + h**2)
        drawn = np.take_along_axis(pool, rng.integers(0, size, (seeds, n)), axis=1)
        pool[:, size : size + n] = (drawn + h * rng.standard_normal((seeds, n)))[:, : pool.shape[1] - size]
    return np.array(variances).T


def kernel_loss(rng: Generator, *, seeds: int, n: int, horizon: int, bandwidth: float, tests: int = 100) -> Matrix:
    """Test loss of a kernel density of moons under accumulate, at a fixed bandwidth."""
    pool = np.empty((seeds, n * horizon, 2))
    pool[:, :n] = _moons(rng, seeds, n)
    test = _moons(rng, seeds, tests)
    density = np.zeros((seeds, tests))
    losses = []
    for size in range(n, n * horizon + 1, n):
        latest = pool[:, size - n : size]
        distance = (
            (test**2).sum(axis=2)[:, :, None] + (latest**2).sum(axis=2)[:, None] - 2 * test @ latest.swapaxes(1, 2)
        )
        density += np.exp(-distance / (2 * bandwidth**2)).sum(axis=2)
        losses.append(-np.log(density / (size * 2 * np.pi * bandwidth**2)).mean(axis=1))
        drawn = np.take_along_axis(pool, rng.integers(0, size, (seeds, n))[:, :, None], axis=1)
        pool[:, size : size + n] = (drawn + bandwidth * rng.standard_normal((seeds, n, 2)))[:, : pool.shape[1] - size]
    return np.array(losses).T


def _moons(rng: Generator, seeds: int, n: int) -> Arrays:
    """Two half circles with noise of 0.05, as scikit-learn's `make_moons`, with random angles."""
    angle, upper = np.pi * rng.random((seeds, n)), rng.random((seeds, n)) < 0.5
    x, y = np.where(upper, np.cos(angle), 1 - np.cos(angle)), np.where(upper, np.sin(angle), 0.5 - np.sin(angle))
    return np.stack([x, y], axis=2) + 0.05 * rng.standard_normal((seeds, n, 2))


def _outer(vectors: Arrays) -> Arrays:
    return vectors[:, :, None] * vectors[:, None, :]


def _wishart(rng: Generator, root: Arrays, freedom: int) -> Arrays:
    """Wishart matrices, scale root·rootᵀ, by Bartlett's decomposition."""
    seeds, d, _ = root.shape
    lower = np.tril(rng.standard_normal((seeds, d, d)), -1)
    lower[:, np.arange(d), np.arange(d)] = np.sqrt(rng.chisquare(freedom - np.arange(d), (seeds, d)))
    factor = root @ lower
    return factor @ factor.swapaxes(1, 2)


def _loss(mean: Arrays, covariance: Arrays) -> Arrays:
    """½[d log 2π + log det Σ + tr Σ⁻¹ + μᵀΣ⁻¹μ], as `benchmark.tasks.gaussian` has it for one fit."""
    inverse = np.linalg.inv(covariance)
    fits = np.trace(inverse, axis1=1, axis2=2) + np.einsum("si,sij,sj->s", mean, inverse, mean)
    return np.asarray(0.5 * (mean.shape[1] * np.log(2 * np.pi) + np.linalg.slogdet(covariance)[1] + fits))
