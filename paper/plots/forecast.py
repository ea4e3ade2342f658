"""Forecasts of an entry: each curve so far, its law, and the interval of what comes."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.forecast.choice import CANNOT_TELL
from benchmark.forecast.outlook import Outlook, Wish, outlooks
from benchmark.results.labels import task_title
from benchmark.runs.project import Project
from paper.plots import style

COLUMNS = 4
SEEN, LAW = "0.25", sns.color_palette("colorblind")[0]


class Forecast(NamedTuple):
    """The forecasts of an entry.

    Attributes:
        refused: why some curves have none.
        files: the pictures.
    """

    outlooks: list[Outlook]
    refused: list[str]
    files: list[Path]


def forecast_entry(project: Project, id: str, wish: Wish) -> Forecast:
    """Forecast the curves of an entry, and write a picture of each task-setting to results/PROFILE/forecast as PNG and SVG.

    Raises:
        BadEntry: there is no such entry.
        ThriveError: nothing is finished, an instance does not exist, or the iteration is not ahead.
    """
    found = outlooks(project, id, wish)
    folder = project.results / "forecast"
    files = []
    for task in dict.fromkeys(one.curve.task for one in found.outlooks):
        files += write([one for one in found.outlooks if one.curve.task == task], folder / f"{id}-{task}")
    return Forecast(found.outlooks, found.refused, files)


def write(found: Sequence[Outlook], path: Path) -> list[Path]:
    """The picture of one task-setting as PNG and SVG."""
    style.apply()
    figure = draw(found)
    path.parent.mkdir(parents=True, exist_ok=True)
    paths = [path.parent / f"{path.name}.{kind}" for kind in ("png", "svg")]
    figure.savefig(paths[0], metadata={"Software": None})
    figure.savefig(paths[1], metadata={"Date": None})
    plt.close(figure)
    return paths


def draw(found: Sequence[Outlook]) -> Figure:
    """A panel for each curve."""
    columns = min(COLUMNS, len(found))
    figure, axes = style.panels(math.ceil(len(found) / columns), columns, width=1.25)
    for ax, one in zip(axes.flat, found, strict=False):
        _panel(ax, one)
    for ax in axes.flat[len(found) :]:
        ax.set_axis_off()
    figure.suptitle(
        f"{style.title(found[0].curve.entry)}, {task_title(found[0].curve.task)}: test loss and its forecast",
        fontsize="medium",
    )
    figure.supxlabel(style.ITERATION, fontsize="medium")
    return figure


def _panel(ax: Axes, one: Outlook) -> None:
    losses = one.curve.losses
    t = np.arange(1, losses.shape[1] + 1)
    mean = losses.mean(axis=0)
    ax.plot(t[: one.until], mean[: one.until], color=SEEN, linewidth=1.2)
    ax.plot(
        t[one.until - 1 :], mean[one.until - 1 :], color=SEEN, linewidth=0.8, linestyle=":"
    )  # what came, where it is known
    if one.found is not None:
        look: dict[str, Any] = {"color": LAW}
        ax.plot(one.t, one.centre, **look)
        if np.isfinite(one.low).all() and np.isfinite(one.high).all():
            ax.fill_between(one.t, one.low, one.high, alpha=0.25, linewidth=0, **look)
    style.log_time(ax)
    drawn = np.concatenate([mean, *([one.low, one.high] if one.found is not None else [])])
    drawn = drawn[np.isfinite(drawn)]
    if drawn.min() > 0 and drawn.max() > 100 * drawn.min():
        ax.set_yscale("log")
    ax.axvline(one.until, color="0.7", linewidth=0.6)
    ax.set_title(f"{one.curve.instance}\n{one.choice.kind if one.found else CANNOT_TELL}", fontsize="small")
