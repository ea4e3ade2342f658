"""The scores of an entry on one task-setting, instance by instance."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmark.results import collapse
from benchmark.results.scoring import Interval, life_of, t_interval
from leaderboard.board import verdicts
from leaderboard.board.protocol import ranked_names
from leaderboard.board.schema import (
    Estimate,
    InstanceAbout,
    InstanceScore,
    TaskAbout,
    TaskScore,
    Usage,
    estimate,
    rounded,
)
from leaderboard.board.verdicts import Evidence, Rules


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


@dataclass(frozen=True)
class TaskPart:
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


def part_of(task: TaskAbout, runs: pd.DataFrame, replace: pd.DataFrame, rules: Rules) -> TaskPart:
    """The scores of an entry on a task-setting; instances count equally.

    Args:
        replace: the runs of the reference.
    """
    ranked = runs[runs["instance"].isin(ranked_names(task))]
    by_seed = ranked.groupby("seed")[["pseudo_score", "pseudo_slope_score"]].mean()
    evidence = {
        about.instance: _evidence(about, mine, replace[replace["instance"] == about.instance], rules)
        for about in task.instances
        if about.ranked and not (mine := ranked[ranked["instance"] == about.instance]).empty
    }
    instances = [
        _instance_score(about, mine, evidence.get(about.instance), rules)
        for about in task.instances
        if not (mine := runs[runs["instance"] == about.instance]).empty
    ]
    shown = TaskScore(
        task=task.task,
        rank=None,
        rank_interval=None,
        slope_rank=None,
        slope_rank_interval=None,
        win_rate=None,
        slope_win_rate=None,
        avoided=_avoided(ranked, replace),
        score=estimate(t_interval(by_seed["pseudo_score"].to_numpy())),
        slope_score=estimate(t_interval(by_seed["pseudo_slope_score"].to_numpy())),
        survival=_survival(ranked),
        verdict=_verdict_of_all(task, ranked, list(evidence.values()), rules),
        above_base=None,
        usage=_usage(ranked, replace),
        instances=instances,
        scaling=_scaling(task, runs),
    )
    return TaskPart(shown, by_seed, life_of(ranked).groupby(ranked["seed"]).mean())


def _survival(runs: pd.DataFrame) -> float:
    return rounded(float(runs["diverged_at"].isna().mean())) or 0.0


def _usage(ranked: pd.DataFrame, replace: pd.DataFrame) -> Usage:
    """Of one entry on one task-setting; `cost` is the mean over instances of rows handled, replace's being 1."""
    reference = replace.groupby("instance").pipe(_rows_handled)
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


def _instance_score(about: InstanceAbout, runs: pd.DataFrame, evidence: Evidence | None, rules: Rules) -> InstanceScore:
    return InstanceScore(
        instance=about.instance,
        ranked=about.ranked,
        seeds=len(runs),
        survival=_survival(runs),
        final=_mean(runs["final"]),
        final_median=rounded(float(np.quantile(runs["final"], 0.5, method="lower"))),
        final_bits=rounded(float(runs["final"].mean()) * (about.bits_per_byte or 1 / math.log(2))),
        slope=_mean(runs["slope"]),
        late_slope=_mean(runs["late_slope"]),
        excess=estimate(_excess(runs)),
        score=_mean(runs["pseudo_score"]) if about.ranked else None,
        slope_score=_mean(runs["pseudo_slope_score"]) if about.ranked else None,
        verdict=None if evidence is None else verdicts.verdict(evidence, rules.bounds, rules.instances),
        law=None,
        collapse=_collapse(runs),
    )


def _excess(runs: pd.DataFrame) -> Interval:
    with np.errstate(invalid="ignore"):
        return t_interval((runs["final"] - runs["real_loss"]).to_numpy(float))


def _evidence(about: InstanceAbout, runs: pd.DataFrame, replace: pd.DataFrame, rules: Rules) -> Evidence:
    own, reference = (part.sort_values("seed").set_index("seed") for part in (runs, replace))
    finite = own["diverged_at"].isna()
    with np.errstate(invalid="ignore"):
        of_replace = (reference["final"] - reference["real_loss"]).reindex(own.index).to_numpy(float)
        excess, late = own["final"] - own["real_loss"], own["late_slope"] * own["horizon"]
    changes = (change.where(finite, np.inf).to_numpy(float) for change in (excess, late))
    return verdicts.evidence(next(changes), of_replace, next(changes), about.scale or math.nan, rules.bounds)


def _verdict_of_all(task: TaskAbout, ranked: pd.DataFrame, evidence: list[Evidence], rules: Rules) -> str | None:
    """Of the mean over instances; None where a run is missing."""
    if len(ranked) < task.seeds * len(ranked_names(task)):
        return None
    return verdicts.verdict(verdicts.mean(evidence), rules.bounds, rules.tasks)


def _avoided(ranked: pd.DataFrame, replace: pd.DataFrame) -> float | None:
    """The share of replace's excess that is avoided, mean over instances; 2 at most, where the loss falls far below the real data's.

    Medians over seeds, since both losses are heavy-tailed where models collapse.
    """
    own, theirs = (_median_excess(part) for part in (ranked, replace))
    theirs = theirs.reindex(own.index)
    if not (theirs > 0).all():
        return None
    with np.errstate(invalid="ignore"):
        share = (own / theirs).where(own < theirs, 1.0)
    return rounded(float((1 - share.clip(-1, 1)).mean()))


def _median_excess(runs: pd.DataFrame) -> "pd.Series[float]":
    with np.errstate(invalid="ignore"):
        excess = (runs["final"] - runs["real_loss"]).where(runs["diverged_at"].isna(), np.inf)
    return excess.groupby(runs["instance"]).quantile(0.5, interpolation="lower")


def _collapse(runs: pd.DataFrame) -> dict[str, Estimate]:
    """Without what is undefined for some seed."""
    values = {definition: runs.get(f"collapse_{definition}") for definition in collapse.DEFINITIONS}
    return {name: _mean(found) for name, found in values.items() if found is not None and found.notna().all()}


def _mean(values: pd.Series) -> Estimate:
    return estimate(t_interval(values.to_numpy(float)))
