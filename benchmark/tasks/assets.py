"""Where the embedded data and checkpoint are."""

from pathlib import Path

ASSETS = Path(__file__).parents[1] / "assets"
