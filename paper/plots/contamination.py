"""Real rows that come in a constant share: the fit of the whole pool converges at the smaller of the share and the model's own rate.

On the left the root of E ‖μ_t - μ0‖² / d, whole runs beside the closed form; on the right its rate over the last decade of a long run, with
the kink at 1/2, the rate of a model that sees real rows alone.
"""

import io

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper import theory
from paper.plots import style
from paper.plots.source import Missing, Source

SYNTHETIC = 36  # rows of the latest model at each iteration, as in the runs
LAST = 20_000  # iterations of the closed form, for its rate
RATE = 0.5  # of the mean of t independent rows, by t


def draw(source: Source) -> tuple[Figure, pd.DataFrame]:
    path = source.folder / "contamination.csv"
    if not path.is_file():
        raise Missing(f"{source.where}: no contamination.csv there. Make it: python -m paper.experiments.contamination")
    runs = pd.read_csv(io.BytesIO(path.read_bytes()))
    rates = _rates()
    figure, axes = style.panels(1, 2, width=1.3, height=1.2)
    curves, kink = axes[0]
    palette = style.palette_of(runs["share"])
    for share, part in runs.groupby("share"):
        t = part["t"].to_numpy(float)
        curves.plot(t, part["rmse"], color=palette[share], linewidth=1)
        exact = theory.contaminated_error(int(part["real"].iloc[0]), SYNTHETIC, int(t[-1]))
        curves.plot(t, np.sqrt(exact), **style.THEORY)
    curves.set(xscale="log", yscale="log", xlabel=style.ITERATION, ylabel="error of the mean, √(E ‖μ - μ0‖² / d)")
    kink.plot(rates["share"], rates["rate"], "o", color="0.25", markersize=3)
    kink.plot([0, RATE, 1], [0, RATE, RATE], **style.THEORY)
    kink.set(xlabel="share a of real rows at each iteration", ylabel="rate r of the error, t^(-r)")
    labels = {f"a = {share:g}": {"color": colour} for share, colour in palette.items()}
    handles = [*style.handles(labels), style.theory_handle("closed form; min(a, 1/2)"),
               Line2D([], [], color="0.25", marker="o", linestyle="", markersize=3, label=f"measured at t = {LAST:,}")]  # fmt: skip
    figure.legend(handles=handles, loc="outside right center")
    return figure, pd.concat([runs, rates], ignore_index=True)


def _rates() -> pd.DataFrame:
    """The rate of the closed form over its last decade, by share."""
    real = np.array([2, 4, 9, 12, 18, 24, 36, 54, 84, 144, 324])
    ends = [
        np.sqrt(theory.contaminated_error(int(count), SYNTHETIC, LAST)[[LAST // 10 - 1, LAST - 1]]) for count in real
    ]
    return pd.DataFrame({"real": real, "synthetic": SYNTHETIC, "share": real / (real + SYNTHETIC),
                         "rate": [np.log10(early / late) for early, late in ends]})  # fmt: skip
