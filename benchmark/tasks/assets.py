"""Where the embedded data and checkpoint lie."""

from pathlib import Path

ASSETS = Path(__file__).parents[1] / "assets"
