"""Appendix: the rows on which each workflow trains at iteration t, by generation, as a picture."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from benchmark.results.colours import REAL, SYNTHETIC, UNUSED
from paper.plots import style
from paper.plots.source import Source

ITERATIONS = 4


def share(entry: str, generation: int, t: int) -> float:
    """The expected share of a generation's rows that are in the training set of iteration t ≥ 1, for generations 0 … t - 1."""
    if entry == "replace":
        return float(generation == t - 1)
    return 1.0 if entry == "accumulate" else 1 / t


def draw(source: Source) -> tuple[Figure, pd.DataFrame]:
    """Figure and the table behind it: the real data (generation 0) and the samples of each iteration's model."""
    rows = [
        {"entry": entry, "t": t, "generation": g, "share": share(entry, g, t)}
        for entry in style.WORKFLOWS
        for t in range(1, ITERATIONS + 1)
        for g in range(t)
    ]
    table = pd.DataFrame(rows)
    figure, axes = style.panels(1, len(style.WORKFLOWS), 1.3, 1.3, sharey=True)
    for ax, entry in zip(axes[0], style.WORKFLOWS, strict=True):
        _panel(ax, table[table["entry"] == entry])
        ax.set_title(style.title(entry))
    axes[0, 0].set_ylabel(style.ITERATION)
    words = {"real rows": REAL, "synthetic rows": SYNTHETIC, "in the pool, unused": UNUSED}
    figure.legend(
        handles=[Patch(color=colour, label=word) for word, colour in words.items()], loc="outside right center"
    )
    return figure, table


def _panel(ax: Axes, table: pd.DataFrame) -> None:
    """A box for each generation in the pool, filled by the share of its rows that train the model."""
    for t, g, part in table[["t", "generation", "share"]].itertuples(index=False):
        ax.add_patch(Rectangle((g - 0.4, t - 0.35), 0.8, 0.7, color=UNUSED, linewidth=0))
        ax.add_patch(Rectangle((g - 0.4, t - 0.35), 0.8 * part, 0.7, color=SYNTHETIC if g else REAL, linewidth=0))
    ax.set(xlim=(-0.6, ITERATIONS - 0.4), ylim=(ITERATIONS + 0.6, 0.4), xlabel="generation (0: real)")
    ax.set_xticks(np.arange(ITERATIONS))
    ax.set_yticks(np.arange(1, ITERATIONS + 1))
    ax.grid(visible=False)
