"""The task-settings. To add one, write its file or folder in this package and add its line to `TASKS`."""

import importlib
from typing import Any, TypedDict

from benchmark.core.task import Task


class Setting(TypedDict):
    """What the rest of the program must know of a task-setting before it imports it.

    This is a plain dictionary, because a call that a module makes when it is imported becomes part of every cell's key.
    """

    class_name: str
    title: str
    """Its name for people to read."""
    small: dict[str, dict[str, Any]]
    """The numbers of small instances, by name. `thrive check` runs an entry on them; a run takes milliseconds. Own data have none."""


TASKS: dict[str, Setting] = {
    "gaussian": {"class_name": "Gaussian", "title": "Gaussian", "small": {
        "gaussian": {"d": 2, "n": 24},
        "singular": {"d": 24, "n": 24},  # n ≤ d: no row has a likelihood, and every run diverges at once
    }},
    "kde": {"class_name": "KDE", "title": "KDE", "small": {"kde": {"data": "moons", "bandwidth": 0.3, "n": 24}}},
    "language_model": {"class_name": "LanguageModel", "title": "Language model", "small": {"language_model": {"n": 24}}},
    "linear_regression": {"class_name": "LinearRegression", "title": "Linear regression", "small": {"linear_regression": {"d": 2, "n": 24, "noise_variance": 1.0}}},
    "own_gaussian": {"class_name": "OwnGaussian", "title": "Gaussian, own vectors", "small": {}},
    "own_kde": {"class_name": "OwnKDE", "title": "KDE, own vectors", "small": {}},
    "discrete": {"class_name": "Discrete", "title": "Discrete", "small": {"discrete": {"outcomes": 5, "n": 24}}},
}  # fmt: skip
"""All task-settings, by the name of their module or package in this one."""


def task_class(name: str) -> type[Task]:
    """The class of a task-setting; imports its module."""
    module = importlib.import_module(f"benchmark.tasks.{name}")
    found: type[Task] = getattr(module, TASKS[name]["class_name"])
    return found


def small(name: str) -> dict[str, dict[str, Any]]:
    """The numbers of a task-setting's small instances, by their names."""
    return TASKS[name]["small"]
