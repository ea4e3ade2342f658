"""The protocol on the board: which task-settings and instances count, and the scores of all runs on them."""

import numpy as np
import pandas as pd

from benchmark.errors import ThriveError
from benchmark.results.about import About, AboutInstance, AboutTask
from benchmark.results.scoring import REFERENCE, damage, one_generation_of_damage, scored
from leaderboard.board.schema import Computed, InstanceAbout, TaskAbout, rounded

RESAMPLED = 4
"""Ranked instances that a task-setting has at least, for intervals to hold on others like them."""


def where_entries_are_ranked(about: About) -> About:
    """The task-settings of which params.yaml ranks an instance; the others are for figures alone.

    Raises:
        ThriveError: nothing is left.
    """
    tasks = [name for name, part in about.tasks.items() if any(i.ranked for i in part.instances)]
    if not tasks:
        raise ThriveError(f"profile '{about.profile}': params.yaml ranks none of its instances, so it has no board.")
    return about.of(tasks)


def all_scored(tasks: list[TaskAbout], scores: pd.DataFrame) -> pd.DataFrame:
    """All runs, those on ranked instances with their scores."""
    parts = []
    for task in tasks:
        for about in task.instances:
            runs = scores[(scores["task"] == task.task) & (scores["instance"] == about.instance)]
            parts.append(scored(runs, damage(runs)) if about.ranked else runs)
    return pd.concat(parts, ignore_index=True)


def task_about(name: str, about: AboutTask, scores: pd.DataFrame) -> TaskAbout:
    """A task-setting of the results, with the scale of each instance and whether it is ranked."""
    runs = scores[scores["task"] == name]
    instances = [_instance_about(i, runs[runs["instance"] == i.name]) for i in about.instances]
    return TaskAbout(
        task=name,
        unit=about.unit,
        horizon=about.horizon,
        seeds=len(about.seeds),
        opponents=0,
        resampled=sum(i.ranked for i in instances) >= RESAMPLED,
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
        bits_per_byte=None if instance.bits_per_byte is None else rounded(instance.bits_per_byte),
    )


def ranked_names(task: TaskAbout) -> list[str]:
    """Names of the instances that are ranked."""
    return [about.instance for about in task.instances if about.ranked]
