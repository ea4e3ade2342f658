"""Speed, ours and a reference measured in turns in one process on one thread, and printed as a table: `make speed`."""

from collections.abc import Callable

import pytest
from threadpoolctl import threadpool_limits

from tests.speed.measuring import seconds


@pytest.fixture(autouse=True)
def one_thread():
    """One BLAS thread, for ours and for the reference."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def side_by_side(benchmark):
    """Measure ours against a reference, and report the ratio with the target.

    Ours and the reference take turns, so that a slow spell of the machine meets both.
    """

    def measure(
        ours: Callable[[], object], reference: Callable[[], object], target: str, rounds: int = 5, slow_rounds: int = 1
    ):
        ours()  # imports and caches
        times: dict[str, list[float]] = {"ours": [], "reference": []}
        for i in range(rounds):
            if i < slow_rounds:
                times["reference"].append(seconds(reference))
            times["ours"].append(seconds(ours))
        benchmark.pedantic(ours, rounds=1)
        own, other = min(times["ours"]), min(times["reference"])
        benchmark.extra_info.update(
            ours_s=round(own, 4), reference_s=round(other, 4), ratio=round(other / own, 2), target=target
        )

    return measure


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter, config):
    session = getattr(config, "_benchmarksession", None)
    rows = [(b.name, b.extra_info) for b in getattr(session, "benchmarks", []) if b.extra_info]
    for name, info in rows:
        shown = "  ".join(f"{key}={value}" for key, value in info.items())
        terminalreporter.write_line(f"{name}: {shown}")
