"""Figure 3: language-model fine-tuning. Cross-entropy on held-out real text by iteration: ours, and below it the published curves.

The losses are of other models on other data, each with a tokenizer of its own, so that the two rows have scales of their own.
"""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from paper.plots import style
from paper.plots.source import Source
from paper.published import PUBLISHED

PUBLISHED_LOOK = {"marker": "o", "linestyle": ":", "markevery": 1}
LABEL = "cross-entropy on real text\n(nats per token)"


def draw(source: Source) -> tuple[Figure, pd.DataFrame]:
    """Figure and the table behind it: a panel for each entry, a line for each instance."""
    entries = source.facets(*style.WORKFLOWS)
    ours = source.of("language_model", "bits_per_byte", *style.WORKFLOWS)
    known = pd.read_csv(PUBLISHED).query("task == 'language_model' and entry in @entries").astype({"t": int})
    theirs = known.rename(columns={"value": "mean"}).assign(low=np.nan, high=np.nan)
    rows = [(ours, None, "cross-entropy on real text\n(bits per byte)")] + [
        (theirs, PUBLISHED_LOOK, f"published\n{LABEL}")
    ] * (len(theirs) > 0)
    figure, axes = style.panels(len(rows), len(entries), 1.4, 1.1, sharex="row", sharey="row")
    for row, (table, look, label) in zip(axes, rows, strict=True):
        palette = style.palette_of(table["instance"], look)
        for ax, entry in zip(row, entries, strict=True):
            _panel(ax, table[table["entry"] == entry], palette)
        row[0].set_ylabel(label)
        style.row_legend(row[-1], palette, "")
    style.columns_of(figure, axes, entries)
    return figure, pd.concat([table for table, _, _ in rows])


def _panel(ax: Axes, table: pd.DataFrame, palette: dict[Any, Any]) -> None:
    style.curves(ax, table, "instance", palette)
    ax.set_yscale("log")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    for formatted in (ax.yaxis.set_major_formatter, ax.yaxis.set_minor_formatter):
        formatted(ScalarFormatter())
