"""Closed forms drawn over measurements, by iteration: one family of instances for each task-setting."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from paper import theory
from paper.plots import regression, style
from paper.plots.source import Missing, Source


class Row(NamedTuple):
    """A row of panels: a quantity, its label, the instances to prefer, the scale, and the closed form."""

    task: str
    quantity: str
    label: str
    wished: dict[str, Any]
    scale: str
    known: Callable[[str, Any, float, int], theory.Vector | None]


def _spread(entry: str, key: Any, first: float, horizon: int) -> theory.Vector:
    data, h, n = key
    return theory.covariance_trace(entry, n, horizon, first, (3 if data == "swiss_roll" else 2) * h**2)


def _kept(entry: str, key: Any, first: float, horizon: int) -> theory.Vector:
    at_first = float(1 - 1 / key[0])
    return at_first * theory.trace_ratio(entry, key[1], horizon)


ROWS = [
    Row("gaussian", "trace_ratio", "Gaussian, d = {d}\ntr Σ / d", {"d": 10}, "linear", lambda e, key, _, T: theory.trace_ratio(e, key[1], T)),
    Row("gaussian", "mean_error", "Gaussian, d = {d}\n‖μ − μ₀‖²", {"d": 10}, "log", lambda e, key, _, T: key[0] * (1 - theory.trace_ratio(e, key[1], T))),
    Row("kde", "covariance_trace", "KDE, {data}, h = {bandwidth}\ntr cov of a generation", {"data": "moons", "bandwidth": 0.5}, "log", _spread),
    Row("linear_regression", "mse", "Linear regression,\nd = {d}, σ² = {noise_variance:g}\ntest error", {"d": 10, "noise_variance": 1.0}, "log", regression.closed_form),
    Row("discrete", "gini", "Discrete, K = {outcomes}\n1 − Σp²", {"outcomes": 10}, "linear", _kept),
]  # fmt: skip
KEYS = {
    "gaussian": ["d", "n"],
    "kde": ["data", "bandwidth", "n"],
    "linear_regression": ["d", "n", "noise_variance"],
    "discrete": ["outcomes", "n"],
}


def tables(source: Source) -> list[tuple[str, str, pd.DataFrame]]:
    """For each row that has results: label, scale, and a table of measurements and closed forms."""
    found = []
    for row in ROWS:
        try:
            table = source.of(row.task, row.quantity, *style.WORKFLOWS)
        except Missing as missing:
            source.missing.append(str(missing))
            continue
        table, chosen = style.family(table, row.wished)
        found.append((row.label.format(**chosen), row.scale, style.with_theory(table, KEYS[row.task], row.known)))
    if not found:
        raise Missing("no quantity of this figure has results")
    return found


def draw(source: Source) -> tuple[Figure, pd.DataFrame]:
    """Figure and the table behind it: a row for each quantity, a column for each workflow."""
    found, entries = tables(source), source.facets(*style.WORKFLOWS)
    figure, axes = style.panels(len(found), len(entries), 1.2, sharey="row")
    for row, (label, scale, table) in zip(axes, found, strict=True):
        palette = style.palette_of(table["n"])
        for ax, entry in zip(row, entries, strict=True):
            style.curves(ax, style.thinned(table[table["entry"] == entry]), "n", palette)
            style.log_time(ax)
            ax.set_yscale(scale)
        row[0].set_ylabel(label)
        style.row_legend(row[-1], palette, "n", style.theory_handle())
    style.columns_of(figure, axes, entries)
    return figure, style.thinned(pd.concat(table for _, _, table in found))
