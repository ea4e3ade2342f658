"""A division of the board: ranks, verifications, and how each entry compares with the base workflow."""

import math
from collections.abc import Mapping
from dataclasses import replace

from benchmark.core.rules import BASE_WORKFLOW, Budget
from benchmark.results.scoring import Interval
from leaderboard.board import verification
from leaderboard.board.known import Known
from leaderboard.board.protocol import ranked_names
from leaderboard.board.ranking import beside, difference, over_all, rank_intervals
from leaderboard.board.rows import Ranked
from leaderboard.board.schema import Division, Estimate, RankInterval, TaskAbout, estimate


def division_of(
    track: str, budget: Budget, everyone: Mapping[str, Ranked], tasks: list[TaskAbout], known: Known
) -> Division:
    """The entries of a division, the best first, unranked ones last. Its base workflow may stand in another division."""
    base = BASE_WORKFLOW[budget]
    of_base = everyone.get(base)
    mine = {
        id: _with_verification(entry, known, of_base, tasks)
        for id, entry in everyone.items()
        if (entry.row.track, entry.row.budget) == (track, budget)
    }
    mine = _beside_base(mine, of_base, base)
    ranked = {id: entry for id, entry in mine.items() if entry.complete}
    base_score, base_slope = (None, None) if of_base is None else (of_base.by_score, of_base.by_slope)
    by_score = rank_intervals({id: entry.by_score for id, entry in ranked.items()}, base_score)
    by_slope = rank_intervals({id: entry.by_slope for id, entry in ranked.items()}, base_slope)
    rows = [
        entry.row.model_copy(
            update={
                "rank": by_score[id].rank, "rank_interval": RankInterval(low=by_score[id].low, high=by_score[id].high),
                "slope_rank": by_slope[id].rank,
                "slope_rank_interval": RankInterval(low=by_slope[id].low, high=by_slope[id].high),
            }
            if id in ranked else {}
        )
        for id, entry in mine.items()
    ]  # fmt: skip
    rows.sort(key=lambda row: (row.rank is None, row.rank, row.entry))
    return Division(track=track, budget=budget, base=base, rows=rows)


def _with_verification(entry: Ranked, known: Known, base: Ranked | None, tasks: list[TaskAbout]) -> Ranked:
    """The entry with its verification. An entry from outside is ranked by its verified numbers, or gets the reason why it is not ranked."""
    row, result = entry.row, known.verified.get(entry.row.entry)
    shown = None if result is None else verification.shown(result, row, known.digests.get(row.entry))
    row = row.model_copy(update={"verified": shown})
    if not row.outside:
        return replace(entry, row=row)
    on_board = {task.task: (task.horizon, set(ranked_names(task))) for task in tasks}
    why = verification.why_unranked(result, row, shown, on_board, base is not None and base.complete)
    row = row.model_copy(update={"unranked": why})
    if why is not None or result is None or base is None:
        return replace(entry, row=row)
    ranked = {name: instances for name, (_, instances) in on_board.items()}
    by_score = verification.standing(result, ranked, "final", base.by_score)
    by_slope = verification.standing(result, ranked, "slope", base.by_slope)
    return replace(entry, row=row, by_score=by_score, by_slope=by_slope)


def _beside_base(entries: dict[str, Ranked], base: Ranked | None, base_id: str) -> dict[str, Ranked]:
    """The entries with what they are above the base workflow; task-setting by task-setting also where the row is unranked."""
    if base is None:
        return entries
    others = {id: entry for id, entry in entries.items() if id != base_id}
    tested = {id: entry.by_score for id, entry in others.items() if entry.complete} if base.complete else {}
    words = beside(tested, base.by_score)
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
