"""How numbers are written in the report."""

import numpy as np
import pandas as pd

from paper.reporting.evidence import Estimate


def padded(text: str) -> str:
    """A published number as it was given, with its leading zero."""
    return f"0{text}" if text.startswith(".") else text


def number(x: float) -> str:
    """Four significant digits; – for NaN."""
    if np.isnan(x):
        return "–"
    if np.isinf(x):
        return "∞"
    return np.format_float_positional(float(f"{x:.4g}"), trim="-") if abs(x) >= 1e-5 or x == 0 else f"{x:.1e}"


def interval(low: float, high: float) -> str:
    """ "20.1 to 22.3"; – if the ends are NaN."""
    return "–" if np.isnan(low) else f"{number(low)} to {number(high)}"


def shown(estimate: Estimate | None) -> str:
    """ "21.2 (20.1 to 22.3)"."""
    if estimate is None:
        return "not run"
    half = estimate.half
    return number(estimate.mean) + (
        "" if np.isnan(half) else f" ({interval(estimate.mean - half, estimate.mean + half)})"
    )


def root_mean_square(z: "pd.Series[float]") -> str:
    """Two decimals; – if there are no numbers."""
    return f"{np.sqrt((z**2).mean()):.2f}" if len(z) else "–"
