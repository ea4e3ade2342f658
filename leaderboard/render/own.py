"""One's own entries on the committed board: their cells are computed, the scores of all others are those that are committed."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from benchmark.errors import ThriveError
from benchmark.results import gather
from benchmark.results.gather import Results
from benchmark.results.profile import BOARD, ProfileRun, Scope, run_profile
from benchmark.runs.progress import SILENT, Progress
from benchmark.runs.project import Project
from leaderboard.board.build import build_board
from leaderboard.board.known import known
from leaderboard.board.project import readable_results
from leaderboard.board.schema import Board
from leaderboard.render.publish import beside_board
from leaderboard.render.write import write


class OwnBoard(NamedTuple):
    """A board with one's own entries.

    Attributes:
        board: one's own entries are ranked by the cells that were computed here, verified or not.
        results: what it was built from.
        run: the cells of one's own entries.
        notes: what to know about the comparison.
    """

    board: Board
    results: Results
    run: ProfileRun
    notes: list[str]


def own_board(
    root: Path, ids: Sequence[str], jobs: int = 1, folder: Path = BOARD, progress: Progress = SILENT
) -> OwnBoard:
    """Compute the cells of some entries and set them beside the scores of all others in a folder of the clone.

    Raises:
        ThriveError: other code made those scores, or a cell cannot be computed.
    """
    committed = gather.read(root / folder)
    project = Project.load(root, committed.about.profile)
    scope = Scope(project, [*committed.about.tasks], ids, only=True)
    for task, cells in scope.cells.items():
        about = committed.about.tasks[task]
        why = gather.difference(about, gather.about_cells(cells)) if cells else None
        gone = {one.name for one in about.instances} - {one.name for one in project.instances(task)}
        if why is None and gone:
            why = f"params.yaml no longer has {min(gone)}"
        if why is not None:
            raise ThriveError(
                f"{folder}: the scores of {task} cannot stand beside yours: {why}. Restore code and params.yaml (git stash, git checkout), or compute "
                f"all entries: thrive run --profile {project.profile}, thrive score --profile {project.profile}, thrive board"
            )
    run = run_profile(scope, jobs, progress)
    if run.failures:
        first = run.failures[0]
        raise ThriveError(f"{len(run.failures)} of {len(run.plan.to_do)} cells failed. {first.cell}: {first.error}")
    if not run.trials:
        raise ThriveError("\n".join([f"{', '.join(ids)}: no scores.", *run.refusals]))
    own = gather.merged([trial.results for trial in run.trials])
    results = readable_results(project, gather.beside(own, committed))
    beyond_scores = known(root, project.params, project.readable)
    beyond_scores = replace(
        beyond_scores,
        outside=beyond_scores.outside - set(ids),
        verified={id: result for id, result in beyond_scores.verified.items() if id not in ids},
    )
    cards = {entry.id: entry.card for entry in project.readable.values()}
    return OwnBoard(build_board(results, cards, beyond_scores), results, run, _notes(committed, own))


def _notes(committed: Results, own: Results) -> list[str]:
    """Libraries of other versions: results may differ a little for their sake."""
    notes = []
    for task, about in own.about.tasks.items():
        theirs = committed.about.tasks[task].computed.versions
        other = {
            f"{name} {', '.join(found)} (there {', '.join(theirs[name])})"
            for name, found in about.computed.versions.items()
            if name in theirs and not set(found) <= set(theirs[name])
        }
        if other:
            notes.append(f"{task}: yours were computed with {'; '.join(sorted(other))}.")
    return notes


def write_own(root: Path, found: OwnBoard, ids: Sequence[str]) -> list[Path]:
    """Write all forms of the board to results/PROFILE/with/IDS; returns their paths."""
    project = Project.load(root, found.board.profile)
    folder = project.results / "with" / "+".join(ids)[:100]
    return write(found.board, found.results, folder, beside_board(project, folder))
