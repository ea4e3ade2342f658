"""The board, written: JSON with its schema, HTML, Markdown, CSV, LaTeX, and samples of text by generation."""

import json
from pathlib import Path

from benchmark.errors import ThriveError
from benchmark.results.document import markdown_table
from benchmark.results.gather import Results
from benchmark.runs.cells import write_atomically
from leaderboard.board.schema import Board
from leaderboard.board.summary import in_short
from leaderboard.board.words import OUTSIDE, avoided, percent, rank, verdict
from leaderboard.render.html import ALONE, Around, html
from leaderboard.render.markdown import cost, markdown, samples
from leaderboard.render.tables import as_csv, latex


def write(board: Board, results: Results, folder: Path, beside: Around = ALONE) -> list[Path]:
    """Write all forms of the board; returns their paths.

    Args:
        results: what the board was built from, for curves and samples of text.
        beside: what the page links to and shows of the clone.
    """
    texts = results.about.texts
    contents = {
        "leaderboard.json": board.model_dump_json(indent=1) + "\n",
        "leaderboard.schema.json": json.dumps(Board.model_json_schema(), indent=1) + "\n",
        "leaderboard.html": html(board, results, beside),
        "leaderboard.md": markdown(board, beside.statistics),
        "leaderboard.csv": as_csv(board),
        "leaderboard.tex": latex(board),
    }
    if texts:
        contents["samples.md"] = samples(texts)
    for name, content in contents.items():
        write_atomically(folder / name, content.encode())
    return [folder / name for name in contents]


MARKS = ("<!-- board: written by `thrive board` -->", "<!-- end of board -->")


TOP = 3


def inject(board: Board, readme: Path) -> None:
    """Put what the board says in short, and the first entries of every division, between the marks of the README.

    Raises:
        ThriveError: a mark is missing.
    """
    text = readme.read_text(encoding="utf-8")
    before, begin, rest = text.partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not (begin and end):
        raise ThriveError(f"{readme}: the marks {MARKS[0]} and {MARKS[1]} are missing. Put them where the board goes.")
    said = "\n".join(f"- {sentence}" for sentence in in_short(board))
    write_atomically(readme, f"{before}{begin}\n{said}\n\n{first_entries(board)}{end}{after}".encode())


def first_entries(board: Board) -> str:
    """A table of the first entries of every division."""
    head = ["division", "rank", "entry", "duels won", "damage of replace avoided", "cost", "verdict"]
    lines = [
        [
            f"{division.track}, {division.budget}", rank(row.rank, row.rank_interval),
            f"[`{row.entry}`]({'submissions' if row.outside else 'baselines'}/{row.entry}){f' {OUTSIDE}' * row.outside}",
            percent(row.win_rate), avoided(row.avoided), cost(row), verdict(row),
        ]
        for division in board.divisions
        for row in division.rows[:TOP]
        if row.rank is not None
    ]  # fmt: skip
    return markdown_table(head, lines)
