"""Shared by the tests of speed."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmark.core.loop import run
from benchmark.core.task import Task
from benchmark.entries.catalogue import find

ENTRIES = find(Path(__file__).parents[2])


def whole_run(task: Task, id: str, horizon: int = 100, seed: int = 0) -> list[float]:
    """Test losses of a baseline's run."""
    entry = ENTRIES[id]
    return [record["test_loss"] for record in run(task, entry.make, entry.rules, seed, horizon)]


def seconds(work: Callable[[], object], rounds: int = 1) -> float:
    """The least wall time of some rounds, in seconds."""
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


def growth(task: Task, horizon: int = 100, runs: int = 9) -> float:
    """Time of an iteration near t = 100 divided by that near t = 5, for accumulate: medians, without milestones."""
    entry = ENTRIES["accumulate"]
    times = np.array([list(_times(run(task, entry.make, entry.rules, seed, horizon))) for seed in range(runs)])
    late, early = np.median(times[:, 93:99]), np.median(times[:, 2:8])
    return float(late / early)


def _times(iterations: Iterator[object]) -> Iterator[float]:
    last = time.perf_counter()
    for _ in iterations:
        now = time.perf_counter()
        yield now - last
        last = now
