"""Who is first on the committed board: all that a trial must know of it."""

from pathlib import Path

from pydantic import BaseModel, ValidationError

from benchmark.core.rules import Rules
from benchmark.errors import ThriveError


class _Row(BaseModel):
    entry: str
    rank: int | None


class _Division(BaseModel):
    track: str
    budget: str
    rows: list[_Row]


class _Board(BaseModel):
    """The part of leaderboard.json that is read here. Its schema is that of `leaderboard.board.schema.Board`."""

    divisions: list[_Division]


def first_of_division(path: Path, rules: Rules) -> list[str]:
    """Ids of the entries that are first in a division of a leaderboard.json; none where there is no such file or division.

    Raises:
        ThriveError: the file is no board.
    """
    if not path.is_file():
        return []
    try:
        board = _Board.model_validate_json(path.read_bytes())
    except ValidationError as problem:
        raise ThriveError(
            f"{path}: no leaderboard: {problem.errors()[0]['msg']}. Make it again: thrive board"
        ) from None
    return [
        row.entry
        for division in board.divisions
        if (division.track, division.budget) == (rules.track, rules.budget)
        for row in division.rows
        if row.rank == 1
    ]
