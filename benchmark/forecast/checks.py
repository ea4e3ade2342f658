"""Forecasts that are checked: made from the first T iterations of runs that went on, and held against what came.

A forecast is the last value plus what the law changes by from T on, in the units of `judged`, with an interval. The standard errors of
least squares take the law for exact, and cover too little. So each interval is the forecast ± q·u, with

    u² = noise² + error² + (SHARE·move)² + (SHARE·drift)²

from the noise of the mean over seeds at T, the error of the law's parameters at the forecast iteration (at most the move and the noise),
the law's move from T on, and the drift of the curve over its later half: a law may be wrong by a share of both. q is the 0.95 quantile of
|actual - forecast| / u among the checks of other instances, with the same ratio of iterations and the same group of laws (split conformal
prediction, the instance left out): what intervals missed elsewhere widens them here. Naive forecasts get their intervals in the same way,
so that the centres decide.

Sources: Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World (2005); the interval score is that of Gneiting and Raftery,
Strictly proper scoring rules (2007), eq. 43: width + 2/0.05 times the distance by which it missed.
"""

import math
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from benchmark.forecast.choice import CANNOT_TELL, NoLaw, choose, judged
from benchmark.forecast.covariance import Matrix, Vector
from benchmark.forecast.curves import Curve
from benchmark.forecast.laws import EXPONENTIAL, LAWS, LINEAR
from benchmark.forecast.prediction import Followed, follow
from benchmark.results.scoring import CONFIDENCE

CHECKS = {10: (20, 100), 50: (100,), 100: (200, 1000), 500: (1000,)}
"""By the number of iterations that a forecast is made from: those that it is made for, where the run went so far."""
DIVERGES = "diverges"
GROUPS = {LINEAR: "growing", EXPONENTIAL: "growing"}
"""Classes that are calibrated together, since one alone is too rare; another is a group of its own."""
SHARE = 0.5
CHECK = ["profile", "T", "to"]
FORECASTS = ("law", "last", "log")
"""The law's, and two naive ones: the last value, and a + b·ln t."""


class Forecasts(NamedTuple):
    """Forecasts of one iteration, in the units of `judged`: centres, and u of each before calibration."""

    centres: dict[str, float]
    spreads: dict[str, float]


def _last(found: Followed) -> tuple[float, float]:
    """The last value, and its drift since the middle of the run."""
    last, middle = judged(found.mean[[-1, len(found.mean) // 2 - 1]], found.mean, found.scale).tolist()
    return last, last - middle


def law_forecast(found: Followed, t: Vector) -> tuple[Vector, Vector]:
    """The law's forecasts of some iterations, and u of each."""
    last, drift = _last(found)
    values, errors = found.forecast(np.append(float(len(found.mean)), t))
    move = values[1:] - values[0]
    error = np.minimum(errors[1:], np.abs(move) + found.noise)
    return last + move, np.sqrt(found.noise**2 + error**2 + (SHARE * move) ** 2 + (SHARE * drift) ** 2)


def forecasts(losses: Matrix, found: Followed, to: int) -> Forecasts:
    """The law's and the naive ones.

    Args:
        losses: seeds × iterations t = 1 … T, which `found` follows.
    """
    t = np.array([len(found.mean), to], float)
    last, drift = _last(found)
    centre, spread_of_law = law_forecast(found, t[1:])
    logs, log_errors = follow(losses, law=LAWS["logarithmic"]).forecast(t)
    spread = partial(math.hypot, found.noise, SHARE * drift)
    return Forecasts(
        {"law": float(centre[0]), "last": last, "log": float(logs[1])},
        {
            "law": float(spread_of_law[0]),
            "last": spread(),
            "log": spread(float(log_errors[1]), SHARE * (float(logs[1]) - last)),
        },
    )


def checked(curve: Curve, profile: str) -> Iterator[dict[str, Any]]:
    """A row for each check of a curve: what was forecast, and what came."""
    for until, all_ends in CHECKS.items():
        ends = [end for end in all_ends if end <= curve.horizon]
        if not ends:
            continue
        losses = curve.until(until)
        about: dict[str, Any] = {"profile": profile, "task": curve.task, "instance": curve.instance, "entry": curve.entry,
                 "seeds": len(losses), "T": until}  # fmt: skip
        try:
            choice = choose(losses, str(curve))
        except NoLaw:
            yield from (about | {"to": end, "kind": DIVERGES} for end in ends)
            continue
        if choice.law is None:
            yield from (about | {"to": end, "kind": CANNOT_TELL, "left": "; ".join(choice.left)} for end in ends)
            continue
        found = follow(losses, choice)
        for end in ends:
            actual = float(judged(curve.losses[:, end - 1].mean(keepdims=True), found.mean, found.scale)[0])
            made = forecasts(losses, found, end)
            numbers = {
                f"{name}{what}": values[name]
                for what, values in (("", made.centres), ("_spread", made.spreads))
                for name in FORECASTS
            }
            yield about | {"to": end, "kind": choice.kind, "left": "; ".join(choice.left), "law_name": choice.law.name,
                           "first": found.mean[0], "scale": found.scale, "actual": actual, **numbers}  # fmt: skip


def quantile(residuals: Vector) -> float:
    """Of the standardized residuals of n other checks: the ⌈0.95·(n + 1)⌉-th smallest; infinite for n < 19."""
    n = len(residuals)
    rank = math.ceil(CONFIDENCE * (n + 1))
    return float(np.sort(residuals)[rank - 1]) if rank <= n else math.inf


def calibration(
    checks: pd.DataFrame, kind: str, ratio: float, task: str, instance: str, forecast: str = "law"
) -> Vector:
    """Standardized residuals of the checks of other instances, with the same group of laws and ratio of iterations.

    Runs that diverged until then have no finite residual, and are left out here; they count as missed.
    """
    group = {GROUPS.get(kind, kind), *(one for one in GROUPS if GROUPS[one] == GROUPS.get(kind))}
    alike = checks[checks["kind"].isin(group) & (checks["to"] == ratio * checks["T"])]
    others = alike[~((alike["task"] == task) & (alike["instance"] == instance)) & np.isfinite(alike["actual"])]
    return np.asarray((others["actual"] - others[forecast]).abs() / others[f"{forecast}_spread"], np.float64)


def with_intervals(checks: pd.DataFrame, names: Iterable[str] = FORECASTS) -> pd.DataFrame:
    """The checks for which a law is claimed, each with its calibrated interval: half widths, whether it held, and interval scores."""
    claimed = checks[checks["law_name"].notna()].copy()
    keys = list(zip(claimed["kind"], claimed["to"] / claimed["T"], claimed["task"], claimed["instance"], strict=True))
    for name in names:
        q = {key: quantile(calibration(claimed, *key, forecast=name)) for key in set(keys)}
        half = claimed[f"{name}_spread"] * [q[key] for key in keys]
        missed = (claimed["actual"] - claimed[name]).abs() - half
        claimed[f"{name}_half"] = half
        claimed[f"{name}_held"] = missed <= 0
        claimed[f"{name}_score"] = 2 * half + 2 / (1 - CONFIDENCE) * missed.clip(lower=0)
    return claimed


def coverage(checks: pd.DataFrame) -> pd.DataFrame:
    """By profile, T, iteration and class: how many pairs of entry and instance have a law, how often intervals held, their widths, and scores.

    Widths and scores are in the units of `judged`, over the checks whose actual loss is finite.
    """
    claimed = with_intervals(checks)
    rows = []
    for key, of_check in checks.groupby(CHECK, sort=False):
        mine = claimed[(claimed[CHECK] == list(key)).all(axis=1)]
        parts: Iterable[tuple[str, pd.DataFrame]] = [("all", mine), *mine.groupby("kind", sort=True)]
        for kind, part in parts:
            finite = part[np.isfinite(part["actual"])]
            low, high = (
                binomtest(int(part["law_held"].sum()), len(part)).proportion_ci(method="wilson")
                if len(part)
                else (np.nan, np.nan)
            )
            rows.append({
                **dict(zip(CHECK, key, strict=True)), "class": kind, "pairs": len(of_check), "claimed": len(part), "claimed_share": len(part) / len(of_check),
                "held": part["law_held"].mean(), "held_low": low, "held_high": high, "later_diverged": len(part) - len(finite),
                "median_width": 2 * finite["law_half"].median(),
                **{f"score_{name}": finite[f"{name}_score"].mean() for name in FORECASTS},
                **{f"median_score_{name}": finite[f"{name}_score"].median() for name in FORECASTS},
            })  # fmt: skip
    return pd.DataFrame(rows)
