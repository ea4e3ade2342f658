"""The board, computed: from scores per seed and the entries' cards, and from nothing else."""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from benchmark.core.rules import Budget, Role
from benchmark.entries.card import Card
from benchmark.errors import ThriveError
from benchmark.results import duplicates
from benchmark.results.gather import Results
from benchmark.results.scoring import METRICS_VERSION, REFERENCE
from leaderboard.board.claims import by_instance, identical, observed, unsupported
from leaderboard.board.division import division_of
from leaderboard.board.duels import CHANGES, contest
from leaderboard.board.known import Known
from leaderboard.board.protocol import all_scored, ranked_names, task_about, where_entries_are_ranked
from leaderboard.board.rows import Ranked, beyond_scores, commands_for_board, entry_of
from leaderboard.board.schema import Board, TaskAbout
from leaderboard.board.verdicts import Rules


def build_board(results: Results, cards: Mapping[str, Card], known: Known = Known()) -> Board:  # noqa: B008 it is frozen
    """The board of some results. Reads and writes no file; `leaderboard.render.write.write` writes all forms of a board.

        root, params = Path("."), load(Path("."))
        entries = find(root)
        results = gather.read(root / "leaderboard")
        cards = {id: entry.card for id, entry in entries.items()}
        board = build_board(results, cards, known(root, params, entries))

    Args:
        cards: by id, of the entries among the results and of those from outside that are verified.
        known: which entries are from outside, and what was verified.

    Raises:
        ThriveError: an entry among the results has no card any more, or params.yaml ranks none of the instances.
    """
    gone = sorted(set(results.scores["entry"]) - set(cards))
    if gone:
        raise ThriveError(
            f"results of '{gone[0]}', but no such entry. Make results without it: {commands_for_board(results.about.profile)}."
        )
    about = where_entries_are_ranked(results.about)
    tasks = [task_about(name, part, results.scores) for name, part in about.tasks.items()]
    runs = all_scored(tasks, results.scores)
    contests = {change: {task.task: contest(task, runs, change) for task in tasks} for change in CHANGES}
    tasks = [task.model_copy(update={"opponents": len(contests["excess"][task.task].opponents)}) for task in tasks]
    rules = Rules(known.bounds, len(tasks), sum(len(ranked_names(task)) for task in tasks))
    shown = set(runs["entry"]) | {id for id in known.verified if id in known.outside}
    alike = duplicates.by_losses(runs)
    by_entry, nothing = dict(iter(runs.groupby("entry"))), runs.iloc[:0]
    found = {
        id: beyond_scores(
            entry_of(card, tasks, by_entry.get(id, nothing), by_entry.get(REFERENCE, nothing), contests, about, rules),
            known,
            alike,
        )
        for id, card in cards.items()
        if id in shown
    }
    found, faults = _compared(found, cards, runs, tasks)
    entries = {id: entry for id, entry in found.items() if entry.row.role != Role.REFERENCE}
    divisions = sorted({(entry.row.track, Budget(entry.row.budget)) for entry in entries.values()})
    return Board(
        metrics_version=METRICS_VERSION,
        profile=about.profile,
        tasks=tasks,
        references=[entry.row for entry in found.values() if entry.row.role == Role.REFERENCE],
        divisions=[division_of(t, b, entries, tasks, contests, known) for t, b in divisions],
        faults=faults,
    )


def _compared(
    entries: dict[str, Ranked], cards: Mapping[str, Card], runs: pd.DataFrame, tasks: list[TaskAbout]
) -> tuple[dict[str, Ranked], list[str]]:
    """The entries with what the scores show beside those that their cards name, and what cards say against the scores.

    Stale scores are of another version of an entry than its card: nothing is said from them.
    """
    ranked = pd.concat(runs[(runs["task"] == t.task) & runs["instance"].isin(ranked_names(t))] for t in tasks)
    now = {id: cards[id] for id, entry in entries.items() if not entry.stale}
    ranked = ranked[ranked["entry"].isin(now)]
    if ranked.empty:
        return entries, []
    same: dict[str, dict[str, list[str]]] = {id: {} for id in entries}
    pairs = identical(ranked)
    for (a, b), by_task in pairs.items():
        for task in by_task:
            same[a].setdefault(task, []).append(b)
            same[b].setdefault(task, []).append(a)
    scores, found = by_instance(ranked), {}
    for id, entry in entries.items():
        text = observed(id, now[id].compare_with, scores) if id in now else None
        row = entry.row.model_copy(update={"observed": text, "same_as": same[id]})
        found[id] = replace(entry, row=row)
    return found, unsupported(now, ranked, pairs)
