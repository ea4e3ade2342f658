"""The board as a table, for a notebook or a script: `benchmark.board`."""

import io
from pathlib import Path

import pandas as pd

from benchmark import stamps
from benchmark.results.profile import BOARD
from leaderboard.board.committed import read_board
from leaderboard.render.own import own_board
from leaderboard.render.tables import as_csv


def board(*own: str, root: Path = stamps.PACKAGE.parent, folder: Path = BOARD, jobs: int = 1) -> pd.DataFrame:
    """The committed leaderboard; with ids of entries, those beside it, whose cells alone are computed.

    Args:
        root: the clone.
        folder: with leaderboard.json and scores, within the clone.
        jobs: processes.

    Returns:
        The columns of leaderboard.csv: a row for each entry, by division and rank.

    Raises:
        ThriveError: there is no board, or other code made its scores.
    """
    found = own_board(root, own, jobs, folder).board if own else read_board(root / folder / "leaderboard.json")
    return pd.read_csv(io.StringIO(as_csv(found)))
