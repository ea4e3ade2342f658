"""Thrive: the reference benchmark for model-collapse mitigation."""

import importlib
from typing import Any

from benchmark import stamps

stamps.watch_package()  # before anything else is loaded

from benchmark.core.pool import Candidates, Pool  # noqa: E402
from benchmark.core.requests import FitOptions, SampleRequest, TrainingSet  # noqa: E402
from benchmark.core.rows import Rows  # noqa: E402
from benchmark.core.strategy import Context, Spec, Strategy  # noqa: E402

__all__ = ["Candidates", "Context", "FitOptions", "Pool", "Rows", "SampleRequest", "Spec", "Strategy", "TrainingSet"]
__version__ = "0.1.0"


INTERACTIVE = {"run": "benchmark.results.frames", "board": "leaderboard.frames"}
"""What a notebook or a script calls (docs/python.md), and the module that has it, which an entry must not wait for."""


def __getattr__(name: str) -> Any:
    if name not in INTERACTIVE:
        raise AttributeError(f"module 'benchmark' has no attribute '{name}'")
    return getattr(importlib.import_module(INTERACTIVE[name]), name)
