"""Whether a diagnostic warns before the loss does: alarms, and by how many iterations they lead.

An alarm is set by fits on real data alone, on half of their seeds: a quantity alarms at the first iteration at which it leaves the interval that
holds a new healthy fit with 99 % probability (Student's, two-sided). The loss is judged by the same rule. On the other half, healthy fits
that alarm are false alarms, and runs show the lead: the iteration at which the loss alarms minus that at which the quantity does. What
never alarms in a run counts as if it did so after the last iteration. Runs whose loss never alarms have no lead.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from benchmark.results.scoring import Interval, t_interval

HEALTHY = "real-only"
LOSS = "test_loss"
CONFIDENCE = 0.99
KEYS = ("data", "entry", "seed", "t")


class Lead(NamedTuple):
    """What a quantity's alarms are worth."""

    quantity: str
    false_alarms: float  # share of healthy fits that alarm
    warned: float  # share of the runs, whose loss alarms, in which it alarms before the loss
    lead: Interval  # iterations, mean over seeds of the mean over entries, 95 %
    entries: int
    seeds: int


def bounds(values: "pd.Series[float]") -> tuple[float, float]:
    """The ends of the interval that holds a new value like these with probability `CONFIDENCE`."""
    n = len(values)
    half = stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * values.std(ddof=1) * np.sqrt(1 + 1 / n)
    return float(values.mean() - half), float(values.mean() + half)


def alarm(values: "pd.Series[float]", low: float, high: float) -> int:
    """The first iteration with a value outside, of values by iteration; the one after the last if there is none."""
    outside = values.index[~values.between(low, high)]
    return int(outside[0]) if len(outside) else int(values.index[-1]) + 1


def halves(table: pd.DataFrame) -> tuple[list[int], list[int]]:
    """The seeds that set the alarms, and those that they are judged on: the first half of the healthy fits, and the others."""
    seeds = sorted(table.loc[table["entry"] == HEALTHY, "seed"].unique())
    return seeds[: len(seeds) // 2], seeds[len(seeds) // 2 :]


def leads(table: pd.DataFrame) -> list[Lead]:
    """One for each quantity, the longest lead first; the loss, whose lead is 0, among them.

    Args:
        table: a row an iteration of a run on one data set: `KEYS`, and a column for each quantity, NaN where it is not defined. Of `HEALTHY`
            only t = 1.
    """
    setting, judged = halves(table)
    healthy = table[table["entry"] == HEALTHY].set_index("seed")
    runs = table[(table["entry"] != HEALTHY) & table["seed"].isin(judged)]
    quantities = [name for name in map(str, table) if name not in KEYS and healthy[name].notna().all()]
    alarms, false = {}, {}
    for name in quantities:
        low, high = bounds(healthy[name].loc[setting])
        false[name] = 1 - float(healthy[name].loc[judged].between(low, high).mean())
        alarms[name] = pd.Series(
            {key: alarm(run.set_index("t")[name], low, high) for key, run in runs.groupby(["entry", "seed"])}
        )
    late = runs.groupby(["entry", "seed"])["t"].max() + 1
    fired = alarms[LOSS][alarms[LOSS] < late].index
    found = [_lead(name, alarms[LOSS][fired] - alarms[name][fired], false[name]) for name in quantities]
    return sorted(found, key=lambda one: -one.lead.centre)


def _lead(name: str, ahead: "pd.Series[int]", false_alarms: float) -> Lead:
    wide = ahead.unstack(0)
    by_seed = wide.mean(axis=1).to_numpy(float)
    interval = t_interval(by_seed) if len(by_seed) else Interval(np.nan, np.nan, np.nan)
    return Lead(name, false_alarms, float((ahead > 0).mean()), interval, wide.shape[1], len(wide))
