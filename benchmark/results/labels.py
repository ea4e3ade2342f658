"""Titles, the order of verdicts, and how intervals are written: once, for board, figures and report."""

from collections.abc import Callable, Iterable

import numpy as np

from benchmark.tasks import TASKS

VERDICTS = ("collapses", "degrades", "open", "stable", "thrives")
"""The verdicts on an entry, the worst first; open: the seeds cannot tell."""


def task_title(task: str) -> str:
    """The title of a task-setting; the name itself if it is not one of ours, such as `pretraining`."""
    return TASKS[task]["title"] if task in TASKS else task


def division_title(track: str, budget: str) -> str:
    return f"{track}, {budget} budget"


def worst(verdicts: Iterable[str]) -> str | None:
    """The worst of several verdicts; None of none."""
    return min(verdicts, key=VERDICTS.index, default=None)


def above_zero(centre: float | None, low: float | None) -> bool:
    """Whether a whole interval lies above 0. A centre of None is +inf, which does; no lower end shows nothing."""
    return centre is None or (low is not None and low > 0)


def with_interval(centre: float, low: float, high: float, number: Callable[[float], str]) -> str:
    """ "1.23 [1.10, 1.36]": a number with the ends of its interval; the number alone where there are none (NaN)."""
    return number(centre) + ("" if np.isnan(low) else f" [{number(low)}, {number(high)}]")
