"""How samples are drawn around rows of a training set, and how little noise is too little."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.core.history import Examples, Weighted
from benchmark.errors import ContractBroken
from benchmark.tasks.kde.kernels import KernelDensity

if TYPE_CHECKING:
    from numpy.random import Generator

LEAST_NOISE = 0.1
"""The smallest variance of a sample around its row, relative to the neutral h²."""


def refuse_too_little_noise(noise: float) -> None:
    if noise < LEAST_NOISE * (1 - 1e-9):  # the factor is a quotient
        raise ContractBroken(
            f"temperature·bandwidth_factor² is {noise:g}: expected at least {LEAST_NOISE}. With less, samples are copies of training rows."
        )


def draw_rows(training_set: Weighted, count: int, rng: "Generator") -> NDArray[np.int64]:
    """Row numbers, drawn with probability proportional to weight, without listing the pool; shape (count,)."""
    target = rng.random(count) * training_set.mass
    rows = np.empty(count, np.int64)
    done = 0.0
    for start, stop, weight in training_set.ranges():
        inside = target >= done
        rows[inside] = np.minimum(start + ((target[inside] - done) / weight).astype(np.int64), stop - 1)
        done += (stop - start) * weight
    if len(training_set.rows):
        inside = target >= done
        place = np.searchsorted(np.cumsum(training_set.weights), target[inside] - done, side="right")
        rows[inside] = training_set.rows[np.minimum(place, len(training_set.rows) - 1)]
    return rows


def shrunk(examples: Examples, model: KernelDensity, temperature: float) -> Examples:
    """Shrink towards the mean in each coordinate by √(s² / (s² + τh²)), where s² is the training set's variance.

    Source: Silverman and Young, The bootstrap: to smooth or not to smooth? (1987), section 2.
    """
    rows, weights = model.training_set.expanded()
    data = model.training_set.history.examples[rows]
    mean = np.average(data, axis=0, weights=weights)
    variance = np.average((data - mean) ** 2, axis=0, weights=weights)
    shrunk: Examples = mean + (examples - mean) * np.sqrt(variance / (variance + temperature * model.bandwidth**2))
    return shrunk
