"""Rank intervals: the ranks that the seeds cannot rule out, by final score and by slope, with a panel for each division."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from benchmark.results.labels import division_title
from paper.plots import board, style
from paper.plots.source import Missing, Source

BY = {"rank": "final score", "slope_rank": "slope score"}


def draw(source: Source) -> tuple[Figure, pd.DataFrame]:
    """Figure and the table behind it: ranked entries, the best on top."""
    divisions = [
        (division_title(division["track"], division["budget"]), sorted(ranked, key=lambda row: row["rank"]))
        for division in board.read(source)["divisions"]
        if len(ranked := [row for row in division["rows"] if row["rank"] is not None]) > 1
    ]
    if not divisions:
        raise Missing(f"{source.where}: no division has two ranked entries")
    table = pd.DataFrame(
        [
            {"division": name, "entry": row["entry"], "by": by, "rank": row[key]}
            | {end: row[f"{key}_interval"][end] for end in ("low", "high")}
            for name, rows in divisions
            for row in rows
            for key, by in BY.items()
        ]
    )
    palette = style.entry_looks(BY.values())
    sizes = [len(rows) for _, rows in divisions]
    figure, axes = style.panels(
        len(divisions), 1, 2.2, 0.16 * sum(sizes) / len(sizes) + 0.35, height_ratios=[size + 1 for size in sizes]
    )
    for ax, (name, rows) in zip(axes[:, 0], divisions, strict=True):
        _panel(ax, table[table["division"] == name], [row["entry"] for row in rows], palette)
        ax.set_title(name, loc="left", fontsize="medium")
    axes[-1, 0].set_xlabel("rank within the division; bars: ranks that the seeds cannot rule out")
    style.legend(figure, palette, "by")
    return figure, table


def _panel(ax: Axes, table: pd.DataFrame, entries: list[str], palette: dict[str, dict[str, Any]]) -> None:
    for offset, (by, look) in zip((-0.17, 0.17), palette.items(), strict=True):
        part = table[table["by"] == by].set_index("entry").loc[entries]
        y = [k + offset for k in range(len(entries))]
        ax.hlines(y, part["low"] - 0.12, part["high"] + 0.12, color=look["color"], linewidth=3, alpha=0.5)
        ax.plot(part["rank"], y, linestyle="", markersize=4, **look)
    ax.set_yticks(range(len(entries)), entries)
    ax.set(ylim=(len(entries) - 0.5, -0.5), xlim=(0.5, len(entries) + 0.5))
    ax.xaxis.set_major_locator(MultipleLocator(1))
    ax.grid(visible=False, axis="y")
