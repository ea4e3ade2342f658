"""The phase diagrams: which shares of real rows are safe, across n, data, sampler temperature and ratio, with iso-lines of the excess."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullFormatter, PercentFormatter, StrMethodFormatter

from benchmark.results.scoring import Interval
from maps import theory
from maps.answer import UNIT, describe
from maps.survey import NUMBERS
from maps.verdicts import OPEN, SAFE, UNSAFE, boundary, crossing, verdict
from paper.plots import style

LEVELS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Iso-lines, in nats; the sweep's threshold is drawn besides, with its interval."""
AXES = {
    "n": "n",
    "sampler_temperature": "sampler temperature τ",
    "ratio": "synthetic rows for each real row",
    "data": "",
}
COLOURS = dict(zip((SAFE, OPEN, UNSAFE), ("#0072b2", "0.65", "#d55e00"), strict=True))


class Panel(NamedTuple):
    """Rows of a map that differ in one number."""

    axis: str
    title: str
    points: pd.DataFrame


def panels(points: pd.DataFrame) -> Iterator[Panel]:
    """Every group of rows of the map that differ in one number alone."""
    numbers = [name for name in (*NUMBERS, "ratio") if name in points]
    for axis in [name for name in AXES if name in points]:
        kept = points[points[axis].notna()]
        for key, group in kept.groupby([name for name in numbers if name != axis], dropna=False):
            if group[axis].nunique() > 1:
                fixed = dict(zip([name for name in numbers if name != axis], key, strict=True))
                yield Panel(axis, describe(fixed), group)


def by_row(panel: Panel) -> Iterator[tuple[Any, list[float], list[Interval]]]:
    """The rows of a panel: position, shares in ascending order, and the interval of the excess at each."""
    for at, row in panel.points.groupby(panel.axis):
        row = row.sort_values("share")
        ends = zip(row["mean"], row["low"], row["high"], strict=True)
        yield at, [float(share) for share in row["share"]], [Interval(*map(float, each)) for each in ends]


def isolines(points: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """The table behind the figure: where each row crosses each level, by asinh of the excess between two shares, which
    falls steeply away from the threshold. Columns: panel, axis, at, level, share, and low and high at the threshold.
    """
    lines: list[dict[str, Any]] = []
    for panel in panels(points):
        for at, shares, found in by_row(panel):
            edge = boundary(shares, found, threshold)
            place = {"panel": panel.title, "axis": panel.axis, "at": at}
            lines.append(place | {"level": threshold, "share": edge.least, "low": edge.low, "high": edge.high})
            means = [interval.centre for interval in found]
            lines += [
                place | {"level": level, "share": crossing(shares, list(np.arcsinh(means)), np.arcsinh(level))}
                for level in LEVELS
                if level != threshold and max(means) > level
            ]
    return pd.DataFrame(lines)


def draw(points: pd.DataFrame, task: str, threshold: float, target: Path) -> list[Path]:
    """Draw the phase diagram at T, as PDF and PNG, with its table as CSV; returns what was written."""
    style.apply()
    points = points[points["t"] == points["t"].max()]
    table = isolines(points, threshold)
    drawn = list(panels(points))
    figure, axes = style.panels(1, len(drawn), 1.25, 1.5, sharey=True)
    palette = style.palette_of(level for level in LEVELS if level != threshold)
    for ax, panel in zip(axes[0], drawn, strict=True):
        lines = table[(table["panel"] == panel.title) & (table["axis"] == panel.axis)]
        _panel(ax, panel, lines, threshold, palette)
        if task == "gaussian":
            _closed_form(ax, panel, threshold)
    axes[0, 0].set_ylabel("share of real rows")
    axes[0, 0].yaxis.set_major_formatter(PercentFormatter(1))
    handles = [Line2D([], [], label=f"shown {word}" if word != OPEN else word, marker="o", linestyle="", color=colour, markersize=4)
               for word, colour in COLOURS.items()]  # fmt: skip
    handles += [
        Line2D([], [], color=colour, linewidth=0.9, label=f"{level:g}")
        for level, colour in palette.items()
        if level != threshold
    ]
    handles += [Line2D([], [], color="black", linewidth=1.8, label=f"{threshold:g}, with interval")]
    if task == "gaussian":
        handles += [style.theory_handle("closed form")]
    figure.legend(
        handles=handles,
        title=f"excess at t = {points['t'].max()}\nin {UNIT.get(task, 'nats per example')}",
        loc="outside right center",
    )
    target.mkdir(parents=True, exist_ok=True)
    written = [target / f"{task}.{kind}" for kind in ("pdf", "png", "csv")]
    for path in written[:2]:
        figure.savefig(path, metadata={"CreationDate": None} if path.suffix == ".pdf" else {"Software": None})
    plt.close(figure)
    table.to_csv(written[2], index=False, float_format="%.4g")
    return written


def _panel(ax: Axes, panel: Panel, lines: pd.DataFrame, threshold: float, palette: dict[float, Any]) -> None:
    places = {at: k if panel.axis == "data" else at for k, at in enumerate(sorted(set(panel.points[panel.axis])))}
    for at, shares, found in by_row(panel):
        colours = [COLOURS[verdict(interval, threshold)] for interval in found]
        ax.scatter([places[at]] * len(shares), shares, s=9, c=colours, zorder=3, linewidth=0)
    joined: dict[str, Any] = {"marker": "_", "markersize": 12, "linestyle": ""} if panel.axis == "data" else {}
    for level, line in lines.groupby("level"):
        x = [places[at] for at in line["at"]]
        if level == threshold:
            low, high = line["low"].fillna(0), line["high"].fillna(1)
            ax.plot(x, line["share"], color="black", linewidth=1.8, **joined)
            if joined:
                ax.vlines(x, low, high, color="black", alpha=0.3, linewidth=5)
            else:
                ax.fill_between(x, low, high, color="black", alpha=0.15, linewidth=0)
        else:
            ax.plot(x, line["share"], color=palette[float(str(level))], linewidth=0.9, zorder=2, **joined)
    ax.set(title=panel.title.replace(", ", ",\n", 1), xlabel=AXES[panel.axis], ylim=(-0.03, 1.03))
    ax.title.set_fontsize("small")
    if panel.axis == "n":
        ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator(list(places.values())))
    ax.xaxis.set_minor_formatter(NullFormatter())
    if panel.axis == "data":
        ax.set_xticklabels([style.DATA_SETS[name] for name in places], rotation=30, ha="right")
    else:
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))


def _closed_form(ax: Axes, panel: Panel, threshold: float) -> None:
    """The boundary that `maps.theory.excess` predicts."""
    ends = panel.points[panel.axis].min(), panel.points[panel.axis].max()
    fixed = panel.points.iloc[0]
    x = np.geomspace(*ends, 25) if panel.axis == "n" else np.linspace(*ends, 25)
    y = [closed_form_boundary({**fixed, panel.axis: value}, threshold) for value in x]
    ax.plot(x, y, **style.THEORY, zorder=4)


def closed_form_boundary(numbers: dict[str, Any], threshold: float) -> float:
    """The share at which the closed form of the excess at T is the threshold, linear between steps of 1/50; NaN if none is."""
    shares = np.linspace(0, 1, 51)[1:]
    ratio = numbers["ratio"]
    predicted = [
        theory.excess(int(numbers["d"]), int(numbers["n"]), share, 1 - share if np.isnan(ratio) else ratio * share,
                      numbers["sampler_temperature"], int(numbers["t"]))[-1]
        for share in shares
    ]  # fmt: skip
    return crossing(list(shares), predicted, threshold) if predicted[0] > threshold else float("nan")
