"""Figure 4: the paper's three workflows side by side in every task-setting: test loss by iteration."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmark.results import Results
from paper import style

ROWS = {
    "gaussian": "Gaussian\nexpected NLL (nats)",
    "kde": "KDE\ntest NLL (nats)",
    "language_model": "Language model\ncross-entropy\n(nats per token)",
}


def draw(results: Results) -> tuple[Figure, pd.DataFrame] | None:
    """Figure and the table behind it: the ranked instances of each task-setting whose sampler is unbiased; None without results."""
    ranked = pd.DataFrame(
        [
            (task, i["name"])
            for task, about in results.about["tasks"].items()
            for i in about["instances"]
            if i["ranked"] and i["numbers"].get("sampler_temperature", 1) == 1
        ],
        columns=["task", "instance"],
    )
    table = results.curves[results.curves["quantity"] == "test_loss"].merge(ranked)
    table = table[table["entry"].isin(style.WORKFLOWS)]
    tasks = [task for task in ROWS if task in set(table["task"])]
    if not tasks:
        return None
    figure, axes = plt.subplots(
        len(tasks),
        len(style.WORKFLOWS),
        figsize=(8.4, 2.0 * len(tasks) + 0.4),
        sharex="row",
        sharey="row",
        squeeze=False,
    )
    for row, task in zip(axes, tasks, strict=True):
        mine = table[table["task"] == task]
        losses = mine["mean"][np.isfinite(mine["mean"])]
        scale = "log" if losses.min() > 0 and losses.max() > 10 * losses.min() else "linear"
        palette = style.colours(list(dict.fromkeys(ranked.loc[ranked["task"] == task, "instance"])))
        for ax, entry in zip(row, style.WORKFLOWS, strict=True):
            style.curves(ax, mine[mine["entry"] == entry], "instance", palette)
            ax.set(xlabel=style.ITERATION, yscale=scale)
        row[0].set_ylabel(ROWS[task])
        handles = [Line2D([], [], color=colour, label=name) for name, colour in palette.items()]
        row[-1].legend(handles=handles, frameon=False, loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize="small")
    for ax, title in zip(axes[0], style.WORKFLOWS.values(), strict=True):
        ax.set_title(title)
    return figure, table
