"""A verification on the board: what was verified, whether it still holds, and the scores by which an entry from outside is ranked."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from benchmark.results import verified
from benchmark.results.scoring import Interval
from benchmark.results.verified import Result, Verified
from leaderboard.board.ranking import Standing, over_all
from leaderboard.board.schema import Row, Verification, VerifiedTask, estimate

OnBoard = Mapping[str, tuple[int, set[str]]]
"""By task-setting of the board: T, and its ranked instances."""


def shown(result: Result, row: Row, digest: str | None) -> Verification:
    """What the board shows of a verification.

    Args:
        digest: of the entry as it is now.
    """
    tasks = {task: _of_task(result, task) for task in result.tasks}
    above = [_above(result.of(task, fresh=False)) for task in tasks]
    return Verification(
        date=result.date,
        salt=result.salt,
        profile=result.profile,
        version=result.version,
        isolation=result.isolation,
        stale=(result.digest, result.version) != (digest, row.version),
        above_base=estimate(over_all([part for part in above if part])) if all(above) else None,
        gap=result.gap and estimate(result.gap),
        tasks=list(tasks.values()),
    )


def _of_task(result: Result, task: str) -> VerifiedTask:
    public, fresh = result.of(task, fresh=False), result.of(task, fresh=True)
    above = _above(public)
    return VerifiedTask(
        task=task,
        seeds=len(public[0].seeds),
        horizon=public[0].horizon,
        instances=len(public),
        fresh=len(fresh),
        above_base=above and estimate(above),
    )


def _above(instances: list[Verified]) -> Interval | None:
    """Difference to the base workflow on one task-setting; None where an instance has no score."""
    return verified.difference(instances, "final").interval() if all(one.scored for one in instances) else None


def why_unranked(
    result: Result | None, row: Row, verification: Verification | None, on_board: OnBoard, has_base: bool
) -> str | None:
    """Why an entry from outside is not ranked; None where it is."""
    if result is None or verification is None:
        return "not verified: an entry from outside is ranked on verified numbers alone"
    if verification.stale:
        return f"its verification of {result.date} is stale: its code, data or card changed since"
    if result.isolation != "bubblewrap":
        return f"its verification of {result.date} ran without a sandbox"
    if not has_base:
        return "the base workflow of its division has no score here"
    return next(_faults(result, on_board), None)


def _faults(result: Result, on_board: OnBoard) -> Iterator[str]:
    """What of the board a verification leaves out, or where it failed."""
    for task, (horizon, ranked) in on_board.items():
        public = {one.instance: one for one in result.of(task, fresh=False)}
        for name in sorted(ranked):
            one = public.get(name)
            if one is None or one.horizon != horizon:
                yield f"{task} {name} was not verified to T = {horizon}"
            elif one.outcome.startswith("refused"):
                yield f"it does not run on {task}"
            elif one.outcome != "ok":
                yield f"its verification failed on {task} {name}"
            elif not one.scored:
                yield f"on {task} {name} replace did no damage under its salt"
            elif any(t is not None for t in one.base_diverged_at):
                yield f"on {task} {name} the base workflow diverged under its salt"


def standing(result: Result, ranked: Mapping[str, set[str]], of: str, base: Standing) -> Standing:
    """The scores by which an entry is ranked: the base workflow's public score plus, on seeds of its own, its difference to the base workflow.

    Args:
        ranked: by task-setting, the instances that count.
        of: "final" or "slope".
    """
    scores, life, apart = {}, {}, {}
    for task, names in ranked.items():
        instances = [one for one in result.of(task, fresh=False) if one.instance in names]
        difference = verified.difference(instances, of)
        scores[task] = pd.Series(difference.by_seed + float(np.mean(base.scores[task])), index=instances[0].seeds)
        life[task] = pd.Series(verified.life(instances), index=instances[0].seeds)
        apart[task] = tuple(difference)
    return Standing(scores, life, apart)
