"""Kernel density estimation: data sets, kernels, sampling, diagnostics, and the task-setting that uses them."""

from benchmark.tasks.kde.data_sets import COMPONENTS
from benchmark.tasks.kde.kernels import ROWS_AT_ONCE, KernelDensity
from benchmark.tasks.kde.task import HELD_OUT, KDE

__all__ = ["COMPONENTS", "HELD_OUT", "KDE", "ROWS_AT_ONCE", "KernelDensity"]
