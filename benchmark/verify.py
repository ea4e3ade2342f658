"""Verifying an entry: run anew in a confined process, with seeds that nobody could know.

The seeds come from a secret salt, which is written into the result afterwards: so nothing can have been tuned to them, and
anybody can run them again. Test data, truth and seeds stay outside of the process. The reference `replace` and the
division's base workflow run beside it, outside, on the same seeds, and give the score its unit and its neighbour.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark import pins, scoring
from benchmark.entries import Entry, named
from benchmark.errors import ThriveError, Unsupported
from benchmark.loading import named_run, told
from benchmark.loop import run
from benchmark.messages import one_line
from benchmark.params import Instance, Params, instances, require_machine
from benchmark.records import write_atomically
from benchmark.remote import Remote
from benchmark.rules import Budget
from benchmark.sandbox import Limits
from benchmark.strategy import Strategy
from benchmark.streams import SALT_BYTES, SecretSeed
from benchmark.sweep import provenance

BASE_WORKFLOW = {Budget.FIXED: "accumulate-subsample", Budget.GROWING: "accumulate"}
LIMITS = Limits(cpu_seconds=600, wall_seconds=3600)
"""Of one process: of an iteration in track `blind`, of a run elsewhere."""
SECONDS_PER_CALL = 120.0
"""Of one call of an entry's method, with all that it asks in between."""
SECONDS_PER_RUN = 1200.0
"""Of all calls of one run. Fitting and sampling are the harness's, and bounded by the budget."""


@dataclass(frozen=True)
class Verified:
    """What an entry came to on one instance.

    Attributes:
        outcome: "ok", or why there is none.
        final, slope: by seed, in nats and nats per iteration.
        score: mean of asinh(excess / s) with its interval of 95 %, s by replace on these seeds.
        above_base: the same of the score's difference to the base workflow, paired by seed; below 0 is better.
    """

    task: str
    instance: str
    seeds: list[int]
    outcome: str
    final: list[float] = field(default_factory=list)
    slope: list[float] = field(default_factory=list)
    score: scoring.Interval | None = None
    above_base: scoring.Interval | None = None


def seeds_of(salt: str, count: int) -> list[int]:
    """The numbers of the first `count` seeds of a salt: 48 bits each. They are nothing without the salt."""
    return [int(hashlib.sha256(f"{salt} {k}".encode()).hexdigest()[:12], 16) for k in range(count)]


def secret(salt: str, seeds: Sequence[int]) -> list[SecretSeed]:
    """The seeds of these numbers, as a verification runs them: every stream is keyed by the salt."""
    return [SecretSeed(bytes.fromhex(salt), number) for number in seeds]


def verify(
    root: Path, params: Params, profile: str, tasks: Sequence[str], known: dict[str, Entry], entry: Entry, seeds: int,
    tell: Callable[[str], None], salt: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The result, as it is written: verified instances, salt, isolation, and what it takes to run it again.

    Args:
        tell: is told what is run, instance by instance.
        salt: of a written result, to run that one again; without it, a new one that nobody knows.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # for torch, when it is imported: threads that wait for a core spin
    salt = salt or secrets.token_hex(SALT_BYTES)
    found: list[Verified] = []
    isolation: dict[str, str | None] = {}
    wanted = [one for task in tasks for one in instances(params, profile, task)]
    for instance in wanted:  # before anything is computed
        require_machine(instance)
        pins.verify_files(root, params, instance.task.files)
    for instance in wanted:
        tell(f"{instance.task_setting} {instance.name}: {seeds} runs of {instance.horizon} iterations")
        found.append(_verified(instance, known, entry, salt, seeds_of(salt, seeds), isolation))
    return {
        "entry": entry.id,
        "version": entry.card.version,
        "digest": entry.digest,
        "profile": profile,
        "base_workflow": BASE_WORKFLOW[entry.rules.budget],
        "salt": salt,
        **isolation,
        "limits": asdict(LIMITS),
        "instances": [asdict(one) for one in found],
        "provenance": provenance(root),
    }


def _verified(
    instance: Instance, known: dict[str, Entry], entry: Entry, salt: str, seeds: list[int],
    isolation: dict[str, str | None],
) -> Verified:  # fmt: skip
    one = Verified(instance.task_setting, instance.name, seeds, "ok")
    beside = named(known, [scoring.REFERENCE, BASE_WORKFLOW[entry.rules.budget]])
    try:
        entry.must_fit(instance.task_setting)
    except Unsupported as refusal:
        return replace(one, outcome=f"refused: {one_line(str(refusal))}")
    try:
        with Remote(entry, LIMITS, SECONDS_PER_CALL, SECONDS_PER_RUN * len(seeds)) as remote:

            def make() -> Strategy:
                try:
                    return remote.make()
                finally:  # said of entries that fail, too: their code has run
                    if remote.process is not None:
                        isolation.update(isolation=remote.process.isolation, warning=remote.process.warning)

            own, reference, base = _scored(
                instance, [(entry, make), *((e, e.make) for e in beside)], secret(salt, seeds)
            )
    except Exception as error:  # also one of the harness's own, over what an entry asked it for
        return replace(one, outcome=_failure(error, instance))
    one = replace(one, final=own["final"].tolist(), slope=own["slope"].tolist())
    scale = scoring.one_generation_of_damage(reference)
    if not (np.isfinite(scale) and scale > 0):  # few seeds, and replace did no damage on them
        return one
    damage = scoring.damage(reference)
    score, base_score = (scoring.scored(runs, damage)["pseudo_score"].to_numpy() for runs in (own, base))
    with np.errstate(invalid="ignore"):
        difference = np.where(np.isposinf(score), np.inf, score - base_score)
    return replace(one, score=scoring.t_interval(score), above_base=scoring.t_interval(difference))


def _failure(error: Exception, instance: Instance) -> str:
    """Why there is no result, in one line. The card says where an entry does not fit; to refuse elsewhere is to fail."""
    if isinstance(error, Unsupported):
        way_out = f"not_for: {{{instance.task_setting}: why}}"
        return one_line(f"unexpected refusal: {error}", 1000) + f" If that is meant, say so in card.yaml: {way_out}."
    return one_line(f"{type(error).__name__}: {error}" if isinstance(error, ThriveError) else told(error), 3000)


def _scored(
    instance: Instance, runners: Sequence[tuple[Entry, Callable[[], Strategy]]], seeds: Sequence[SecretSeed]
) -> list[pd.DataFrame]:
    """The runs of each, in the order of the seeds. Seed by seed, for its start is shared."""
    records: list[list[dict[str, Any]]] = [[] for _ in runners]
    for seed in seeds:
        for kept, (entry, make) in zip(records, runners, strict=True):
            kept += named_run(run(instance.task, make, entry.rules, seed, instance.horizon), int(seed))
    return [_per_seed(instance, entry, kept) for kept, (entry, _) in zip(records, runners, strict=True)]


def _per_seed(instance: Instance, entry: Entry, records: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(records).assign(task=instance.task_setting, instance=instance.name, entry=entry.id)
    in_order = list(dict.fromkeys(frame["seed"]))
    return scoring.per_seed(frame).set_index("seed").loc[in_order].reset_index()


def failures(result: dict[str, Any]) -> list[str]:
    """What failed, in lines; a refusal that the card announces is none."""
    return [
        f"{one['task']} {one['instance']}: {one['outcome']}"
        for one in result["instances"]
        if one["outcome"] != "ok" and not one["outcome"].startswith("refused: ")
    ]


def table(result: dict[str, Any]) -> str:
    """For the console."""
    beside = f"beside {result['base_workflow']}"
    lines = [f"{'task-setting':16}{'instance':28}{'final':>12}  {'score':26}{beside}"]
    for one in result["instances"]:
        place = f"{one['task']:16}{one['instance']:28}"
        if one["outcome"] != "ok":
            lines.append(f"{place}{one['outcome']}")
            continue
        score, difference = (
            "" if i is None else "{:.2f} ({:.2f} to {:.2f})".format(*i) for i in (one["score"], one["above_base"])
        )
        lines.append(f"{place}{np.mean(one['final']):12.4g}  {score:26}{difference}")
    lines.append(
        "score: mean of asinh(excess / s) with its interval of 95 %; beside: paired difference, below 0 is better"
    )
    return "\n".join(lines)


def write(result: dict[str, Any], folder: Path) -> Path:
    """ENTRY-SALT.json in a folder, so that no verification replaces another.

    Numbers that are not finite are written as Python's JSON has them (NaN, Infinity).
    """
    path = folder / f"{result['entry']}-{result['salt'][:8]}.json"
    write_atomically(path, (json.dumps(result, indent=1, sort_keys=True) + "\n").encode())
    return path
