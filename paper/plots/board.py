"""How figures read the board, leaderboard.json."""

import json
from typing import Any

from paper.plots.source import Missing, Source


def read(source: Source) -> dict[str, Any]:
    """The board in the source's folder.

    Raises:
        Missing: the folder has no board.
    """
    path = source.folder / "leaderboard.json"
    if not path.is_file():
        raise Missing(f"{source.where}/{path.name}: no such file. Make it: thrive board --at {source.where}")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def rows(board: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of the reference lines and of the entries of all divisions."""
    return [*board["references"], *(row for division in board["divisions"] for row in division["rows"])]
