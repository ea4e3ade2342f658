"""Peak memory of a run: the pool, and one generation with the arrays computed from it.

Formula, in bytes: 8·d·rows, rows = (T + 1)·n of the pool, plus
- Gaussian: four arrays of a generation's shape (noise, which becomes the samples in place; the centred rows and their weights'
  product; the copy on its way into the pool) and six matrices d × d (statistics, covariance, factor, inverse);
- KDE: the same four, kernels at 500 points × 128 rows twice, and at milestones distances of 500 points × n rows with their test.
"""

import subprocess
import sys

import pytest

from benchmark.tasks.gaussian import Gaussian
from benchmark.tasks.kde import HELD_OUT, KDE, ROWS_AT_ONCE

CHILD = """
import sys
from pathlib import Path
from tests.speed.measuring import whole_run
from benchmark.tasks.gaussian import Gaussian
from benchmark.tasks.kde import KDE
def memory(of):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(of))
whole_run({small}, "accumulate", 3)  # imports, and what they keep
Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew from here
before = memory("VmRSS")
whole_run({task}, "accumulate", {horizon})
print(memory("VmHWM") - before)
"""


def measured(task, small, horizon: int) -> int:
    """The peak memory, in bytes as Linux counts it, that a run adds to a process whose imports are done."""
    code = CHILD.format(task=task, small=small, horizon=horizon)
    words = [sys.executable, "-c", code]
    return int(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


CASES = [
    (Gaussian(100, 1000), Gaussian(100, 20), 100, lambda n, d: 4 * 8 * n * d + 6 * 8 * d * d),
    (Gaussian(10, 100), Gaussian(10, 20), 1000, lambda n, d: 4 * 8 * n * d + 6 * 8 * d * d),
    (KDE("moons", 0.1, 1000), KDE("moons", 0.1, 20), 1000,
     lambda n, d: 4 * 8 * n * d + 2 * 8 * HELD_OUT * ROWS_AT_ONCE + (8 + 1) * HELD_OUT * n),
]  # fmt: skip


@pytest.mark.parametrize(("task", "small", "horizon", "batch"), CASES, ids=[f"{c[0].name} T={c[2]}" for c in CASES])
def test_peak_memory(benchmark, task, small, horizon, batch):
    pool = 8 * task.dimension * task.n * (horizon + 1)
    found = benchmark.pedantic(lambda: measured(task, small, horizon), rounds=1)
    formula = pool + batch(task.n, task.dimension)
    benchmark.extra_info.update(measured_MB=round(found / 1e6, 1), formula_MB=round(formula / 1e6, 1),
                                of_it_pool_MB=round(pool / 1e6, 1))  # fmt: skip
