"""Figure 2: kernel density estimation. Test loss by iteration, a figure for each bandwidth.

The published figure pools three bandwidths into one mean; here each has its own.
"""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from benchmark.results import Results
from paper import style

COLUMNS = ("replace", "accumulate")


def draw(results: Results) -> tuple[Figure, pd.DataFrame] | None:
    """Figure and the table behind it, at the bandwidth that most instances have; None without a KDE instance."""
    instances = style.numbers(results.about, "kde")
    if instances.empty:
        return None
    bandwidth = instances["bandwidth"].mode()[0]
    curves = results.curves[(results.curves["task"] == "kde") & (results.curves["quantity"] == "test_loss")]
    table = curves.merge(instances[instances["bandwidth"] == bandwidth])
    table = table[table["entry"].isin(COLUMNS)]
    data_sets = [name for name in style.DATA_SETS if name in set(table["data"])]
    palette = style.colours(sorted(table["n"].unique()))
    figure, axes = plt.subplots(
        len(data_sets),
        len(COLUMNS),
        figsize=(6.2, 1.7 * len(data_sets) + 0.6),
        sharex=True,
        sharey="row",
        squeeze=False,
    )
    for row, data in zip(axes, data_sets, strict=True):
        for ax, entry in zip(row, COLUMNS, strict=True):
            style.curves(ax, table[(table["data"] == data) & (table["entry"] == entry)], "n", palette)
            ax.set(xlabel=style.ITERATION, yscale="log")
        row[0].set_ylabel(f"{style.DATA_SETS[data]}\ntest NLL (nats)")
    for ax, entry in zip(axes[0], COLUMNS, strict=True):
        ax.set_title(style.WORKFLOWS[entry])
    style.legend(figure, palette, "n")
    figure.suptitle(f"Kernel density estimation, bandwidth {bandwidth}")
    return figure, table
