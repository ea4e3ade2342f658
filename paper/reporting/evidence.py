"""The evidence behind the reproduction report: our runs, the published numbers, closed forms, and reasons for differences."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmark.results.gather import Results
from benchmark.results.scoring import half_width
from paper import data, published, theory

HERE = Path(__file__).parents[1]
REASONS = HERE / "reasons.csv"
DOUBTFUL = 2.0
"""A number that agrees but has a |z| above this is shown with its reason from `reasons.csv`, if it has one."""
UNEXPLAINED = "UNEXPLAINED"
"""Shown for a difference if `reasons.csv` has no reason for it, or none that the data support."""
SCIKIT_LEARN = " densities=scikit-learn"
"""The suffix of a KDE instance's name if its test loss is computed by scikit-learn."""
CLOSED_FORM = "closed form"


class Estimate(NamedTuple):
    """A mean of independent runs."""

    mean: float
    error: float  # standard error; NaN of one run
    seeds: int

    @property
    def half(self) -> float:
        """Half the width of the 95 % t interval; NaN for one run."""
        return float(half_width(self.error, self.seeds - 1)) if self.seeds > 1 else np.nan

    def leaves_out(self, value: float) -> bool:
        """Whether the interval excludes a value. An estimate without an interval excludes none."""
        return bool(abs(self.mean - value) > self.half)

    def minus(self, other: "Estimate") -> "Estimate":
        """The difference as if both were independent. Workflows share their seeds, so its interval is too wide rather than too narrow."""
        return Estimate(self.mean - other.mean, float(np.hypot(self.error, other.error)), min(self.seeds, other.seeds))

    def over(self, other: "Estimate") -> "Estimate":
        """The ratio, with its error to first order."""
        ratio = self.mean / other.mean
        return Estimate(
            ratio, float(np.hypot(self.error, ratio * other.error)) / abs(other.mean), min(self.seeds, other.seeds)
        )


@dataclass(frozen=True)
class Evidence:
    """All that the report is made from. None stands for what was not run."""

    paper: Results
    as_published: Results | None
    collapse_times: pd.DataFrame | None
    cardinality: pd.DataFrame | None
    plain_loop: pd.DataFrame | None
    bandwidths: Results | None = None
    from_scratch: Results | None = None
    smollm2: Results | None = None
    early_warning: pd.DataFrame | None = None

    @property
    def profiles(self) -> dict[str, Results]:
        known = {
            "paper": self.paper, "as-published": self.as_published, "bandwidths": self.bandwidths,
            "from-scratch": self.from_scratch, "smollm2": self.smollm2,
        }  # fmt: skip
        return {name: found for name, found in known.items() if found}

    def curves(self) -> pd.DataFrame:
        """The curves of the paper's profile, with instances that only `as-published` has, and the times to collapse."""
        parts = [self.paper.curves]
        if self.as_published:
            known = set(self.paper.curves["instance"])
            parts.append(self.as_published.curves[~self.as_published.curves["instance"].isin(known)])
        if self.collapse_times is not None:
            times = self.collapse_times
            parts.append(pd.DataFrame({
                "task": "discrete", "instance": [f"K={k} n={n}" for k, n in zip(times["K"], times["n"], strict=True)], "entry": "replace",
                "quantity": "collapse_time", "t": 0, "seeds": times["seeds"], "mean": times["mean"], "sd": times["se"] * np.sqrt(times["seeds"]),
            }))  # fmt: skip
        return pd.concat(parts, ignore_index=True)


def load(folder: Path = data.DATA) -> Evidence:
    """Read all evidence in a folder.

    Raises:
        ThriveError: the folder has no results of the profile `paper`.
    """
    as_published, bandwidths, from_scratch, smollm2 = (
        data.read(folder / name) if (folder / name).is_dir() else None for name in data.BESIDE
    )
    times, cardinality, plain_loop, early_warning = (
        _csv(folder / f"{name}.csv") for name in ("collapse_time", "cardinality", "plain_loop", "early_warning")
    )
    return Evidence(
        data.read(folder),
        as_published,
        times,
        cardinality,
        plain_loop,
        bandwidths,
        from_scratch,
        smollm2,
        early_warning,
    )


def rows_of(table: pd.DataFrame) -> Iterator[Any]:
    """The rows, with columns as attributes, whose types depend on the table."""
    return table.itertuples()


def groups_of(table: pd.DataFrame, *columns: str) -> Iterator[tuple[tuple[str, ...], pd.DataFrame]]:
    """The values of some text columns, and the rows that have them, in the table's order."""
    for values, rows in table.groupby(list(columns), sort=False):
        yield tuple(map(str, values)), rows


def _csv(path: Path) -> pd.DataFrame | None:
    return pd.read_csv(path) if path.is_file() else None


def compared(evidence: Evidence) -> pd.DataFrame:
    """The table of `paper.published.compare` with more columns.

    `closed` is the closed form. `switched`, `switched_error`, `switched_seeds`, `switched_z` and `switched_verdict` are for our instance
    with the published defect of scikit-learn's densities, if it was run; `loop_z` is the z of the second loop with these densities.
    `reason` explains a number that differs or is doubtful.
    """
    curves = evidence.curves()
    table = published.compare(curves)
    exact = {} if evidence.collapse_times is None else {
        f"K={row.K} n={row.n}": row.exact for row in rows_of(evidence.collapse_times)
    }  # fmt: skip
    table["closed"] = [
        exact.get(row.instance, np.nan) if row.quantity == "collapse_time" else closed_form(row)
        for row in rows_of(table)
    ]
    switched = published.compare(curves, SCIKIT_LEARN)[["ours", "error", "our_seeds", "z", "verdict"]]
    table[["switched", "switched_error", "switched_seeds", "switched_z", "switched_verdict"]] = switched
    table["loop_z"] = _loop_z(table, evidence.plain_loop)
    reasons = read_reasons()
    return table.assign(reason=[_reason(reasons, row) for row in rows_of(table)])


def _loop_z(table: pd.DataFrame, plain: pd.DataFrame | None) -> "pd.Series[float]":
    """z of the second loop with scikit-learn's densities; NaN for numbers that it does not compute."""
    if plain is None:
        return pd.Series(np.nan, table.index)
    plain = plain.assign(task="kde", quantity="test_loss").rename(columns={"seeds": "runs"})
    keys = ["task", "instance", "entry", "quantity", "t"]
    own = table[keys].merge(plain, on=keys, how="left").set_axis(table.index)
    return published.z(table, own["scikit_learn"], own["scikit_learn_sd"] ** 2, own["runs"])


def _reason(reasons: pd.DataFrame, row: Any) -> str:
    if row.verdict == "differs":
        return why(reasons, row)
    doubtful = row.verdict == "agrees" and abs(row.z) >= DOUBTFUL
    return why(reasons, row, unknown="") if doubtful else ""


def against_closed(rows: pd.DataFrame) -> "pd.Series[float]":
    """z of our numbers against the closed form; 0 if the two are equal, because the runs may then have no spread."""
    apart = rows["ours"] - rows["closed"]
    return (apart / rows["error"]).where(apart.abs() > 1e-6, 0.0)


def closed_form(row: Any) -> float:
    """The expectation of a published number by its closed form; NaN if none is known."""
    numbers = published.numbers_of(row.instance)
    n = int(numbers.get("n", 0))
    if row.task == "gaussian":
        kept = _trace_ratio(row.entry, n)[row.t - 1]
        return float(kept if row.quantity == "trace_ratio" else numbers["d"] * (1 - kept))
    if row.task == "linear_regression" and row.entry in ("replace", "accumulate"):
        return float(theory.regression_error(row.entry, int(numbers["d"]), n, numbers["σ²"], row.t)[-1])
    return np.nan


@cache
def _trace_ratio(entry: str, n: int) -> theory.Vector:
    return theory.trace_ratio(entry, n, 100)


def read_reasons() -> pd.DataFrame:
    return pd.read_csv(REASONS, dtype=str, keep_default_na=False)


def why(reasons: pd.DataFrame, row: Any, unknown: str = UNEXPLAINED) -> str:
    """The first reason that matches the row in all columns that are filled, and that the data support. Column t may list several iterations."""
    for reason in rows_of(reasons):
        fits = all(
            getattr(reason, key) in ("", str(getattr(row, key))) for key in ("task", "instance", "entry", "quantity")
        )
        if fits and (not reason.t or str(row.t) in reason.t.split()) and _borne_out(reason.shown_by, row):
            return str(reason.reason)
    return unknown


def _borne_out(shown_by: str, row: Any) -> bool:
    """Whether the data support a reason.

    A reason of scikit-learn's densities is supported if the number agrees with these densities: in the second loop, which has many seeds, if
    it computes the number, else in our instance. A reason of the closed form is supported if our number agrees with the closed form.
    """
    if shown_by == SCIKIT_LEARN.strip():
        z = row.switched_z if np.isnan(row.loop_z) else row.loop_z
        return bool(abs(z) < published.AGREES)
    if shown_by == CLOSED_FORM:
        return bool(abs(row.ours - row.closed) < published.AGREES * row.error)
    assert not shown_by, (
        f"{REASONS}: shown_by: found '{shown_by}', expected '{SCIKIT_LEARN.strip()}', '{CLOSED_FORM}' or nothing"
    )
    return True


def not_needed(numbers: pd.DataFrame) -> list[str]:
    """Reasons that explain no number that differs or is doubtful."""
    return [reason for reason in read_reasons()["reason"] if reason not in set(numbers["reason"])]


def at(found: Results | None, task: str, instance: str, entry: str, quantity: str, t: int) -> Estimate | None:
    """One point of a curve; None if it was not run."""
    if found is None:
        return None
    c = found.curves
    rows = c[
        (c["task"] == task)
        & (c["instance"] == instance)
        & (c["entry"] == entry)
        & (c["quantity"] == quantity)
        & (c["t"] == t)
    ]
    if rows.empty:
        return None
    row = rows.iloc[0]
    return Estimate(float(row["mean"]), float(row["sd"]) / np.sqrt(int(row["seeds"])), int(row["seeds"]))


def paired(
    found: Results | None, task: str, instances: tuple[str, str], entry: str, column: str
) -> tuple[Estimate, Estimate, Estimate] | None:
    """Test losses of two instances over the seeds that both have, and their difference, first minus second, paired by seed.

    Args:
        column: first, second or final.

    Returns:
        None if no seed has losses of both.
    """
    if found is None or found.scores.empty:
        return None
    rows = found.scores[(found.scores["task"] == task) & (found.scores["entry"] == entry)]
    a, b = (rows[rows["instance"] == name].set_index("seed")[column].dropna() for name in instances)
    shared = a.index.intersection(b.index)
    estimates = [mean_of(part.loc[shared]) for part in (a, b, a - b)]
    if None in estimates:
        return None
    first, second, difference = (estimate for estimate in estimates if estimate is not None)
    return first, second, difference


def mean_of(values: "pd.Series[float]") -> Estimate | None:
    """The mean of independent runs; None if there are none."""
    if values.empty:
        return None
    return Estimate(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))), len(values))


def both(function: Callable[..., Estimate], *estimates: Estimate | None) -> Estimate | None:
    """The function of the estimates; None if one of them is missing."""
    return None if None in estimates else function(*estimates)
