"""What all figures share: looks, words, and lines with bands."""

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

ITERATION = "model-fitting iteration t"
WORKFLOWS = {"replace": "Replace", "accumulate-subsample": "Accumulate-subsample", "accumulate": "Accumulate"}
DATA_SETS = {"blobs": "Blobs", "circles": "Circles", "moons": "Moons", "swiss_roll": "Swiss roll"}


def apply() -> None:
    """Set the style of all figures."""
    sns.set_theme(context="paper", style="whitegrid", font_scale=0.9)
    mpl.use("agg")
    mpl.rcParams.update(
        {
            "pdf.fonttype": 42,  # fonts embedded as text
            "svg.hashsalt": "thrive",
            "figure.constrained_layout.use": True,
            "savefig.dpi": 160,
            "grid.linewidth": 0.5,
        }
    )


def colours(values: list[Any]) -> dict[Any, Any]:
    """An ordered, colour-blind safe palette: one colour a value."""
    return dict(zip(values, sns.color_palette("viridis", len(values)), strict=True))


def curves(ax: Axes, table: pd.DataFrame, hue: str, palette: dict[Any, Any]) -> None:
    """Mean over seeds with its bootstrap band, a line for each value of `hue`."""
    finite = table.assign(mean=table["mean"].where(np.isfinite(table["mean"])))
    sns.lineplot(finite, x="t", y="mean", hue=hue, palette=palette, errorbar=None, legend=False, ax=ax)
    for value, part in finite.groupby(hue):
        ax.fill_between(part["t"], part["low"], part["high"], color=palette[value], alpha=0.25, linewidth=0)


def legend(figure: Any, palette: dict[Any, Any], title: str) -> None:
    """One legend for all panels, at the right."""
    handles = [Line2D([], [], color=colour, label=str(value)) for value, colour in palette.items()]
    figure.legend(handles=handles, title=title, loc="outside right center", frameon=False)


def numbers(about: dict[str, Any], task: str) -> pd.DataFrame:
    """The instances of a task-setting with their numbers, one row an instance: those whose sampler is unbiased, as in the paper."""
    rows = [{"instance": i["name"], **i["numbers"]} for i in about["tasks"].get(task, {}).get("instances", [])]
    return pd.DataFrame([row for row in rows if row.get("sampler_temperature", 1) == 1])
