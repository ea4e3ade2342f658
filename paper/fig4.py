"""Figure 4: the paper's three workflows side by side in five settings, by iteration.

Replace has a scale of its own, for on one scale all else would be flat; grey in its panel is what the panels beside it show. The loss of
the Gaussian is drawn above that of the truth, ½ d log 2πe, which makes it the divergence from it: positive, and without an offset.
Pretraining is not run here: those are the paper's numbers.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from paper import style
from paper.published import PUBLISHED
from paper.source import Missing, Source


class Row(NamedTuple):
    """A setting: what is drawn of it, its label, what colours tell, and which of its numbers are drawn where there are several."""

    quantity: str
    label: str
    hue: str = "n"
    wished: dict[str, object] = {}


ROWS = {
    "gaussian": Row("test_loss", "Gaussian, d = {d}\nNLL above the truth's\n(nats)", wished={"d": 10}),
    "kde": Row("test_loss", "KDE, {data}, h = {bandwidth}\ntest NLL (nats)", wished={"data": "moons", "bandwidth": 0.5}),
    "linear_regression": Row("mse", "Linear regression,\nd = {d}, σ² = {noise_variance:g}\ntest error", wished={"d": 10, "noise_variance": 1.0}),
    "language_model": Row("test_loss", "LM fine-tuning\ncross-entropy\n(nats per token)", hue="instance"),
    "pretraining": Row("test_loss", "LM pretraining:\npublished, not ours\n(nats per token)", hue="instance"),
}  # fmt: skip

PUBLISHED_LOOK = {"marker": "o", "linestyle": ":", "markevery": 1}
NOTE = "grey under replace: the range of the panels beside it      ×: a loss is infinite from here on"


def draw(source: Source) -> tuple[Figure, pd.DataFrame]:
    """Figure and the table behind it; settings without results are left out, and told."""
    entries = source.facets(*style.WORKFLOWS)
    tables, labels = {}, {}
    for task, row in ROWS.items():
        try:
            tables[task], labels[task] = _chosen(source, task, row)
        except Missing as missing:
            source.missing.append(str(missing))
    figure, axes = style.panels(len(tables), len(entries), 1.2, sharex="row")
    for row, (task, table) in zip(axes, tables.items(), strict=True):
        hue = ROWS[task].hue
        palette = style.colours(table[hue])
        if task == "pretraining":
            palette = {name: PUBLISHED_LOOK | {"color": colour} for name, colour in palette.items()}
        for ax, entry in zip(row, entries, strict=True):
            mine = table[table["entry"] == entry]
            style.curves(ax, mine, hue, palette)
            ax.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 2.5, 5, 10]))
            if mine.empty:
                style.empty(ax)
        _scales(dict(zip(entries, row, strict=True)))
        row[0].set_ylabel(labels[task])
        style.row_legend(row[-1], palette, "n" if hue == "n" else "")
        for ax in row if task == "pretraining" else ():
            ax.set_facecolor("#fbf3e0")
    for ax, entry in zip(axes[0], entries, strict=True):
        ax.set_title(style.title(entry))
    figure.supxlabel(f"{style.ITERATION}\n{NOTE}", fontsize="medium")
    return figure, pd.concat(tables.values())


def _chosen(source: Source, task: str, row: Row) -> tuple[pd.DataFrame, str]:
    """What is drawn of a setting, and its label."""
    if task == "pretraining":
        known = pd.read_csv(PUBLISHED)
        known = known[(known["task"] == task) & known["entry"].isin(source.facets(*style.WORKFLOWS))]
        if known.empty:
            raise Missing(f"{PUBLISHED}: no published numbers of pretraining of these entries")
        return known.rename(columns={"published": "mean"}).assign(low=np.nan, high=np.nan), row.label
    table = source.of(task, row.quantity, *style.WORKFLOWS)
    chosen = {name: style.prefer(table[name], wish) for name, wish in row.wished.items()}
    for name, value in chosen.items():
        table = table[table[name] == value]
    if task == "gaussian":
        ends = ["mean", "low", "high"]
        table = table.assign(**(table[ends] - chosen["d"] / 2 * np.log(2 * np.pi * np.e)))
    return style.thinned(table), row.label.format(**chosen)


def _scales(panels: dict[str, Axes]) -> None:
    """Replace by itself, all others alike; logarithmic where there is a factor of ten to show."""
    others = {entry: ax for entry, ax in panels.items() if entry != "replace"}
    for group in (others, {entry: ax for entry, ax in panels.items() if entry == "replace"}):
        drawn = [y for ax in group.values() for line in ax.lines for y in line.get_ydata() if len(line.get_xdata()) > 1]
        scale = "log" if drawn and np.nanmin(drawn) > 0 and np.nanmax(drawn) > 10 * np.nanmin(drawn) else "linear"
        for ax in group.values():
            ax.set_yscale(scale)
        ends = [end for ax in group.values() if ax.lines for end in ax.get_ylim()]
        for ax in group.values() if ends else ():
            ax.set_ylim(min(ends), max(ends))
        if group is others and ends and "replace" in panels:
            panels["replace"].axhspan(min(ends), max(ends), color="0.9", zorder=0)
