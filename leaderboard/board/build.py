"""The board, computed: from scores per seed and the entries' cards, and from nothing else."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from benchmark.core.rules import Budget, Role
from benchmark.entries.entry import Card
from benchmark.errors import ThriveError
from benchmark.isolation.verify import BASE_WORKFLOW
from benchmark.results import collapse, duplicates
from benchmark.results.about import About, AboutInstance, AboutTask, AsRun
from benchmark.results.gather import Results
from benchmark.results.labels import worst
from benchmark.results.scoring import (
    METRICS_VERSION,
    REFERENCE,
    Interval,
    damage,
    one_generation_of_damage,
    pooled,
    scored,
    t_interval,
)
from leaderboard.board import verification
from leaderboard.board.claims import by_instance, identical, observed, unsupported
from leaderboard.board.known import Known
from leaderboard.board.ranking import (
    Standing,
    beside,
    difference,
    over_all,
    rank_intervals,
    verdict,
)
from leaderboard.board.schema import (
    Board,
    Computed,
    Division,
    Estimate,
    InstanceAbout,
    InstanceScore,
    RankInterval,
    Row,
    TaskAbout,
    TaskScore,
    Usage,
    estimate,
    rounded,
)


@dataclass(frozen=True)
class Ranked:
    """An entry of the board: what is shown, and the unrounded numbers by seed that ranks rest on."""

    row: Row
    by_score: Standing
    by_slope: Standing
    stale: bool

    @property
    def complete(self) -> bool:
        return self.row.unranked is None if self.row.outside else self.row.score is not None


def build(results: Results, cards: dict[str, Card], known: Known = Known()) -> Board:  # noqa: B008 it is frozen
    """The board of some results.

    Args:
        known: which entries are from outside, and what was verified.

    Raises:
        ThriveError: an entry among the results has no card any more.
    """
    gone = sorted(set(results.scores["entry"]) - set(cards))
    if gone:
        raise ThriveError(
            f"results of '{gone[0]}', but no such entry. Make results without it: {_again(results.about.profile)}."
        )
    about = _where_entries_are_ranked(results.about)
    tasks = [_task_about(name, part, results.scores) for name, part in about.tasks.items()]
    runs = _all_scored(tasks, results.scores)
    shown = set(runs["entry"]) | {id for id in known.verified if id in known.outside}
    alike = duplicates.by_losses(runs)
    found = {
        id: _beyond_scores(_entry(card, tasks, runs, about), known, alike) for id, card in cards.items() if id in shown
    }
    found, faults = _compared(found, cards, runs, tasks)
    entries = {id: entry for id, entry in found.items() if entry.row.role != Role.REFERENCE}
    divisions = sorted({(entry.row.track, Budget(entry.row.budget)) for entry in entries.values()})
    return Board(
        metrics_version=METRICS_VERSION,
        profile=about.profile,
        tasks=tasks,
        references=[entry.row for entry in found.values() if entry.row.role == Role.REFERENCE],
        divisions=[_division(t, b, entries, tasks, known) for t, b in divisions],
        faults=faults,
    )


def _compared(
    entries: dict[str, Ranked], cards: Mapping[str, Card], runs: pd.DataFrame, tasks: list[TaskAbout]
) -> tuple[dict[str, Ranked], list[str]]:
    """The entries with what the scores show beside those that their cards name, and what cards say against the scores.

    Stale scores are of another version of an entry than its card: nothing is said from them.
    """
    ranked = pd.concat(runs[(runs["task"] == t.task) & runs["instance"].isin(_ranked_names(t))] for t in tasks)
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


def _where_entries_are_ranked(about: About) -> About:
    """Without task-settings of which params.yaml ranks no instance: they are for figures alone.

    Raises:
        ThriveError: nothing is left.
    """
    tasks = [name for name, part in about.tasks.items() if any(i.ranked for i in part.instances)]
    if not tasks:
        raise ThriveError(f"profile '{about.profile}': params.yaml ranks none of its instances, so it has no board.")
    return about.of(tasks)


def _all_scored(tasks: list[TaskAbout], scores: pd.DataFrame) -> pd.DataFrame:
    """All runs, those on ranked instances with their scores."""
    parts = []
    for task in tasks:
        for about in task.instances:
            runs = scores[(scores["task"] == task.task) & (scores["instance"] == about.instance)]
            parts.append(scored(runs, damage(runs)) if about.ranked else runs)
    return pd.concat(parts, ignore_index=True)


def _beyond_scores(entry: Ranked, known: Known, alike: Mapping[str, Mapping[str, str]]) -> Ranked:
    """The entry with where it comes from, and what it is a near-duplicate of."""
    id = entry.row.entry
    result = known.verified.get(id)
    under_salt = result.alike if result else []
    lines = duplicates.merged(known.alike.get(id, {}), alike.get(id, {}))
    outside = id in known.outside
    row = entry.row.model_copy(
        update={
            "outside": outside,
            "alike": list(dict.fromkeys([*lines, *under_salt])),
            "missing": [] if outside and not entry.row.tasks else entry.row.missing,
        }
    )
    return replace(entry, row=row)


def _division(
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
    """The entry with its verification; one from outside stands by that, or is unranked for a reason."""
    row, result = entry.row, known.verified.get(entry.row.entry)
    shown = None if result is None else verification.shown(result, row, known.digests.get(row.entry))
    row = row.model_copy(update={"verified": shown})
    if not row.outside:
        return replace(entry, row=row)
    on_board = {task.task: (task.horizon, set(_ranked_names(task))) for task in tasks}
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
    return None if math.isnan(interval.centre) else estimate(interval)


def _task_about(name: str, about: AboutTask, scores: pd.DataFrame) -> TaskAbout:
    runs = scores[scores["task"] == name]
    instances = [_instance_about(i, runs[runs["instance"] == i.name]) for i in about.instances]
    return TaskAbout(
        task=name,
        unit=about.unit,
        horizon=about.horizon,
        seeds=len(about.seeds),
        computed=Computed(**about.computed.model_dump()),
        instances=instances,
    )


def _instance_about(instance: AboutInstance, runs: pd.DataFrame) -> InstanceAbout:
    scale = one_generation_of_damage(runs)
    reason = None
    if not instance.ranked:
        reason = "shown for the figures: not ranked by params.yaml"
    elif not 0 < scale < np.inf:
        reason = f"one generation of {REFERENCE} does no measurable damage here (s = {scale:g})"
    return InstanceAbout(
        instance=instance.name,
        family=" ".join(word for word in instance.name.split() if not word.startswith("n=")),
        n=instance.n,
        ranked=reason is None,
        scale=rounded(scale) if reason is None else None,
        reason=reason,
    )


def _entry(card: Card, tasks: list[TaskAbout], runs: pd.DataFrame, about: About) -> Ranked:
    """An entry without its ranks, which depend on the others."""
    refused = {name: part.refused[card.id] for name, part in about.tasks.items() if card.id in part.refused}
    as_run = [part.as_run[card.id] for part in about.tasks.values() if card.id in part.as_run]
    own = runs[runs["entry"] == card.id]
    outdated = stale(card, as_run, about.profile)
    missing = list(outdated)
    parts = []
    for task in tasks:
        if task.task not in refused:
            mine, everyone = (frame[frame["task"] == task.task] for frame in (own, runs))
            missing += _lacking(task, mine)
            parts += [_of_task(task, mine, everyone)] if (mine["instance"].isin(_ranked_names(task))).any() else []
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
        score=estimate(pooled([p.score for p in parts])) if complete else None,
        slope_score=estimate(pooled([p.slope_score for p in parts])) if complete else None,
        verdict=worst(p.shown.verdict for p in parts if p.shown.verdict),
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
    return Ranked(
        row,
        Standing({p.shown.task: p.by_seed["pseudo_score"] for p in parts}, life),
        Standing({p.shown.task: p.by_seed["pseudo_slope_score"] for p in parts}, life),
        bool(outdated),
    )


def _again(profile: str, what: str = "") -> str:
    """What makes a profile's board anew."""
    return f"thrive run --profile {profile}{what}, thrive score --profile {profile}, then thrive board"


def stale(card: Card, as_run: list[AsRun], profile: str) -> list[str]:
    """Where the card says otherwise than it did when the scores were computed."""
    now = {"version": card.version, "track": card.track.value, "budget": card.budget.value}
    return list(
        dict.fromkeys(
            f"stale: it ran with {key} {then[key]}, its card now says {value}; {_again(profile, f' -s {card.id}')}"
            for then in (run.model_dump() for run in as_run)
            for key, value in now.items()
            if then[key] != value
        )
    )


def _scaling(task: TaskAbout, runs: pd.DataFrame) -> dict[str, Estimate]:
    """Of each family of instances where it is defined."""
    found = {}
    for family in dict.fromkeys(about.family for about in task.instances):
        n = {about.instance: about.n for about in task.instances if about.family == family}
        mine = runs[runs["instance"].isin(n) & np.isfinite(runs["real_loss"])]
        excess = (mine["final"] - mine["real_loss"]).groupby([mine["seed"], mine["instance"].map(n)]).mean().unstack()
        values = collapse.scaling(excess.dropna())
        if len(values) and np.isfinite(values).all():
            found[family] = estimate(t_interval(values))
    return found


def _ranked_names(task: TaskAbout) -> list[str]:
    return [about.instance for about in task.instances if about.ranked]


def _lacking(task: TaskAbout, runs: pd.DataFrame) -> list[str]:
    """Which instances lack seeds."""
    counts = {about.instance: int((runs["instance"] == about.instance).sum()) for about in task.instances}
    lacking = [f"{task.task} {name}: {n} of {task.seeds} seeds" for name, n in counts.items() if n < task.seeds]
    return lacking if _ranked_names(task) else [*lacking, f"{task.task}: no ranked instance"]


@dataclass(frozen=True)
class _Part:
    """A task-setting's share of a row: what is shown, and the unrounded numbers that are pooled."""

    shown: TaskScore
    by_seed: pd.DataFrame
    life: "pd.Series[float]"

    @property
    def score(self) -> Interval:
        return t_interval(self.by_seed["pseudo_score"].to_numpy())

    @property
    def slope_score(self) -> Interval:
        return t_interval(self.by_seed["pseudo_slope_score"].to_numpy())


def _of_task(task: TaskAbout, runs: pd.DataFrame, everyone: pd.DataFrame) -> _Part:
    """What an entry came to on a task-setting; instances count equally."""
    ranked = runs[runs["instance"].isin(_ranked_names(task))]
    by_seed = ranked.groupby("seed")[["pseudo_score", "pseudo_slope_score"]].mean()
    life = ((ranked["diverged_at"] - 1) / ranked["horizon"]).fillna(1.0).groupby(ranked["seed"]).mean()
    instances = [
        _instance_score(about, mine, everyone[everyone["instance"] == about.instance])
        for about in task.instances
        if not (mine := runs[runs["instance"] == about.instance]).empty
    ]
    shown = TaskScore(
        task=task.task,
        score=estimate(t_interval(by_seed["pseudo_score"].to_numpy())),
        slope_score=estimate(t_interval(by_seed["pseudo_slope_score"].to_numpy())),
        survival=_survival(ranked),
        verdict=worst(found.verdict for found in instances if found.verdict),
        above_base=None,
        usage=_usage(ranked, everyone),
        instances=instances,
        scaling=_scaling(task, runs),
    )
    return _Part(shown, by_seed, life)


def _survival(runs: pd.DataFrame) -> float:
    return rounded(float(runs["diverged_at"].isna().mean())) or 0.0


def _usage(ranked: pd.DataFrame, everyone: pd.DataFrame) -> Usage:
    """Of one entry on one task-setting; `cost` is the mean over instances of rows handled, replace's being 1."""
    reference = everyone[everyone["entry"] == REFERENCE].groupby("instance").pipe(_rows_handled)
    cost = (ranked.groupby("instance").pipe(_rows_handled) / reference).dropna().mean()
    mean = ranked.groupby("instance")[["training_rows", "candidates", "fresh_real_rows", "verifier_rows"]].mean().mean()
    return Usage(
        training_rows=rounded(mean["training_rows"]) or 0.0,
        candidates=rounded(mean["candidates"]) or 0.0,
        real_rows=rounded(mean["fresh_real_rows"] + mean["verifier_rows"]) or 0.0,
        cost=rounded(cost),
    )


def _rows_handled(runs: Any) -> "pd.Series[float]":
    total: pd.Series[float] = (
        runs[["training_rows", "candidates", "fresh_real_rows", "verifier_rows"]].mean().sum(axis=1)
    )
    return total


def _mean_usage(parts: list[Usage]) -> Usage:
    def mean(of: Callable[[Usage], float | None]) -> float:
        return float(np.mean([math.nan if (value := of(part)) is None else value for part in parts]))

    return Usage(
        training_rows=rounded(mean(lambda u: u.training_rows)) or 0.0,
        candidates=rounded(mean(lambda u: u.candidates)) or 0.0,
        real_rows=rounded(mean(lambda u: u.real_rows)) or 0.0,
        cost=rounded(mean(lambda u: u.cost)),
    )


def _instance_score(about: InstanceAbout, runs: pd.DataFrame, everyone: pd.DataFrame) -> InstanceScore:
    return InstanceScore(
        instance=about.instance,
        ranked=about.ranked,
        seeds=len(runs),
        survival=_survival(runs),
        final=_mean(runs["final"]),
        final_median=rounded(float(np.quantile(runs["final"], 0.5, method="lower"))),
        slope=_mean(runs["slope"]),
        late_slope=_mean(runs["late_slope"]),
        excess=estimate(_excess(runs)),
        score=_mean(runs["pseudo_score"]) if about.ranked else None,
        slope_score=_mean(runs["pseudo_slope_score"]) if about.ranked else None,
        verdict=_verdict(about, runs, everyone[everyone["entry"] == REFERENCE]) if about.ranked else None,
        collapse=_collapse(runs),
    )


def _excess(runs: pd.DataFrame) -> Interval:
    with np.errstate(invalid="ignore"):
        return t_interval((runs["final"] - runs["real_loss"]).to_numpy(float))


def _verdict(about: InstanceAbout, runs: pd.DataFrame, replace: pd.DataFrame) -> str | None:
    if len(runs) < 2:
        return None
    return verdict(
        finite=bool(runs["diverged_at"].isna().all()),
        excess=_excess(runs),
        of_replace=_excess(replace).centre,
        late_slope=t_interval(runs["late_slope"].to_numpy(float)),
        drift=float((runs["slope"] * runs["horizon"]).mean()),
        scale=about.scale or math.nan,
    )


def _collapse(runs: pd.DataFrame) -> dict[str, Estimate]:
    """Without what is undefined for some seed."""
    values = {definition: runs.get(f"collapse_{definition}") for definition in collapse.DEFINITIONS}
    return {name: _mean(found) for name, found in values.items() if found is not None and found.notna().all()}


def _mean(values: pd.Series) -> Estimate:
    return estimate(t_interval(values.to_numpy(float)))
