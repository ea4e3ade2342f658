"""Verifying an entry: run anew in a confined process, with seeds that nobody could know.

The seeds come from a secret salt, which is written into the result afterwards: so nothing can have been tuned to them, and
anybody can run them again. So do fresh instances, if they are asked for. Test data, truth and seeds stay outside of the process.
The division's base workflow runs beside it, outside, on the same seeds, and `replace` gives the score its unit, on more seeds of the
same salt, for it needs two iterations alone.
"""

import hashlib
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from benchmark.core.loop import run
from benchmark.core.rules import BASE_WORKFLOW
from benchmark.core.strategy import Strategy
from benchmark.core.streams import SALT_BYTES, SecretSeed
from benchmark.entries.catalogue import named
from benchmark.entries.entry import Entry
from benchmark.entries.loading import error_line, named_run
from benchmark.errors import ThriveError, Unsupported
from benchmark.isolation.confined import Limits
from benchmark.isolation.remote import Remote
from benchmark.messages import one_line
from benchmark.results import duplicates, scoring, verified
from benchmark.results.verified import Verified
from benchmark.runs import pins
from benchmark.runs.form import Params
from benchmark.runs.machine import require_machine
from benchmark.runs.params import Instance, fresh_instances, instances
from benchmark.runs.project import Project
from benchmark.runs.sweep import provenance

LIMITS = Limits(cpu_seconds=600, wall_seconds=3600)
"""Limits of one process: it lives for one iteration in track `blind`, and for one run in the other tracks."""
SECONDS_PER_CALL = 120.0
"""Most seconds for one call of an entry's method, with all that it asks in between."""
SECONDS_PER_RUN = 1200.0
"""Most seconds for all calls of one run. Fitting and sampling are the harness's, and the budget bounds them."""


def seeds_of(salt: str, count: int) -> list[int]:
    """The numbers of the first `count` seeds of a salt: 48 bits each. They are nothing without the salt."""
    return [int(hashlib.sha256(f"{salt} {k}".encode()).hexdigest()[:12], 16) for k in range(count)]


def secret(salt: str, seeds: Sequence[int]) -> list[SecretSeed]:
    """The seeds of these numbers, as a verification runs them: every stream is keyed by the salt."""
    return [SecretSeed(bytes.fromhex(salt), number) for number in seeds]


def verify_entry(
    project: Project, entry: Entry, tell: Callable[[str], object], tasks: Sequence[str], seeds: int | None = None,
    fresh: bool = False, salt: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Run an entry anew, confined and with secret seeds.

    Args:
        tell: takes a line on each instance, before it is run.
        tasks: task-settings of the profile.
        seeds: how many; without it, as params.yaml has it.
        fresh: draw fresh instances by the salt, and run them beside the profile's ranked ones.
        salt: of a written result, to run that one again; without it, a new one that nobody knows.

    Returns:
        The result, as it is written: verified instances, salt, isolation, and what it takes to run it again.
    """
    os.environ["OMP_NUM_THREADS"] = "1"  # for torch, when it is imported: threads that wait for a core spin
    with threadpool_limits(1):
        return _result(project, entry, tell, tasks, seeds or project.params.verification.seeds, fresh, salt)


def _result(
    project: Project, entry: Entry, tell: Callable[[str], object], tasks: Sequence[str], seeds: int, fresh: bool,
    salt: str | None,
) -> dict[str, Any]:  # fmt: skip
    salt = salt or secrets.token_hex(SALT_BYTES)
    verified_instances: list[Verified] = []
    isolation: dict[str, str | None] = {}
    runs = chosen(project.params, project.profile, tasks, salt, fresh)
    for instance, _ in runs:  # before anything is computed
        require_machine(instance)
        pins.verify_files(project.root, project.params, instance.task.files)
    for instance, is_fresh in runs:
        new = ", fresh" * is_fresh
        tell(f"{instance.task_setting} {instance.name}{new}: {seeds} runs of {instance.horizon} iterations")
        one = _verified(instance, project.entries, entry, salt, seeds, isolation)
        verified_instances.append(replace(one, fresh=is_fresh, numbers=numbers(instance)))
    return {
        "entry": entry.id,
        "version": entry.card.version,
        "digest": entry.digest,
        "profile": project.profile,
        "base_workflow": BASE_WORKFLOW[entry.rules.budget],
        "metrics_version": scoring.METRICS_VERSION,
        "date": datetime.now(UTC).date().isoformat(),
        "salt": salt,
        **isolation,
        "limits": asdict(LIMITS),
        "instances": [asdict(one) for one in verified_instances],
        "gap": verified.gap(verified_instances),
        "alike": duplicates.merged(
            duplicates.by_code(entry, project.entries.values()),
            _same_losses(runs, verified_instances, salt, entry, project.entries),
        ),
        "provenance": provenance(project.root),
    }


def chosen(params: Params, profile: str, tasks: Sequence[str], salt: str, fresh: bool) -> list[tuple[Instance, bool]]:
    """The instances of a verification, each with whether it is fresh: a profile's ranked ones, and those that the salt draws."""
    runs = []
    for task in tasks:
        runs += [(one, False) for one in instances(params, profile, task) if one.ranked]
        runs += [(one, True) for one in (fresh_instances(params, profile, task, salt) if fresh else [])]
    return runs


def numbers(instance: Instance) -> dict[str, Any]:
    """The numbers of an instance, by name."""
    return dict(vars(instance.task))


def _verified(
    instance: Instance, entries: dict[str, Entry], entry: Entry, salt: str, count: int, isolation: dict[str, str | None]
) -> Verified:
    seeds = seeds_of(salt, count)
    one = Verified(instance.task_setting, instance.name, seeds, horizon=instance.horizon)
    reference, base = named(entries, [scoring.REFERENCE, BASE_WORKFLOW[entry.rules.budget]])
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

            own, beside = _side_by_side(instance, [(entry, make), (base, base.make)], secret(salt, seeds))
    except Exception as error:  # also one of the harness's own, over what an entry asked it for
        return replace(one, outcome=_failure(error, instance))
    unit = secret(salt, seeds_of(salt, count + max(count, instance.seeds))[count:])
    one = replace(
        one, final=own["final"].tolist(), slope=own["slope"].tolist(), diverged_at=_iterations(own["diverged_at"]),
        base_final=beside["final"].tolist(), base_slope=beside["slope"].tolist(),
        base_diverged_at=_iterations(beside["diverged_at"]), real_loss=own["real_loss"].tolist(),
        base_real_loss=beside["real_loss"].tolist(),
        damage=[_damage(instance, reference, seed) for seed in unit],
    )  # fmt: skip
    return verified.scored(one)


def _failure(error: Exception, instance: Instance) -> str:
    """Why there is no result, in one line. The card says where an entry does not fit; to refuse elsewhere is to fail."""
    if isinstance(error, Unsupported):
        way_out = f"not_for: {{{instance.task_setting}: why}}"
        return one_line(f"unexpected refusal: {error}", 1000) + f" If that is meant, say so in card.yaml: {way_out}."
    return one_line(f"{type(error).__name__}: {error}" if isinstance(error, ThriveError) else error_line(error), 3000)


def _same_losses(
    runs: Sequence[tuple[Instance, bool]],
    verified_instances: Sequence[Verified],
    salt: str,
    entry: Entry,
    entries: dict[str, Entry],
) -> dict[str, str]:
    """The project's own entries of the division that lose the very same on the first instance that takes no minutes."""
    for (instance, _), one in zip(runs, verified_instances, strict=True):
        if one.outcome == "ok" and instance.task.kind == "vectors":
            others = [e for e in entries.values() if not e.outside and e.id != entry.id and e.rules == entry.rules]
            return duplicates.under_salt(instance, secret(salt, one.seeds), one.final, others)
    return {}


def _iterations(column: "pd.Series[float]") -> list[int | None]:
    return [None if np.isnan(t) else int(t) for t in column]


def _damage(instance: Instance, reference: Entry, seed: SecretSeed) -> float:
    """What one generation of replace does: its test loss at t=2 minus that at t=1."""
    first, second = run(instance.task, reference.make, reference.rules, seed, 2)
    return float(second["test_loss"] - first["test_loss"])


def _side_by_side(
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
    """A line for each instance that failed. A refusal that the card announces is no failure."""
    return [
        f"{one['task']} {one['instance']}: {one['outcome']}"
        for one in result["instances"]
        if one["outcome"] != "ok" and not one["outcome"].startswith("refused: ")
    ]


def table(result: dict[str, Any]) -> str:
    """For the console."""
    beside = f"above {result['base_workflow']}"
    lines = [f"{'task-setting':16}{'instance':28}{'':8}{'final':>12}  {'score':26}{beside}"]
    for one in result["instances"]:
        place = f"{one['task']:16}{one['instance']:28}{'fresh' if one['fresh'] else 'public':8}"
        if one["outcome"] != "ok":
            lines.append(f"{place}{one['outcome']}")
            continue
        lines.append(f"{place}{np.mean(one['final']):12.4g}  {_shown(one['score']):26}{_shown(one['above_base'])}")
    lines.append(
        "score: mean of asinh(excess / s) with its interval of 95 %; above: paired difference, below 0 is better"
    )
    if result["gap"] is not None:
        lines.append(
            f"gap: {_shown(result['gap'])}, the mean of the last column on fresh instances minus that on public ones; an interval "
            "above 0 says that the entry does worse where nobody could tune it"
        )
    lines += [f"alike: {line}" for line in result["alike"]]
    return "\n".join(lines)


def _shown(interval: scoring.Interval | None) -> str:
    return "" if interval is None else "{:.2f} ({:.2f} to {:.2f})".format(*interval)
