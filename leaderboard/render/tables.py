"""The board as CSV and as a LaTeX table."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from benchmark.results.document import latex_row, latex_text
from benchmark.results.labels import division_title, task_title
from leaderboard.board.schema import Board, Division, Estimate, Row
from leaderboard.board.words import rank
from leaderboard.render.cells import score_cell, task_cell


def _rows_with_divisions(board: Board) -> Iterator[tuple[Division | None, Row]]:
    """All rows with their divisions; reference lines have none."""
    yield from ((division, row) for division in board.divisions for row in division.rows)
    yield from ((None, row) for row in board.references)


def as_csv(board: Board) -> str:
    """One row an entry. Scores are means with the ends of their intervals; `inf` means that a run diverged, nothing that there is none."""
    estimates = ["score", "slope_score", *(f"{task.task}_score" for task in board.tasks)]
    head = [
        "track",
        "budget",
        "rank",
        "rank_low",
        "rank_high",
        "slope_rank",
        "entry",
        "version",
        "verdict",
        "beside_base",
        "survival",
        "cost",
        "outside",
        "verified_on",
        "salt",
        "stale",
    ]
    estimates += ["above_base_verified", "gap"]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*head, *(f"{name}{end}" for name in estimates for end in ("", "_low", "_high"))])
    for division, row in _rows_with_divisions(board):
        ends = (row.rank_interval.low, row.rank_interval.high) if row.rank_interval else ("", "")
        by_task = {part.task: part.score for part in row.tasks}
        shown = row.verified
        found = [row.score, row.slope_score, *(by_task.get(task.task) for task in board.tasks)]
        found += [None, None] if shown is None else [shown.above_base, shown.gap]
        writer.writerow([
            division.track if division else "reference", division.budget if division else "", row.rank, *ends, row.slope_rank, row.entry,
            row.version, row.verdict, row.beside_base, row.survival, row.usage and row.usage.cost,
            row.outside, shown and shown.date, shown and shown.salt, shown and shown.stale,
            *(number for estimate in found for number in _three(estimate)),
        ])  # fmt: skip
    return file.getvalue()


def _three(estimate: Estimate | None) -> tuple[Any, Any, Any]:
    if estimate is None:
        return "", "", ""
    return ("inf",) * 3 if estimate.centre is None else (estimate.centre, estimate.low, estimate.high)


def latex(board: Board) -> str:
    """A booktabs table for `\\input`; needs booktabs alone."""
    tasks = [task.task for task in board.tasks]
    head = ["rank", "entry", "verdict", "score", *map(task_title, tasks)]
    lines = [
        "% Written by `thrive board`. Do not edit.",
        rf"\begin{{tabular}}{{lll{'r' * (len(tasks) + 1)}}}",
        r"\toprule",
        latex_row(head),
    ]
    for division in board.divisions:
        lines += [
            r"\midrule",
            rf"\multicolumn{{{len(tasks) + 4}}}{{l}}{{\emph{{{latex_text(division_title(division.track, division.budget))}}}}} \\",
        ]
        lines += [_latex_row(row, tasks) for row in division.rows]
    lines += [r"\midrule", *(_latex_row(row, tasks) for row in board.references), r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines) + "\n"


def _latex_row(row: Row, tasks: list[str]) -> str:
    cells = [rank(row.rank, row.rank_interval), f"`{row.entry}`", row.verdict or "–",
             score_cell(row, "score"), *(task_cell(row, task) for task in tasks)]  # fmt: skip
    return latex_row([cell.replace("+inf", "∞") for cell in cells])
