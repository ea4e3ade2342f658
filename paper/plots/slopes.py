"""Final score against slope score of every entry, with a panel for each task-setting: how much the two differ."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from benchmark.results.colours import VERDICTS
from benchmark.results.labels import task_title
from paper.plots import board, style
from paper.plots.source import Missing, Source

NAMED = {"real-only": (6, -6), "replace": (6, -8), "accumulate": (14, -12), "accumulate-subsample": (14, -3)}
"""Entries that are named in the figure, and the offsets of the names from their points."""
WIDE = 10.0
"""If a score is larger than this, the axes are logarithmic beyond 1."""


def draw(source: Source) -> tuple[Figure, pd.DataFrame]:
    """Figure and the table behind it. Colours and markers show verdicts. Entries with a run that diverged are left out."""
    found = board.read(source)
    table = pd.DataFrame(
        [
            {"task": task["task"], "entry": row["entry"], "verdict": task["verdict"]}
            | {f"{score}_{end}": task[score][end] for score in ("score", "slope_score") for end in ("centre", "low", "high")}
            for row in board.rows(found)
            for task in row["tasks"]
            if task["score"]["centre"] is not None and task["verdict"] is not None
        ]
    )  # fmt: skip
    if table.empty:
        raise Missing(f"{source.where}: no entry has a finite score")
    tasks = [task["task"] for task in found["tasks"]]
    palette = {verdict: {"color": look.light, "marker": look.marker} for verdict, look in VERDICTS.items()}
    figure, axes = style.panels(1, len(tasks), 1.6, 1.6)
    for ax, task in zip(axes[0], tasks, strict=True):
        part = table[table["task"] == task].astype({"score_centre": float, "slope_score_centre": float})
        for verdict, some in part.groupby("verdict"):
            x, y = some["slope_score_centre"], some["score_centre"]
            spread = [np.abs(some[[f"{s}_low", f"{s}_high"]].to_numpy(float).T - some[f"{s}_centre"].to_numpy()) for s in ("slope_score", "score")]  # fmt: skip
            colour = palette[verdict]["color"]
            ax.errorbar(x, y, spread[1], spread[0], fmt="none", ecolor=colour, elinewidth=0.7, alpha=0.6)
            ax.plot(x, y, linestyle="", markersize=4, **palette[verdict])
        for entry, x, y in part[["entry", "slope_score_centre", "score_centre"]].itertuples(index=False):
            if entry in NAMED:
                arrow = {"arrowstyle": "-", "color": "0.5", "linewidth": 0.5}
                ax.annotate(
                    entry,
                    (x, y),
                    NAMED[entry],
                    textcoords="offset points",
                    fontsize="x-small",
                    va="top",
                    arrowprops=arrow,
                )
        largest = part["score_centre"].max()
        ax.plot([0, largest], [0, largest], color="0.7", linewidth=0.8, zorder=0)
        if largest > WIDE:
            ax.set_xscale("symlog", linthresh=1, linscale=1)
            ax.set_yscale("symlog", linthresh=1, linscale=1)
            ticks = [0, 0.5, 1, 2, 5, 10, 20]
            ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        rho = part[["score_centre", "slope_score_centre"]].corr("spearman").iloc[0, 1]
        ax.set(title=f"{task_title(task)}, rank correlation {rho:.2f}", xlabel="slope score")
    axes[0, 0].set_ylabel("final score")
    style.legend(figure, palette, "verdict")
    sns.despine(figure)
    return figure, table
