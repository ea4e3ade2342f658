"""Published numbers compared with ours.

`published.csv` has the numbers that are compared, each with its `source`. That is a figure of the paper (arXiv 2410.16713), read to 0.3 %
or to the digits given, or a rerun of the authors' code, which is not published and never counted as published. `t` is empty if a number
has no iteration, and `seeds` if the number of runs behind a mean is not known.
"""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.results.scoring import half_width
from paper import theory

READING_ERROR = 0.003  # relative standard error of a number read off a figure
PUBLISHED = Path(__file__).parent / "published.csv"
FIGURE, RERUN = "figure", "rerun"
SOURCES = {FIGURE: "read off a figure of the paper", RERUN: "a rerun of the authors' code, not published"}
AGREES = 4.0
"""Two numbers agree if |z| is below this. If all of 400 numbers agree in truth, 1 report in 40 has one beyond it."""
LEVELS = (2.0, 3.0, AGREES)
"""The |z| at which agreement is counted and compared with what sampling error alone would give."""
NO_COUNTERPART = {
    "language_model": "another model and other data: patterns are compared, not numbers",
    "pretraining": "another model and other data: drawn side by side, not compared",
}
"""Task-settings whose published numbers no run of ours could reproduce, and why."""


def read() -> pd.DataFrame:
    """The whole table. `text` is a number as it was given, `rounding` half a unit of its last digit, `reading` the error of reading it."""
    table = pd.read_csv(PUBLISHED, dtype={"value": "str", "t": "Int64", "seeds": "Int64"})
    table["text"], table["value"] = table["value"], table["value"].astype(float)
    relative = table["source"].map({FIGURE: READING_ERROR, RERUN: 0.0})
    return table.assign(rounding=[half_a_digit(text) for text in table["text"]], reading=relative * table["value"])


def numbers_of(instance: str) -> dict[str, float]:
    """The numbers in a name: "d=1 n=10" gives {"d": 1, "n": 10}."""
    return {name: float(value) for name, value in re.findall(r"(\S+)=([\d.]+)(?= |$)", instance)}


def compare(curves: pd.DataFrame, switch: str = "") -> pd.DataFrame:
    """The table with our mean, its standard error, its 95 % interval, z, the degrees of freedom, and a verdict.

    z = (ours - theirs) / √(variance/our seeds + variance/their seeds + errors of reading and rounding²). The variance is that of single
    runs: the exact one if a closed form gives it, because few seeds miss the rare runs that carry the spread of a skewed quantity; else that
    of our seeds. A published mean of an unknown number of seeds counts as exact, which makes agreement harder to reach.

    The verdict is "agrees", "differs", "not run", or "no counterpart".

    Args:
        switch: a suffix of our instances' names, which selects instances that reproduce a defect.
    """
    table = read()
    table[["ours", "variance", "our_seeds"]] = np.array(_ours(curves, table, switch), float)
    exact = np.array([exact_variance(row) for row in table.itertuples()])
    known = np.isfinite(exact) & table["ours"].notna()
    table["variance"] = table["variance"].mask(known, exact)
    table["freedom"] = (table["our_seeds"] - 1).mask(known, np.inf)
    table["error"] = np.sqrt(table["variance"] / table["our_seeds"])
    half = half_width(table["error"], table["freedom"])
    table["low"], table["high"] = table["ours"] - half, table["ours"] + half
    table["z"] = z(table, table["ours"], table["variance"], table["our_seeds"])
    return table.assign(verdict=[_verdict(row) for row in table.itertuples()])


def z(table: pd.DataFrame, ours: Any, variance: Any, seeds: Any) -> "pd.Series[float]":
    """Our means minus the numbers of the table, divided by the standard error of both and of the reading."""
    theirs = (1 / table["seeds"].astype(float)).fillna(0.0)
    squares = variance / seeds + variance * theirs + table["reading"] ** 2 + table["rounding"] ** 2
    found: pd.Series[float] = (ours - table["value"]) / np.sqrt(squares)
    return found


def expected_within(rows: pd.DataFrame, level: float) -> float:
    """The expected count of these numbers with |z| below a level if only sampling error set them apart, by the t distribution of each."""
    from scipy.stats import t

    return float(np.sum(1 - 2 * t.sf(level, rows["freedom"])))


def exact_variance(row: Any) -> float:
    """The variance over runs if its closed form is known; NaN otherwise."""
    numbers = numbers_of(row.instance)
    if row.task == "gaussian" and row.entry == "replace":
        trace, mean_error = theory.replace_variances(int(numbers["d"]), int(numbers["n"]), row.t)
        return trace if row.quantity == "trace_ratio" else mean_error
    if row.task == "linear_regression" and row.entry in ("replace", "accumulate"):
        return theory.regression_error_variance(row.entry, int(numbers["d"]), int(numbers["n"]), numbers["σ²"], row.t)
    return np.nan


def _verdict(row: Any) -> str:
    if row.task in NO_COUNTERPART:
        return "no counterpart"
    if np.isnan(row.ours):
        return "not run"
    return "agrees" if abs(row.z) < AGREES else "differs"


def half_a_digit(text: str) -> float:
    """Half a unit of the last digit that a number was given with; 0.0005 for a number given as 0."""
    exponent = Decimal(text).as_tuple().exponent
    assert isinstance(exponent, int)
    return 0.0005 if float(text) == 0 else 0.5 * 10.0**exponent


def _ours(curves: pd.DataFrame, table: pd.DataFrame, switch: str) -> list[tuple[float, float, float]]:
    """Our mean, variance over seeds and number of seeds for each number; NaN if not run. For a mean over bandwidths, as if these were independent."""
    numbers: list[Any] = list(table.itertuples())
    parts = [_instances_of(row.instance, switch) for row in numbers]
    wanted = curves[curves["instance"].isin({name for names in parts for name in names})]
    measured: Any = wanted[["task", "instance", "entry", "quantity", "t", "mean", "sd", "seeds"]].itertuples(
        index=False
    )
    points: dict[tuple[Any, ...], tuple[float, float, float]] = {
        (row.task, row.instance, row.entry, row.quantity, row.t): (row.mean, row.sd**2, row.seeds) for row in measured
    }
    ours = []
    for names, row in zip(parts, numbers, strict=True):
        keys = [(row.task, name, row.entry, row.quantity, 0 if pd.isna(row.t) else row.t) for name in names]
        if all(key in points for key in keys):
            mean, variance, seeds = np.mean([points[key] for key in keys], axis=0)
            ours.append((mean, variance / len(keys), seeds))
        else:
            ours.append((np.nan, np.nan, np.nan))
    return ours


def _instances_of(instance: str, switch: str) -> set[str]:
    """Our instances that a published number averages over, with the suffix of a switch."""
    return {instance.replace("0.1,0.5,1.0", h) + switch for h in ("0.1", "0.5", "1.0")}


def command(task: str, instance: str, quantity: str) -> str:
    """The command that computes our number."""
    if quantity == "collapse_time":
        return "python -m paper.experiments.collapse_time"
    profile = "as-published" if instance.endswith(" as published") else "paper"
    return f"thrive run --profile {profile} -t {task} && python -m paper.data"


def agreement(rows: pd.DataFrame, level: float) -> str:
    """ "58 (57.3)": the count within a level, and the count expected from sampling error alone."""
    return f"{int((rows['z'].abs() < level).sum())} ({expected_within(rows, level):.1f})" if len(rows) else "–"
