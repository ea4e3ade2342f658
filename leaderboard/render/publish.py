"""Building the leaderboard: all that `thrive board` does, but for its options and prints."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from benchmark.entries.entry import Entry
from benchmark.results import gather
from benchmark.results.profile import BOARD
from benchmark.results.seal import SCORES
from benchmark.runs.cells import write_atomically
from benchmark.runs.project import Project
from leaderboard.board.project import board_of, readable_results
from leaderboard.board.schema import Board
from leaderboard.render.changes import record
from leaderboard.render.html import Around, around
from leaderboard.render.write import inject, write


class Built(NamedTuple):
    """A board, and the files that were written of it."""

    board: Board
    paths: list[Path]


def beside_board(project: Project, folder: Path) -> Around:
    """What the page of a board in a folder of the clone has beside it: the entries' code, and where the clone is."""
    return around(project.root, project.root / folder, sources(project.readable.values()))


def sources(entries: Iterable[Entry]) -> dict[str, str]:
    """The code of entries by id."""
    return {entry.id: (entry.folder / "strategy.py").read_text(encoding="utf-8") for entry in entries}


CLOCK = 2.0
"""Seconds by which a file that is checked out may be older than one that is checked out with it."""


def is_current(page: Path) -> bool:
    """Whether a page is there, and no older than the scores beside it."""
    scores = page.with_name(SCORES)
    return page.is_file() and scores.is_file() and page.stat().st_mtime >= scores.stat().st_mtime - CLOCK


def publish_board(project: Project, folder: Path) -> Built:
    """Compute the leaderboard and write it from the scores in a folder of the clone, there: JSON, one page of HTML, Markdown, CSV, LaTeX.

    For leaderboard/, the board in README.md and the changes since the last commit are written anew too.

    Raises:
        ThriveError: there are no scores, or they are not as they were written.
    """
    results = gather.read(project.root / folder)
    board = board_of(project, results)
    paths = list(write(board, readable_results(project, results), project.root / folder, beside_board(project, folder)))
    if folder == BOARD:
        inject(board, project.root / "README.md")
        changes = project.root / folder / "board_changes.md"
        write_atomically(changes, record(board, project.root).encode())
        paths.append(changes)
    return Built(board, paths)
