"""The colours of page, figures and report, once. A word or a mark stands beside every colour, so that no hue carries a meaning alone.

Source: Okabe and Ito, Color Universal Design (2008), darkened where text needs contrast; viridis (matplotlib) for what is ordered, whose
lightness rises with the value.
"""

from typing import NamedTuple


class Look(NamedTuple):
    """A colour on paper, the same on a dark page, a mark in text, and a marker of matplotlib."""

    light: str
    dark: str
    mark: str
    marker: str


VERDICTS = {
    "collapses": Look("#b3400a", "#f59a6b", "▼", "v"),
    "degrades": Look("#8a6100", "#e8c04f", "◢", "P"),
    "open": Look("#5b646d", "#a3adb6", "○", "o"),
    "stable": Look("#0b57a4", "#7db8f0", "■", "s"),
    "thrives": Look("#00714f", "#54d1a5", "▲", "^"),
}
"""In the order of `benchmark.results.labels.VERDICTS`."""

WORKFLOWS = {
    "replace": ("#d55e00", "v"),
    "accumulate-subsample": ("#009e73", "s"),
    "accumulate": ("#0072b2", "o"),
    "real-only": ("#56b4e9", "D"),
}
"""Of the paper's workflows and real-only: colour and marker, the same in every figure."""

SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Of other entries, and of divisions, in one chart, in their order there."""

MARKERS = "P^X*<>"
"""Beside SERIES, and like none of WORKFLOWS."""

ORDERED = "viridis"
"""Of n, dimensions and bandwidths: matplotlib's name of the map."""

REAL, SYNTHETIC, UNUSED = "#0072b2", "#e69f00", "#e6e6e6"
"""Of rows."""

LOWER, HIGHER, NEITHER = "#0072b2", "#d55e00", "#737373"
"""Of a difference in loss: shown to be lower, higher, or neither."""
