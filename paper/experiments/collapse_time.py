"""Iterations until a discrete distribution has collapsed to one outcome, under *replace*: simulated, exact, and published.

    python -m paper.experiments.collapse_time

writes paper/data/collapse_time.csv, in a minute and a half on one core. Columns: K; n; seeds; mean and se over seeds of the first
iteration whose fit has entropy < 1e-8 nats; exact (see `exact`); diffusion, its limit for large n. Published for K = 10 (Kazdan et
al. 2025, appendix): 17.1, 204 and 1,803 at n = 10, 100 and 1,000.
"""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.core.loop import run
from benchmark.core.task import Task
from benchmark.entries.entry import Entry
from benchmark.runs.machine import cores
from benchmark.runs.pool_of_workers import all_of
from benchmark.tasks.discrete import Discrete
from paper import shell

ROOT = Path(__file__).parents[2]
TABLE = Path(__file__).parents[1] / "data" / "collapse_time.csv"
COLLAPSED = 1e-8  # nats of entropy, as published
LONGEST = 30  # times n iterations: the probability that a run lasts longer is of the order of e^-30
SEEDS = {10: 1000, 32: 1000, 100: 400, 316: 150, 1000: 100}
"""Number of seeds by n. A run of n examples takes about 2n iterations."""
OUTCOMES = {3: (10, 32, 100, 316), 10: (10, 32, 100, 316, 1000), 30: (10, 32, 100, 316), 100: (10, 32, 100, 316)}
"""The values of n for each K."""
SEEDS_AT_ONCE = 25


class Block(NamedTuple):
    """Some seeds of one K and n."""

    task: Discrete
    seeds: range


def blocks() -> Iterator[Block]:
    """All blocks, those that take longest first."""
    for n in sorted(SEEDS, reverse=True):
        for task in (Discrete(outcomes, n) for outcomes, sizes in OUTCOMES.items() if n in sizes):
            for first in range(0, SEEDS[n], SEEDS_AT_ONCE):
                yield Block(task, range(first, min(first + SEEDS_AT_ONCE, SEEDS[n])))


def time_to_collapse(task: Discrete, seed: int) -> int:
    """The first iteration of *replace* whose model has collapsed; the loop stops there."""
    as_task = cast(Task, task)  # mypy: its fields are frozen, and the protocol declares writable ones
    records = run(as_task, replace().make, replace().rules, seed, LONGEST * task.n)
    return next(int(record["t"]) for record in records if record["entropy"] < COLLAPSED)


@functools.cache
def replace() -> Entry:
    """The baseline, loaded once in each process."""
    return Entry(ROOT / "baselines" / "replace")


def exact(outcomes: int, n: int) -> float:
    """Expected iterations to collapse, for any n.

    The fit of iteration t consists of n examples, each of which is a copy of an example of the fit before, back to the n real ones. Going
    back one generation, `a` distinct examples have `b` distinct parents with probability P(a, b), the probability that `a` balls hit `b` of
    n boxes. And `a` distinct real examples all have the same outcome with probability K^(1-a). So, with A_s the number of ancestors s
    generations back and A_0 = n,

        E T = 1 + Σ_{s≥0} E[1 - K^(1-A_s)] = 1 + h(n),   h(a) = 1 - K^(1-a) + Σ_{b≤a} P(a, b) h(b),   h(1) = 0,

    which is a triangular linear system.

    Source: Wright-Fisher's ancestral process; Kingman, On the genealogy of large populations (1982), section 1.
    """
    h = np.zeros(n + 1)
    for a, p in enumerate(_boxes_hit(n), start=1):
        if a > 1:
            h[a] = (1 - outcomes ** (1.0 - a) + p[:a] @ h[:a]) / (1 - p[a])
    return float(1 + h[n])


def _boxes_hit(n: int) -> Iterator[NDArray[np.float64]]:
    """For a = 1 … n: the probabilities that `a` balls hit 0 … n of n boxes."""
    p = np.zeros(n + 1)
    p[0] = 1.0
    hit = np.arange(n + 1)
    for _ in range(n):
        p = p * hit / n + np.concatenate([[0.0], p[:-1] * (n - hit[:-1]) / n])
        yield p


def diffusion(outcomes: int, n: int) -> float:
    """Limit of `exact` for large n: 2n(K - 1) log(K / (K - 1)), 1.896 n for K = 10.

    Source: Baxter, Blythe and McKane, Exact solution of the multi-allelic diffusion model (2007), arXiv q-bio/0508045: mean times
    to extinction, from equal frequencies.
    """
    return 2 * n * (outcomes - 1) * float(np.log(outcomes / (outcomes - 1)))


def table(jobs: int | None = None) -> pd.DataFrame:
    """One row for each K and n. The result does not depend on `jobs`, the number of processes (by default, one for each core)."""
    work = list(blocks())
    times = all_of(_times, [(block,) for block in work], jobs or cores())
    runs = pd.DataFrame(
        [
            (block.task.outcomes, block.task.n, t)
            for block, collapse_times in zip(work, times, strict=True)
            for t in collapse_times
        ],
        columns=["K", "n", "t"],
    )
    grouped = runs.groupby(["K", "n"])["t"]
    rows = grouped.agg(seeds="size", mean="mean", se=lambda t: t.std(ddof=1) / np.sqrt(len(t))).reset_index()
    pairs = list(zip(rows["K"], rows["n"], strict=True))
    return rows.assign(exact=[exact(*pair) for pair in pairs], diffusion=[diffusion(*pair) for pair in pairs])


def _times(block: Block) -> list[int]:
    return [time_to_collapse(block.task, seed) for seed in block.seeds]


def main(jobs: int | None = None) -> None:
    """Write the table, and print it."""
    rows = table(jobs)
    TABLE.parent.mkdir(exist_ok=True)
    rows.to_csv(TABLE, index=False, float_format="%.6g")
    print(rows.to_string(index=False, float_format=lambda x: f"{x:.4g}"))


if __name__ == "__main__":
    from paper.experiments import collapse_time  # by its full name, under which workers can import it

    shell.run(collapse_time.main)
