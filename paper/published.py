"""Published numbers beside ours.

    thrive run --profile published && thrive score --profile published
    python -m paper.published results/published/board

`published.csv` holds numbers read off the paper's vector figures (arXiv 2410.16713), to .3 % or the digits given. `t` is empty where
a number has no iteration, `seeds` where it is not known from how many the published mean is.
"""

import sys
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from benchmark import results
from benchmark.scoring import CONFIDENCE
from paper import shell

READING_ERROR = 0.003  # of a number read off a figure, relative, one standard error
PUBLISHED = Path(__file__).parent / "published.csv"
AGREES = 4.0
"""Numbers agree where |z| is below: of 400 that do agree, one is beyond in 1 of 40 reports."""
NO_COUNTERPART = {
    "language_model": "another model and other data: patterns are compared, not numbers",
    "pretraining": "published only: Thrive does not pretrain",
}
"""Task-settings whose published numbers no run of ours could meet."""


def read() -> pd.DataFrame:
    """The published table; `text` is a number as it was given, `rounding` half a unit of its last digit."""
    table = pd.read_csv(PUBLISHED, dtype={"published": "str", "t": "Int64", "seeds": "Int64"})
    table["text"], table["published"] = table["published"], table["published"].astype(float)
    return table.assign(rounding=[half_a_digit(text) for text in table["text"]])


def compare(curves: pd.DataFrame) -> pd.DataFrame:
    """The published table with our mean, its standard error, its interval of 95 %, z, and a verdict.

    z = (ours - published) / √(sd²/our seeds + sd²/their seeds + reading error²), sd from our seeds. A mean of unknown seeds counts
    as exact, so that it is easily missed and hardly agreed with.

    The verdict is "agrees", "differs", "not run", or "no counterpart".
    """
    table = read()
    table[["ours", "variance", "our_seeds"]] = np.array([_ours(curves, row) for row in table.itertuples()], float)
    reading = (READING_ERROR * table["published"]) ** 2 + table["rounding"] ** 2
    theirs = (1 / table["seeds"].astype(float)).fillna(0.0)
    table["error"] = np.sqrt(table["variance"] / table["our_seeds"])
    half = table["error"] * stdtrit(table["our_seeds"] - 1, (1 + CONFIDENCE) / 2)
    table["low"], table["high"] = table["ours"] - half, table["ours"] + half
    table["z"] = (table["ours"] - table["published"]) / np.sqrt(
        table["error"] ** 2 + table["variance"] * theirs + reading
    )
    return table.assign(verdict=[_verdict(row) for row in table.itertuples()])


def _verdict(row: Any) -> str:
    if row.task in NO_COUNTERPART:
        return "no counterpart"
    if np.isnan(row.ours):
        return "not run"
    return "agrees" if abs(row.z) < AGREES else "differs"


def half_a_digit(text: str) -> float:
    """Half a unit of the last digit that a number was given with; .003 was as good as gone, and so was 0."""
    exponent = Decimal(text).as_tuple().exponent
    assert isinstance(exponent, int)
    return 0.0005 if float(text) == 0 else 0.5 * 10.0**exponent


def _ours(curves: pd.DataFrame, row: Any) -> tuple[float, float, float]:
    """Mean, variance over seeds and seeds of one published number, NaN where it was not run; of a mean over bandwidths, as if they were independent."""
    names = {row.instance.replace("0.1,0.5,1.0", h) for h in ("0.1", "0.5", "1.0")}
    found = curves[
        (curves["task"] == row.task) & curves["instance"].isin(names) & (curves["entry"] == row.entry)
        & (curves["quantity"] == row.quantity) & (curves["t"] == (0 if pd.isna(row.t) else row.t))
    ]  # fmt: skip
    if len(found) != len(names):
        return np.nan, np.nan, np.nan
    mean, sd = found["mean"].astype(float), found["sd"].astype(float)
    return mean.mean(), (sd**2).mean() / len(found), float(found["seeds"].iloc[0])


def command(task: str, instance: str, quantity: str) -> str:
    """What makes our number."""
    if quantity == "collapse_time":
        return "python -m paper.collapse_time"
    profile = "as-published" if instance.endswith(" as published") else "paper"
    return f"thrive run --profile {profile} -t {task} && python -m paper.data"


def main(folder: Path) -> None:
    """Print the comparison, and how many numbers agree."""
    table = compare(results.read(folder).curves)
    missing = table[table["verdict"] == "not run"]
    table = table[table["verdict"].isin(["agrees", "differs"])]
    shown = table[["task", "instance", "entry", "quantity", "t", "published", "ours", "z"]]
    print(shown.to_string(index=False, float_format=lambda x: f"{x:.4g}"))
    print(f"\n|z| < 4: {(table['z'].abs() < AGREES).sum()} of {len(table)}; |z| < 2: {(table['z'].abs() < 2).mean():.0%}; "
          f"root mean square of z: {np.sqrt((table['z'] ** 2).mean()):.2f}")  # fmt: skip
    for task, rows in missing.groupby("task"):
        print(f"{task}: {len(rows)} numbers are not among these results.")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m paper.published FOLDER, such as results/published/board")
    shell.run(partial(main, Path(sys.argv[1])))
