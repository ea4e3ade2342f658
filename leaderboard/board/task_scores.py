"""The scores of an entry on one task-setting, instance by instance."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmark.results import collapse
from benchmark.results.labels import worst
from benchmark.results.scoring import REFERENCE, Interval, t_interval
from leaderboard.board.protocol import ranked_names
from leaderboard.board.ranking import verdict
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


def part_of(task: TaskAbout, runs: pd.DataFrame, everyone: pd.DataFrame) -> TaskPart:
    """The scores of an entry on a task-setting; instances count equally."""
    ranked = runs[runs["instance"].isin(ranked_names(task))]
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
    return TaskPart(shown, by_seed, life)


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
