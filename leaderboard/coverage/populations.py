"""Populations of runs whose truth is known: the board's own committed runs, and synthetic losses.

A committed seed of a task-setting is one vector: the scores of all entries on all instances, and replace's damage. Vectors are
drawn whole, so that entries, instances and the scale s keep their correlations.
"""

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray

from benchmark.results import scoring
from leaderboard.board.duels import FIELD
from leaderboard.board.protocol import RESAMPLED
from leaderboard.coverage.runs import Array, Division, Runs, TaskRuns

FEW = 10  # seeds: fewer are no population; a normal distribution with their mean and covariance takes their place
SMOOTHING = 0.5  # of the standard deviation
TRUTH = 8_000  # draws whose centres are the truth, where it has no closed form


class Population(Protocol):
    """A distribution of boards."""

    def draw(self, rng: Generator) -> Runs:
        """A random board with the design's numbers of seeds."""

    def whole(self) -> Runs:
        """Runs whose centres are the truth."""

    @property
    def groups(self) -> Mapping[str, int] | None:
        """The true order if it is known by construction; entries with the same number are tied. None: the method's order on the whole."""


@dataclass(frozen=True)
class Seeds:
    """The committed seeds of a task-setting on the asinh scale, on which the tails of their distribution are thin enough for smoothing.

    Attributes:
        scores: asinh of (excess, drift, late) / s, shape (3, entries, instances, seeds).
        scale_and_real: damage and loss of the real fit, shape (2, instances, seeds), in nats.
        smoothing: standard deviation of the noise that is added to a drawn seed, in those of the seeds; infinite: normal draws.
        field: the entries that everybody duels with.
    """

    entries: tuple[str, ...]
    instances: tuple[str, ...]
    scores: Array
    scale_and_real: Array
    smoothing: float
    field: tuple[str, ...]

    @property
    def count(self) -> int:
        return int(self.scores.shape[-1])

    @property
    def scale(self) -> Array:
        """s, shape (instances,)."""
        return np.asarray(self.scale_and_real[0].mean(axis=-1))

    def at(self, seeds: NDArray[np.integer[Any]], noise: Array) -> TaskRuns:
        """Runs from drawn seeds, shape (n,), and standard normal noise, shape (committed seeds, n).

        The noise is given the covariance of the committed seeds, and the sum is shrunk back to that covariance.

        Source:
            Silverman and Young, The bootstrap: to smooth or not to smooth? (1987), section 3.
        """
        scores, scale_and_real = (self._drawn(values, seeds, noise) for values in (self.scores, self.scale_and_real))
        excess, drift, late = np.sinh(scores) * self.scale[:, None]
        damage, real = scale_and_real
        return TaskRuns(self.entries, self.instances, excess, drift, late, damage, real, self.field)

    def _drawn(self, values: Array, seeds: NDArray[np.integer[Any]], noise: Array) -> Array:
        if self.smoothing == 0:
            return np.asarray(values[..., seeds])
        mean = values.mean(axis=-1, keepdims=True)
        spread = (values - mean) @ noise / np.sqrt(self.count - 1)
        if np.isinf(self.smoothing):
            return np.asarray(mean + spread)
        return np.asarray(mean + (values[..., seeds] - mean + self.smoothing * spread) / np.hypot(1, self.smoothing))

    def draw(self, rng: Generator, n: int) -> TaskRuns:
        """Draw runs, again until s is above 0 on every instance: another instance would not be ranked."""
        while True:
            found = self.at(rng.integers(self.count, size=n), rng.standard_normal((self.count, n)))
            if (found.damage.mean(axis=1) > 0).all():
                return found

    def whole(self) -> TaskRuns:
        """Every seed equally often, and every noise together with its opposite, so that means on the asinh scale are exact."""
        if self.smoothing == 0:
            return self.at(np.arange(self.count), np.empty(0))
        half = np.random.default_rng(0).standard_normal((self.count, TRUTH // 2 // self.count * self.count))
        return self.at(np.arange(2 * half.shape[1]) % self.count, np.hstack([half, -half]))


@dataclass(frozen=True)
class Committed:
    """The board's own runs.

    Attributes:
        seeds: the number of a board's seeds, by task-setting.
        left_out: entries that have a missing or diverged run on a task-setting, so that their scores have no mean.
        new_instances: whether boards also have other instances, drawn with replacement in each task-setting that has enough.
    """

    tasks: Mapping[str, Seeds]
    divisions: tuple[Division, ...]
    seeds: Mapping[str, int]
    left_out: tuple[str, ...] = ()
    new_instances: bool = False
    groups: None = None

    def draw(self, rng: Generator) -> Runs:
        found = {task: seeds.draw(rng, self.seeds[task]) for task, seeds in self.tasks.items()}
        if self.new_instances:
            found = {task: _with_new_instances(runs, rng) for task, runs in found.items()}
        return Runs(found, self.divisions)

    def whole(self) -> Runs:
        return Runs({task: seeds.whole() for task, seeds in self.tasks.items()}, self.divisions)

    def smoothed(self, smoothing: float) -> "Committed":
        """The same population with smoothed seeds in every task-setting that has enough of them."""
        return replace(
            self,
            tasks={
                task: own if np.isinf(own.smoothing) else replace(own, smoothing=smoothing)
                for task, own in self.tasks.items()
            },
        )


def _with_new_instances(runs: TaskRuns, rng: Generator) -> TaskRuns:
    count = len(runs.instances)
    if count < RESAMPLED:
        return runs
    return runs.at(rng.integers(count, size=count).tolist())


def committed(folder: Path) -> Committed:
    """The population of the committed runs, with the board's divisions. Entries with a run that diverged are left out."""
    board = json.loads((folder / "leaderboard.json").read_text(encoding="utf-8"))
    scores = pd.read_parquet(folder / "scores.parquet")
    tasks, left_out = {}, []
    for about in board["tasks"]:
        ranked = [i["instance"] for i in about["instances"] if i["ranked"]]
        tasks[about["task"]] = _seeds(
            scores[(scores["task"] == about["task"]) & scores["instance"].isin(ranked)], ranked
        )
        ran = set(scores.loc[scores["task"] == about["task"], "entry"])
        left_out += [f"{id} on {about['task']}" for id in sorted(ran.difference(tasks[about["task"]].entries))]
    complete = set.intersection(*(set(seeds.entries) for seeds in tasks.values()))
    divisions = tuple(
        Division(f"{d['track']}, {d['budget']}", d["base"], tuple(ids))
        for d in board["divisions"]
        if len(
            ids := [
                r["entry"] for r in d["rows"] if r["rank"] is not None and not r["outside"] and r["entry"] in complete
            ]
        )
        > 1
    )
    return Committed(tasks, divisions, {task: seeds.count for task, seeds in tasks.items()}, left_out=tuple(left_out))


def _seeds(runs: pd.DataFrame, instances: list[str]) -> Seeds:
    seeds = sorted(set(runs["seed"]))
    horizon = runs["horizon"].to_numpy()
    runs = runs.assign(
        excess=runs["final"] - runs["real_loss"], drift=runs["slope"] * horizon, late=runs["late_slope"] * horizon
    )
    whole = runs.groupby("entry").filter(
        lambda own: (
            len(own) == len(seeds) * len(instances)
            and np.isfinite(own["final"]).all()
            and own["diverged_at"].isna().all()
        )
    )
    entries = tuple(sorted(set(whole["entry"])))

    def table(name: str, of: pd.DataFrame = whole) -> Array:
        by_seed = of.set_index(["entry", "instance", "seed"])[name]
        order = pd.MultiIndex.from_product([sorted(set(of["entry"])), instances, seeds])
        return by_seed.reindex(order).to_numpy(float).reshape(-1, len(instances), len(seeds))

    replaced = runs[runs["entry"] == scoring.REFERENCE]
    damage, real = (table("second", replaced) - table("first", replaced))[0], table("real_loss", replaced)[0]
    losses = np.stack([table("excess"), table("drift"), table("late")])
    scores = np.arcsinh(losses / damage.mean(axis=1)[:, None])
    field = tuple(id for id in FIELD if id in entries)
    return Seeds(
        entries, tuple(instances), scores, np.stack([damage, real]), np.inf if len(seeds) < FEW else 0.0, field
    )


def near_ties(population: Committed, division: Division, apart: float) -> Committed:
    """A division's entries with other mean scores: each `apart` standard errors of a paired difference above the one before.

    The standard error is the median of those between neighbours, over all task-settings, at the design's numbers of seeds. What an entry
    is better on one instance than on another stays, and so does the noise. The field is as it was, under other names.
    """
    ids = [id for id in division.entries if all(id in own.entries for own in population.tasks.values())]
    base = division.base if division.base in ids else ids[0]
    error = float(np.median([_standard_error(population, a, b) for a, b in itertools.pairwise(ids)]))
    tasks = {}
    for task, own in population.tasks.items():
        scores, field = (own.scores[:, [own.entries.index(id) for id in some]] for some in (ids, own.field))
        level = own.scores[:, own.entries.index(base)].mean(axis=(1, 2))[:, None, None, None]
        steps = apart * error * np.arange(len(ids))[None, :, None, None]
        moved = scores - scores.mean(axis=(2, 3), keepdims=True) + level + steps
        names = tuple(f"{id} of the field" for id in own.field)
        tasks[task] = replace(own, entries=(*ids, *names), scores=np.concatenate([moved, field], axis=1), field=names)
    return replace(population, tasks=tasks, divisions=(Division(division.name, base, tuple(ids)),))


def _standard_error(population: Committed, a: str, b: str) -> float:
    total = 0.0
    for task, own in population.tasks.items():
        difference = own.scores[0, own.entries.index(a)].mean(axis=0) - own.scores[0, own.entries.index(b)].mean(axis=0)
        total += difference.var(ddof=1) / population.seeds[task]
    return float(np.sqrt(total)) / len(population.tasks)


SYNTHETIC = ("a", "b", "c", "d", "e", "f")
TYPICAL = np.array([1.0, 1.0, 1.0, 2.0, 2.0, 4.0])  # excess in units of s: three tied, two tied, one


def _normal(rng: Generator, shape: tuple[int, ...]) -> Array:
    return 1 + 0.3 * _correlated(rng, shape)


def _lognormal(rng: Generator, shape: tuple[int, ...]) -> Array:
    return np.asarray(np.exp(1.5 * _correlated(rng, shape)))


def _one_bad_in_ten(rng: Generator, shape: tuple[int, ...]) -> Array:
    """A hundredfold loss in one run of ten; the seeds differ between entries."""
    return np.where(rng.random(shape) < 0.1, 100.0, 1.0) * _normal(rng, shape)


def _correlated(rng: Generator, shape: tuple[int, ...]) -> Array:
    """Standard normal with correlation ½ between entries, since they share their real data."""
    return np.asarray((rng.standard_normal(shape) + rng.standard_normal(shape[1:])) / np.sqrt(2))


KINDS: dict[str, Callable[[Generator, tuple[int, ...]], Array]] = {
    "normal": _normal,
    "lognormal, σ = 1.5": _lognormal,
    "one bad run in ten": _one_bad_in_ten,
}


@dataclass(frozen=True)
class Synthetic:
    """One task-setting with one instance. Damage is lognormal with σ = 0.5 and s = 1. Excess, drift and late slope are equal."""

    kind: str
    seeds: int
    groups: Mapping[str, int] | None = None

    def draw(self, rng: Generator) -> Runs:
        return self._runs(rng, self.seeds)

    def whole(self) -> Runs:
        """Many runs without noise in s. Tied entries have the same runs, so that their truth is the same."""
        n = 100_000
        factors = KINDS[self.kind](np.random.default_rng(0), (1, 1, n))
        return self._of(np.repeat(factors, len(SYNTHETIC), axis=0), np.ones((1, n)))

    def _runs(self, rng: Generator, n: int) -> Runs:
        damage = np.exp(0.5 * rng.standard_normal((1, n)) - 0.125)
        return self._of(KINDS[self.kind](rng, (len(SYNTHETIC), 1, n)), damage)

    def _of(self, factors: Array, damage: Array) -> Runs:
        excess = TYPICAL[:, None, None] * factors
        task = TaskRuns(SYNTHETIC, ("i",), excess, excess, excess, damage, np.zeros_like(damage), SYNTHETIC)
        return Runs({"synthetic": task}, (Division("synthetic", "a", SYNTHETIC),))


def synthetic(kind: str, seeds: int) -> Synthetic:
    return Synthetic(kind, seeds, {id: int(typical) for id, typical in zip(SYNTHETIC, TYPICAL, strict=True)})
