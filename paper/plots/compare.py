"""Two entries compared: each difference with its interval, in units of the board's score, for final loss and slope."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.results import paired
from benchmark.results.colours import HIGHER, LOWER, NEITHER
from benchmark.results.paired import QUANTITIES, Row, frame
from benchmark.results.profile import BOARD
from benchmark.runs.project import Project
from paper.plots import style

TITLES = {"final": "final test loss", "slope": "slope of test loss"}
EDGE = 1.15  # times the widest finite interval: where an infinite difference is drawn


class Comparison(NamedTuple):
    """Two entries compared, A minus B."""

    rows: list[Row]
    text: str
    """The rows for a console."""
    notes: list[str]
    """What the rows leave out."""
    files: list[Path]
    """The picture and its table."""


def compare_entries(project: Project, a: str, b: str) -> Comparison:
    """Compare two entries on a profile, and write the picture to results/PROFILE/compare.

    Raises:
        BadEntry: an entry does not exist or cannot be read.
        ThriveError: an entry has no results, or the two have none in common.
    """
    for id in (a, b):
        project.entry(id)
    scores = paired.load(project.root, BOARD, project.profile, project.task_settings())
    rows = paired.compare(scores, a, b)
    files = write(rows, a, b, project.results / "compare")
    return Comparison(rows, paired.text(rows, a, b), paired.notes(scores, a, b), files)


def write(rows: Sequence[Row], a: str, b: str, folder: Path) -> list[Path]:
    """Write the picture as PNG and PDF and the table behind it as CSV; returns the files."""
    style.apply()
    figure = draw(rows, a, b)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{a}-vs-{b}.{kind}" for kind in ("png", "pdf", "csv")]
    figure.savefig(paths[0], metadata={"Software": None})
    figure.savefig(paths[1], metadata={"CreationDate": None})  # without a date the bytes are always the same
    frame(rows).to_csv(paths[2], index=False, float_format="%.6g")
    plt.close(figure)
    return paths


def draw(rows: Sequence[Row], a: str, b: str) -> Figure:
    """A panel for each quantity, and in it a line for each difference that has a score or is infinite."""
    lines = {quantity: _lines(rows, quantity) for quantity in QUANTITIES}
    figure, axes = plt.subplots(1, len(lines), figsize=(8.4, 1.5 + 0.24 * len(lines["final"])), squeeze=False)
    for ax, quantity in zip(axes[0], lines, strict=True):
        _panel(ax, lines[quantity])
        ax.set(title=TITLES[quantity], xlabel="← A better      score, A minus B      B better →")
    axes[0, 1].tick_params(labelleft=False)
    figure.suptitle(f"A = {a}, B = {b}: paired by seed, 95 % t intervals")
    return figure


def _lines(rows: Sequence[Row], quantity: str) -> list[Row]:
    """The differences of a quantity that are drawn: for every quantity those of the same instances."""
    drawn = {(r.task, r.instance) for r in rows if any(r.diverged) or not np.isnan(r.score.centre)}
    return [row for row in rows if row.quantity == quantity and (row.task, row.instance) in drawn]


def _panel(ax: Axes, rows: list[Row]) -> None:
    ends = [abs(end) for row in rows for end in row.score if np.isfinite(end)]
    edge = EDGE * (max(ends, default=0.0) or 1.0)
    ax.axvline(0, color="0.2", linewidth=0.8)
    for y, row in enumerate(rows):
        _difference(ax, y, row, edge)
    ax.set_xlim(-1.1 * edge, 1.1 * edge)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_yticks(range(len(rows)), [_label(row) for row in rows])
    for tick, row in zip(ax.get_yticklabels(), rows, strict=True):
        tick.set_fontweight("normal" if row.instance else "bold")
    ax.grid(visible=False, axis="y")


def _difference(ax: Axes, y: int, row: Row, edge: float) -> None:
    colour = {"lower": LOWER, "higher": HIGHER}.get(row.verdict.split(":")[0], NEITHER)
    marker: dict[str, Any] = {"color": colour, "markersize": 5 if row.instance else 7}
    if any(row.diverged):
        a, b = row.diverged
        x = 0.0 if a and b else edge if a else -edge
        ax.plot(x, y, marker="x" if a and b else ">" if a else "<", **marker)
        words = f"diverged: A {a}, B {b} of {row.runs}"
        ax.text(
            -0.05 * edge if x > 0 else 0.05 * edge, y, words, va="center", ha="right" if x > 0 else "left", fontsize=6.5
        )
        return
    ax.plot([row.score.low, row.score.high], [y, y], color=colour, linewidth=1.5 if row.instance else 2.5)
    ax.plot(row.score.centre, y, marker="o" if row.instance else "D", **marker)


def _label(row: Row) -> str:
    return f"{row.task} {row.instance}" if row.instance else f"{row.task}, mean"
