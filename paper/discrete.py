"""Appendix: a discrete distribution, refitted to its own samples. Entropy by iteration, and how long it takes to die out."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper import style
from paper.source import Missing, Source

COMMAND = "python -m paper.collapse_time"


def draw(source: Source) -> tuple[Figure, pd.DataFrame]:
    """Figure and the table behind it: entropy of each entry, then iterations until one outcome is left, against n."""
    entries = source.facets(*style.BOTH)
    table = source.of("discrete", "entropy", *style.BOTH)
    outcomes = style.prefer(table["outcomes"], 10)
    table = style.thinned(table[table["outcomes"] == outcomes])
    palette = style.colours(table["n"])
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
    palette = style.colours(times["K"])
    for k, part in times.sort_values("n").groupby("K"):
        ax.errorbar(part["n"], part["mean"], 1.96 * part["se"], color=palette[k], marker="o", markersize=3, capsize=2)
        ax.plot(part["n"], part["exact"], **style.THEORY)
    ax.set(xscale="log", yscale="log", xlabel="n", ylabel="iterations until collapse", title="Replace")
    style.row_legend(ax, palette, "K", style.theory_handle())
    return times.assign(quantity="collapse_time")
