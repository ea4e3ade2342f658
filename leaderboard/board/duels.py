"""Win rates: an entry's duels with a fixed field of opponents, run by run.

In a duel, two entries meet on one instance with one seed, so that they share the real data; the lower loss wins, a tie is half a win. A
win rate is the mean over opponents, seeds, instances and task-settings, in this order, so that each level counts equally and no
task-setting decides the order because its losses spread more. The opponents are the same for everybody, so that another entry on the
board changes nobody's win rate.

Source: Shchur et al., fev-bench: A realistic benchmark for time series forecasting (2025), arXiv 2509.26468, section 4.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.results.scoring import life_of
from leaderboard.board.protocol import ranked_names
from leaderboard.board.schema import TaskAbout

Array = NDArray[np.float64]

FIELD = (
    "accumulate", "accumulate-subsample", "anchor-0.1", "anchor-0.5", "anchored-resampling", "covariance-matching",
    "critical-temperature", "critical-temperature-replace", "detector-resampling", "entropy-selection", "fresh-data-0.1",
    "fresh-data-0.5", "golden-ratio", "growing-sample", "likelihood-filter", "likelihood-filter-replace", "low-temperature",
    "low-temperature-replace", "model-averaging", "model-averaging-replace", "negative-guidance", "negative-guidance-accumulate",
    "pool-bandwidth", "real-mass", "real-only", "replace", "self-correction", "shrunk-bootstrap", "sliding-window",
    "surprise-filter", "surprise-filter-replace", "synthetic-augmentation", "truncated-cross-entropy", "unbiased-covariance",
    "unbiased-covariance-replace", "verifier-filter-0.5", "verifier-filter-1", "verifier-filter-10",
)  # fmt: skip
"""The opponents of metrics version 3: the project's own entries. Those that ran on all of a task-setting's ranked instances count there."""

CHANGES = ("excess", "drift")
"""What duels are about, in nats: the final loss minus that of a fit on the real data, and slope·T."""
ROUNDING = 1e-9  # relative, and in nats: the same losses computed in another order differ by less


@dataclass(frozen=True)
class Contest:
    """The runs of one task-setting that duels are about.

    Attributes:
        losses: of each entry that ran on every ranked instance with every seed, shape (instances, seeds); +inf where a run diverged.
        life: the share of the iterations before the first loss that is not finite, alike.
        scale: s of each instance, in nats.
    """

    losses: Mapping[str, Array]
    life: Mapping[str, Array]
    scale: Array

    @property
    def opponents(self) -> list[str]:
        return [id for id in FIELD if id in self.losses]

    def rates(self, losses: Array, life: Array) -> Array:
        """Win rates of some runs; both arguments have shape (any, instances, seeds)."""
        opponents = self.opponents
        return win_rates(
            losses, life, np.array([self.losses[id] for id in opponents]), np.array([self.life[id] for id in opponents])
        )


def win_rates(losses: Array, life: Array, opponents: Array, opponents_life: Array) -> Array:
    """The share of duels that are won.

    Args:
        losses: shape (entries, instances, seeds).
        opponents: shape (opponents, instances, seeds).

    Returns:
        Shape (entries, instances, seeds). Of two runs that diverged, the one that did so later wins.
    """
    diverged = np.isinf(losses).any() or np.isinf(opponents).any()
    own, won = losses, np.zeros(losses.shape)
    for other, other_life in zip(opponents, opponents_life, strict=True):
        theirs = other
        if diverged:
            both = np.isinf(losses) & np.isinf(other)
            own, theirs = np.where(both, -life, losses), np.where(both, -other_life, other)
        apart = own - theirs
        won += np.where(np.abs(apart) <= ROUNDING * (1 + np.minimum(np.abs(own), np.abs(theirs))), 0.5, apart < 0)
    return np.asarray(won / max(len(opponents), 1))


def contest(task: TaskAbout, runs: pd.DataFrame, change: str) -> Contest:
    """Of the runs of a task-setting.

    Args:
        change: one of `CHANGES`.
    """
    instances = ranked_names(task)
    ranked = runs[(runs["task"] == task.task) & runs["instance"].isin(instances)]
    with np.errstate(invalid="ignore"):
        values = ranked["final"] - ranked["real_loss"] if change == "excess" else ranked["slope"] * ranked["horizon"]
    ranked = ranked.assign(
        change=values.where(ranked["diverged_at"].isna(), np.inf),
        life=life_of(ranked),
    )
    seeds = sorted(set(ranked["seed"]))
    order = pd.MultiIndex.from_product([instances, seeds])
    losses, lives = {}, {}
    for id, own in ranked.groupby("entry"):
        if len(own) == len(order) == task.seeds * len(instances):
            table = own.set_index(["instance", "seed"])[["change", "life"]].reindex(order).to_numpy(float)
            losses[str(id)], lives[str(id)] = (column.reshape(len(instances), -1) for column in table.T)
    scale = {about.instance: about.scale for about in task.instances}
    return Contest(losses, lives, np.array([scale[name] for name in instances], float))


@dataclass(frozen=True)
class Wins:
    """An entry's win rates by task-setting.

    Attributes:
        rates: shape (instances, seeds).
        opponents: how many there were.
        life: mean share of the iterations before the first loss that is not finite; 1 where no run diverged.
        secret: of an entry with seeds of its own, its win rates by those, shape (instances, secret seeds); they have the same mean.
    """

    rates: Mapping[str, Array]
    opponents: Mapping[str, int]
    life: Mapping[str, float]
    secret: Mapping[str, Array]

    def of(self, tasks: Sequence[str]) -> "Wins":
        """On some task-settings alone."""
        secret = {task: self.secret[task] for task in tasks if task in self.secret}
        return replace(self, rates={task: self.rates[task] for task in tasks}, secret=secret)

    @property
    def centre(self) -> float:
        return float(np.mean([values.mean() for values in self.rates.values()]))

    @property
    def diverged(self) -> bool:
        return any(self.life[task] < 1 for task in self.rates)

    @property
    def order(self) -> tuple[bool, float, float]:
        """Ascending: who never diverged, then the later divergence, then the higher win rate."""
        life = float(np.mean([self.life[task] for task in self.rates]))
        return self.diverged, -round(life, 9), -round(self.centre, 9)


def wins_of(id: str, contests: Mapping[str, Contest]) -> Wins:
    """Of an entry on public seeds, on each task-setting where none of its runs is missing."""
    ran = {task: contest for task, contest in contests.items() if id in contest.losses}
    return Wins(
        rates={t: contest.rates(contest.losses[id][None], contest.life[id][None])[0] for t, contest in ran.items()},
        opponents={t: len(contest.opponents) for t, contest in ran.items()},
        life={t: float(contest.life[id].mean()) for t, contest in ran.items()},
        secret={},
    )
