"""Ranks with the resolution that the seeds give: intervals from paired tests, and verdicts in words.

Two entries are compared seed by seed, on scores averaged over ranked instances; task-settings count equally and have different
numbers of seeds. A test rejects where the interval of `benchmark.scoring.pooled` leaves out 0, so that intervals and ranks never
contradict each other; on one task-setting it is the paired t test.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmark.scoring import CONFIDENCE, Interval, Vector, pooled, t_interval

ROUNDING = 1e-9  # sums of the same numbers in another order differ by less
DEGRADES = 0.1  # of s, over the whole run
COLLAPSES = 0.5  # of replace's excess
WORST_FIRST = ("collapses", "degrades", "stable", "thrives")


@dataclass(frozen=True)
class Standing:
    """An entry by task-setting and seed.

    Attributes:
        scores: pseudo-values of the score; +inf where a run diverged.
        life: share of the iterations before the first loss that is not finite.
    """

    scores: Mapping[str, "pd.Series[float]"]
    life: Mapping[str, "pd.Series[float]"]

    @property
    def centre(self) -> float:
        return float(np.mean([values.mean() for values in self.scores.values()]))

    @property
    def order(self) -> tuple[float, float]:
        """Ascending: the lower score, then the later divergence."""
        return self.centre, -float(np.mean([values.mean() for values in self.life.values()]))


class RankInterval(NamedTuple):
    """1 + the entries with a better score, and the ranks that the tests leave open."""

    rank: int
    low: int
    high: int


def rank_intervals(entries: Mapping[str, Standing]) -> dict[str, RankInterval]:
    """Each entry's rank, with an interval that holds its true rank in 95 % of boards, or more.

    The family of an entry's interval are the N - 1 tests that it is part of, corrected by Holm's method.

    Source:
        Mogstad, Romano, Shaikh and Wilhelm, Inference for ranks (2024), section 3: marginal confidence sets.
    """
    return {id: _rank_interval(own, [e for other, e in entries.items() if other != id]) for id, own in entries.items()}


def _rank_interval(own: Standing, others: list[Standing]) -> RankInterval:
    found = holm([p_value(own, other) for other in others])
    better = [other.order < own.order for other in others]
    worse = [other.order > own.order for other in others]
    return RankInterval(
        rank=1 + sum(better),
        low=1 + sum(b and significant for b, significant in zip(better, found, strict=True)),
        high=1 + len(others) - sum(w and significant for w, significant in zip(worse, found, strict=True)),
    )


def beside(entries: Mapping[str, Standing], base: Standing) -> dict[str, str]:
    """Each entry beside the division's base workflow, in words; corrected by Holm's method for there being many."""
    found = holm([p_value(own, base) for own in entries.values()])
    said = {}
    for (id, own), significant in zip(entries.items(), found, strict=True):
        said[id] = "not separable" if not significant else "better" if own.order < base.order else "worse"
    return said


def holm(p_values: list[float]) -> list[bool]:
    """Which of these tests reject, at a family-wise error of 5 %."""
    if not p_values:
        return []
    from statsmodels.stats.multitest import multipletests

    return list(map(bool, multipletests(p_values, 1 - CONFIDENCE, method="holm")[0]))


def p_value(a: Standing, b: Standing) -> float:
    """Of the hypothesis that two entries are equal, two-sided.

    0 where one of them diverged: the mean of its score is known to be infinite. Where both did, of when they did.
    """
    infinite = np.isinf(a.centre), np.isinf(b.centre)
    if infinite == (True, True):
        return _p_value(list(_paired(a.life, b.life)))
    if any(infinite):
        return 0.0
    return _p_value(list(_paired(a.scores, b.scores)))


def difference(a: Standing, b: Standing) -> dict[str, Interval]:
    """Score of A minus B by task-setting, paired by seed, with intervals; infinite where one diverged, unknown where both did."""
    found = {}
    for task, values in zip(a.scores, _paired(a.scores, b.scores), strict=True):
        if np.isnan(values).any() or not (np.isfinite(values).all() or len(set(values[np.isinf(values)])) == 1):
            found[task] = Interval(np.nan, np.nan, np.nan)
        elif np.isneginf(values).any():
            found[task] = Interval(-np.inf, -np.inf, -np.inf)
        else:
            found[task] = t_interval(values)
    return found


def over_all(parts: Iterable[Interval]) -> Interval:
    """The mean over task-settings; unknown where a part is."""
    parts = list(parts)
    centres = [part.centre for part in parts]
    if np.isfinite(centres).all():
        return pooled(parts)
    with np.errstate(invalid="ignore"):
        return Interval(*[float(np.sum(centres))] * 3)


def _paired(a: Mapping[str, "pd.Series[float]"], b: Mapping[str, "pd.Series[float]"]) -> Iterable[Vector]:
    """Differences by seed, for each task-setting; 0 where they are equal but for rounding."""
    for task, values in a.items():
        x, y = values.to_numpy(float), b[task].reindex(values.index).to_numpy(float)
        with np.errstate(invalid="ignore"):
            yield np.where(np.isclose(x, y, rtol=ROUNDING, atol=ROUNDING) & np.isfinite(x), 0.0, x - y)


def _p_value(differences: list[Vector]) -> float:
    """The smallest error at which the pooled interval leaves out 0; 1 where a task-setting has one seed.

    The half-width is that of `pooled`: √Σ(t·se)² / K, t at each task-setting's own degrees of freedom.
    """
    from scipy.optimize import brentq
    from scipy.special import stdtrit

    if any(len(values) < 2 for values in differences):
        return 1.0
    centre = abs(sum(float(values.mean()) for values in differences))
    errors = np.array([values.std(ddof=1) / np.sqrt(len(values)) for values in differences])
    freedom = np.array([len(values) - 1 for values in differences])

    def beyond(log_p: float) -> float:
        return float(np.sqrt(np.sum((stdtrit(freedom, np.exp(log_p) / 2) * errors) ** 2))) - centre

    least = -200.0
    if centre == 0:
        return 1.0
    return 0.0 if beyond(least) <= 0 else float(np.exp(brentq(beyond, least, 0.0)))


def verdict(
    *, finite: bool, excess: Interval, of_replace: float, late_slope: Interval, drift: float, scale: float
) -> str:
    """What became of an entry on one instance, in a word: the first that fits.

    Args:
        finite: no run has a loss that is not finite.
        of_replace: replace's mean excess, in nats.
        drift: slope·T, in nats.
        scale: s.
    """
    if not finite or excess.centre >= COLLAPSES * of_replace:
        return "collapses"
    if excess.high < 0:
        return "thrives"
    if late_slope.low > 0 and drift > DEGRADES * scale:
        return "degrades"
    return "stable"


def worst(verdicts: Iterable[str]) -> str | None:
    """Of several instances: the worst; None of none."""
    return min(verdicts, key=WORST_FIRST.index, default=None)
