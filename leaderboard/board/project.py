"""The board of a project: scores with the cards of its entries and with what is committed beside them."""

from benchmark.results.gather import Results
from benchmark.runs.project import Project
from leaderboard.board.build import build_board
from leaderboard.board.known import known
from leaderboard.board.schema import Board


def readable_results(project: Project, results: Results) -> Results:
    """The results without entries whose card cannot be read."""
    return results.without(project.entries.keys() - project.readable.keys())


def board_of(project: Project, results: Results) -> Board:
    """The board of some results.

    Raises:
        ThriveError: a committed verification is none, or does not follow from its own salt and losses.
    """
    cards = {entry.id: entry.card for entry in project.readable.values()}
    beyond_scores = known(project.root, project.params, project.readable)
    return build_board(readable_results(project, results), cards, beyond_scores)
