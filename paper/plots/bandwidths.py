"""Appendix: final test loss against the bandwidth h, by workflow. Scott's and Silverman's rule are at the right."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from paper.plots import style
from paper.plots.source import Source

RULES = {"scott": "Scott", "silverman": "Silv."}


def draw(source: Source) -> tuple[Figure, pd.DataFrame]:
    """Figure and the table behind it: a row for each data set, a column for each n."""
    entries = source.facets(*style.WORKFLOWS)
    table = source.of("kde", "test_loss", *style.WORKFLOWS)
    horizon = table["t"].max()
    table = table[table["t"] == horizon]
    numbers = sorted({h for h in table["bandwidth"] if h not in RULES})
    rules = [rule for rule in RULES if rule in set(table["bandwidth"])]
    place = {h: float(h) for h in numbers} | {rule: numbers[-1] * 5.0 ** (k + 1) for k, rule in enumerate(rules)}
    data_sets = [name for name in style.DATA_SETS if name in set(table["data"])]
    sizes, palette = sorted(set(table["n"])), style.entry_looks(entries)
    figure, axes = style.panels(len(data_sets), len(sizes), 1, sharex=True, sharey="row")
    for row, data in zip(axes, data_sets, strict=True):
        for ax, n in zip(row, sizes, strict=True):
            for entry in entries:
                part = table[(table["data"] == data) & (table["n"] == n) & (table["entry"] == entry)]
                part = part.assign(x=part["bandwidth"].map(place)).sort_values("x")
                by_rule = part["bandwidth"].isin(rules)
                for some, line in ((part[~by_rule], "-"), (part[by_rule], "")):
                    ax.plot(some["x"], some["mean"], linestyle=line, markersize=3.5, **palette[entry])
                    ax.vlines(some["x"], some["low"], some["high"], color=palette[entry]["color"], linewidth=1)
            ax.set(xscale="log", yscale="log")
            ticks = [h for h in numbers if np.isclose(np.log10(h) % 2, 0)]
            ax.set_xticks(
                [*ticks, *(place[r] for r in rules)], [*(f"{h:g}" for h in ticks), *(RULES[r] for r in rules)]
            )
            ax.tick_params(axis="x", labelrotation=60)
            ax.minorticks_off()
        row[0].set_ylabel(f"{style.DATA_SETS[data]}\ntest NLL (nats)")
    for ax, n in zip(axes[0], sizes, strict=True):
        ax.set_title(f"n = {n}")
    figure.supxlabel("bandwidth h", fontsize="medium")
    figure.suptitle(f"Test loss at t = {horizon}")
    style.legend(figure, palette, "")
    return figure, table
