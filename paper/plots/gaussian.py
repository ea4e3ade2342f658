"""Appendix: a quantity of the Gaussian fits by iteration, in every dimension, with its closed form if there is one."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from paper import theory
from paper.plots import style
from paper.plots.source import Source


class Quantity(NamedTuple):
    """Its label, its scale, and its closed form as a function of (entry, d, n, T)."""

    label: str
    scale: str
    known: Callable[[str, int, int, int], theory.Vector | None]


def _log_determinant(entry: str, d: int, n: int, horizon: int) -> theory.Vector | None:
    return theory.log_determinant(d, n, horizon) if entry == "replace" and n > d else None


QUANTITIES = {
    "trace_ratio": Quantity("tr Σ / d", "linear", lambda entry, d, n, horizon: theory.trace_ratio(entry, n, horizon)),
    "mean_error": Quantity("‖μ − μ₀‖²", "log", lambda entry, d, n, horizon: d * (1 - theory.trace_ratio(entry, n, horizon))),
    "log_determinant_ratio": Quantity("log det Σ / d", "linear", _log_determinant),
}  # fmt: skip


def draw(source: Source, name: str) -> tuple[Figure, pd.DataFrame]:
    """Figure and the table behind it: a row for each entry, a column for each d. The log-determinant is divided by d."""
    entries, quantity = source.facets(*style.WORKFLOWS), QUANTITIES[name]
    table = source.of("gaussian", name, *style.WORKFLOWS)
    table = table[table["n"] > table["d"]] if name == "log_determinant_ratio" else table
    table = style.thinned(
        style.with_theory(table, ["d", "n"], lambda entry, key, first, T: quantity.known(entry, key[0], key[1], T))
    )
    if name == "log_determinant_ratio":
        ends = ["mean", "low", "high", "theory"]
        table = table.assign(**table[ends].div(table["d"], axis=0))
    dimensions, palette = sorted(set(table["d"])), style.palette_of(table["n"])
    figure, axes = style.panels(
        len(entries), len(dimensions), 0.9, sharex=True, sharey="row" if name != "mean_error" else True
    )
    for row, entry in zip(axes, entries, strict=True):
        for ax, d in zip(row, dimensions, strict=True):
            style.curves(ax, table[(table["entry"] == entry) & (table["d"] == d)], "n", palette)
            ax.set_yscale(quantity.scale)
        row[0].set_ylabel(f"{style.title(entry)}\n{quantity.label}")
    for ax, d in zip(axes[0], dimensions, strict=True):
        ax.set_title(f"d = {d}")
    note = f"\n{style.INFINITE}" if np.isinf(table["mean"]).any() else ""
    figure.supxlabel(f"{style.ITERATION}{note}", fontsize="medium")
    style.legend(figure, palette, "n", *([style.theory_handle()] if table["theory"].notna().any() else []))
    return figure, table
