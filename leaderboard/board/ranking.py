"""Ranks with the resolution that the seeds give: intervals from paired tests, and verdicts in words.

Two entries are compared seed by seed, on scores averaged over ranked instances; task-settings count equally and have different
numbers of seeds. A test rejects where the interval of `benchmark.results.scoring.pooled` leaves out 0, so that intervals and ranks never
contradict each other; on one task-setting it is the paired t test.

An entry from outside is measured on secret seeds of its own, on which the base workflow runs beside it. It is compared with others by
its difference to the base workflow there and theirs on the public seeds: luck of the seeds cancels on either side, and what is left is two
independent samples, whose half-widths add up in squares.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmark.results.scoring import CONFIDENCE, Interval, Vector, pooled, sum_of_means, t_interval

ROUNDING = 1e-9  # sums of the same numbers in another order differ by less
DEGRADES = 0.1  # of s, over the whole run
COLLAPSES = 0.5  # of replace's excess


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


class RankInterval(NamedTuple):
    """1 + the entries with a better score, and the ranks that the tests leave open."""

    rank: int
    low: int
    high: int


def rank_intervals(entries: Mapping[str, Standing], base: Standing | None = None) -> dict[str, RankInterval]:
    """Each entry's rank, with an interval that holds its true rank in 95 % of boards, or more.

    The family of an entry's interval are the N - 1 tests that it is part of, corrected by Holm's method.

    Args:
        base: the base workflow on the public seeds; needed where an entry has seeds of its own.

    Source:
        Mogstad, Romano, Shaikh and Wilhelm, Inference for ranks (2024), section 3: marginal confidence sets.
    """
    everyone = list(entries.values())
    return {
        id: _rank_interval(own.order, others, [other.order for k, other in enumerate(everyone) if k != i])
        for i, ((id, own), others) in enumerate(zip(entries.items(), _all_p_values(everyone, base), strict=True))
    }


def _rank_interval(own: tuple[float, float], p_values: Vector, others: list[tuple[float, float]]) -> RankInterval:
    found = holm(p_values)
    return RankInterval(
        rank=1 + sum(other < own for other in others),
        low=1 + sum(other < own and significant for other, significant in zip(others, found, strict=True)),
        high=1 + len(others) - sum(other > own and sure for other, sure in zip(others, found, strict=True)),
    )


def beside(entries: Mapping[str, Standing], base: Standing) -> dict[str, str]:
    """Each entry beside the division's base workflow, in words; corrected by Holm's method for there being many."""
    found = holm(next(_all_p_values([base, *entries.values()], base)))
    said = {}
    for (id, own), significant in zip(entries.items(), found, strict=True):
        said[id] = "not separable" if not significant else "better" if own.order < base.order else "worse"
    return said


def holm(p_values: Vector) -> list[bool]:
    """Which of these tests reject, at a family-wise error of 5 %: in ascending order, as long as the k-th of n has p ≤ 5 % / (n + 1 - k).

    Source: Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6 (1979).
    """
    ascending = np.argsort(p_values)
    too_large = p_values[ascending] > (1 - CONFIDENCE) / np.arange(len(p_values), 0, -1)
    rejected = np.zeros(len(p_values), bool)
    rejected[ascending] = ~np.logical_or.accumulate(too_large)
    return rejected.tolist()


def p_value(a: Standing, b: Standing) -> float:
    """Of the hypothesis that two entries are equal, two-sided.

    0 where one of them diverged: the mean of its score is known to be infinite. Where both did, of when they did.
    """
    return float(next(_all_p_values([a, b]))[0])


def _all_p_values(entries: list[Standing], base: Standing | None = None) -> Iterator[Vector]:
    """For each entry, the p-values of its tests against all others, in their order. A board of 500 has 125,000 of them."""
    diverged = np.isinf([entry.centre for entry in entries])
    public = np.array([entry.apart is None for entry in entries])
    shared = [entry for entry in entries if entry.apart is None]
    scores, lives = _tables([entry.scores for entry in shared]), _tables([entry.life for entry in shared])
    rows = np.cumsum(public) - 1  # of the tables
    for i, entry in enumerate(entries):
        others = np.arange(len(entries)) != i
        found = np.where(diverged == diverged[i], 1.0, 0.0)
        alike = others & (diverged == diverged[i])
        paired = alike & public & public[i]
        tables = lives if diverged[i] else scores
        if paired.any():
            found[paired] = _p_values([_apart(table[rows[i]], table[rows[paired]]) for table in tables])
        for j in np.flatnonzero(alike & ~paired):
            found[j] = _unpaired_p_value(entry, entries[j], base, bool(diverged[i]))
        yield found[others]


def _unpaired_p_value(a: Standing, b: Standing, base: Standing | None, diverged: bool) -> float:
    """Of two entries that do not share their seeds. A base workflow without scores tells nothing."""
    if diverged:
        samples = [sign * of.life[task].to_numpy(float) for task in a.life for sign, of in ((1, a), (-1, b))]
    else:
        samples = [
            sign * part for task in a.scores for sign, of in ((1, a), (-1, b)) for part in _above(of, task, base)
        ]
    if not all(np.isfinite(sample).all() for sample in samples):
        return 1.0
    return float(_p_values([np.asarray(sample[None, :], float) for sample in samples])[0])


def _above(entry: Standing, task: str, base: Standing | None) -> tuple[Vector, ...]:
    """Independent samples whose means add up to an entry's difference to the base workflow on a task-setting."""
    if entry.apart is not None:
        return entry.apart[task]
    assert base is not None, "entries with seeds of their own are ranked beside a base workflow"
    [difference] = _paired({task: entry.scores[task]}, {task: base.scores[task]})
    return (difference,)


def _tables(by_task: "list[Mapping[str, pd.Series[float]]]") -> list[Vector]:
    """Of each task-setting, entries × seeds; the seeds of the first entry."""
    first = by_task[0] if by_task else {}
    return [np.array([entry[task].reindex(own.index) for entry in by_task], float) for task, own in first.items()]


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
    """Differences by seed, for each task-setting."""
    tables = _tables([a, b])
    return [_apart(own, other) for own, other in tables]


def _apart(x: Vector, y: Vector) -> Vector:
    """x - y; 0 where they are equal but for rounding."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(np.isclose(x, y, rtol=ROUNDING, atol=ROUNDING) & np.isfinite(x), 0.0, x - y))


def _p_values(differences: list[Vector]) -> Vector:
    """The smallest error at which the pooled interval leaves out 0; 1 where a task-setting has one seed.

    The half-width is that of `pooled`: √Σ(t·se)² / K, t at each task-setting's own degrees of freedom.

    Args:
        differences: for each task-setting, tests × seeds.
    """
    from scipy.optimize.elementwise import find_root
    from scipy.special import stdtr, stdtrit

    tests = len(differences[0])
    if any(values.shape[1] < 2 for values in differences):
        return np.ones(tests)
    centres = np.abs(sum(values.mean(axis=1) for values in differences))
    errors = np.array([values.std(axis=1, ddof=1) / np.sqrt(values.shape[1]) for values in differences])
    freedom = np.array([values.shape[1] - 1 for values in differences])[:, None]
    if len(differences) == 1:  # the paired t test, in closed form
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(centres == 0, 1.0, 2 * stdtr(freedom[0], -centres / errors[0]))

    def beyond(log_p: Vector, centre: Vector, *error: Vector) -> Vector:
        quantiles = stdtrit(freedom, np.exp(log_p) / 2)
        return np.asarray(np.sqrt(np.sum((quantiles * error) ** 2, axis=0)) - centre)

    least = np.full(tests, -200.0)
    found = np.where(centres == 0, 1.0, 0.0)
    inside = (centres > 0) & (beyond(least, centres, *errors) > 0)
    if inside.any():
        bracket = least[inside], np.zeros(int(inside.sum()))
        root = find_root(beyond, bracket, args=(centres[inside], *errors[:, inside]))
        found[inside] = np.exp(root.x)
    return found


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
