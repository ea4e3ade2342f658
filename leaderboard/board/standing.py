"""Scores by seed, and how those of two entries compare on these instances.

Two entries are compared seed by seed, on scores averaged over ranked instances; task-settings count equally and have different
numbers of seeds. A test rejects where the interval of `benchmark.results.scoring.pooled` leaves out 0; on one task-setting it is the
paired t test. Ranks rest on duels instead: see `leaderboard.board.ranking`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.results.scoring import Interval, Vector, pooled, sum_of_means, t_interval
from leaderboard.board.inference import p_values

ROUNDING = 1e-9  # sums of the same numbers in another order differ by less


@dataclass(frozen=True)
class Standing:
    """An entry by task-setting and seed.

    Attributes:
        scores: pseudo-values of the score; +inf where a run diverged.
        life: share of the iterations before the first loss that is not finite.
        apart: of an entry with seeds of its own, the independent samples whose means add up to its difference to the base workflow.
    """

    scores: Mapping[str, "pd.Series[float]"]
    life: Mapping[str, "pd.Series[float]"]
    apart: Mapping[str, tuple[Vector, ...]] | None = None

    @property
    def centre(self) -> float:
        return float(np.mean([values.mean() for values in self.scores.values()]))

    @property
    def order(self) -> tuple[float, float]:
        """Ascending: the lower score, then the later divergence."""
        return self.centre, -float(np.mean([values.mean() for values in self.life.values()]))


def p_value(a: Standing, b: Standing) -> float:
    """Of the hypothesis that two entries that share their seeds are equal, two-sided.

    0 where one of them diverged: the mean of its score is known to be infinite. Where both did, of when they did.
    """
    diverged = np.isinf(a.centre), np.isinf(b.centre)
    if any(diverged) and not all(diverged):
        return 0.0
    samples = _paired(a.life, b.life) if all(diverged) else _paired(a.scores, b.scores)
    if any(len(sample) < 2 for sample in samples):
        return 1.0
    errors = np.array([[sample.std(ddof=1) / np.sqrt(len(sample))] for sample in samples])
    freedom = np.array([[len(sample) - 1] for sample in samples])
    return float(p_values(np.array([sum(sample.mean() for sample in samples)]), errors, freedom)[0])


def difference(a: Standing, b: Standing) -> dict[str, Interval]:
    """Score of A minus B by task-setting, paired by seed, with intervals; infinite where one diverged, unknown where both did.

    Where A has seeds of its own, B is the base workflow.
    """
    if a.apart is not None:
        return {task: sum_of_means(samples) for task, samples in a.apart.items()}
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


def _paired(a: "Mapping[str, pd.Series[float]]", b: "Mapping[str, pd.Series[float]]") -> list[Vector]:
    """Differences by seed, for each task-setting; 0 where two scores are equal but for rounding."""
    found = []
    for task, own in a.items():
        x, y = own.to_numpy(float), b[task].reindex(own.index).to_numpy(float)
        with np.errstate(invalid="ignore"):
            same = np.isclose(x, y, rtol=ROUNDING, atol=ROUNDING) & np.isfinite(x)
            found.append(np.asarray(np.where(same, 0.0, x - y)))
    return found
