"""A pool to which real rows come in a constant share: how fast the fit of all of it converges.

    python -m paper.experiments.contamination

writes paper/data/contamination.csv, in a minute on one core. Columns: real and synthetic rows of each iteration; share of the real ones;
t; rmse and its standard error, the root of E ‖μ_t - μ0‖² / d over seeds, of the Gaussian.

Source: Wang, Niu and Li (2026), arXiv 2602.16065.
"""

from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from benchmark.core.loop import run
from benchmark.core.rules import Budget, Rules, Track
from benchmark.core.strategy import Strategy
from benchmark.core.task import Task
from benchmark.tasks.gaussian import Gaussian
from paper import shell

TABLE = Path(__file__).parents[1] / "data" / "contamination.csv"
GAUSSIAN = Gaussian(10, 36)
REAL = (4, 12, 36)
"""Fresh real rows of each iteration, beside n of the latest model: shares of 0.1, 0.25 and 0.5. A growing budget allows no more."""
SEEDS, HORIZON = 20, 100
RULES = Rules(Track.ASSISTED, Budget.GROWING)


class Contaminated(Strategy):
    """Buy fresh real rows at each iteration, and train on everything."""

    def __init__(self, real: int) -> None:
        self.real = real

    def training_set(self, context, pool):  # type: ignore[no-untyped-def]
        if context.t == 1:
            return pool.all()
        return pool.all() + context.buy_real(self.real).all()


def curve(real: int) -> pd.DataFrame:
    """The rows of one share."""
    task = cast(Task, GAUSSIAN)  # mypy: its fields are frozen, and the protocol declares writable ones
    runs = np.array(
        [
            [record["mean_error"] for record in run(task, lambda: Contaminated(real), RULES, seed, HORIZON)]
            for seed in range(SEEDS)
        ]
    )
    squares = runs / GAUSSIAN.d
    rmse = np.sqrt(squares.mean(axis=0))
    error = squares.std(axis=0, ddof=1) / np.sqrt(SEEDS) / (2 * rmse)
    columns = {"real": real, "synthetic": GAUSSIAN.n, "share": real / (real + GAUSSIAN.n)}
    return pd.DataFrame({**columns, "t": np.arange(1, HORIZON + 1), "rmse": rmse, "se": error})


def main() -> None:
    """Write the table."""
    pd.concat([curve(real) for real in REAL]).to_csv(TABLE, index=False, float_format="%.6g")


if __name__ == "__main__":
    shell.run(main)
