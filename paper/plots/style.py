"""Shared by all figures: looks, labels, panels, and lines with bands."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from benchmark.results import colours
from paper.data import grid

ITERATION = "model-fitting iteration t"
INFINITE = "×: from here on a run has an infinite loss"
WORKFLOWS = {"replace": "Replace", "accumulate-subsample": "Accumulate-subsample", "accumulate": "Accumulate"}
BOTH = ("replace", "accumulate")
DATA_SETS = {"blobs": "Blobs", "circles": "Circles", "moons": "Moons", "swiss_roll": "Swiss roll"}
THEORY: dict[str, Any] = {"color": "black", "linestyle": (0, (4, 2)), "linewidth": 0.9}
LOOKS = {"paper": ("paper", 0.9, 1.0), "slides": ("talk", 0.75, 1.4)}
"""For each style: seaborn's context, the scale of its fonts, and the scale of panels."""


def apply(style: str = "paper") -> None:
    """Set the style of all figures, whatever the user's own settings of matplotlib are."""
    context, fonts, size = LOOKS[style]
    mpl.rcdefaults()
    sns.set_theme(context=context, style="whitegrid", font_scale=fonts)
    mpl.rcParams.update(
        {
            "pdf.fonttype": 42,  # fonts embedded as text
            "svg.hashsalt": "thrive",
            "figure.constrained_layout.use": True,
            "figure.figsize": (2.1 * size, 1.7 * size),  # of a panel
            "savefig.dpi": 160,
            "grid.linewidth": 0.5,
            "axes.formatter.min_exponent": 3,  # on log axes 2.1 and 0.01, not 2.1 × 10⁰ and 10⁻²
            "legend.frameon": False,
            "legend.fontsize": "small",
        }
    )


def panels(rows: int, columns: int, width: float = 1, height: float = 1, **shared: Any) -> tuple[Figure, Any]:
    """A grid of panels with room for a legend at the right. Width and height are those of a panel, in standard panels."""
    w, h = mpl.rcParams["figure.figsize"]
    return plt.subplots(
        rows, columns, figsize=(w * (width * columns + 0.6), h * (height * rows + 0.35)), squeeze=False, **shared
    )


def title(entry: str) -> str:
    return WORKFLOWS.get(entry, entry)


def palette_of(values: Iterable[Any], look: dict[str, Any] | None = None) -> dict[Any, Any]:
    """A colour for each value, lighter with the value; with `look`, that look in this colour."""
    values = sorted(set(values))
    palette = dict(zip(values, sns.color_palette(colours.ORDERED, len(values)), strict=True))
    return palette if look is None else {value: look | {"color": colour} for value, colour in palette.items()}


def columns_of(figure: Figure, axes: Any, entries: Iterable[str], note: str = "") -> None:
    """Label a grid whose columns are entries and whose x-axes are iterations."""
    for ax, entry in zip(axes[0], entries, strict=True):
        ax.set_title(title(entry))
    figure.supxlabel(f"{ITERATION}\n{note}" if note else ITERATION, fontsize="medium")


def entry_looks(entries: Iterable[str]) -> dict[str, dict[str, Any]]:
    """A marker and a colour for each entry: the paper's workflows have their own, others the next of the series."""
    others = [e for e in dict.fromkeys(entries) if e not in colours.WORKFLOWS]
    looks = {e: (colours.SERIES[k % 6], colours.MARKERS[k % 6]) for k, e in enumerate(others)} | colours.WORKFLOWS
    return {e: dict(zip(("color", "marker"), looks[e], strict=True)) for e in dict.fromkeys(entries)}


def curves(ax: Axes, table: pd.DataFrame, hue: str, palette: dict[Any, Any]) -> None:
    """A line for each value of `hue`: the mean over seeds with its bootstrap band. × marks where the mean becomes infinite."""
    if table.empty:
        empty(ax)
    for value, part in table.groupby(hue):
        part = part.sort_values("t")
        mean = part["mean"].where(np.isfinite(part["mean"]))
        look = palette[value] if isinstance(palette[value], dict) else {"color": palette[value]}
        ax.plot(part["t"], mean, **{"markevery": 0.2, "markersize": 4, **look})
        ax.fill_between(part["t"], part["low"], part["high"], color=look["color"], alpha=0.25, linewidth=0)
        if "theory" in part:
            ax.plot(part["t"], part["theory"], **THEORY)
        if mean.isna().any():
            last = mean.last_valid_index()
            at = (part["t"].iloc[0], 1) if last is None else (part["t"][last], mean[last])
            transform = ax.get_xaxis_transform() if last is None else ax.transData
            ax.plot(*at, "x", color=look["color"], transform=transform, clip_on=False)


def thinned(table: pd.DataFrame) -> pd.DataFrame:
    """The first twenty iterations, then about twelve per decade, and the last: all that a panel can show, in a small table."""
    last = int(table["t"].max()) if len(table) else 0
    found: pd.DataFrame = table[table["t"].isin({*grid(last), last})]
    return found


def ordered(values: Iterable[Any]) -> list[Any]:
    """The distinct values, sorted, numbers before words."""
    return sorted(set(values), key=lambda value: (isinstance(value, str), value))


def prefer(values: Iterable[Any], wished: Any) -> Any:
    """The wished value if it is among the values, else the middle one."""
    values = ordered(values)
    return wished if wished in values else values[len(values) // 2]


def family(table: pd.DataFrame, wished: dict[str, Any]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The instances with the preferred number in each column, column by column among those that are left, and these numbers."""
    chosen = {}
    for name, wish in wished.items():
        chosen[name] = prefer(table[name], wish)
        table = table[table[name] == chosen[name]]
    return table, chosen


def handles(palette: dict[Any, Any]) -> list[Line2D]:
    looks = {value: look if isinstance(look, dict) else {"color": look} for value, look in palette.items()}
    return [Line2D([], [], label=title(str(value)), markersize=4, **look) for value, look in looks.items()]


def legend(figure: Figure, palette: dict[Any, Any], name: str, *more: Line2D) -> None:
    """One legend for all panels, at the right."""
    figure.legend(handles=[*handles(palette), *more], title=name, loc="outside right center")


def row_legend(ax: Axes, palette: dict[Any, Any], name: str, *more: Line2D) -> None:
    """A legend for a row of panels, at the right of its last panel."""
    ax.legend(handles=[*handles(palette), *more], title=name, loc="center left", bbox_to_anchor=(1.02, 0.5))


def theory_handle(label: str = "closed form") -> Line2D:
    return Line2D([], [], label=label, **THEORY)


def log_time(ax: Axes) -> None:
    """Iterations on a logarithmic axis, as plain numbers."""
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())


def one_apart(axes: Sequence[Axes], apart: int | None) -> None:
    """One scale for all panels of a row but `apart`, in which grey shows the range of the others. A range of a factor of ten is logarithmic."""
    others = [ax for k, ax in enumerate(axes) if k != apart]
    for group in (others, [axes[apart]] if apart is not None else []):
        drawn = np.concatenate(
            [np.empty(0), *(np.asarray(line.get_ydata(), float) for ax in group for line in ax.lines)]
        )
        drawn = drawn[np.isfinite(drawn)]
        for ax in group:
            ax.set_yscale("log" if len(drawn) and 0 < 10 * drawn.min() < drawn.max() else "linear")
        ends = [end for ax in group if ax.lines for end in ax.get_ylim()]
        for ax in group if ends else ():
            ax.set_ylim(min(ends), max(ends))
        if group is others and ends and apart is not None:
            axes[apart].axhspan(min(ends), max(ends), color="0.9", zorder=0)


def empty(ax: Axes, words: str = "does not run here") -> None:
    """Write into a panel that there is nothing to draw."""
    ax.text(0.5, 0.5, words, transform=ax.transAxes, ha="center", va="center", color="0.4", fontsize="small")


def with_theory(table: pd.DataFrame, keys: list[str], known: Callable[[str, Any, float, int], Any]) -> pd.DataFrame:
    """Add a column with the closed form of each mean, NaN if there is none. `known` takes (entry, values of keys, mean at t = 1, T)."""
    parts = []
    for (entry, *key), part in table.groupby(["entry", *keys]):
        form = None
        if entry in WORKFLOWS:
            form = known(entry, tuple(key), float(part.sort_values("t")["mean"].iloc[0]), part["t"].max())
        parts.append(part.assign(theory=np.nan if form is None else np.asarray(form)[part["t"] - 1]))
    return pd.concat(parts)
