"""What the order of the board must satisfy, on the committed runs themselves."""

from dataclasses import replace
from typing import Any

import numpy as np

from leaderboard.coverage import methods
from leaderboard.coverage.populations import Committed
from leaderboard.coverage.runs import Runs

ENTRIES = 5
"""A division of so many entries that are ranked everywhere must meet the criterion on variance; of others the shares are shown."""
MOST_OF_VARIANCE = 0.5
MOST_OUTSIDE = 0.02
COLUMNS = {"win_rate": "final", "slope_win_rate": "slope"}


def variance_shares(board: dict[str, Any]) -> dict[tuple[str, str], tuple[int, dict[str, float]]]:
    """By division and what is ranked by: the number of ranked entries, and what each task-setting carries of the variance between them.

    The overall win rate is the mean of those by task-setting, so that their covariances with it add up to its variance.

    Args:
        board: leaderboard.json.
    """
    found = {}
    tasks = [about["task"] for about in board["tasks"]]
    for division in board["divisions"]:
        rows = [row for row in division["rows"] if row["rank"] is not None]
        for column, name in COLUMNS.items():
            rates = np.array([[_rate(part[column]) for part in row["tasks"]] for row in rows]).T
            if len(rows) > 1 and rates.mean(axis=0).var() > 0:
                shares = [np.cov(own, rates.mean(axis=0))[0, 1] for own in rates] / rates.mean(axis=0).var(ddof=1)
                shown = dict(zip(tasks, (shares / len(tasks)).tolist(), strict=True))
                found[f"{division['track']}, {division['budget']}", name] = len(rows), shown
    return found


def _rate(found: dict[str, float]) -> float:
    return found["centre"]


def outside_without_an_instance(population: Committed) -> dict[str, tuple[int, int]]:
    """By what is ranked by: the pairs of entry and instance whose rank without the instance is outside the printed interval, and all pairs.

    Without its only instance a task-setting counts no more.
    """
    runs = committed_runs(population)
    found = {}
    for array, name in (("excess", "final"), ("drift", "slope")):
        printed = {d.name: ranks for d, ranks in methods.rank_intervals(runs, array)}
        outside = total = 0
        for task, own in runs.tasks.items():
            for left_out in range(len(own.instances)):
                for division, ranks in methods.rank_intervals(_without(runs, task, left_out), array):
                    intervals = [(printed[division.name][id], one.rank) for id, one in ranks.items()]
                    outside += sum(not interval.low <= rank <= interval.high for interval, rank in intervals)
                    total += len(intervals)
        found[name] = outside, total
    return found


def _without(runs: Runs, task: str, instance: int) -> Runs:
    own = runs.tasks[task]
    kept = [k for k in range(len(own.instances)) if k != instance]
    others = {name: of_task for name, of_task in runs.tasks.items() if name != task}
    return Runs(others if not kept else others | {task: own.at(kept)}, runs.divisions)


def committed_runs(population: Committed) -> Runs:
    """The committed seeds themselves."""
    return replace(
        population, tasks={task: replace(own, smoothing=0.0) for task, own in population.tasks.items()}
    ).whole()
