"""The board, written: JSON with its schema, HTML, Markdown, CSV, LaTeX, and samples of text by generation."""

import json
from pathlib import Path

from benchmark.errors import ThriveError
from benchmark.results.gather import Results
from benchmark.results.labels import division_title
from benchmark.runs.cells import write_atomically
from leaderboard.board.schema import Board
from leaderboard.render.html import html
from leaderboard.render.markdown import markdown, samples, table
from leaderboard.render.tables import as_csv, latex


def write(board: Board, results: Results, folder: Path) -> list[Path]:
    """Write all forms of the board; returns their paths.

    Args:
        results: what the board was built from, for curves and samples of text.
    """
    texts = results.about.texts
    contents = {
        "leaderboard.json": board.model_dump_json(indent=1) + "\n",
        "leaderboard.schema.json": json.dumps(Board.model_json_schema(), indent=1) + "\n",
        "leaderboard.html": html(board, results),
        "leaderboard.md": markdown(board),
        "leaderboard.csv": as_csv(board),
        "leaderboard.tex": latex(board),
    }
    if texts:
        contents["samples.md"] = samples(texts)
    for name, content in contents.items():
        write_atomically(folder / name, content.encode())
    return [folder / name for name in contents]


MARKS = ("<!-- board: written by `thrive board` -->", "<!-- end of board -->")


def inject(board: Board, readme: Path) -> None:
    """Put the ranks of every division between the marks of the README.

    Raises:
        ThriveError: a mark is missing.
    """
    text = readme.read_text(encoding="utf-8")
    before, begin, rest = text.partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not (begin and end):
        raise ThriveError(f"{readme}: the marks {MARKS[0]} and {MARKS[1]} are missing. Put them where the board goes.")
    parts = [
        f"**{division_title(d.track, d.budget)}**\n\n{table(board, d.rows + board.references)}" for d in board.divisions
    ]
    write_atomically(readme, f"{before}{begin}\n{chr(10).join(parts)}{end}{after}".encode())
