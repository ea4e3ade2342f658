"""Shared by tests."""

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmark.core.loop import run
from benchmark.core.strategy import Strategy
from benchmark.core.task import Task
from benchmark.entries.catalogue import find
from benchmark.entries.entry import Entry

ROOT = Path(__file__).parents[1]
ENTRIES = find(ROOT)


@pytest.fixture(scope="session")
def root() -> Path:
    """The clone that the tests run in."""
    return ROOT


def tiny_profile(*suites: str, more: str = "") -> str:
    """A params.yaml whose profile `tiny` runs replace and accumulate on some suites; `more` adds profiles."""
    lines = "".join(f"      {suite}\n" for suite in suites)
    return (
        "profile: tiny\nprofiles:\n  tiny:\n    about: for tests\n    entries: [replace, accumulate]\n"
        f"    suites:\n{lines}{more}pins: {{}}\n"
    )


def entry(id: str) -> Entry:
    """A baseline."""
    return ENTRIES[id]


def measure(task: Task, id: str, seeds: int, horizon: int, quantity: str | Callable = "test_loss") -> np.ndarray:
    """One quantity of a baseline by seed and iteration, shape (seeds, horizon); a function of several takes them by name."""
    found = measured(task, id, seeds, horizon)
    return quantity(found) if callable(quantity) else found[quantity]


@functools.lru_cache(maxsize=4)
def measured(task: Task, id: str, seeds: int, horizon: int) -> dict[str, np.ndarray]:
    """All quantities of a baseline, each of shape (seeds, horizon). Kept, for several laws are tested on the same runs."""
    found = entry(id)
    runs = [list(run(task, found.make, found.rules, seed, horizon)) for seed in range(seeds)]
    names = [name for name in runs[0][0] if name != "texts"]
    return {name: np.array([[record.get(name) for record in one] for one in runs]) for name in names}


def assert_mean(values: np.ndarray, expected: float | np.ndarray, z: float = 4) -> None:
    """The mean over axis 0 is as expected, within z of its own standard errors."""
    error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    assert np.all(np.abs(values.mean(axis=0) - expected) < z * error), (values.mean(axis=0), expected, error)


class Fixed(Strategy):
    """A strategy that returns a given answer, for tests of the contract."""

    answer = staticmethod(lambda context, pool: pool.all())

    def training_set(self, context, pool):
        return self.answer(context, pool)


def pytest_terminal_summary(terminalreporter) -> None:
    """Of injected faults, how many the sweep survived."""
    outcomes = {
        kind: [report for report in terminalreporter.getreports(kind) if "tests/runs/test_faults.py" in report.nodeid]
        for kind in ("passed", "failed", "skipped")
    }
    survived, failed = len(outcomes["passed"]), len(outcomes["failed"])
    if survived + failed:
        terminalreporter.write_line(
            f"faults injected: {survived + failed}, survived: {survived}, impossible here: {len(outcomes['skipped'])}"
        )
