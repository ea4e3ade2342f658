"""The row of an entry, before it is ranked: scores, what is missing, where it comes from."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from benchmark.entries.card import Card
from benchmark.results import duplicates
from benchmark.results.about import About, AsRun
from benchmark.results.labels import VERDICTS, worst
from benchmark.results.scoring import pooled
from leaderboard.board.duels import Contest, Wins, wins_of
from leaderboard.board.known import Known
from leaderboard.board.protocol import ranked_names
from leaderboard.board.ranking import win_rate
from leaderboard.board.schema import Estimate, Row, TaskAbout, TaskScore, Usage, estimate, rounded
from leaderboard.board.standing import Standing
from leaderboard.board.task_scores import part_of
from leaderboard.board.verdicts import Rules


@dataclass(frozen=True)
class Ranked:
    """An entry of the board: what is shown, and the unrounded numbers by seed that it rests on.

    Attributes:
        by_score: for differences to other entries.
        wins: by `leaderboard.board.duels.CHANGES`, for ranks; on the task-settings where it may be ranked.
    """

    row: Row
    by_score: Standing
    wins: Mapping[str, Wins]
    stale: bool

    @property
    def complete(self) -> bool:
        return self.row.unranked is None if self.row.outside else self.row.score is not None


def beyond_scores(entry: Ranked, known: Known, alike: Mapping[str, Mapping[str, str]]) -> Ranked:
    """The entry with where it comes from, and what it is a near-duplicate of."""
    id = entry.row.entry
    result = known.verified.get(id)
    under_salt = result.alike if result else []
    lines = duplicates.merged(known.alike.get(id, {}), alike.get(id, {}))
    outside = id in known.outside
    tasks = [_with_laws(part, known.laws.get(id, {})) for part in entry.row.tasks]
    row = entry.row.model_copy(
        update={
            "tasks": tasks,
            "laws": _law_counts(tasks),
            "outside": outside,
            "alike": list(dict.fromkeys([*lines, *under_salt])),
            "missing": [] if outside and not entry.row.tasks else entry.row.missing,
        }
    )
    return replace(entry, row=row)


def _with_laws(part: TaskScore, laws: Mapping[tuple[str, str], str]) -> TaskScore:
    """The scores of a task-setting with the class of each instance's curve."""
    instances = [one.model_copy(update={"law": laws.get((part.task, one.instance))}) for one in part.instances]
    return part.model_copy(update={"instances": instances})


def _law_counts(tasks: Sequence[TaskScore]) -> dict[str, int]:
    """Of ranked instances, the commonest class first."""
    found = Counter(one.law for part in tasks for one in part.instances if one.ranked and one.law is not None)
    return dict(found.most_common())


Contests = Mapping[str, Mapping[str, Contest]]
"""By `leaderboard.board.duels.CHANGES`, and task-setting."""


def entry_of(
    card: Card,
    tasks: list[TaskAbout],
    own: pd.DataFrame,
    reference: pd.DataFrame,
    contests: Contests,
    about: About,
    rules: Rules,
) -> Ranked:
    """An entry without its ranks, which depend on the others.

    Args:
        own: its runs.
        reference: those of replace.
    """
    refused = {name: part.refused[card.id] for name, part in about.tasks.items() if card.id in part.refused}
    as_run = [part.as_run[card.id] for part in about.tasks.values() if card.id in part.as_run]
    outdated = stale(card, as_run, about.profile)
    missing = list(outdated)
    parts = []
    for task in tasks:
        if task.task not in refused:
            mine, replace_runs = (frame[frame["task"] == task.task] for frame in (own, reference))
            missing += _lacking(task, mine)
            parts += (
                [part_of(task, mine, replace_runs, rules)] if (mine["instance"].isin(ranked_names(task))).any() else []
            )
    complete = not missing and len(parts) == len(tasks)
    row = Row(
        entry=card.id,
        **card.model_dump(
            include={"name", "version", "description", "authors", "licence", "url", "citation", "hyperparameters", "tuned_on",
                     "configurations_tried", "track", "budget", "role"}
        ),
        digest=as_run[0].digest if as_run else None,
        observed=None,
        same_as={},
        rank=None,
        rank_interval=None,
        slope_rank=None,
        slope_rank_interval=None,
        neighbours=[],
        win_rate=None,
        slope_win_rate=None,
        avoided=_mean_avoided([p.shown for p in parts]) if complete else None,
        score=estimate(pooled([p.score for p in parts])) if complete else None,
        slope_score=estimate(pooled([p.slope_score for p in parts])) if complete else None,
        verdict=worst(p.shown.verdict for p in parts if p.shown.verdict),
        verdict_counts=_verdict_counts([p.shown for p in parts]),
        laws={},
        above_base=None,
        beside_base=None,
        survival=rounded(float(np.mean([p.shown.survival for p in parts]))) if parts else None,
        usage=_mean_usage([p.shown.usage for p in parts]) if parts else None,
        outside=False,
        verified=None,
        unranked=None,
        alike=[],
        missing=missing,
        refused=refused,
        tasks=[p.shown for p in parts],
    )  # fmt: skip
    life = {p.shown.task: p.life for p in parts}
    by_score = Standing({p.shown.task: p.by_seed["pseudo_score"] for p in parts}, life)
    wins = {change: wins_of(card.id, {} if outdated else by_task) for change, by_task in contests.items()}
    return with_wins(Ranked(row, by_score, wins, bool(outdated)), wins)


def with_wins(entry: Ranked, wins: Mapping[str, Wins]) -> Ranked:
    """The entry with win rates, on the row as well."""

    def of(change: str, tasks: list[str]) -> Estimate | None:
        found = wins[change]
        if not tasks or not all(task in found.rates for task in tasks):
            return None
        return estimate(win_rate(found.of(tasks)))

    parts = [
        part.model_copy(update={name: of(change, [part.task]) for change, name in WIN_RATES.items()})
        for part in entry.row.tasks
    ]
    everywhere = [part.task for part in parts] if entry.row.score is not None else []
    rates = {name: of(change, everywhere) for change, name in WIN_RATES.items()}
    return replace(entry, row=entry.row.model_copy(update={"tasks": parts, **rates}), wins=wins)


WIN_RATES = {"excess": "win_rate", "drift": "slope_win_rate"}
"""What a duel is about, to the name on the row."""


def _mean_avoided(parts: list[TaskScore]) -> float | None:
    found = [part.avoided for part in parts if part.avoided is not None]
    return rounded(float(np.mean(found))) if len(found) == len(parts) else None


def _verdict_counts(parts: list[TaskScore]) -> dict[str, int]:
    found = [one.verdict for part in parts for one in part.instances if one.verdict]
    return {word: found.count(word) for word in VERDICTS if word in found}


def commands_for_board(profile: str, what: str = "") -> str:
    """What makes a profile's board anew."""
    return f"thrive run --profile {profile}{what}, thrive score --profile {profile}, then thrive board"


def stale(card: Card, as_run: list[AsRun], profile: str) -> list[str]:
    """Where the card says otherwise than it did when the scores were computed."""
    now = {"version": card.version, "track": card.track.value, "budget": card.budget.value}
    return list(
        dict.fromkeys(
            f"stale: it ran with {key} {then[key]}, its card now says {value}; {commands_for_board(profile, f' -s {card.id}')}"
            for then in (run.model_dump() for run in as_run)
            for key, value in now.items()
            if then[key] != value
        )
    )


def _lacking(task: TaskAbout, runs: pd.DataFrame) -> list[str]:
    """Which ranked instances lack seeds; unranked ones may be run by some entries and on some seeds alone."""
    ranked = ranked_names(task)
    counts = {name: int((runs["instance"] == name).sum()) for name in ranked}
    lacking = [f"{task.task} {name}: {n} of {task.seeds} seeds" for name, n in counts.items() if n < task.seeds]
    return lacking if ranked else [f"{task.task}: no ranked instance"]


def _mean_usage(parts: list[Usage]) -> Usage:
    def mean(of: Callable[[Usage], float | None]) -> float:
        return float(np.mean([math.nan if (value := of(part)) is None else value for part in parts]))

    return Usage(
        training_rows=rounded(mean(lambda u: u.training_rows)) or 0.0,
        candidates=rounded(mean(lambda u: u.candidates)) or 0.0,
        real_rows=rounded(mean(lambda u: u.real_rows)) or 0.0,
        cost=rounded(mean(lambda u: u.cost)),
    )
