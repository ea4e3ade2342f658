"""Appendix: a discrete distribution, refitted to its own samples. Entropy by iteration, and the time until one outcome is left."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper.plots import style
from paper.plots.source import Missing, Source

COMMAND = "python -m paper.experiments.collapse_time"


def draw(source: Source) -> tuple[Figure, pd.DataFrame]:
    """Figure and the table behind it: entropy by entry; then, divided by n, the iterations until one outcome is left and their exact mean."""
    entries = source.facets(*style.BOTH)
    table = source.of("discrete", "entropy", *style.BOTH)
    outcomes = style.prefer(table["outcomes"], 10)
    table = style.thinned(table[table["outcomes"] == outcomes])
    palette = style.palette_of(table["n"])
    figure, axes = style.panels(1, len(entries) + 1, 1.3, 1.2)
    for ax, entry in zip(axes[0], entries, strict=False):
        style.curves(ax, table[table["entry"] == entry], "n", palette)
        ax.set(title=f"{style.title(entry)}, K = {outcomes}", xlabel=style.ITERATION, ylim=(0, None))
    axes[0, 0].set_ylabel("entropy (nats)")
    axes[0, 0].legend(handles=style.handles(palette), title="n")
    try:
        return figure, pd.concat([table, _times(axes[0, -1], source)])
    except Missing as missing:
        source.missing.append(str(missing))
        style.empty(axes[0, -1], "no collapse times")
        return figure, table


def _times(ax: Axes, source: Source) -> pd.DataFrame:
    times = source.table("collapse_time.csv", COMMAND)
    palette = style.palette_of(times["K"])
    for k, part in times.sort_values("n").groupby("K"):
        mean, error = part["mean"] / part["n"], 1.96 * part["se"] / part["n"]
        ax.errorbar(part["n"], mean, error, color=palette[k], marker="o", markersize=3, capsize=2)
        ax.plot(part["n"], part["exact"] / part["n"], **style.THEORY)
    style.log_time(ax)
    ax.set(xlabel="n", ylabel="iterations until collapse / n", title="Replace")
    style.row_legend(ax, palette, "K", style.theory_handle())
    half = 1.96 * times["se"]
    named = times.assign(
        instance=[f"K={k} n={n}" for k, n in zip(times["K"], times["n"], strict=True)], theory=times["exact"]
    )
    return named.assign(
        task="discrete", entry="replace", quantity="collapse_time", low=times["mean"] - half, high=times["mean"] + half
    )
