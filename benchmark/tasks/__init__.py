"""The task-settings, one a file. To add one: write the file, and name it here."""

import importlib

from benchmark.core.task import Task

TASKS = {
    "gaussian": "Gaussian",
    "kde": "KDE",
    "language_model": "LanguageModel",
    "linear_regression": "LinearRegression",
    "discrete": "Discrete",
}
"""Name of each task-setting, which is its module in this package, and the class there."""


def task_class(name: str) -> type[Task]:
    """The class of a task-setting; imports its module."""
    module = importlib.import_module(f"benchmark.tasks.{name}")
    found: type[Task] = getattr(module, TASKS[name])
    return found
