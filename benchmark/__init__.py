"""Thrive: the reference benchmark for model-collapse mitigation."""

from benchmark.pool import Candidates, Pool, Rows
from benchmark.strategy import Context, FitOptions, SampleRequest, Spec, Strategy, TrainingSet

__all__ = ["Candidates", "Context", "FitOptions", "Pool", "Rows", "SampleRequest", "Spec", "Strategy", "TrainingSet"]
__version__ = "0.1.0"
