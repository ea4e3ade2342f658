"""Appendix: kernel density estimation on one data set, for every bandwidth and workflow."""

import pandas as pd
from matplotlib.figure import Figure

from paper.plots import style
from paper.plots.source import OF_THE_PAPER, Missing, Source


def draw(source: Source, data: str) -> tuple[Figure, pd.DataFrame]:
    """Figure and the table behind it: a row for each bandwidth, a column for each entry."""
    entries = source.facets(*style.WORKFLOWS)
    table = source.of("kde", "test_loss", *style.WORKFLOWS)
    table = style.thinned(table[table["data"] == data])
    if table.empty:
        raise Missing(f"{source.where}: no {data}. Make it: {OF_THE_PAPER.format('kde')}")
    bandwidths, palette = style.ordered(table["bandwidth"]), style.palette_of(table["n"])
    figure, axes = style.panels(len(bandwidths), len(entries), 1.2, sharex=True, sharey="row")
    for row, h in zip(axes, bandwidths, strict=True):
        for ax, entry in zip(row, entries, strict=True):
            style.curves(ax, table[(table["bandwidth"] == h) & (table["entry"] == entry)], "n", palette)
            ax.set_yscale("log")
        row[0].set_ylabel(f"h = {h}\ntest NLL (nats)")
    style.columns_of(figure, axes, entries)
    figure.suptitle(style.DATA_SETS[data])
    style.legend(figure, palette, "n")
    return figure, table
