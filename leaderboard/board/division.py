"""A division of the board: ranks, verifications, and how each entry compares with the base workflow."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from benchmark.core.rules import BASE_WORKFLOW, Budget
from benchmark.results.scoring import Interval
from leaderboard.board import ranking, verification
from leaderboard.board.duels import Wins
from leaderboard.board.known import Known
from leaderboard.board.protocol import ranked_names
from leaderboard.board.ranking import beside, rank_intervals
from leaderboard.board.rows import Contests, Ranked, with_wins
from leaderboard.board.schema import Division, Estimate, Neighbour, RankInterval, TaskAbout, estimate
from leaderboard.board.standing import difference, over_all

RANKS = {"excess": "rank", "drift": "slope_rank"}
"""What a duel is about, to the name of the rank."""


def division_of(
    track: str, budget: Budget, everyone: Mapping[str, Ranked], tasks: list[TaskAbout], contests: Contests, known: Known
) -> Division:
    """The entries of a division, the best first, unranked ones last. Its base workflow may stand in another division."""
    base = BASE_WORKFLOW[budget]
    of_base = everyone.get(base)
    mine = {
        id: _with_verification(entry, known, of_base, tasks, contests)
        for id, entry in everyone.items()
        if (entry.row.track, entry.row.budget) == (track, budget)
    }
    mine = _beside_base(mine, of_base, base)
    for task in tasks:
        mine = _with_ranks_on(task.task, mine)
    ranks = _ranks({id: entry.wins for id, entry in mine.items() if entry.complete}, [task.task for task in tasks])
    ranked = sorted((mine[id] for id in ranks), key=lambda entry: (ranks[entry.row.entry]["rank"], entry.row.entry))
    for place, entry in enumerate(ranked):
        ranks[entry.row.entry]["neighbours"] = _neighbours(ranked, place)
    rows = [entry.row.model_copy(update=ranks.get(id, {})) for id, entry in mine.items()]
    rows.sort(key=lambda row: (row.rank is None, row.rank, row.entry))
    return Division(track=track, budget=budget, base=base, rows=rows)


def _neighbours(ranked: list[Ranked], place: int) -> list[Neighbour]:
    own = ranked[place].wins["excess"]
    return [
        Neighbour(
            entry=ranked[other].row.entry,
            above=other < place,
            difference=estimate(ranking.difference(ranked[other].wins["excess"], own)),
        )
        for other in (place - 1, place + 1)
        if 0 <= other < len(ranked)
    ]


def _ranks(entries: Mapping[str, Mapping[str, Wins]], tasks: list[str]) -> dict[str, dict[str, Any]]:
    """By entry, its ranks on some task-settings together, by what duels are about, with their intervals."""
    found: dict[str, dict[str, Any]] = {id: {} for id in entries}
    for change, name in RANKS.items():
        for id, (rank, low, high) in rank_intervals(
            {id: wins[change].of(tasks) for id, wins in entries.items()}
        ).items():
            found[id] |= {name: rank, f"{name}_interval": RankInterval(low=low, high=high)}
    return found


def _with_ranks_on(task: str, entries: dict[str, Ranked]) -> dict[str, Ranked]:
    """The entries with their ranks on a task-setting, of those that have win rates there."""
    there = {id: e.wins for id, e in entries.items() if all(task in wins.rates for wins in e.wins.values())}
    ranks = _ranks(there, [task])

    def ranked(id: str, entry: Ranked) -> Ranked:
        parts = [part.model_copy(update=ranks[id]) if part.task == task else part for part in entry.row.tasks]
        return replace(entry, row=entry.row.model_copy(update={"tasks": parts}))

    return entries | {id: ranked(id, entries[id]) for id in there}


def _with_verification(
    entry: Ranked, known: Known, base: Ranked | None, tasks: list[TaskAbout], contests: Contests
) -> Ranked:
    """The entry with its verification. An entry from outside is ranked by its verified numbers, or gets the reason why it is not ranked."""
    row, result = entry.row, known.verified.get(entry.row.entry)
    shown = None if result is None else verification.shown(result, row, known.digests.get(row.entry))
    row = row.model_copy(update={"verified": shown})
    if not row.outside:
        return replace(entry, row=row)
    why = verification.why_unranked(result, shown, base is not None and base.complete)
    on_board = {task.task: (task.horizon, ranked_names(task)) for task in tasks}
    faults = {} if result is None else verification.faults(result, on_board)
    row = row.model_copy(update={"unranked": why or next(iter(faults.values()), None)})
    if why is not None or result is None or base is None:
        return with_wins(replace(entry, row=row), dict.fromkeys(contests, NO_WINS))
    ranked = {task: names for task, (_, names) in on_board.items() if task not in faults}
    wins = {c: verification.wins(result, ranked, by_task, base.row.entry, c) for c, by_task in contests.items()}
    found = with_wins(replace(entry, row=row), wins)
    if faults:
        return found
    return replace(found, by_score=verification.above_base(result, ranked, base.by_score))


NO_WINS = Wins({}, {}, {}, {})


def _beside_base(entries: dict[str, Ranked], base: Ranked | None, base_id: str) -> dict[str, Ranked]:
    """The entries with what they are above the base workflow; task-setting by task-setting also where the row is unranked."""
    if base is None:
        return entries
    others = {id: entry for id, entry in entries.items() if id != base_id}
    tested = {id: entry.wins["excess"] for id, entry in others.items() if entry.complete} if base.complete else {}
    words = beside(tested, base.wins["excess"]) if tested else {}
    return entries | {id: _with_base(entry, base, words.get(id)) for id, entry in others.items()}


def _with_base(entry: Ranked, base: Ranked, words: str | None) -> Ranked:
    """The entry with its score minus that of the base workflow; `words` say whether it is better, and are None where it is unranked."""
    shared = {task: values for task, values in entry.by_score.scores.items() if task in base.by_score.scores}
    above = difference(replace(entry.by_score, scores=shared), base.by_score)
    tasks = [
        part.model_copy(update={"above_base": _known(above[part.task])}) if part.task in above else part
        for part in entry.row.tasks
    ]
    pooled_above = None if words is None else _known(over_all(above.values()))
    row = entry.row.model_copy(update={"tasks": tasks, "beside_base": words, "above_base": pooled_above})
    return replace(entry, row=row)


def _known(interval: Interval) -> Estimate | None:
    """None where both diverged, so that the difference is unknown."""
    return None if math.isnan(interval.centre) else estimate(interval)
