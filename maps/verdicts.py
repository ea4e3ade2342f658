"""What a run's excess says about a threshold, and from which share of real rows on it stays below it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from benchmark.results.scoring import Interval, Vector, t_interval

SAFE, OPEN, UNSAFE = "safe", "open", "unsafe"


def verdict(interval: Interval, threshold: float) -> str:
    """Whether the mean excess is shown to be below a threshold, shown to be above it, or neither."""
    if interval.high <= threshold:
        return SAFE
    return UNSAFE if interval.low > threshold else OPEN


def over_seeds(excess: Vector) -> Interval:
    """The mean of the excess over seeds with its t interval of 95 %, shape (seeds,), in nats; infinite where a run diverged."""
    return t_interval(excess)


class Boundary(NamedTuple):
    """Between the shares of real rows that are safe and those that are not, along one row of the map.

    Attributes:
        least: where the mean excess crosses the threshold, linear between measured shares.
        low: the largest share that is shown to be unsafe; NaN if none is.
        high: the smallest share from which on every measured one is shown to be safe; NaN if the largest is not.
    """

    least: float
    low: float
    high: float


def boundary(shares: Sequence[float], intervals: Sequence[Interval], threshold: float) -> Boundary:
    """Where the excess falls below a threshold for good, as the share of real rows grows.

    Args:
        shares: in ascending order.
    """
    verdicts = [verdict(interval, threshold) for interval in intervals]
    below = len(shares)
    while below and verdicts[below - 1] == SAFE:
        below -= 1
    unsafe = [share for share, word in zip(shares[:below], verdicts[:below], strict=True) if word == UNSAFE]
    means = [interval.centre for interval in intervals]
    return Boundary(
        crossing(shares, means, threshold),
        max(unsafe, default=np.nan),
        shares[below] if below < len(shares) else np.nan,
    )


def crossing(shares: Sequence[float], means: Sequence[float], threshold: float) -> float:
    """The share from which on the means stay below a threshold, linear between two shares, or the middle where the lower one's is infinite.

    Returns:
        The smallest share if all are below; NaN if the largest share's is not.
    """
    above = [k for k, mean in enumerate(means) if not mean <= threshold]
    if not above:
        return shares[0]
    k = above[-1]
    if k == len(shares) - 1:
        return float("nan")
    fraction = (means[k] - threshold) / (means[k] - means[k + 1]) if np.isfinite(means[k]) else 0.5
    return float(shares[k] + fraction * (shares[k + 1] - shares[k]))
