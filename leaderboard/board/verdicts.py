"""What became of an entry, in a word: collapses, degrades, stable, thrives, or open where the seeds cannot tell.

A word is said only where it is shown: the interval of what it rests on lies wholly on one side of the bound. Bounds are those of
`verdicts` in params.yaml. Everything is paired by seed and on the scale of the scores, where means over few seeds have intervals that hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.results.scoring import Interval
from benchmark.runs.form import Verdicts
from leaderboard.board.duels import Array

LARGEST = 1e300  # nats: a loss of replace that is not finite counts as this


@dataclass(frozen=True)
class Rules:
    """The bounds, and how many verdicts an entry is given at once: of task-settings, and of ranked instances."""

    bounds: Verdicts
    tasks: int
    instances: int


@dataclass(frozen=True)
class Evidence:
    """What a verdict rests on, by seed, each of shape (seeds,); +inf where a run diverged.

    Attributes:
        beyond: asinh(excess / s) minus that of a share of replace's excess: above 0 it collapses.
        excess: asinh(excess / s): below 0 it thrives.
        drift: asinh(d / s), d what the last half of the run adds to the loss (late slope · T / 2): above the bound it degrades.
    """

    beyond: Array
    excess: Array
    drift: Array


def evidence(excess: Array, of_replace: Array, late: Array, scale: float, bounds: Verdicts) -> Evidence:
    """On one instance.

    Args:
        excess: final loss minus that of a fit on the real data, nats, by seed; +inf where the run diverged.
        of_replace: replace's excess on the same seeds.
        late: late slope · T, nats.
        scale: s.
    """
    score = np.arcsinh(excess / scale)
    half = np.arcsinh(bounds.collapses * np.minimum(of_replace, LARGEST) / scale)
    return Evidence(score - half, score, np.arcsinh(late / 2 / scale))


def mean(parts: Sequence[Evidence]) -> Evidence:
    """Over instances, seed by seed."""
    return Evidence(
        *(np.mean([getattr(part, name) for part in parts], axis=0) for name in ("beyond", "excess", "drift"))
    )


def verdict(found: Evidence, bounds: Verdicts, tests: int) -> str:
    """The first that fits: collapses, thrives, degrades, stable; open where an interval leaves it open.

    Args:
        tests: verdicts of the entry that are given at once: each has an error of the bounds' error divided by their number.
    """
    if np.isposinf(found.excess).any():
        return "collapses"
    beyond, excess, drift = (
        _interval(part, bounds.error / tests) for part in (found.beyond, found.excess, found.drift)
    )
    limit = np.arcsinh(bounds.degrades)
    if beyond.low > 0:
        return "collapses"
    if excess.high < 0:
        return "thrives"
    if beyond.high < 0 and drift.low > limit:
        return "degrades"
    return "stable" if beyond.high < 0 and drift.high < limit else "open"


def _interval(values: Array, error: float) -> Interval:
    """Of the mean; no ends (NaN) for one seed, so that nothing is shown."""
    from scipy.special import stdtrit

    n, centre = len(values), float(values.mean())
    if n < 2:
        return Interval(centre, np.nan, np.nan)
    half = float(stdtrit(n - 1, 1 - error / 2) * values.std(ddof=1) / np.sqrt(n))
    return Interval(centre, centre - half, centre + half)
