"""Thrive: the reference benchmark for model-collapse mitigation."""

from benchmark import stamps

stamps.watch_package()  # before anything else is loaded

from benchmark.core.pool import Candidates, Pool  # noqa: E402
from benchmark.core.requests import FitOptions, SampleRequest, TrainingSet  # noqa: E402
from benchmark.core.rows import Rows  # noqa: E402
from benchmark.core.strategy import Context, Spec, Strategy  # noqa: E402

__all__ = ["Candidates", "Context", "FitOptions", "Pool", "Rows", "SampleRequest", "Spec", "Strategy", "TrainingSet"]
__version__ = "0.1.0"
