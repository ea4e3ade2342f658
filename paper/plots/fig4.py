"""Figure 4: the paper's three workflows side by side in five settings, by iteration.

Replace has a scale of its own, because on a common scale all other curves would be flat. The Gaussian's loss is drawn minus the truth's,
½ d log 2πe: the result is the divergence from the truth, which is positive. Of pretraining the paper's numbers are drawn, dotted, and beside
them a small network of ours that is trained from random weights on surnames (profile `from-scratch`).
"""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from paper.plots import pretraining, style
from paper.plots.source import Missing, Source


class Row(NamedTuple):
    """A row of panels: a quantity, its label, what the colours distinguish, and the instances to prefer."""

    quantity: str
    label: str
    hue: str = "n"
    wished: dict[str, object] = {}


ROWS = {
    "gaussian": Row("test_loss", "Gaussian, d = {d}\nNLL above the truth's\n(nats)", wished={"d": 10}),
    "kde": Row("test_loss", "KDE, {data}, h = {bandwidth}\ntest NLL (nats)", wished={"data": "moons", "bandwidth": 0.5}),
    "linear_regression": Row("mse", "Linear regression,\nd = {d}, σ² = {noise_variance:g}\ntest error", wished={"d": 10, "noise_variance": 1.0}),
    "language_model": Row("bits_per_byte", "LM fine-tuning\ncross-entropy\n(bits per byte)", hue="instance"),
    "pretraining": Row("test_loss", "LM pretraining:\npublished (dotted), ours\n(nats per token)", hue="instance"),
}  # fmt: skip
GREY = "grey under replace: the range of the other panels of the row      "


def draw(source: Source) -> tuple[Figure, pd.DataFrame]:
    """Figure and the table behind it. Settings without results are left out and listed in the source's `missing`."""
    entries = source.facets(*style.WORKFLOWS)
    tables, labels = {}, {}
    for task, row in ROWS.items():
        try:
            tables[task], labels[task] = _chosen(source, task, row)
        except Missing as missing:
            source.missing.append(str(missing))
    if not tables:
        raise Missing("no setting has results")
    figure, axes = style.panels(len(tables), len(entries), 1.2, sharex="row")
    for row, (task, table) in zip(axes, tables.items(), strict=True):
        hue = ROWS[task].hue
        palette = pretraining.looks(table[hue]) if task == "pretraining" else style.palette_of(table[hue])
        for ax, entry in zip(row, entries, strict=True):
            style.curves(ax, table[table["entry"] == entry], hue, palette)
            ax.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 2.5, 5, 10]))
            ax.set_facecolor("#fbf3e0" if task == "pretraining" else "white")
        style.one_apart(row, entries.index("replace") if "replace" in entries else None)
        row[0].set_ylabel(labels[task])
        style.row_legend(row[-1], palette, "n" if hue == "n" else "")
    style.columns_of(figure, axes, entries, GREY * ("replace" in entries) + style.INFINITE)
    return figure, pd.concat(tables.values())


def _chosen(source: Source, task: str, row: Row) -> tuple[pd.DataFrame, str]:
    """The curves of a setting that are drawn, and its label."""
    entries = source.facets(*style.WORKFLOWS)
    if task == "pretraining":
        return pretraining.curves(source, entries), row.label
    table, chosen = style.family(source.of(task, row.quantity, *style.WORKFLOWS), row.wished)
    if task == "gaussian":
        ends = ["mean", "low", "high"]
        table = table.assign(**(table[ends] - chosen["d"] / 2 * np.log(2 * np.pi * math.e)))
    return style.thinned(table), row.label.format(**chosen)
