"""What the board takes from elsewhere than scores and cards: where entries come from, and the verifications that are committed.

A verification, a file of leaderboard/verified named after its entry and the first 8 digits of its salt, is held against what anybody can compute.
Seeds and fresh instances must be those that the salt gives, scores those that the losses give, and the instances those of the profile. The
losses themselves are an entry's word in a sandbox: run it again under the salt to see them.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from benchmark.core.rules import BASE_WORKFLOW
from benchmark.entries.entry import Entry
from benchmark.errors import ThriveError
from benchmark.forecast.tables import read_classes
from benchmark.isolation.verify import chosen, numbers, seeds_of
from benchmark.results import duplicates, verified
from benchmark.results.scoring import METRICS_VERSION
from benchmark.results.verified import FOLDER, Result, Verified
from benchmark.runs.form import Params, Verdicts

ROUNDING = 1e-9
BY_SEED = (
    "final",
    "slope",
    "diverged_at",
    "base_final",
    "base_slope",
    "base_diverged_at",
    "real_loss",
    "base_real_loss",
)


@dataclasses.dataclass(frozen=True)
class Known:
    """What the board takes from elsewhere than scores and cards.

    Attributes:
        outside: ids of entries that are ranked on verified numbers alone.
        digests: of the entries' code and data as they are now.
        verified: the latest verification of each entry that has one.
        alike: of each entry, the others whose code is nearly the same, and in what words.
        bounds: where verdicts begin.
        laws: by entry, the class of the law of its test loss by task-setting and instance.
    """

    outside: frozenset[str] = frozenset()
    digests: Mapping[str, str] = dataclasses.field(default_factory=dict)
    verified: Mapping[str, Result] = dataclasses.field(default_factory=dict)
    alike: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    bounds: Verdicts = dataclasses.field(default_factory=Verdicts)
    laws: Mapping[str, Mapping[tuple[str, str], str]] = dataclasses.field(default_factory=dict)


def known(root: Path, params: Params, entries: Mapping[str, Entry]) -> Known:
    """Of some entries, with the committed verifications.

    Raises:
        ThriveError: a verification is none, or does not follow from its own salt and losses.
    """
    return Known(
        outside=frozenset(id for id, entry in entries.items() if entry.outside),
        digests={id: entry.digest for id, entry in entries.items()},
        verified=read(root / FOLDER, params, entries),
        alike={id: duplicates.by_code(entry, entries.values()) for id, entry in entries.items()},
        bounds=params.verdicts,
        laws={id: read_classes(root, entry.digest) for id, entry in entries.items()},
    )


def read(folder: Path, params: Params, entries: Mapping[str, Entry]) -> dict[str, Result]:
    """The latest verification of each entry."""
    found: dict[str, Result] = {}
    for path in sorted(folder.glob("*.json")):
        result = verified.read_form(path)
        check(path, result, params, entries)
        if result.entry not in found or found[result.entry].date <= result.date:
            found[result.entry] = result
    return found


def check(path: Path, result: Result, params: Params, entries: Mapping[str, Entry]) -> None:
    """Raises ThriveError, in one line, where a verification does not follow from its salt and its losses."""
    if result.entry not in entries:
        raise ThriveError(f"{path}: entry: found '{result.entry}', of which there is no entry. Remove the file.")
    _expect(path, result, "the file's name", path.name, result.name)
    _expect(path, result, "metrics_version", result.metrics_version, METRICS_VERSION)
    _expect(path, result, "base_workflow", result.base_workflow, BASE_WORKFLOW[entries[result.entry].rules.budget])
    if result.profile not in params.profiles:
        raise ThriveError(
            f"{path}: profile: found '{result.profile[:60]}', expected one of {', '.join(params.profiles)}."
        )
    _check_instances(path, result, params)
    for one in result.instances:
        _check_numbers(path, result, one)
    _expect_near(path, result, "gap", result.gap, verified.gap(result.instances))


def _check_instances(path: Path, result: Result, params: Params) -> None:
    """They are the profile's ranked ones of whole task-settings, and those that the salt draws."""
    fresh = any(one.fresh for one in result.instances)
    tasks = [task for task in params.profiles[result.profile].suites if task in result.tasks]
    runs = chosen(params, result.profile, tasks, result.salt, fresh)
    expected = {(i.task_setting, i.name, is_fresh): (numbers(i), i.horizon) for i, is_fresh in runs}
    found = {(one.task, one.instance, one.fresh): (one.numbers, one.horizon) for one in result.instances}
    if found != expected or len(result.instances) != len(expected):
        strange = [key for key in (*found, *expected) if found.get(key) != expected.get(key)]
        task, name, is_fresh = strange[0] if strange else next(iter(found))
        what = "a fresh instance that its salt draws" if is_fresh else f"an instance of profile {result.profile}"
        _refuse(
            path,
            result,
            f"{task} {name}"[:100],
            "numbers, T or presence differ",
            f"{what}, once, as params.yaml has it",
        )


def _check_numbers(path: Path, result: Result, one: Verified) -> None:
    where = f"{one.task} {one.instance}"
    if not 2 <= len(one.seeds) <= 1000:
        _refuse(path, result, f"{where}: seeds", f"{len(one.seeds)}", "2 to 1,000")
    _expect(path, result, f"{where}: seeds", one.seeds, [int(seed) for seed in seeds_of(result.salt, len(one.seeds))])
    count = len(one.seeds) if one.outcome == "ok" else 0
    for name in BY_SEED:
        _expect(path, result, f"{where}: values of {name}", len(getattr(one, name)), count)
    if any(t is not None and t > one.horizon for t in (*one.diverged_at, *one.base_diverged_at)):
        _refuse(path, result, f"{where}: diverged_at", "an iteration after the last", f"at most {one.horizon}")
    if one.outcome == "ok" and len(one.damage) < 2:
        _refuse(path, result, f"{where}: damage", f"{len(one.damage)} values", "2 or more")
    again = verified.scored(dataclasses.replace(one, score=None, above_base=None))
    _expect_near(path, result, f"{where}: score", one.score, again.score)
    _expect_near(path, result, f"{where}: above_base", one.above_base, again.above_base)


def _expect(path: Path, result: Result, key: str, found: object, expected: object) -> None:
    if found != expected:
        _refuse(path, result, key, repr(found)[:80], repr(expected)[:80])


def _expect_near(
    path: Path, result: Result, key: str, found: tuple[float, ...] | None, expected: tuple[float, ...] | None
) -> None:
    """Equal but for rounding."""
    same = (
        found is expected
        if found is None or expected is None
        else all(a == b or abs(a - b) <= ROUNDING * max(1.0, abs(a)) for a, b in zip(found, expected, strict=True))
    )
    if not same:
        _refuse(
            path,
            result,
            key,
            repr(found and tuple(found))[:80],
            f"{expected and tuple(expected)!r}, which its losses give",
        )


def _refuse(path: Path, result: Result, key: str, found: str, expected: str) -> None:
    """Raises ThriveError."""
    raise ThriveError(
        f"{path}: {key}: found {found}, expected {expected}. Remove the file, and verify anew: "
        f"thrive verify {result.entry} --fresh-instances --to {FOLDER}"
    )
