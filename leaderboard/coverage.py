"""How often the board's intervals hold the truth, by simulation: `python -m leaderboard.coverage` writes statistics.md.

A population of runs of a small Gaussian instance stands for all seeds: its means are the truth. Boards are drawn from it, a few
seeds each, and built as the real one is.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark import scoring
from benchmark.entries import find
from benchmark.loop import run
from benchmark.tasks.gaussian import Gaussian
from leaderboard.ranking import Standing, rank_intervals

ENTRIES = (
    "replace",
    "accumulate",
    "accumulate-subsample",
    "anchor-0.1",
    "anchor-0.5",
    "sliding-window",
    "low-temperature",
)
TASK, HORIZON = Gaussian(3, 30), 10
POPULATION, BOARDS = 4000, 1000
SEEDS = (3, 5, 10, 30, 100)

Runs = dict[str, NDArray[np.float64]]
"""Excess by entry, and under `damage` what one generation of replace does; one number a seed."""


def population(size: int) -> Runs:
    """Common random numbers: a seed is the same real data for all entries."""
    entries = find(Path(__file__).parents[1])
    found: Runs = {}
    for id in ENTRIES:
        records = [list(run(TASK, entries[id].make, entries[id].rules, seed, HORIZON)) for seed in range(size)]
        found[id] = np.array([rows[-1]["test_loss"] - rows[-1]["real_loss"] for rows in records])
        if id == scoring.REFERENCE:
            found["damage"] = np.array([rows[1]["test_loss"] - rows[0]["test_loss"] for rows in records])
    return found


def scores(runs: Runs, id: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """By seed: the plain scores, and the pseudo-values that the board uses."""
    damage = runs["damage"]
    plain = np.arcsinh(runs[id] / damage.mean())
    without = (damage.sum() - damage) / (len(damage) - 1)
    return plain, scoring.pseudo_values(runs[id], float(damage.mean()), without)


def boards(runs: Runs, seeds: int, count: int) -> list[Runs]:
    """Drawn without replacement within a board, by one generator."""
    rng = np.random.default_rng(seeds)
    rows = [rng.choice(len(runs["damage"]), seeds, replace=False) for _ in range(count)]
    return [{name: values[chosen] for name, values in runs.items()} for chosen in rows]


def covered(truth: float, interval: scoring.Interval) -> bool:
    return interval.low <= truth <= interval.high


def coverage(
    runs: Runs, of: Callable[[Runs, str], NDArray[np.float64]], truth: dict[str, float], drawn: list[Runs]
) -> float:
    """The share of the intervals, over entries and boards, that hold the truth."""
    return float(np.mean([covered(truth[id], scoring.t_interval(of(board, id))) for board in drawn for id in ENTRIES]))


def bootstrap_coverage(runs: Runs, drawn: list[Runs]) -> float:
    """Of the percentile bootstrap of the mean excess in nats, for comparison."""
    hits = []
    for board in drawn:
        for id in ENTRIES:
            low, high = scoring.bootstrap_band(board[id][:, None])
            hits.append(low[0] <= runs[id].mean() <= high[0])
    return float(np.mean(hits))


def rank_coverage(truth: dict[str, float], drawn: list[Runs]) -> float:
    """The share of the rank intervals that hold the true rank."""
    true_rank = {id: 1 + sum(other < own for other in truth.values()) for id, own in truth.items()}
    hits = []
    for board in drawn:
        values = {id: pd.Series(scores(board, id)[1]) for id in ENTRIES}
        ones = pd.Series(1.0, index=range(len(board["damage"])))
        found = rank_intervals({id: Standing({"gaussian": value}, {"gaussian": ones}) for id, value in values.items()})
        hits += [found[id].low <= true_rank[id] <= found[id].high for id in ENTRIES]
    return float(np.mean(hits))


def report(size: int = POPULATION, count: int = BOARDS) -> str:
    runs = population(size)
    truth = {id: float(scores(runs, id)[0].mean()) for id in ENTRIES}
    lines = [
        "| seeds | 95 % t interval, as on the board | with s taken for known | percentile bootstrap of nats | rank interval |",
        "|---|---|---|---|---|",
    ]
    for seeds in SEEDS:
        drawn = boards(runs, seeds, count)
        board = coverage(runs, lambda b, id: scores(b, id)[1], truth, drawn)
        plain = coverage(runs, lambda b, id: scores(b, id)[0], truth, drawn)
        some = drawn[: count // 5]
        lines.append(
            f"| {seeds} | {board:.1%} | {plain:.1%} | {bootstrap_coverage(runs, some):.1%} | {rank_coverage(truth, some):.1%} |"
        )
    return "\n".join(lines)


TEXT = """# How often the board's intervals hold the truth

Written by `python -m leaderboard.coverage`; do not edit. {boards:,} boards of {entries} entries, drawn from {population:,} seeds of the Gaussian
{instance}, T = {horizon} (bootstrap and ranks: a fifth of the boards).

{table}

**Why asinh.** Losses of collapsing runs are heavy-tailed, so that the mean over a few seeds in nats hangs on one of them: the percentile
bootstrap of the excess misses the truth far more often than it says. The excess may be negative, so that its logarithm does not exist. asinh is the
one usual transform that is linear near 0, logarithmic far from it, odd, and defined everywhere.

**Why pseudo-values.** The unit s, one generation of replace's damage, is measured on the same few seeds, and its error moves all scores of
an instance at once. Intervals that take s for known miss that error, and more seeds do not help. Means of jackknife pseudo-values are the same
means with a spread that holds both errors.
"""


def main() -> None:
    text = TEXT.format(boards=BOARDS, entries=len(ENTRIES), population=POPULATION, instance=TASK.name, horizon=HORIZON,
                       table=report())  # fmt: skip
    (Path(__file__).parent / "statistics.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
