"""All figures: which there are, and how one is written."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt

from benchmark.errors import ThriveError
from benchmark.results import Results
from benchmark.settings import nearest
from paper import fig1, fig2, fig4, style

FIGURES = {"fig1": fig1.draw, "fig2": fig2.draw, "fig4": fig4.draw}


def draw(results: Results, folder: Path, names: Sequence[str] = ()) -> list[Path]:
    """Draw figures as PDF and PNG, each with the table behind it as CSV; returns what was written.

    Raises:
        ThriveError: there is no figure of that name.
    """
    for name in names:
        if name not in FIGURES:
            raise ThriveError(f"no figure '{name}'.{nearest(name, FIGURES)}")
    style.apply()
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in names or FIGURES:
        drawn = FIGURES[name](results)
        if drawn is None:
            continue
        figure, table = drawn
        paths = [folder / f"{name}.{kind}" for kind in ("pdf", "png", "csv")]
        figure.savefig(paths[0], metadata={"CreationDate": None})  # without a date the bytes are always the same
        figure.savefig(paths[1], metadata={"Software": None})
        table.to_csv(paths[2], index=False, float_format="%.6g")
        plt.close(figure)
        written += paths
    return written
