"""The paper's kernel-density experiment once more, in a plain loop that shares no code with the benchmark.

    python -m paper.experiments.plain_loop

writes paper/data/plain_loop.csv, in some minutes on one core. It is a second opinion on an instance for which exact densities do not give
the published numbers: swiss roll, h = 0.1, n = 1,000. Each run is measured by exact densities and by scikit-learn's, as the paper used
them. Both measure the same data, so they differ in nothing else.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.datasets import make_swiss_roll
from sklearn.neighbors import KernelDensity

TABLE = Path(__file__).parents[1] / "data" / "plain_loop.csv"
WORKFLOWS = ("replace", "accumulate-subsample", "accumulate")
INSTANCE, BANDWIDTH, N, HELD_OUT = "swiss_roll h=0.1 n=1000", 0.1, 1000, 500
SEEDS = 40
ITERATIONS = (1, 2, 10, 50, 100)
LEAST_EXPONENT = -700.0
"""Lower exponents are raised to this one, because exp is slow when it underflows."""

Matrix = NDArray[np.float64]


def losses(workflow: str, seed: int, iterations: tuple[int, ...] = ITERATIONS) -> Matrix:
    """Mean negative log-likelihood of the test points in nats, shape (iterations, 2): by exact densities and by scikit-learn's."""
    rng = np.random.default_rng(seed)
    pool, test = swiss_roll(N, rng), swiss_roll(HELD_OUT, rng)
    measured, of_pool = [], np.full(HELD_OUT, -np.inf)  # of_pool: log of the sum of kernels of the whole pool
    new = pool
    for t in range(1, max(iterations) + 1):
        if workflow == "accumulate":
            of_pool = np.logaddexp(of_pool, log_kernels(test, new))
        training_set = {"replace": new, "accumulate": pool}.get(workflow)
        if training_set is None:
            training_set = rng.choice(pool, N, replace=False)
        if t in iterations:
            logs = of_pool if workflow == "accumulate" else log_kernels(test, training_set)
            exact = np.log(len(training_set)) + 1.5 * np.log(2 * np.pi * BANDWIDTH**2) - logs.mean()
            measured.append([exact, -by_scikit_learn(test, training_set).mean()])
        new = rng.choice(training_set, N) + BANDWIDTH * rng.standard_normal((N, 3))
        pool = np.concatenate([pool, new])
    return np.array(measured)


def swiss_roll(count: int, rng: Generator) -> Matrix:
    return np.asarray(make_swiss_roll(count, noise=0.05, random_state=int(rng.integers(2**32)))[0])


def log_kernels(test: Matrix, rows: Matrix) -> Matrix:
    """For each test point, the log of the sum over rows of exp(-distance²/2h²)."""
    exponents = cdist(test, rows, "sqeuclidean") / (-2 * BANDWIDTH**2)
    largest = exponents.max(axis=1)
    shifted = np.maximum(exponents - largest[:, None], LEAST_EXPONENT)
    return np.asarray(largest + np.log(np.exp(shifted).sum(axis=1)))


def by_scikit_learn(test: Matrix, rows: Matrix) -> Matrix:
    """Log densities as the paper computed them: with scikit-learn's defaults, and so by a tree whose leaves have 40 rows."""
    return np.asarray(KernelDensity(bandwidth=BANDWIDTH).fit(rows).score_samples(test))


def table(seeds: int = SEEDS, iterations: tuple[int, ...] = ITERATIONS) -> pd.DataFrame:
    """Means and standard deviations over seeds of both losses and of their difference, scikit-learn's minus the exact one."""
    parts = []
    for workflow in WORKFLOWS:
        runs = np.array([losses(workflow, seed, iterations) for seed in range(seeds)])
        columns = {"exact": runs[..., 0], "scikit_learn": runs[..., 1], "difference": runs[..., 1] - runs[..., 0]}
        parts.append(pd.DataFrame({
            "instance": INSTANCE, "entry": workflow, "t": iterations, "seeds": seeds,
            **{name: values.mean(axis=0) for name, values in columns.items()},
            **{f"{name}_sd": values.std(axis=0, ddof=1) for name, values in columns.items()},
        }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


if __name__ == "__main__":
    TABLE.parent.mkdir(exist_ok=True)
    table().to_csv(TABLE, index=False, float_format="%.6g")
