"""By how many iterations each diagnostic of a language model warns before the loss does."""

import pandas as pd
from matplotlib.figure import Figure

from paper.lead_times import LOSS, leads
from paper.plots import style
from paper.plots.source import Source

COMMAND = "python -m paper.experiments.early_warning"


def draw(source: Source) -> tuple[Figure, pd.DataFrame]:
    """Figure and the table behind it: mean lead with its 95 % interval over seeds, and beside each name its false alarms."""
    runs = source.table("early_warning.csv", COMMAND)
    found = leads(runs[runs["data"] == "surnames"].dropna(axis=1, how="all"))
    table = pd.DataFrame(
        [(one.quantity, *one.lead, one.warned, one.false_alarms) for one in found],
        columns=["quantity", "lead", "low", "high", "warned", "false_alarms"],
    )
    figure, axes = style.panels(1, 1, 3, 0.2 * len(table) / 2 + 1)
    ax = axes[0, 0]
    places = range(len(table))[::-1]
    ax.hlines(places, table["low"], table["high"], color="0.5")
    ax.plot(table["lead"], places, "o", markersize=4)
    ax.axvline(0, color="0.7", linewidth=1, zorder=0)
    names = [f"{one.quantity.replace('_', ' ')} ({one.false_alarms:.0%})" for one in found]
    ax.set_yticks(list(places), names)
    ax.get_yticklabels()[list(table["quantity"]).index(LOSS)].set_fontweight("bold")
    ax.set(xlabel="iterations before the loss alarms (false alarms of healthy fits in brackets)")
    return figure, table
