"""Runs as tables, for a notebook or a script: `benchmark.run`."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark import stamps
from benchmark.core.loop import run as run_once
from benchmark.core.rules import Budget, Rules, Track
from benchmark.core.strategy import Strategy
from benchmark.core.task import Task
from benchmark.entries.catalogue import find, named
from benchmark.runs.params import task_of


def run(
    strategy: str | type[Strategy] | Callable[[], Strategy], instance: Task | Mapping[str, Any], seeds: int | Iterable[int] = 5, *,
    horizon: int = 50, track: str = "blind", budget: str = "fixed", root: Path = stamps.PACKAGE.parent,
) -> pd.DataFrame:  # fmt: skip
    """Run a strategy on an instance, in this process; nothing is written.

    Args:
        strategy: the id of an entry, whose card says track and budget; or a class, or a function without arguments that makes an object.
        instance: numbers as in params.yaml with the name of the task-setting, such as {"task": "gaussian", "d": 10, "n": 100}.
        seeds: how many, from 0, or which. With the same seed every strategy meets the same data and noise.
        horizon: T, the number of iterations.
        track, budget: of a strategy that has no card; the harness enforces them.
        root: the clone whose entries ids name.

    Returns:
        One row for each seed and iteration: task, instance, entry, seed, t, test_loss and real_loss in nats, excess, what was used, and diagnostics.

    Raises:
        ThriveError: no such entry or task-setting, a number out of its range, or the strategy's answer is not allowed.
        ValueError: no such track or budget.
    """
    if isinstance(strategy, str):
        [entry] = named(find(root), [strategy])
        name, make, rules = entry.id, entry.make, entry.rules
    else:
        name, make = getattr(strategy, "__name__", "strategy"), strategy
        rules = Rules(Track(track), Budget(budget))
    task_setting, task = _task(instance)
    wanted = range(seeds) if isinstance(seeds, int) else seeds
    records = [record for seed in wanted for record in run_once(task, make, rules, seed, horizon)]
    table = pd.DataFrame(records)
    table.insert(0, "entry", name)
    table.insert(0, "instance", task.name)
    table.insert(0, "task", task_setting)
    table.insert(6, "excess", table["test_loss"] - table["real_loss"])
    return table


def _task(instance: Task | Mapping[str, Any]) -> tuple[str, Task]:
    if not isinstance(instance, Mapping):
        return type(instance).__name__, instance
    numbers = dict(instance)
    task_setting = str(numbers.pop("task", ""))
    return task_setting, task_of(task_setting, numbers)
