"""Gaussian: whole runs compared with a loop that refits the pool with np.cov and multivariate_normal, and with drawing alone."""

import numpy as np

from benchmark.core.streams import stream
from benchmark.tasks.gaussian import Gaussian
from tests.speed.measuring import growth, seconds, whole_run

TASK = Gaussian(d=100, n=1000)


def with_numpy(horizon: int = 100) -> list[float]:
    """A naive loop: np.cov of the pool, multivariate_normal, and the pool as one growing array."""
    rng = np.random.default_rng(0)
    data = rng.standard_normal((TASK.n, TASK.d))
    losses = []
    for _ in range(horizon):
        mean, covariance = data.mean(axis=0), np.cov(data, rowvar=False, ddof=0)
        inverse = np.linalg.inv(covariance)
        losses.append(0.5 * (np.linalg.slogdet(covariance)[1] + np.trace(inverse) + mean @ inverse @ mean))
        data = np.concatenate([data, rng.multivariate_normal(mean, covariance, TASK.n)])
    return losses


def drawing_alone(horizon: int = 100) -> None:
    """Only normals and their linear map: a lower bound of the time."""
    factor = np.linalg.cholesky(np.eye(TASK.d) + 0.1)
    for t in range(horizon):
        _ = stream(0, "sample", t).standard_normal((TASK.n, TASK.d)) @ factor.T


def test_accumulate_against_refitting(side_by_side):
    side_by_side(lambda: whole_run(TASK, "accumulate"), with_numpy, "≥ 15")


def test_accumulate_against_drawing_alone(side_by_side):
    side_by_side(
        lambda: whole_run(TASK, "accumulate"), drawing_alone, "≥ .5 (within twice the floor)", rounds=7, slow_rounds=7
    )


def test_time_per_generation_does_not_grow(benchmark):
    ratio = benchmark.pedantic(lambda: growth(TASK), rounds=1)
    benchmark.extra_info.update(ratio_t100_to_t5=round(ratio, 2), target="≤ 1.3")


def test_time_is_linear_in_t(benchmark):
    task = Gaussian(d=10, n=100)
    short = seconds(lambda: whole_run(task, "accumulate", 100), 5)
    long = benchmark.pedantic(lambda: seconds(lambda: whole_run(task, "accumulate", 1000), 2), rounds=1)
    benchmark.extra_info.update(ratio_T1000_to_T100=round(long / short, 2), target="about 10")


def test_python_per_iteration(benchmark):
    """d = 1, n = 10: nearly no arithmetic, so the time is overhead."""
    runs = 20
    took = benchmark.pedantic(lambda: seconds(lambda: whole_run(Gaussian(1, 10), "replace"), runs), rounds=1)
    benchmark.extra_info.update(microseconds_per_iteration=round(took / 100 * 1e6), target="100-200")
