"""The board, computed: from scores per seed and the entries' cards, and from nothing else."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from benchmark import collapse
from benchmark.entries import Card
from benchmark.errors import ThriveError
from benchmark.results import Results
from benchmark.rules import Role
from benchmark.scoring import METRICS_VERSION, REFERENCE, Interval, one_generation_of_damage, pooled, scored, t_interval
from leaderboard.schema import Board, Division, Estimate, InstanceAbout, InstanceScore, Row, TaskAbout, TaskScore

DIGITS = 6  # significant: more would differ between processors


def build(results: Results, cards: dict[str, Card]) -> Board:
    """The board of some results.

    Raises:
        ThriveError: an entry among the results has no card any more.
    """
    gone = sorted(set(results.scores["entry"]) - set(cards))
    if gone:
        raise ThriveError(
            f"results of '{gone[0]}', but no such entry. Make results without it: thrive run, then thrive score."
        )
    tasks = [_task_about(name, about, results.scores) for name, about in results.about["tasks"].items()]
    rows = [_row(card, tasks, results) for card in cards.values() if card.id in set(results.scores["entry"])]
    entries = [row for row in rows if row.role != Role.REFERENCE]
    divisions = sorted({(row.track, row.budget) for row in entries})
    return Board(
        metrics_version=METRICS_VERSION,
        profile=results.about["profile"],
        tasks=tasks,
        references=[row for row in rows if row.role == Role.REFERENCE],
        divisions=[Division(track=t, budget=b, rows=_ranked(entries, t, b)) for t, b in divisions],
    )


def _ranked(entries: list[Row], track: str, budget: str) -> list[Row]:
    """The entries of a division, the best first, incomplete ones last."""
    rows = [row for row in entries if (row.track, row.budget) == (track, budget)]
    rank = _ranks(rows, lambda row: row.score)
    slope_rank = _ranks(rows, lambda row: row.slope_score)
    rows = [r.model_copy(update={"rank": rank.get(r.entry), "slope_rank": slope_rank.get(r.entry)}) for r in rows]
    return sorted(rows, key=lambda row: (row.rank is None, row.rank, row.entry))


def _ranks(rows: list[Row], score: Callable[[Row], Estimate | None]) -> dict[str, int]:
    """1 + the number of entries that are better; an infinite score (centre null) comes last."""
    values = {row.entry: _value(found) for row in rows if (found := score(row)) is not None}
    return {entry: 1 + sum(other < value for other in values.values()) for entry, value in values.items()}


def _value(estimate: Estimate) -> float:
    return math.inf if estimate.centre is None else estimate.centre


def _task_about(name: str, about: dict[str, Any], scores: pd.DataFrame) -> TaskAbout:
    runs = scores[scores["task"] == name]
    instances = [_instance_about(i, runs[runs["instance"] == i["name"]]) for i in about["instances"]]
    return TaskAbout(
        task=name, unit=about["unit"], horizon=about["horizon"], seeds=len(about["seeds"]), instances=instances
    )


def _instance_about(instance: dict[str, Any], runs: pd.DataFrame) -> InstanceAbout:
    scale = one_generation_of_damage(runs)
    reason = None
    if not instance["ranked"]:
        reason = "shown for the figures: not ranked by params.yaml"
    elif not 0 < scale < np.inf:
        reason = f"one generation of {REFERENCE} does no measurable damage here (s = {scale:g})"
    others = {key: value for key, value in instance["numbers"].items() if key != "n"}
    return InstanceAbout(
        instance=instance["name"],
        family=", ".join(f"{key}={value}" for key, value in others.items()),
        n=instance["numbers"]["n"],
        ranked=reason is None,
        scale=_rounded(scale) if reason is None else None,
        reason=reason,
    )


def _row(card: Card, tasks: list[TaskAbout], results: Results) -> Row:
    refused = {name: about["refused"][card.id] for name, about in results.about["tasks"].items()
               if card.id in about["refused"]}  # fmt: skip
    runs = results.scores[results.scores["entry"] == card.id]
    everyone = results.scores
    parts, missing = [], []
    for task in tasks:
        if task.task in refused:
            continue
        mine, all_runs = (frame[frame["task"] == task.task] for frame in (runs, everyone))
        part, lacking = _task_score(task, mine, all_runs)
        missing += lacking
        parts += [] if part is None else [part]
    complete = not missing and len(parts) == len(tasks)
    return Row(
        entry=card.id,
        name=card.name,
        version=card.version,
        description=card.description,
        authors=card.authors,
        observed=card.observed,
        track=card.track,
        budget=card.budget,
        role=card.role,
        rank=None,
        slope_rank=None,
        score=_estimate(pooled([p.pooled_score for p in parts])) if complete else None,
        slope_score=_estimate(pooled([p.pooled_slope for p in parts])) if complete else None,
        missing=missing,
        refused=refused,
        tasks=[p.shown for p in parts],
    )


class _Part:
    """A task-setting's share of a row: what is shown, and the unrounded intervals that are pooled."""

    def __init__(
        self, task: TaskAbout, runs: pd.DataFrame, instances: list[InstanceScore], scaling: dict[str, Estimate]
    ) -> None:
        by_seed = runs.groupby("seed")[["score", "slope_score"]].mean()
        self.pooled_score = t_interval(by_seed["score"].to_numpy())
        self.pooled_slope = t_interval(by_seed["slope_score"].to_numpy())
        self.shown = TaskScore(
            task=task.task,
            score=_estimate(self.pooled_score),
            slope_score=_estimate(self.pooled_slope),
            survival=_rounded(float(np.isfinite(runs["final"]).mean())) or 0.0,
            instances=instances,
            scaling=scaling,
        )


def _scaling(task: TaskAbout, runs: pd.DataFrame) -> dict[str, Estimate]:
    """Of each family of instances where it is defined."""
    found = {}
    for family in dict.fromkeys(about.family for about in task.instances):
        n = {about.instance: about.n for about in task.instances if about.family == family}
        mine = runs[runs["instance"].isin(n)]
        excess = (mine["final"] - mine["real_loss"]).groupby([mine["seed"], mine["instance"].map(n)]).mean().unstack()
        values = collapse.scaling(excess.dropna())
        if len(values) and np.isfinite(values).all():
            found[family] = _estimate(t_interval(values))
    return found


def _task_score(task: TaskAbout, runs: pd.DataFrame, everyone: pd.DataFrame) -> tuple[_Part | None, list[str]]:
    """What an entry came to on a task-setting, and which instances lack seeds."""
    ranked, shown, missing = [], [], []
    for about in task.instances:
        mine = runs[runs["instance"] == about.instance]
        if len(mine) < task.seeds:
            missing.append(f"{task.task} {about.instance}: {len(mine)} of {task.seeds} seeds")
        if mine.empty:
            continue
        if about.ranked:
            scale = one_generation_of_damage(everyone[everyone["instance"] == about.instance])
            mine = scored(mine, scale)
            ranked.append(mine)
        shown.append(_instance_score(about, mine))
    if not ranked:
        return None, missing or [f"{task.task}: no ranked instance"]
    return _Part(task, pd.concat(ranked), shown, _scaling(task, runs)), missing


def _instance_score(about: InstanceAbout, runs: pd.DataFrame) -> InstanceScore:
    with np.errstate(invalid="ignore"):
        excess = runs["final"] - runs["real_loss"]
    return InstanceScore(
        instance=about.instance,
        ranked=about.ranked,
        seeds=len(runs),
        survival=_rounded(float(np.isfinite(runs["final"]).mean())) or 0.0,
        final=_mean(runs["final"]),
        final_median=_rounded(float(np.quantile(runs["final"], 0.5, method="lower"))),
        slope=_mean(runs["slope"]),
        late_slope=_mean(runs["late_slope"]),
        excess=_mean(excess),
        score=_mean(runs["score"]) if about.ranked else None,
        slope_score=_mean(runs["slope_score"]) if about.ranked else None,
        collapse=_collapse(runs),
    )


def _collapse(runs: pd.DataFrame) -> dict[str, Estimate]:
    """Without what is undefined for some seed."""
    values = {definition: runs.get(f"collapse_{definition}") for definition in collapse.DEFINITIONS}
    return {name: _mean(found) for name, found in values.items() if found is not None and found.notna().all()}


def _mean(values: pd.Series) -> Estimate:
    return _estimate(t_interval(values.to_numpy(float)))


def _estimate(interval: Interval) -> Estimate:
    return Estimate(centre=_rounded(interval.centre), low=_rounded(interval.low), high=_rounded(interval.high))


def _rounded(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
