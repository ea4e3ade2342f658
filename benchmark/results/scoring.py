"""Scores, from records: the losses of a run, in units of the damage that replace does, and with intervals.

Every loss is a negative log-likelihood of real data in nats (text: per token). Losses of collapsing runs are heavy-tailed and the
excess may be negative, so neither logarithms nor ratios of it are defined; scores are asinh(excess / s).
"""

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.core.loop import is_milestone
from benchmark.results import collapse

METRICS_VERSION = 3
CONFIDENCE = 0.95
RESAMPLES = 1000
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
NOT_QUANTITIES = {"task", "instance", "entry", "seed", "t", "status", "texts", "real_loss", "simplest_loss"}
REFERENCE = "replace"
DRAWN_WHOLE = {"replace", "accumulate", "accumulate-subsample"}
"""Entries whose diagnostics the paper's figures draw at every iteration."""

Vector = NDArray[np.float64]
A = TypeVar("A", Vector, "pd.Series[float]")


def per_seed(records: pd.DataFrame) -> pd.DataFrame:
    """One row a run (task, instance, entry, seed), from one row an iteration.

    Columns: final (test loss at T), slope (see `slope_from_real`) and late_slope (ordinary least squares over the last half; both in
    nats per iteration), real_loss, first and second (test loss at t = 1 and 2), diverged_at (NaN where never), horizon, the
    sums of the meters over iterations, and the collapse profile (see `benchmark.results.collapse`).
    """
    keys = ["task", "instance", "entry", "seed"]
    rows = [dict(zip(keys, key, strict=True)) | _of_run(run) for key, run in records.groupby(keys, sort=True)]
    return pd.DataFrame(rows)


def _of_run(run: pd.DataFrame) -> dict[str, Any]:
    run = run.sort_values("t")
    t, loss = run["t"].to_numpy(float), run["test_loss"].to_numpy(float)
    real_loss = float(run["real_loss"].min())  # the best of those with the knobs that the run has used
    late = t > t[-1] / 2
    diverged = t[~np.isfinite(loss)]
    return {
        "final": loss[-1],
        "slope": slope_from_real(t, loss, real_loss),
        "late_slope": ols_slope(t[late], loss[late]),
        "real_loss": real_loss,
        "first": loss[0],
        "second": loss[1],
        "diverged_at": diverged[0] if len(diverged) else np.nan,
        "horizon": int(t[-1]),
        **{name: run[name].sum() for name in ("training_rows", "candidates", "fresh_real_rows", "verifier_rows")},
        **{f"collapse_{name}": value for name, value in collapse.of_run(run).items()},
    }


def ols_slope(t: Vector, loss: Vector) -> float:
    """Slope of the least-squares line, in nats per iteration; +inf where a loss is not finite, NaN for one point."""
    if len(t) < 2:
        return float("nan")
    if not np.isfinite(loss).all():
        return float("inf")
    return collapse.slope(t, loss)


def life_of(runs: pd.DataFrame) -> "pd.Series[float]":
    """The share of each run's iterations before the first loss that is not finite; 1 where all are finite."""
    return ((runs["diverged_at"] - 1) / runs["horizon"]).fillna(1.0)


def slope_from_real(t: Vector, loss: Vector, real_loss: float) -> float:
    """Slope of the least-squares line through the loss of a fit on the real data at t = 1, where every workflow of the paper starts.

    Σ (t - 1)·(loss - real_loss) / Σ (t - 1)², in nats per iteration. It grows with every loss of the run, so that no model can be
    spoiled to make the others look like a recovery: a line with a free start falls where the first models are bad.

    Returns:
        +inf where a loss is not finite; NaN for one iteration.
    """
    steps = t - 1
    if not steps.any():
        return float("nan")
    if not np.isfinite(loss).all():
        return float("inf")
    return float((steps * (loss - real_loss)).sum() / (steps * steps).sum())


def damage(runs: pd.DataFrame) -> "pd.Series[float]":
    """What one generation of replace does on one instance, by seed: its test loss at t=2 minus that at t=1; empty without replace."""
    replace = runs[runs["entry"] == REFERENCE].set_index("seed")
    with np.errstate(invalid="ignore"):
        return replace["second"] - replace["first"]


def one_generation_of_damage(runs: pd.DataFrame) -> float:
    """s of one instance: the mean over seeds of replace's damage; NaN where replace was not run."""
    return float(damage(runs).mean())


class Interval(NamedTuple):
    """A mean over seeds and the ends of its interval of 95 %."""

    centre: float
    low: float
    high: float


def half_width(error: Any, freedom: Any) -> Any:
    """Half the width of the t interval of 95 %, of a standard error, or an array of them, and its degrees of freedom."""
    return error * t_quantile(freedom)


def t_quantile(freedom: Any) -> Any:
    """Of the two-sided t interval of 95 %; the normal one for infinite degrees of freedom."""
    from scipy.special import stdtrit

    return stdtrit(freedom, (1 + CONFIDENCE) / 2)


def t_interval(values: Vector) -> Interval:
    """Mean of independent values with its t interval: no ends (NaN) for one value, +inf throughout where one value is."""
    values = np.asarray(values, float)
    if np.isposinf(values).any():
        return Interval(np.inf, np.inf, np.inf)
    centre = float(values.mean())
    if len(values) < 2:
        return Interval(centre, np.nan, np.nan)
    half = float(t_quantile(len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return Interval(centre, centre - half, centre + half)


def sum_of_means(samples: Iterable[Vector]) -> Interval:
    """The sum of the means of independent samples: half-widths add up in squares, as in `pooled`; infinite where a sample is."""
    samples = list(samples)
    for sample in samples:
        if not np.isfinite(sample).all():
            return Interval(*[np.inf if np.isposinf(sample).any() else -np.inf] * 3)
    parts = [t_interval(sample) for sample in samples]
    centre = float(sum(part.centre for part in parts))
    half = float(np.sqrt(sum((part.high - part.centre) ** 2 for part in parts)))
    return Interval(centre, centre - half, centre + half)


def pooled(intervals: list[Interval]) -> Interval:
    """The plain mean of independent means that rest on different numbers of seeds: half-widths add up in squares.

    Welch's degrees of freedom cover 92.7 % where one part has 3 seeds and the others 40 and 100; this covers 95 to 98 %.

    Source: Zou and Donner, Construction of confidence limits about effect measures (2008), eq. 2 (MOVER).
    """
    centre = float(np.mean([i.centre for i in intervals]))
    if np.isposinf(centre):
        return Interval(np.inf, np.inf, np.inf)
    below = float(np.sqrt(sum((i.centre - i.low) ** 2 for i in intervals))) / len(intervals)
    above = float(np.sqrt(sum((i.high - i.centre) ** 2 for i in intervals))) / len(intervals)
    return Interval(centre, centre - below, centre + above)


def scored(runs: pd.DataFrame, by_seed: "pd.Series[float]") -> pd.DataFrame:
    """The runs of one instance with their scores.

    score = asinh(excess / s), slope_score = asinh(slope·T / s), excess = final - real_loss. 0 is as good as training on the real
    data alone. A run with a loss that is not finite, at any iteration, scores +inf.

    Means, intervals and tests rest on pseudo_score and pseudo_slope_score: the same means, but a spread that holds the error of s too
    (see `pseudo_values`).

    Args:
        by_seed: replace's damage, whose mean s is positive and finite.
    """
    excess = runs["final"] - runs["real_loss"]
    found = runs.assign(excess=excess)
    for name, change in (("score", excess), ("slope_score", runs["slope"] * runs["horizon"])):
        change = change.where(runs["diverged_at"].isna(), np.inf)
        found[name] = np.arcsinh(change / by_seed.mean())
        pseudo = change.groupby(runs["entry"]).transform(lambda own: _pseudo_values(own, runs["seed"], by_seed))
        found[f"pseudo_{name}"] = pseudo
    return found


def _pseudo_values(change: "pd.Series[float]", seeds: "pd.Series[int]", by_seed: "pd.Series[float]") -> Vector:
    others = by_seed.sum() - by_seed.reindex(seeds[change.index]).to_numpy(float)
    scale_without = np.asarray(others / max(len(by_seed) - 1, 1), np.float64)
    return pseudo_values(np.asarray(change, np.float64), float(by_seed.mean()), scale_without)


def pseudo_values(change: Vector, scale: float, scale_without: Vector) -> Vector:
    """The mean of asinh(change / s) plus each seed's jackknife deviation, for an s that was measured on the same seeds.

    s is a mean over few seeds, and its error moves all scores of an instance at once: an interval that takes s for known covers
    too little however many seeds there are (leaderboard/statistics.md). The mean without a seed, in the scale without that seed,
    knows of both errors.

    Args:
        change: excess or slope·T by seed, shape (n,), in nats.
        scale_without: s without the seed, shape (n,).

    Source:
        Tukey, Bias and confidence in not-quite large samples (1958); centred at the estimate itself, not at the bias-corrected one.
    """
    n = len(change)
    scores: Vector = np.arcsinh(change / scale)
    if n < 2 or not np.isfinite(scores).all():
        return scores
    with np.errstate(divide="ignore", invalid="ignore"):
        without = np.arcsinh(change[None, :] / scale_without[:, None])
    np.fill_diagonal(without, 0)
    means = without.sum(axis=1) / (n - 1)
    values: Vector = scores.mean() + (n - 1) * (means.mean() - means)
    return values


def curves(records: pd.DataFrame) -> pd.DataFrame:
    """One row per (task, instance, entry, quantity, t): the mean over seeds with a bootstrap band, quantiles, and the first seed.

    The test loss is kept at every iteration; other quantities at every one for the paper's workflows, else at t = 1, 2, 5, 10, … and T, so
    that what is committed stays small. Numbers are float32, which figures cannot tell from float64.

    The band is the percentile bootstrap of the mean, 95 %, 1,000 resamples, as the paper's figures have it: for drawing,
    never for ranking.
    """
    quantities = [c for c in records.columns if c not in NOT_QUANTITIES and pd.api.types.is_numeric_dtype(records[c])]
    parts = []
    for (task, instance, entry), runs in records.groupby(["task", "instance", "entry"], sort=True):
        for quantity in quantities:
            table = runs.pivot(index="seed", columns="t", values=quantity).dropna(axis=1)
            if quantity != "test_loss" and entry not in DRAWN_WHOLE:
                last = runs["t"].max()
                table = table[[t for t in table.columns if t == last or is_milestone(int(t))]]
            if table.size:
                part = _curve(table)
                names = pd.DataFrame(
                    {"task": task, "instance": instance, "entry": entry, "quantity": quantity}, part.index
                )
                parts.append(pd.concat([names, part], axis=1))
    whole = pd.concat(parts, ignore_index=True)
    with np.errstate(over="ignore"):
        return whole.astype({c: np.float32 for c in whole.columns if whole[c].dtype == np.float64})


def _curve(table: pd.DataFrame) -> pd.DataFrame:
    """Of a table seeds × t."""
    values = table.to_numpy(float)
    low, high = bootstrap_band(values)
    with np.errstate(invalid="ignore"):
        quantiles = np.quantile(values, QUANTILES, axis=0, method="lower")
    return pd.DataFrame(
        {
            "t": table.columns.to_numpy(),
            "seeds": len(values),
            "mean": values.mean(axis=0),
            "sd": _finite_sd(values),
            "low": low,
            "high": high,
            **{f"q{round(100 * q):02d}": row for q, row in zip(QUANTILES, quantiles, strict=True)},
            "first_seed": values[0],
        }
    )


def _finite_sd(values: Vector) -> Vector:
    if len(values) < 2:
        return np.full(values.shape[1], np.nan)
    with np.errstate(invalid="ignore"):
        spread: Vector = values.std(axis=0, ddof=1)
    return spread


def bootstrap_band(values: Vector) -> tuple[Vector, Vector]:
    """Ends of the band of the mean over axis 0; NaN where a value is not finite."""
    n = len(values)
    counts = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    with np.errstate(invalid="ignore", over="ignore"):
        means = counts @ values / n
        low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)
    return low, high
