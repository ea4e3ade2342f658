"""The colours of page, figures and report, once. Words or marks stand beside every colour, so that no hue carries a meaning alone.

Source: Okabe and Ito, Color Universal Design (2008), darkened where text needs contrast.
"""

from typing import NamedTuple


class Look(NamedTuple):
    """A colour on paper, the same on a dark page, and a mark of its own."""

    light: str
    dark: str
    mark: str


VERDICTS = {
    "collapses": Look("#b3400a", "#f59a6b", "▼"),
    "degrades": Look("#8a6100", "#e8c04f", "◢"),
    "open": Look("#5b646d", "#a3adb6", "○"),
    "stable": Look("#0b57a4", "#7db8f0", "■"),
    "thrives": Look("#00714f", "#54d1a5", "▲"),
}
"""In the order of `benchmark.results.labels.VERDICTS`."""

SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Of entries and divisions in one chart, in their order there."""
