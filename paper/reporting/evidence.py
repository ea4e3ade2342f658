"""What the reproduction report rests on: what was run, published numbers beside it, closed forms, and why something differs."""

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
"""A number that agrees, but with |z| above, is given the reason that is known for it."""
UNEXPLAINED = "UNEXPLAINED"
"""What a report says of a difference for which `reasons.csv` has no reason, or one that the data do not bear out."""
SCIKIT_LEARN = " densities=scikit-learn"
"""What the name of a KDE instance adds where its test loss is scikit-learn's."""
CLOSED_FORM = "closed form"


class Estimate(NamedTuple):
    """A mean of independent runs."""

    mean: float
    error: float  # standard error; NaN of one run
    seeds: int

    @property
    def half(self) -> float:
        """Half of the 95 % t interval."""
        return float(half_width(self.error, self.seeds - 1)) if self.seeds > 1 else np.nan

    def leaves_out(self, value: float) -> bool:
        """Whether the interval does not hold a value; no interval holds all."""
        return bool(abs(self.mean - value) > self.half)

    def minus(self, other: "Estimate") -> "Estimate":
        """As if independent: workflows share their seeds, so the interval is on the wide side."""
        return Estimate(self.mean - other.mean, float(np.hypot(self.error, other.error)), min(self.seeds, other.seeds))

    def over(self, other: "Estimate") -> "Estimate":
        """A ratio, its error to first order."""
        ratio = self.mean / other.mean
        return Estimate(
            ratio, float(np.hypot(self.error, ratio * other.error)) / abs(other.mean), min(self.seeds, other.seeds)
        )


@dataclass(frozen=True)
class Evidence:
    """All that the report is made from; None is what was not run."""

    paper: Results
    as_published: Results | None
    collapse_times: pd.DataFrame | None
    cardinality: pd.DataFrame | None
    plain_loop: pd.DataFrame | None
    bandwidths: Results | None = None

    @property
    def profiles(self) -> dict[str, Results]:
        known = {"paper": self.paper, "as-published": self.as_published, "bandwidths": self.bandwidths}
        return {name: found for name, found in known.items() if found}

    def curves(self) -> pd.DataFrame:
        """Of the paper's profile, with what only others hold: instances as published, and times to collapse."""
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
    """What is there.

    Raises:
        ThriveError: not even the paper's profile.
    """
    as_published, bandwidths = (
        data.read(folder / name) if (folder / name).is_dir() else None for name in ("as-published", "bandwidths")
    )
    times, cardinality, plain_loop = (
        _csv(folder / f"{name}.csv") for name in ("collapse_time", "cardinality", "plain_loop")
    )
    return Evidence(data.read(folder), as_published, times, cardinality, plain_loop, bandwidths)


def rows_of(table: pd.DataFrame) -> Iterator[Any]:
    """The rows; a column is an attribute, whose type depends on the table."""
    return table.itertuples()


def groups_of(table: pd.DataFrame, *columns: str) -> Iterator[tuple[tuple[str, ...], pd.DataFrame]]:
    """The rows that agree in some columns of text, with what these hold; in the table's order."""
    for values, rows in table.groupby(list(columns), sort=False):
        yield tuple(map(str, values)), rows


def _csv(path: Path) -> pd.DataFrame | None:
    return pd.read_csv(path) if path.is_file() else None


def compared(evidence: Evidence) -> pd.DataFrame:
    """`paper.published.compare`, with `closed`, with what comes of it as published, and with a `reason` for what differs or might.

    As published: `switched`, `switched_error`, `switched_seeds`, `switched_z` and `switched_verdict` are of our instance with the
    published defect of scikit-learn's densities, where it was run; `loop_z` is of the second loop with these densities.
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
    """z of the second loop by scikit-learn's densities; NaN of numbers that it does not compute."""
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
    """z of ours against the closed form; 0 where the two are equal, for the runs may then have no spread."""
    apart = rows["ours"] - rows["closed"]
    return (apart / rows["error"]).where(apart.abs() > 1e-6, 0.0)


def closed_form(row: Any) -> float:
    """The expectation of a published number; NaN where none is known."""
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
    """The first reason all of whose filled columns are the row's, and which the data bear out; t may list several iterations."""
    for reason in rows_of(reasons):
        fits = all(
            getattr(reason, key) in ("", str(getattr(row, key))) for key in ("task", "instance", "entry", "quantity")
        )
        if fits and (not reason.t or str(row.t) in reason.t.split()) and _borne_out(reason.shown_by, row):
            return str(reason.reason)
    return unknown


def _borne_out(shown_by: str, row: Any) -> bool:
    """Whether what a reason says is seen in the data.

    With scikit-learn's densities the published number is met, by the second loop, which is of many seeds, where it computes the number,
    else by our instance; or ours meet the closed form.
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
    """Reasons that explain nothing, neither what differs nor what might."""
    return [reason for reason in read_reasons()["reason"] if reason not in set(numbers["reason"])]


def at(found: Results | None, task: str, instance: str, entry: str, quantity: str, t: int) -> Estimate | None:
    """One point of a curve; None where it was not run."""
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
    """Test losses of two instances over the seeds that both have, and the first's minus the second's, seed by seed.

    Args:
        column: first, second or final.

    Returns:
        None where no seed has losses of both.
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
    """The mean of independent runs; None of none."""
    if values.empty:
        return None
    return Estimate(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))), len(values))


def both(function: Callable[..., Estimate], *estimates: Estimate | None) -> Estimate | None:
    """The function of estimates that are all there."""
    return None if None in estimates else function(*estimates)
