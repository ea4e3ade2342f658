"""Figure 1: multivariate Gaussian estimation. Fitted 1-D densities, trace ratio and error of the mean by iteration.

The published figure drew its densities with the variance in the place of the standard deviation; `as_published` does so too.
"""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import norm

from paper.plots import style
from paper.plots.source import Source

DIMENSION = 10
QUANTITIES = {"trace_ratio": "tr Σ / d", "mean_error": "‖μ − μ₀‖²"}
MARGINAL = ["marginal_mean", "marginal_variance"]


def draw(source: Source, as_published: bool = False) -> tuple[Figure, pd.DataFrame]:
    """Figure and the table behind it: a row for each entry."""
    entries = source.facets(*style.BOTH)
    table = source.of("gaussian", [*QUANTITIES, *MARGINAL], *style.BOTH)
    dimension = style.prefer(table["d"], DIMENSION)
    table = table[table["d"] == dimension]
    n = min((n for n in table["n"].unique() if n > dimension), default=table["n"].min())
    densities = table[
        table["quantity"].isin(MARGINAL) & (table["n"] == n) & table["t"].isin((1, 2, 5, 10, 20, 50, 100))
    ]
    lines = style.thinned(table[table["quantity"].isin(QUANTITIES)])
    palette = style.palette_of(table["n"])
    figure, axes = style.panels(len(entries), 3, 1.25)
    for row, entry in zip(axes, entries, strict=True):
        mine = lines[lines["entry"] == entry]
        _densities(row[0], densities[densities["entry"] == entry], as_published)
        row[0].set(xlabel=f"x₁ (first seed, n = {n})", ylabel=f"{style.title(entry)}\ndensity")
        for ax, (quantity, label) in zip(row[1:], QUANTITIES.items(), strict=True):
            style.curves(ax, mine[mine["quantity"] == quantity], "n", palette)
            ax.set(xlabel=style.ITERATION, ylabel=label)
        row[1].set_ylim(0, max(1.15, 1.05 * lines.loc[lines["quantity"] == "trace_ratio", "mean"].max()))
        row[2].set_yscale("log")
    for ax in axes[:, 2]:  # one scale, so that the rows can be compared
        ax.set_ylim(min(a.get_ylim()[0] for a in axes[:, 2]), max(a.get_ylim()[1] for a in axes[:, 2]))
    style.legend(figure, palette, "n")
    words = ": densities as published, with σ² in place of σ" if as_published else ""
    figure.suptitle(f"Gaussian estimation, d = {dimension}{words}")
    drawn = densities.assign(mean=densities["first_seed"], seeds=1, low=np.nan, high=np.nan)
    return figure, pd.concat([drawn, lines])


def _densities(ax: Axes, table: pd.DataFrame, as_published: bool) -> None:
    """The fitted density of the first coordinate at a few iterations."""
    marginal = table.pivot(index="t", columns="quantity", values="first_seed")
    palette = dict(zip(marginal.index, sns.color_palette("rocket_r", len(marginal) + 1)[1:], strict=True))
    x = np.linspace(-4, 4, 400)
    ax.plot(x, norm.pdf(x), color="black", linestyle=":", linewidth=1, label="truth")
    for t, (mean, variance) in marginal[MARGINAL].iterrows():
        width = variance if as_published else np.sqrt(variance)
        ax.plot(x, norm.pdf(x, mean, width), color=palette[t], linewidth=1, label=f"t = {t}")
    ax.set_ylim(0, 1.6)
    ax.legend(fontsize="x-small", loc="upper right", handlelength=1)
