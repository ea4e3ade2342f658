"""Collapse profile: the share of instances in which each entry collapses, for each definition of the word."""

from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from benchmark.results.collapse import DEFINITIONS
from benchmark.results.labels import above_zero
from paper.plots import board, style
from paper.plots.source import Source


def draw(source: Source) -> tuple[Figure, pd.DataFrame]:
    """Figure and the table behind it: of the instances where a definition applies, the share whose interval over seeds is above 0."""
    found = board.read(source)
    table = pd.DataFrame(
        [
            {"entry": row["entry"], "definition": definition, **_count(row, definition)}
            for row in board.rows(found)
            for definition in DEFINITIONS
        ]
    )  # fmt: skip
    share = (table["collapsed"] / table["instances"].where(table["instances"] > 0)).rename("share")
    table = table.assign(share=share, words=table["collapsed"].astype(str) + "/" + table["instances"].astype(str))
    grid = table.pivot(index="entry", columns="definition", values="share")[list(DEFINITIONS)]
    order = grid.mean(axis=1).sort_values(kind="stable").index
    words = table.pivot(index="entry", columns="definition", values="words").loc[order, list(DEFINITIONS)]
    figure, axes = style.panels(1, 1, 3.6, 0.13 * len(order) + 0.5)
    sns.heatmap(
        grid.loc[order], ax=axes[0, 0], cmap="Blues", vmin=0, vmax=1, annot=words,
        fmt="", annot_kws={"fontsize": "x-small"}, cbar_kws={"label": "share of instances that collapse"}, linewidths=0.5,
    )  # fmt: skip
    axes[0, 0].set(xlabel="", ylabel="")
    axes[0, 0].set_facecolor("0.9")
    axes[0, 0].grid(visible=False)
    axes[0, 0].set_title("entries in order of their mean share; grey: not defined", loc="left", fontsize="small")
    axes[0, 0].tick_params(axis="x", labelrotation=40)
    return figure, table.drop(columns="words")


def _count(row: dict[str, Any], definition: str) -> dict[str, int]:
    """The instances (for scaling, families of them) where a definition applies, and those where its interval is above 0, as +inf is."""
    if definition == "scaling":
        parts = [estimate for task in row["tasks"] for estimate in task["scaling"].values()]
    else:
        profiles = [instance["collapse"] for task in row["tasks"] for instance in task["instances"]]
        parts = [profile[definition] for profile in profiles if definition in profile]
    above = [above_zero(part["centre"], part["low"]) for part in parts]
    return {"collapsed": sum(above), "instances": len(parts)}
