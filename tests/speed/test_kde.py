"""KDE: whole runs compared with a loop that refits scikit-learn's KernelDensity on the pool at every iteration."""

import numpy as np
import pytest
from sklearn.neighbors import KernelDensity

from benchmark.core.streams import stream
from benchmark.tasks.kde import HELD_OUT, KDE, ROWS_AT_ONCE
from tests.speed.measuring import growth, seconds, whole_run

MOONS = KDE("moons", 0.1, 1000)


def with_scikit_learn(workflow: str, horizon: int = 100) -> list[float]:
    """A naive loop: fit, score, sample, and the pool as one growing array."""
    rng = np.random.default_rng(0)
    world = MOONS.world(stream(0, "world"))
    data = MOONS.real_data(world, MOONS.n, stream(0, "real data"))
    test = MOONS.held_out(world, stream(0, "test data"))
    losses = []
    for _ in range(horizon):
        model = KernelDensity(bandwidth=MOONS.bandwidth).fit(data)
        losses.append(-model.score(test) / len(test))
        new = model.sample(MOONS.n, random_state=int(rng.integers(2**31)))
        data = new if workflow == "replace" else np.concatenate([data, new])
    return losses


@pytest.mark.parametrize(("workflow", "target"), [("accumulate", "≥ 600"), ("replace", "≥ 6")])
def test_whole_run(side_by_side, workflow, target):
    side_by_side(lambda: whole_run(MOONS, workflow), lambda: with_scikit_learn(workflow), target)


def exponentials_alone(horizon: int = 100) -> None:
    """One exp for each test point and each new row, in blocks that stay in the cache: a lower bound of the time."""
    exponents = np.linspace(-50, 0, HELD_OUT * ROWS_AT_ONCE).reshape(HELD_OUT, ROWS_AT_ONCE)
    kernels = np.empty_like(exponents)
    for _ in range(horizon * MOONS.n // ROWS_AT_ONCE):
        np.exp(exponents, out=kernels)


@pytest.mark.parametrize("workflow", ["accumulate", "replace"])
def test_whole_run_against_its_exponentials_alone(side_by_side, workflow):
    side_by_side(lambda: whole_run(MOONS, workflow), exponentials_alone, "1 is the floor", rounds=7, slow_rounds=7)


@pytest.mark.parametrize("task", [MOONS, KDE("moons", 0.1, 100)], ids=lambda task: task.name)
def test_time_per_generation_does_not_grow(benchmark, task):
    """Accumulate: iterations near t = 100 compared with iterations near t = 5, medians without milestones."""
    ratio = benchmark.pedantic(lambda: growth(task), rounds=1)
    benchmark.extra_info.update(ratio_t100_to_t5=round(ratio, 2), target="≤ 1.3")


def test_time_is_linear_in_t(benchmark):
    """Accumulate, T = 1000 compared with T = 100: a factor of 10 if time is linear in T."""
    task = KDE("moons", 0.1, 1000)
    short = seconds(lambda: whole_run(task, "accumulate", 100), 3)
    long = benchmark.pedantic(lambda: seconds(lambda: whole_run(task, "accumulate", 1000)), rounds=1)
    benchmark.extra_info.update(ratio_T1000_to_T100=round(long / short, 2), target="about 10")
