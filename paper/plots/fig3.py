"""Figure 3: language-model fine-tuning. Cross-entropy on held-out real text by iteration."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from paper.plots import style
from paper.plots.source import Source


def draw(source: Source) -> tuple[Figure, pd.DataFrame]:
    """Figure and the table behind it: a panel for each entry, a line for each instance."""
    entries = source.facets(*style.BOTH)
    table = source.of("language_model", "bits_per_byte", *style.BOTH)
    palette = style.colours(table["instance"])
    figure, axes = style.panels(1, len(entries), 1.4, 1.3, sharex=True, sharey=True)
    for ax, entry in zip(axes[0], entries, strict=True):
        style.curves(ax, table[table["entry"] == entry], "instance", palette)
        ax.set(title=style.title(entry), xlabel=style.ITERATION, yscale="log")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        for formatted in (ax.yaxis.set_major_formatter, ax.yaxis.set_minor_formatter):
            formatted(ScalarFormatter())
    axes[0, 0].set_ylabel("cross-entropy on real text\n(bits per byte)")
    style.legend(figure, palette, "")
    return figure, table
