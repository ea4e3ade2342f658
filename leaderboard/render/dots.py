"""Scores as dot and whisker on one axis for all task-settings: 0 is real-only, 1 is replace.

A score divided by replace's on the same task-setting is how far an entry is on the way from one to the other, on the scale of the scores.
"""

from dataclasses import dataclass

from benchmark.results.labels import task_title
from leaderboard.board.schema import Board, Row, TaskScore

WIDTH = 150
LEFT, RIGHT = -0.25, 1.25
"""Ends of the axis; what is beyond them is an arrow there."""


@dataclass(frozen=True)
class Dot:
    """Places in pixels; no whisker where there is no interval."""

    x: float
    low: float | None
    high: float | None
    beyond: bool
    share: float


def dots(board: Board) -> dict[tuple[str, str], Dot]:
    """By entry and task-setting, of those with a finite score."""
    of_replace = {
        part.task: part.score.centre for row in board.references if row.entry == "replace" for part in row.tasks
    }
    rows = [*board.references, *(row for division in board.divisions for row in division.rows)]
    return {
        (row.entry, part.task): dot
        for row in rows
        for part in row.tasks
        if (dot := _dot(part, of_replace.get(part.task)))
    }


def _dot(part: TaskScore, of_replace: float | None) -> Dot | None:
    centre, low, high = part.score.centre, part.score.low, part.score.high
    if centre is None or of_replace is None or of_replace <= 0:
        return None
    share = centre / of_replace
    left = None if low is None else place(low / of_replace)
    right = None if high is None else place(high / of_replace)
    return Dot(place(share), left, right, share > RIGHT, share)


def place(share: float) -> float:
    """Of a share of replace's score, in pixels; at the edge where it is beyond."""
    within = min(max(share, LEFT), RIGHT)
    return round(4 + (WIDTH - 8) * (within - LEFT) / (RIGHT - LEFT), 1)


def example(board: Board) -> str:
    """How to read a dot, with the best-ranked entry that has one."""
    found = dots(board)
    ranked: list[Row] = sorted(
        (row for division in board.divisions for row in division.rows if row.rank is not None),
        key=lambda row: -(row.win_rate.centre or 0) if row.win_rate else 0,
    )
    for row in ranked:
        for part in row.tasks:
            dot = found.get((row.entry, part.task))
            if dot is not None:
                return (
                    f"{row.entry} scores {part.score.centre:.2f} on {task_title(part.task)}: "
                    f"{max(dot.share, 0):.0%} of the way from the left line to the right one"
                )
    return "none has a score yet"
