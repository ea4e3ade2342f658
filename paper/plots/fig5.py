"""Figure 5: cardinality and proportion of real data. Loss of one fit to some real and some synthetic rows.

As published, every training set is seen for one epoch, so that few rows also mean few optimizer steps. A second row of panels shows fits
that all take the same number of steps.
"""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper.plots import style
from paper.plots.source import Source

LABELS = {
    "language_model": "LM cross-entropy\n(nats per token)", "gaussian": "Gaussian NLL (nats)", "kde": "KDE test NLL (nats)",
}  # fmt: skip
CONTROLS = {"epochs": "one epoch (as published)", "steps": "equal steps (control)"}
UNTRAINED: dict[str, Any] = {"color": "0.3", "linestyle": ":", "linewidth": 1.2}
COMMAND = "python -m paper.experiments.cardinality"


def draw(source: Source) -> tuple[Figure, pd.DataFrame]:
    """Figure and the table behind it: a row for each task-setting and control. Loss against the number, and the proportion, of real rows."""
    table = source.table("cardinality.csv", COMMAND)
    table = table.assign(proportion=table["real"] / (table["real"] + table["synthetic"]))
    rows = [(t, c) for t in LABELS for c in CONTROLS if ((table["task"] == t) & (table["control"] == c)).any()]
    figure, axes = style.panels(len(rows), 2, 1.7, 1.15)
    for row, (task, control) in zip(axes, rows, strict=True):
        of_task = table[table["task"] == task]
        part = of_task[(of_task["control"] == control) & (of_task["proportion"].notna())]
        synthetic, real = style.palette_of(part["synthetic"]), style.palette_of(part["real"])
        _lines(row[0], part[part["real"] > 0], "real", "synthetic", synthetic)
        _lines(row[1], part[part["synthetic"] > 0], "proportion", "real", real)
        controls = f"\n{CONTROLS[control]}" if of_task["control"].nunique() > 1 else ""
        row[0].set_ylabel(f"{LABELS[task]}{controls}")
        counts = sorted(set(part["real"]) - {0})
        row[0].set_xscale("log")
        row[0].set_xticks(counts, [str(count) for count in counts])
        row[0].minorticks_off()
        for ax in row:
            for loss in of_task[of_task["proportion"].isna()]["mean"]:
                ax.axhline(loss, **UNTRAINED)
            ax.set_ylim(of_task["mean"].min() - 0.05 * np.ptp(of_task["mean"]), None)
            ax.sharey(row[0]) if ax is not row[0] else None
        row[1].set_xlim(-0.03, 1.03)
        untrained = [Line2D([], [], label="untrained", **UNTRAINED)] if of_task["proportion"].isna().any() else []
        style.row_legend(row[0], synthetic, "synthetic rows", *untrained)
        style.row_legend(row[1], real, "real rows", *untrained)
    figure.suptitle("One fit to some real and some synthetic rows; bars: one standard error", fontsize="medium")
    axes[-1, 0].set_xlabel("number of real rows")
    axes[-1, 1].set_xlabel("real rows / all rows")
    return figure, table


def _lines(ax: Axes, table: pd.DataFrame, x: str, hue: str, palette: dict[Any, Any]) -> None:
    """Means over seeds with their standard errors."""
    for value, part in table.sort_values(x).groupby(hue):
        error = part["sd"] / part["seeds"] ** 0.5
        ax.errorbar(part[x], part["mean"], error, color=palette[value], marker="o", markersize=3, capsize=2)
