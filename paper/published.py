"""Published numbers beside ours.

    thrive run --profile published && thrive score --profile published
    python -m paper.published results/published/board

`published.csv` holds numbers read off the paper's vector figures (arXiv 2410.16713), to .3 % or the digits given.
"""

import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark import results

READING_ERROR = 0.003  # of a number read off a figure, relative, one standard error
PUBLISHED = Path(__file__).parent / "published.csv"


def compare(curves: pd.DataFrame) -> pd.DataFrame:
    """The published table with our mean, its standard error, and z.

    z = (ours - published) / √(sd²/our seeds + sd²/their seeds + reading error²), sd from our seeds.
    """
    table = pd.read_csv(PUBLISHED, dtype={"published": str})
    table["rounding"] = [half_a_digit(text) for text in table["published"]]
    table["published"] = table["published"].astype(float)
    ours = [_ours(curves, row) for row in table.itertuples()]
    table[["ours", "variance", "our_seeds"]] = np.array(ours)
    reading = (READING_ERROR * table["published"]) ** 2 + table["rounding"] ** 2
    error = np.sqrt(table["variance"] * (1 / table["our_seeds"] + 1 / table["seeds"]) + reading)
    return table.assign(z=(table["ours"] - table["published"]) / error)


def half_a_digit(text: str) -> float:
    """Half a unit of the last digit that a number was given with; .003 was as good as gone, and so was 0."""
    exponent = Decimal(text).as_tuple().exponent
    assert isinstance(exponent, int)
    return 0.0005 if float(text) == 0 else 0.5 * 10.0**exponent


def _ours(curves: pd.DataFrame, row: object) -> tuple[float, float, float]:
    """Mean, variance over seeds and seeds of one published number; of a mean over bandwidths, as if they were independent."""
    names = [row.instance.replace("0.1,0.5,1.0", h) for h in ("0.1", "0.5", "1.0")]
    found = curves[
        (curves["task"] == row.task) & curves["instance"].isin(names) & (curves["entry"] == row.entry)
        & (curves["quantity"] == row.quantity) & (curves["t"] == row.t)
    ]  # fmt: skip
    if len(found) != len(set(names)):
        raise SystemExit(f"{row.instance}, {row.entry}: not among these results. Run: thrive run --profile published")
    return found["mean"].mean(), (found["sd"] ** 2).mean() / len(found), found["seeds"].iloc[0]


def main(folder: Path) -> None:
    """Print the comparison, and how many numbers agree."""
    table = compare(results.read(folder).curves)
    shown = table[["task", "instance", "entry", "quantity", "t", "published", "ours", "z"]]
    print(shown.to_string(index=False, float_format=lambda x: f"{x:.4g}"))
    print(f"\n|z| < 4: {(table['z'].abs() < 4).sum()} of {len(table)}; |z| < 2: {(table['z'].abs() < 2).mean():.0%}; "
          f"root mean square of z: {np.sqrt((table['z'] ** 2).mean()):.2f}")  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
