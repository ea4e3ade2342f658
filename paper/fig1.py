"""Figure 1: multivariate Gaussian estimation. Fitted 1-D densities, trace ratio and error of the mean by iteration.

The densities take the standard deviation, where the published figure passed the variance.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import norm

from benchmark.results import Results
from paper import style

DIMENSION = 10
ROWS = ("replace", "accumulate")
QUANTITIES = {"trace_ratio": "tr Σ / d", "mean_error": "‖μ − μ₀‖²"}


def draw(results: Results) -> tuple[Figure, pd.DataFrame] | None:
    """Figure and the table behind it; None where the results hold no Gaussian instance."""
    instances = style.numbers(results.about, "gaussian")
    if instances.empty:
        return None
    dimension = DIMENSION if DIMENSION in set(instances["d"]) else instances["d"].max()
    table = results.curves[results.curves["task"] == "gaussian"].merge(instances[instances["d"] == dimension])
    table = table[table["entry"].isin(ROWS)]
    palette = style.colours(sorted(table["n"].unique()))
    figure, axes = plt.subplots(len(ROWS), 3, figsize=(8.4, 4.6), squeeze=False)
    for row, entry in zip(axes, ROWS, strict=True):
        mine = table[table["entry"] == entry]
        _densities(row[0], mine)
        row[0].set_ylabel(f"{style.WORKFLOWS[entry]}\ndensity")
        for ax, (quantity, label) in zip(row[1:], QUANTITIES.items(), strict=True):
            style.curves(ax, mine[mine["quantity"] == quantity], "n", palette)
            ax.set(xlabel=style.ITERATION, ylabel=label)
        row[1].set_ylim(0, 1.15)
        row[2].set_yscale("log")
    for ax in axes[:, 2]:  # one scale, so that the rows compare
        ax.set_ylim(min(a.get_ylim()[0] for a in axes[:, 2]), max(a.get_ylim()[1] for a in axes[:, 2]))
    style.legend(figure, palette, "n")
    figure.suptitle(f"Gaussian estimation, d = {dimension}")
    return figure, table[table["quantity"].isin([*QUANTITIES, "marginal_mean", "marginal_variance"])]


def _densities(ax: Axes, table: pd.DataFrame) -> None:
    """First coordinate of the fitted model, first seed, smallest n above d, at a few iterations."""
    n = min((n for n in table["n"].unique() if n > table["d"].iloc[0]), default=table["n"].min())
    marginal = table[table["n"] == n].pivot(index="t", columns="quantity", values="first_seed")
    horizon = marginal.index.max()
    chosen = [t for t in (1, 2, 5, 10, 20, 50, 100) if t <= horizon]
    palette = dict(zip(chosen, sns.color_palette("rocket_r", len(chosen) + 1)[1:], strict=True))
    x = np.linspace(-4, 4, 400)
    ax.plot(x, norm.pdf(x), color="black", linestyle=":", linewidth=1, label="truth")
    for t in chosen:
        mean, variance = marginal.loc[t, ["marginal_mean", "marginal_variance"]]
        ax.plot(x, norm.pdf(x, mean, np.sqrt(variance)), color=palette[t], linewidth=1, label=f"t = {t}")
    ax.set(xlabel=f"x₁ (first seed, n = {n})", ylim=(0, 1.6))
    ax.legend(frameon=False, fontsize="x-small", loc="upper right", handlelength=1)
