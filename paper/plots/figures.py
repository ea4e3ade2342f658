"""The registry of all figures, what each is drawn from, and how they are written."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from benchmark.errors import ThriveError
from benchmark.strict_yaml import nearest
from paper.plots import (  # fmt: skip
    bandwidths,
    closed_forms,
    contamination,
    discrete,
    early_warning,
    fig1,
    fig2,
    fig3,
    fig4,
    fig5,
    gaussian,
    kde,
    profile,
    ranks,
    real_share,
    regression,
    slopes,
    style,
    workflows,
)
from paper.plots.source import DRAWN, Missing, Source

PAPER, BOARD = Path("paper/data"), Path("leaderboard")


class Drawing(NamedTuple):
    """A figure of the registry.

    Attributes:
        draw: makes the figure and the table behind it from a source.
        folder: where the source is. A figure of the paper is drawn from the board's results if the paper's are missing.
        part: a folder within the source.
        unasked: whether it is drawn without being named.
    """

    draw: Callable[[Source], tuple[Figure, pd.DataFrame]]
    folder: Path = PAPER
    part: str = ""
    unasked: bool = True

    @property
    def home(self) -> Path:
        """The folder to which it is drawn."""
        return (BOARD if self.folder == BOARD else PAPER.parent) / "figures"


FIGURES = {
    "fig1": Drawing(fig1.draw),
    "fig1-as-published": Drawing(partial(fig1.draw, as_published=True), unasked=False),
    "fig2": Drawing(fig2.draw),
    "fig2-pooled": Drawing(partial(fig2.draw, pooled=True), unasked=False),
    "fig3": Drawing(fig3.draw),
    "fig4": Drawing(fig4.draw),
    "fig5": Drawing(fig5.draw),
    "gaussian-trace": Drawing(partial(gaussian.draw, name="trace_ratio")),
    "gaussian-mean": Drawing(partial(gaussian.draw, name="mean_error")),
    "gaussian-determinant": Drawing(partial(gaussian.draw, name="log_determinant_ratio")),
    **{f"kde-{data}": Drawing(partial(kde.draw, data=data)) for data in style.DATA_SETS},
    "regression-noise": Drawing(partial(regression.draw, by="noise_variance")),
    "regression-dimension": Drawing(partial(regression.draw, by="d")),
    "bandwidths": Drawing(bandwidths.draw, part="bandwidths"),
    "workflows": Drawing(workflows.draw),
    "real-share": Drawing(real_share.draw),
    "discrete": Drawing(discrete.draw),
    "closed-forms": Drawing(closed_forms.draw),
    "early-warning": Drawing(early_warning.draw, unasked=False),
    "contamination": Drawing(contamination.draw),
    "slopes": Drawing(slopes.draw, BOARD),
    "ranks": Drawing(ranks.draw, BOARD),
    "collapse-profile": Drawing(profile.draw, BOARD),
}


def draw_figures(
    home: Path, folder: Path | None, target: Path | None, names: Sequence[str] = (), entries: Sequence[str] = (),
    look: str = "paper", tell: Callable[[str], object] = print,
) -> list[Path]:  # fmt: skip
    """Draw figures as PDF and PNG, each with the table behind it as CSV; returns what was written.

    Args:
        folder: the source of all of them; None: the source of each, or the board's results if entries are named.
        target: the folder to write; None: paper/figures and leaderboard/figures, or results/figures if `entries`, `folder` or another look
            than the paper's is given.
        names: of the figures; none: all that are drawn without being named.
        entries: to show in the paper's figures instead of the paper's own.
        tell: is called with what was left out, and the command that makes it.

    Raises:
        ThriveError: no figure has such a name, or such an entry has no results.
    """
    if target is None and (entries or folder or look != "paper"):
        target = Path("results", "figures")
    for name in names:
        if name not in FIGURES:
            raise ThriveError(f"no figure '{name}'.{nearest(name, FIGURES)}")
    style.apply(look)
    written = []
    for name in names or [name for name, drawing in FIGURES.items() if drawing.unasked]:
        found = source(home, name, folder, entries)
        try:
            found.check_entries()
            written += _write(*made(name, found), home / (target or FIGURES[name].home) / name)
        except Missing as missing:
            tell(f"{name}: left out: {missing}")
        else:
            for words in dict.fromkeys(found.missing):
                tell(f"{name}: drawn but for a part: {words}")
    return written


def source(home: Path, name: str, folder: Path | None = None, entries: Sequence[str] = ()) -> Source:
    """The source of a figure."""
    drawing = FIGURES[name]
    committed = (home / drawing.folder / "about.json").is_file()
    at = folder or (drawing.folder if committed and not entries else BOARD)
    return Source(home / at / drawing.part, tuple(entries))


def made(name: str, found: Source) -> tuple[Figure, pd.DataFrame]:
    """A figure, and the table behind it with the columns that are drawn.

    Raises:
        Missing: the source has not all that the figure needs.
    """
    figure, table = FIGURES[name].draw(found)
    columns = [name for name in [*DRAWN, "theory"] if name in table] if "quantity" in table else list(table)
    return figure, table[columns]


def as_csv(table: pd.DataFrame) -> str:
    return str(table.to_csv(index=False, float_format="%.6g"))


def _write(figure: Figure, table: pd.DataFrame, path: Path) -> list[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    paths = [path.parent / f"{path.name}.{kind}" for kind in ("pdf", "png", "csv")]
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # laid out once, not once for every file
    figure.savefig(paths[0], metadata={"CreationDate": None})  # without a date the bytes are always the same
    figure.savefig(paths[1], metadata={"Software": None})
    paths[2].write_text(as_csv(table), encoding="utf-8")
    plt.close(figure)
    return paths
