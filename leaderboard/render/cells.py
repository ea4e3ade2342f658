"""Scores in the cells of Markdown and LaTeX."""

from leaderboard.board.schema import Estimate, Row
from leaderboard.board.words import percent, rank, show


def percent_cell(row: Row) -> str:
    """The win rate over all."""
    return percent(row.win_rate) if row.win_rate is not None else "incomplete" if row.missing else "–"


def score_on(row: Row, task: str) -> Estimate | None:
    return next((part.score for part in row.tasks if part.task == task), None)


def task_cell(row: Row, task: str) -> str:
    """Score and rank on a task-setting: "0.84 [0.78, 0.89], rank 1 (1–2)"."""
    part = next((part for part in row.tasks if part.task == task), None)
    if part is None:
        return "–"
    return show(part.score) + (f", rank {rank(part.rank, part.rank_interval)}" if part.rank is not None else "")
