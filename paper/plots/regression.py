"""Appendix: linear regression by iteration, for every noise or every dimension, with its closed form if there is one."""

import pandas as pd
from matplotlib.figure import Figure

from paper import theory
from paper.plots import style
from paper.plots.source import Source

WISHED = {"noise_variance": 1.0, "d": 10}
LABELS = {"noise_variance": "σ² = {:g}", "d": "d = {}"}


def draw(source: Source, by: str) -> tuple[Figure, pd.DataFrame]:
    """Figure and the table behind it: a row for each value of `by` (noise_variance or d), a column for each entry."""
    entries = source.facets(*style.WORKFLOWS)
    table = known(source)
    [(other, wish)] = [(name, wish) for name, wish in WISHED.items() if name != by]
    fixed = style.prefer(table[other], wish)
    table = style.thinned(table[table[other] == fixed])
    values, palette = sorted(set(table[by])), style.palette_of(table["n"])
    figure, axes = style.panels(len(values), len(entries), 1.2, sharex=True, sharey="row")
    for row, value in zip(axes, values, strict=True):
        for ax, entry in zip(row, entries, strict=True):
            style.curves(ax, table[(table[by] == value) & (table["entry"] == entry)], "n", palette)
            ax.set_yscale("log")
        row[0].set_ylabel(f"{LABELS[by].format(value)}\ntest error")
    style.columns_of(figure, axes, entries)
    figure.suptitle(f"Linear regression, {LABELS[other].format(fixed)}")
    style.legend(figure, palette, "n", style.theory_handle())
    return figure, table


def known(source: Source) -> pd.DataFrame:
    """Measured errors and the closed forms of replace and accumulate."""
    table = source.of("linear_regression", "mse", *style.WORKFLOWS)
    return style.with_theory(table, ["d", "n", "noise_variance"], closed_form)


def closed_form(entry: str, key: tuple[int, int, float], first: float, horizon: int) -> theory.Vector | None:
    d, n, variance = key
    return theory.regression_error(entry, d, n, variance, horizon) if entry in style.BOTH and n > d + 1 else None
