"""Appendix: the share of real data in the training set by iteration, as the harness measured it."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from paper.plots import style
from paper.plots.source import Source


def draw(source: Source) -> tuple[Figure, pd.DataFrame]:
    """Figure and the table behind it: one instance, a line for each entry. The closed form is 1/t for every entry that accumulates."""
    table = source.of("gaussian", "real_share", *style.WORKFLOWS)
    chosen = table[table["d"] == style.prefer(table["d"], 10)]
    chosen = style.thinned(chosen[chosen["n"] == style.prefer(chosen["n"], 100)])
    palette = style.entry_looks(source.facets(*style.WORKFLOWS))
    figure, axes = style.panels(1, 1, 2.4, 1.6)
    ax = axes[0, 0]
    style.curves(ax, chosen, "entry", palette)
    t = sorted(set(chosen["t"]))
    ax.plot(t, [1 / k for k in t], **style.THEORY, zorder=3)
    style.log_time(ax)
    ax.set(xlabel=style.ITERATION, ylabel="real share of the training set", ylim=(-0.03, 1.03))
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    style.legend(figure, palette, "", style.theory_handle("1 / t"))
    return figure, chosen
