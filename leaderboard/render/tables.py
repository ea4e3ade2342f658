"""The board as CSV and as a LaTeX table."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from benchmark.results.document import latex_row, latex_text
from benchmark.results.labels import VERDICTS, division_title, task_title
from leaderboard.board.schema import Board, Division, Estimate, Row
from leaderboard.board.words import avoided, rank, show, verdict
from leaderboard.render.cells import percent_cell, score_on


def _rows_with_divisions(board: Board) -> Iterator[tuple[Division | None, Row]]:
    """All rows with their divisions; reference lines have none."""
    yield from ((division, row) for division in board.divisions for row in division.rows)
    yield from ((None, row) for row in board.references)


def as_csv(board: Board) -> str:
    """One row an entry. Scores are means with the ends of their intervals; `inf` means that a run diverged, nothing that there is none."""
    estimates = ["win_rate", "slope_win_rate", "score", "slope_score", *(f"{task.task}_score" for task in board.tasks)]
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
        *(f"{verdict}_on" for verdict in VERDICTS),
        *(f"{task.task}_{what}" for task in board.tasks for what in ("rank", "rank_low", "rank_high", "verdict")),
        "avoided",
        "beside_base",
        "survival",
        "law",
        "cost",
        "configurations_tried",
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
        shown = row.verified
        found = [
            row.win_rate,
            row.slope_win_rate,
            row.score,
            row.slope_score,
            *(score_on(row, task.task) for task in board.tasks),
        ]
        found += [None, None] if shown is None else [shown.above_base, shown.gap]
        writer.writerow([
            division.track if division else "reference", division.budget if division else "", row.rank, *ends, row.slope_rank, row.entry,
            row.version, row.verdict, *(row.verdict_counts.get(verdict, 0) for verdict in VERDICTS),
            *(cell for task in board.tasks for cell in _on_task(row, task.task)), row.avoided, row.beside_base, row.survival, next(iter(row.laws), ""), row.usage and row.usage.cost, row.configurations_tried,
            row.outside, shown and shown.date, shown and shown.salt, shown and shown.stale,
            *(number for estimate in found for number in _three(estimate)),
        ])  # fmt: skip
    return file.getvalue()


def _on_task(row: Row, task: str) -> tuple[Any, ...]:
    """Rank with its interval, and verdict."""
    part = next((part for part in row.tasks if part.task == task), None)
    if part is None:
        return ("",) * 4
    ends = ("", "") if part.rank_interval is None else (part.rank_interval.low, part.rank_interval.high)
    return part.rank, *ends, part.verdict


def _three(estimate: Estimate | None) -> tuple[Any, Any, Any]:
    if estimate is None:
        return "", "", ""
    return ("inf",) * 3 if estimate.centre is None else (estimate.centre, estimate.low, estimate.high)


def latex(board: Board) -> str:
    """A booktabs table for `\\input`; needs booktabs alone."""
    tasks = [task.task for task in board.tasks]
    head = ["rank", "entry", "verdict", "win rate", "avoided", *map(task_title, tasks)]
    lines = [
        "% Written by `thrive board`. Do not edit.",
        rf"\begin{{tabular}}{{lll{'r' * (len(tasks) + 2)}}}",
        r"\toprule",
        latex_row(head),
    ]
    for division in board.divisions:
        lines += [
            r"\midrule",
            rf"\multicolumn{{{len(tasks) + 5}}}{{l}}{{\emph{{{latex_text(division_title(division.track, division.budget))}}}}} \\",
        ]
        lines += [_latex_row(row, tasks) for row in division.rows]
    lines += [r"\midrule", *(_latex_row(row, tasks) for row in board.references), r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines) + "\n"


def _latex_row(row: Row, tasks: list[str]) -> str:
    cells = [rank(row.rank, row.rank_interval), f"`{row.entry}`", verdict(row),
             percent_cell(row), avoided(row.avoided), *(show(score_on(row, task)) for task in tasks)]  # fmt: skip
    return latex_row([cell.replace("+inf", "∞") for cell in cells])
