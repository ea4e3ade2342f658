"""Scores in the cells of Markdown and LaTeX."""

from leaderboard.board.schema import Row
from leaderboard.board.words import show


def score_cell(row: Row, which: str) -> str:
    """`which` is score or slope_score."""
    estimate = getattr(row, which)
    return show(estimate) if estimate is not None else "incomplete" if row.missing else "–"


def task_cell(row: Row, task: str) -> str:
    return show(next((part.score for part in row.tasks if part.task == task), None))
