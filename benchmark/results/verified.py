"""A verification as it is written, and what its numbers say beside the base workflow.

The file may come from a stranger, so its form is strict, and whatever can be computed again is: seeds and fresh instances from
the salt, scores from the losses. What an entry's code gave in the sandbox cannot be, but for running it again under this salt.

Instances of one task-setting share their seeds, so means over instances are taken seed by seed. The unit s is measured on seeds
of its own, which are many, for replace is cheap and two iterations suffice. A difference to the base workflow is therefore the sum of two
independent samples: one over the entry's seeds, and one with mean 0 that holds the error of s.
"""

import dataclasses
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, with_config

from benchmark import strict_yaml as settings
from benchmark.entries.card import ID
from benchmark.errors import ThriveError
from benchmark.results.scoring import Interval, Vector, half_width, sum_of_means, t_interval
from benchmark.runs.cells import write_atomically

FOLDER = Path("leaderboard", "verified")
MOST_BYTES = 1 << 20
STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)
Numbers = Annotated[list[Annotated[float, Field(ge=-1e300)]], Field(max_length=1000)]  # NaN is refused, +inf is not
Iterations = Annotated[list[Annotated[int, Field(ge=1)] | None], Field(max_length=1000)]


@with_config(STRICT)
@dataclass(frozen=True)
class Verified:
    """What an entry came to on one instance.

    Attributes:
        fresh: drawn by the salt; else it is the profile's own.
        numbers: of the task-setting.
        outcome: "ok", or why there is none.
        final, slope, diverged_at: by seed; nats, nats per iteration, and the first iteration whose loss is not finite.
        real_loss: by seed, of a fit on the real data alone, the best of those with the knobs that the entry used.
        base_final, base_slope, base_diverged_at, base_real_loss: the same of the base workflow.
        damage: by seed of the unit, what one generation of replace does; its mean is s.
        score: mean of asinh(excess / s) with its interval of 95 %, s taken as known.
        above_base: of the score's difference to the base workflow, paired by seed; below 0 is better. Holds the error of s.
    """

    task: str
    instance: str
    seeds: list[int]
    outcome: Annotated[str, Field(max_length=3000)] = "ok"
    fresh: bool = False
    numbers: dict[str, JsonValue] = field(default_factory=dict)
    horizon: int = 0
    final: Numbers = field(default_factory=list)
    slope: Numbers = field(default_factory=list)
    diverged_at: Iterations = field(default_factory=list)
    base_final: Numbers = field(default_factory=list)
    base_slope: Numbers = field(default_factory=list)
    base_diverged_at: Iterations = field(default_factory=list)
    real_loss: Numbers = field(default_factory=list)
    base_real_loss: Numbers = field(default_factory=list)
    damage: Numbers = field(default_factory=list)
    score: Interval | None = None
    above_base: Interval | None = None

    @property
    def scale(self) -> float:
        """s; NaN where replace was not run."""
        return float(np.mean(self.damage)) if self.damage else math.nan

    @property
    def scored(self) -> bool:
        """Whether it has scores: it ran, and replace did damage."""
        return self.outcome == "ok" and 0 < self.scale < math.inf


class Difference(NamedTuple):
    """Score of an entry minus that of the base workflow: the sum of two independent means.

    Attributes:
        by_seed: +inf where the entry diverged, -inf where the base workflow did.
        of_unit: by seed of the unit, mean 0: what an error of s does to it.
    """

    by_seed: Vector
    of_unit: Vector

    def interval(self) -> Interval:
        return sum_of_means(self)


def scored(one: Verified) -> Verified:
    """The same, with its scores."""
    if not one.scored:
        return one
    score = _score(_change(one, "final"), one.diverged_at, one.scale)
    return dataclasses.replace(one, score=t_interval(score), above_base=difference([one], "final").interval())


def difference(instances: Iterable[Verified], of: str) -> Difference:
    """The mean over instances of one task-setting.

    Args:
        of: "final" or "slope".
    """
    by_seed, of_unit = (np.array(rows) for rows in zip(*(_difference(one, of) for one in instances), strict=True))
    with np.errstate(invalid="ignore"):  # the entry diverged on one instance, the base workflow on another
        return Difference(
            np.where(np.isposinf(by_seed).any(axis=0), np.inf, by_seed.mean(axis=0)), of_unit.mean(axis=0)
        )


def _difference(one: Verified, of: str) -> Difference:
    s, own, base = one.scale, _change(one, of), _change(one, f"base_{of}")
    score, base_score = _score(own, one.diverged_at, s), _score(base, one.base_diverged_at, s)
    with np.errstate(invalid="ignore"):
        by_seed = np.where(np.isposinf(score), np.inf, score - base_score)
        steps = np.nan_to_num(own / np.hypot(own, s) - base / np.hypot(base, s))
    damage = np.asarray(one.damage)
    return Difference(by_seed, -steps.mean() * (damage - s) / s)  # d asinh(x / s) / d log s = -x / √(x² + s²)


def _change(one: Verified, of: str) -> Vector:
    """Excess, or slope·T, in nats."""
    values = np.asarray(getattr(one, of), float)
    real = one.base_real_loss if of.startswith("base_") else one.real_loss
    return values * one.horizon if of.endswith("slope") else values - np.asarray(real)


def _score(change: Vector, diverged_at: list[int | None], scale: float) -> Vector:
    survived = np.array([t is None for t in diverged_at])
    score: Vector = np.where(survived, np.arcsinh(change / scale), np.inf)
    return score


def life(instances: Iterable[Verified]) -> Vector:
    """By seed: the share of iterations before the first loss that is not finite, mean over instances."""
    lives: Vector = np.mean(
        [[1.0 if t is None else (t - 1) / one.horizon for t in one.diverged_at] for one in instances], axis=0
    )
    return lives


def gap(instances: Iterable[Verified]) -> Interval | None:
    """Difference to the base workflow on fresh instances minus that on public ones: above 0, the entry is worse where nobody
    could tune it. Mean over task-settings; None where nothing fresh was run.

    Instances differ, and an honest entry does better on one than on another; so the interval holds that spread beside that of
    the seeds: two-sample t, one standard deviation for both groups. A task-setting whose instances are too few for that (the
    language model) is left out.
    """
    by_task: dict[str, list[Verified]] = {}
    for one in instances:
        by_task.setdefault(one.task, []).append(one)
    parts = [part for group in by_task.values() if (part := _gap(group)) is not None]
    if not parts:
        return None
    half = math.hypot(*(part.high - part.centre for part in parts)) / len(parts)
    centre = float(np.mean([part.centre for part in parts]))
    return Interval(centre, centre - half, centre + half) if math.isfinite(centre) else None


def _gap(instances: list[Verified]) -> Interval | None:
    above = {
        fresh: np.array(
            [_difference(one, "final").by_seed.mean() for one in instances if one.fresh == fresh and one.scored]
        )
        for fresh in (False, True)
    }
    public, fresh = above[False], above[True]
    freedom = len(public) + len(fresh) - 2
    if freedom < 1 or not len(public) or not len(fresh) or not np.isfinite([*public, *fresh]).all():
        return None
    squares = ((public - public.mean()) ** 2).sum() + ((fresh - fresh.mean()) ** 2).sum()
    error = math.sqrt(squares / freedom * (1 / len(public) + 1 / len(fresh)))
    centre, half = float(fresh.mean() - public.mean()), float(half_width(error, freedom))
    return Interval(centre, centre - half, centre + half)


class Result(BaseModel):
    """The file of one verification."""

    model_config = STRICT

    entry: str = Field(pattern=ID, max_length=60)
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$", max_length=30)
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    profile: str = Field(max_length=60)
    base_workflow: str = Field(max_length=60)
    metrics_version: int
    date: str = Field(pattern=r"^20\d\d-\d\d-\d\d$")
    salt: str = Field(pattern=r"^([0-9a-f]{2}){16,64}$")
    isolation: str | None = Field(default=None, max_length=300)
    warning: str | None = Field(default=None, max_length=1000)
    limits: dict[str, JsonValue]
    instances: list[Verified] = Field(min_length=1, max_length=200)
    gap: Interval | None
    alike: list[str] = Field(max_length=100, description="near-duplicates: other entries, and in what they are alike")
    provenance: dict[str, JsonValue]

    @property
    def tasks(self) -> list[str]:
        return list(dict.fromkeys(one.task for one in self.instances))

    def of(self, task: str, fresh: bool) -> list[Verified]:
        return [one for one in self.instances if (one.task, one.fresh) == (task, fresh)]

    @property
    def name(self) -> str:
        return f"{self.entry}-{self.salt[:8]}.json"


def read_form(path: Path) -> Result:
    """A file of the right form.

    Raises:
        ThriveError: it has not; one line names file, key, found and expected.
    """
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MOST_BYTES:
        raise ThriveError(f"{path}: expected a file of at most {MOST_BYTES:,} bytes, not a link.")
    try:
        return Result.model_validate_json(path.read_bytes())
    except ValidationError as problem:
        known = {*Result.model_fields, *(f.name for f in dataclasses.fields(Verified))}
        line = settings.fault_lines(str(path), problem, known).splitlines()[0]
        raise ThriveError(" ".join(line.split())[:500]) from None


def write(result: dict[str, Any], folder: Path) -> Path:
    """A file in a folder, named after the entry and the salt's first 8 digits, so that no verification replaces another.

    Numbers that are not finite are written as Python's JSON has them (NaN, Infinity).
    """
    path = folder / f"{result['entry']}-{result['salt'][:8]}.json"
    write_atomically(path, (json.dumps(result, indent=1, sort_keys=True) + "\n").encode())
    return path
