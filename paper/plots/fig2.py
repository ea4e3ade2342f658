"""Figure 2: kernel density estimation. Test loss by iteration, with panels of their own for each bandwidth.

The published figure shows one mean over three bandwidths; `pooled` does so too.
"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from paper.plots import style
from paper.plots.source import OF_THE_PAPER, Missing, Source

POOLED = (0.1, 0.5, 1.0)


def draw(source: Source, pooled: bool = False) -> tuple[Figure, pd.DataFrame]:
    """Figure and the table behind it: a row for each data set, a column for each bandwidth and entry."""
    entries = source.facets(*style.BOTH)
    table = style.thinned(source.of("kde", "test_loss", *style.BOTH))
    if pooled:
        table = pool(table)
    data_sets = [name for name in style.DATA_SETS if name in set(table["data"])]
    columns = [(h, entry) for h in style.ordered(table["bandwidth"]) for entry in entries]
    palette = style.palette_of(table["n"])
    figure, axes = style.panels(
        len(data_sets), len(columns), 1.2 if len(columns) < 3 else 0.75, sharex=True, sharey="row"
    )
    for row, data in zip(axes, data_sets, strict=True):
        for ax, (h, entry) in zip(row, columns, strict=True):
            mine = (table["data"] == data) & (table["bandwidth"] == h) & (table["entry"] == entry)
            style.curves(ax, table[mine], "n", palette)
            ax.set_yscale("log")
        row[0].set_ylabel(f"{style.DATA_SETS[data]}\ntest NLL (nats)")
    for ax, (h, entry) in zip(axes[0], columns, strict=True):
        ax.set_title(f"{style.title(entry)}\nh = {h}")
    figure.supxlabel(style.ITERATION, fontsize="medium")
    style.legend(figure, palette, "n")
    figure.suptitle("Kernel density estimation")
    return figure, table


def pool(table: pd.DataFrame) -> pd.DataFrame:
    """One mean over all runs of three bandwidths, as if they were independent; the band is ±1.96 standard errors."""
    part = table[table["bandwidth"].isin(POOLED)]
    if set(part["bandwidth"]) != set(POOLED):
        raise Missing(
            f"results of some of the bandwidths {POOLED} are missing. Make them: {OF_THE_PAPER.format('kde')}"
        )
    part = part.assign(instance=part["data"] + " n=" + part["n"].astype(str), error=part["sd"] ** 2 / part["seeds"])
    by = ["task", "instance", "data", "n", "entry", "quantity", "t"]
    found = part.groupby(by, as_index=False).agg(
        seeds=("seeds", "sum"), mean=("mean", "mean"), error=("error", "sum"), count=("error", "size")
    )
    half = 1.96 * np.sqrt(found["error"]) / found["count"]
    name = f"mean over {', '.join(map(str, POOLED))}"
    return found.assign(bandwidth=name, low=found["mean"] - half, high=found["mean"] + half)
