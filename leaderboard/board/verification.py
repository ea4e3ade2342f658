"""A verification on the board: what was verified, whether it still holds, and the win rates by which an entry from outside is ranked."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from benchmark.results import verified
from benchmark.results.scoring import Interval
from benchmark.results.verified import Result, Verified
from leaderboard.board.duels import Array, Contest, Wins
from leaderboard.board.schema import Row, Verification, VerifiedTask, estimate
from leaderboard.board.standing import Standing, over_all

OnBoard = Mapping[str, tuple[int, list[str]]]
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


def why_unranked(result: Result | None, verification: Verification | None, has_base: bool) -> str | None:
    """Why an entry from outside is ranked nowhere; None where it may be ranked."""
    if result is None or verification is None:
        return "not verified: an entry from outside is ranked on verified numbers alone"
    if verification.stale:
        return f"its verification of {result.date} is stale: its code, data or card changed since"
    if result.isolation != "bubblewrap":
        return f"its verification of {result.date} ran without a sandbox"
    return None if has_base else "the base workflow of its division has no score here"


def faults(result: Result, on_board: OnBoard) -> dict[str, str]:
    """What of the board a verification leaves out, or where it failed: the first thing of each task-setting."""
    found = ((task, next(_faults(result, task, *about), None)) for task, about in on_board.items())
    return {task: fault for task, fault in found if fault is not None}


def _faults(result: Result, task: str, horizon: int, ranked: list[str]) -> Iterator[str]:
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


def above_base(result: Result, ranked: Mapping[str, list[str]], base: Standing) -> Standing:
    """The base workflow's public scores plus the entry's difference to the base workflow on seeds of its own.

    Args:
        ranked: by task-setting, the instances that count.
    """
    scores, life, apart = {}, {}, {}
    for task, names in ranked.items():
        instances = [one for one in result.of(task, fresh=False) if one.instance in names]
        difference = verified.difference(instances, "final")
        scores[task] = pd.Series(difference.by_seed + float(np.mean(base.scores[task])), index=instances[0].seeds)
        life[task] = pd.Series(verified.life(instances), index=instances[0].seeds)
        apart[task] = tuple(difference)
    return Standing(scores, life, apart)


def wins(
    result: Result, ranked: Mapping[str, list[str]], contests: Mapping[str, Contest], base: str, change: str
) -> Wins:
    """Win rates of an entry whose seeds are secret, on which the field never ran.

    Its loss on a public seed is taken to be the base workflow's there, moved by the difference of the two on a secret seed; each public
    seed is paired with each secret one. Differences are moved on the scale of the scores, in the public unit s. Luck of the secret seeds
    cancels as far as the base workflow shares it.

    Args:
        ranked: by task-setting, the instances that count, all of which were verified.
        change: one of `leaderboard.board.duels.CHANGES`.
    """
    rates, secret, life = {}, {}, {}
    for task, names in ranked.items():
        public = {one.instance: one for one in result.of(task, fresh=False)}
        contest = contests[task]
        losses, lives = zip(
            *(
                _as_if_public(public[name], change, contest.losses[base][i], float(contest.scale[i]))
                for i, name in enumerate(names)
            ),
            strict=True,
        )
        found = contest.rates(np.stack(losses, axis=1), np.stack(lives, axis=1))
        rates[task], secret[task] = found.mean(axis=0), found.mean(axis=2).T
        life[task] = float(np.mean(lives))
    return Wins(rates, {task: len(contests[task].opponents) for task in ranked}, life, secret)


def _as_if_public(one: Verified, change: str, base: Array, scale: float) -> tuple[Array, Array]:
    """Losses of an instance and the share of iterations before they diverged, both of shape (secret seeds, public seeds)."""
    own, of_base = _changes(one, change)
    survived = np.array([t is None for t in one.diverged_at])
    moved = np.arcsinh(own / scale) - np.arcsinh(of_base / scale)
    with np.errstate(over="ignore"):
        losses = scale * np.sinh(np.arcsinh(base / scale) + np.where(survived, moved, 0.0)[:, None])
    losses = np.where(survived[:, None], np.minimum(losses, np.finfo(float).max), np.inf)
    life = np.array([1.0 if t is None else (t - 1) / one.horizon for t in one.diverged_at])
    return losses, np.broadcast_to(life[:, None], losses.shape)


def _changes(one: Verified, change: str) -> tuple[Array, Array]:
    """Of the entry and of the base workflow by secret seed, in nats."""
    if change == "drift":
        return np.asarray(one.slope) * one.horizon, np.asarray(one.base_slope) * one.horizon
    own, base = np.subtract(one.final, one.real_loss), np.subtract(one.base_final, one.base_real_loss)
    return own, base
