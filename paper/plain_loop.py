"""The paper's kernel-density experiment a second time, in a plain loop that shares no code with the benchmark.

    python -m paper.plain_loop        writes paper/data/plain_loop.csv; some minutes of one core

It is run where published numbers and ours differ, as a second opinion: swiss roll, h = .1, n = 1,000.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from sklearn.datasets import make_swiss_roll

TABLE = Path(__file__).parent / "data" / "plain_loop.csv"
WORKFLOWS = ("replace", "accumulate-subsample", "accumulate")
INSTANCE, BANDWIDTH, N, HELD_OUT = "swiss_roll h=0.1 n=1000", 0.1, 1000, 500
SEEDS = 100
ITERATIONS = (1, 2, 10, 50, 100)

Matrix = NDArray[np.float64]


def losses(workflow: str, seed: int, iterations: tuple[int, ...] = ITERATIONS) -> list[float]:
    """Mean negative log-likelihood of the test points at these iterations, in nats."""
    rng = np.random.default_rng(seed)
    pool, test = swiss_roll(N, rng), swiss_roll(HELD_OUT, rng)
    found, known = [], np.full(HELD_OUT, -np.inf)  # known: log of the sum of kernels of the whole pool
    new = pool
    for t in range(1, max(iterations) + 1):
        if workflow == "accumulate":
            known = np.logaddexp(known, log_kernels(test, new))
        training_set = {"replace": new, "accumulate": pool}.get(workflow)
        if training_set is None:
            training_set = rng.choice(pool, N, replace=False)
        if t in iterations:
            logs = known if workflow == "accumulate" else log_kernels(test, training_set)
            found.append(float(np.log(len(training_set)) + 1.5 * np.log(2 * np.pi * BANDWIDTH**2) - logs.mean()))
        new = rng.choice(training_set, N) + BANDWIDTH * rng.standard_normal((N, 3))
        pool = np.concatenate([pool, new])
    return found


def swiss_roll(count: int, rng: Generator) -> Matrix:
    return np.asarray(make_swiss_roll(count, noise=0.05, random_state=int(rng.integers(2**32)))[0])


def log_kernels(test: Matrix, rows: Matrix) -> Matrix:
    """Of each test point, the log of the sum over rows of exp(-distance²/2h²)."""
    return np.asarray(logsumexp(cdist(test, rows, "sqeuclidean") / (-2 * BANDWIDTH**2), axis=1))


def table(seeds: int = SEEDS, iterations: tuple[int, ...] = ITERATIONS) -> pd.DataFrame:
    """Mean and standard deviation over seeds, by workflow and iteration."""
    parts = []
    for workflow in WORKFLOWS:
        runs = np.array([losses(workflow, seed, iterations) for seed in range(seeds)])
        parts.append(pd.DataFrame({
            "instance": INSTANCE, "entry": workflow, "t": iterations, "seeds": seeds, "mean": runs.mean(axis=0), "sd": runs.std(axis=0, ddof=1),
        }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


if __name__ == "__main__":
    TABLE.parent.mkdir(exist_ok=True)
    table().to_csv(TABLE, index=False, float_format="%.6g")
