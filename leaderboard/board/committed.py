"""The board as it was written, and where an entry stands on it."""

from pathlib import Path

from pydantic import ValidationError

from benchmark.errors import ThriveError
from benchmark.results.labels import division_title, task_title
from leaderboard.board.schema import Board, Division, Row
from leaderboard.board.summary import of_entry
from leaderboard.board.words import avoided, percent, rank, show, verdict, verified, verified_when


def read_board(path: Path) -> Board:
    """A leaderboard.json.

    Raises:
        ThriveError: there is none, or it is not of this version.
    """
    try:
        return Board.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise ThriveError(f"{path}: no leaderboard of this version. Make it again: thrive board") from None


def row_of(board: Board, id: str) -> tuple[Row, Division | None] | None:
    """An entry's row and its division; a reference line has none; None where the board does not have the entry."""
    for division in board.divisions:
        for row in division.rows:
            if row.entry == id:
                return row, division
    return next(((row, None) for row in board.references if row.entry == id), None)


def standing(row: Row, division: Division | None) -> str:
    """Where an entry stands, for a terminal: in short, then by task-setting, and who is next to it."""
    where = (
        "A reference line, which is not ranked."
        if division is None
        else f"{division_title(division.track, division.budget)}. {of_entry(row, division)}"
    )
    lines = [where.replace("\u00a0", " ")]
    if row.unranked:
        lines.append(f"Not ranked: {row.unranked}")
    lines += [f"Incomplete: {line}" for line in row.missing]
    lines += [f"Does not run on {task_title(task)}: {why}" for task, why in row.refused.items()]
    head = ("task-setting", "rank", "duels won", "score", "slope score", "avoided", "verdict")
    cells = [
        (task_title(p.task), rank(p.rank, p.rank_interval), percent(p.win_rate), show(p.score), show(p.slope_score), avoided(p.avoided), p.verdict or "–")
        for p in row.tasks
    ]  # fmt: skip
    over_all = ("over all", rank(row.rank, row.rank_interval), percent(row.win_rate), show(row.score), show(row.slope_score), avoided(row.avoided), verdict(row))  # fmt: skip
    lines += ["", *_aligned([head, *cells, over_all]), ""]
    lines += [
        f"{'above' if one.above else 'below'} it: {one.entry}, duels won {_points(one.difference.centre)}"
        for one in row.neighbours
    ]
    if row.verified:
        lines.append(f"verified: {verified(row)} beside the base workflow ({verified_when(row)})")
    if row.observed:
        lines.append(row.observed)
    return "\n".join(line.rstrip() for line in lines)


def _points(difference: float | None) -> str:
    return "not comparable" if difference is None else f"{100 * difference:+.0f} points"


def _aligned(lines: list[tuple[str, ...]]) -> list[str]:
    lines = [tuple(cell.replace("\u00a0", " ") for cell in line) for line in lines]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
