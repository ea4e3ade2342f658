"""A verification that was written is run again by its salt, and compared number by number."""

import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.entries.entry import Entry
from benchmark.errors import ThriveError
from benchmark.isolation import verify
from benchmark.results import verified
from benchmark.results.verified import Result, Verified
from benchmark.runs.project import Project
from benchmark.strict_yaml import shown, shown_name

SALT = "[0-9a-f]{8,128}"
PLACE = ("task", "instance", "fresh")
"""The fields that distinguish an instance from the others of its result."""
ABSENT = object()


class Options(NamedTuple):
    """What a verification was asked for, as options of `thrive verify`; None where one is left out."""

    profile: str | None
    tasks: list[str] | None
    seeds: int | None
    fresh: bool | None


def as_written(path: Path, result: Result, asked: Options) -> Options:
    """What a written result was asked for.

    Raises:
        ThriveError: something else is asked for now, or its seeds are not as many as a verification has.
    """
    seeds, fresh = len(result.instances[0].seeds), any(one.fresh for one in result.instances)
    if not 2 <= seeds <= 1000:
        raise ThriveError(f"{path}: seeds: found {seeds}, expected 2 to 1000.")
    written = Options(result.profile, sorted(result.tasks), seeds, fresh)
    asked = asked._replace(tasks=asked.tasks and sorted(asked.tasks))
    for option, now, before in zip(
        ("--profile", "--task", "--seeds", "--fresh-instances"), asked, written, strict=True
    ):
        if now is not None and now != before:
            raise ThriveError(f"{option}: found {shown(now)}, and {path} is of {shown(before)}: leave the option out.")
    return written._replace(tasks=result.tasks)


class Repetition(NamedTuple):
    """A written result, run again.

    Attributes:
        path: of the written result.
        result: of now.
        difference: the first number that is not the very same; None where there is none.
        entry_has_changed: whether the entry's code is not the code that the written result is of.
    """

    path: Path
    result: dict[str, Any]
    difference: str | None
    entry_has_changed: bool


def run_again(
    project: Project,
    entry: Entry,
    salt: str,
    folders: Iterable[Path] | None,
    asked: Options,
    tell: Callable[[str], object],
) -> Repetition:
    """Run a written result again, as it was run, and compare every number. Nothing is written.

    Args:
        salt: the whole one, its first 8 digits or more, or the result's path.
        folders: where results lie, unless a path is given; without them, results/*/verified and leaderboard/verified of the clone.
        asked: must be what the written result was asked for, where it says something.
        tell: takes a line on each instance, before it is run.

    Raises:
        ThriveError: there is no such result, or something else is asked for.
    """
    if folders is None:
        folders = [*sorted((project.root / "results").glob("*/verified")), project.root / verified.FOLDER]
    path, written = find(entry.id, salt, folders)
    options = as_written(path, written, asked)
    same = Project.load(project.root, options.profile)
    tasks = same.task_settings(options.tasks or ())
    result = verify.verify_entry(same, entry, tell, tasks, options.seeds, bool(options.fresh), written.salt)
    return Repetition(path, result, first_difference(written, result), written.digest != entry.digest)


def find(entry: str, salt: str, folders: Iterable[Path]) -> tuple[Path, Result]:
    """The written result of an entry.

    Args:
        salt: the whole one, its first 8 digits or more, or the result's path.
        folders: where results lie, unless a path is given.

    Raises:
        ThriveError: there is none, there are several that differ, it is of another entry, or the file is no result.
    """
    path = Path(salt) if _is_path(salt) else _path(entry, salt, folders)
    result = verified.read_form(path)
    if result.entry != entry:
        raise ThriveError(f"{path}: entry: found '{result.entry}', expected '{shown_name(entry)}'.")
    return path, result


def _is_path(salt: str) -> bool:
    if re.fullmatch(SALT, salt):
        return False
    if Path(salt).suffix != ".json" and not Path(salt).is_file():
        words = "expected 32 hexadecimal digits, the 8 of them in the file name of a written result, or its path"
        raise ThriveError(f"--salt: found {shown(salt)}, {words}.")
    return True


def _path(entry: str, salt: str, folders: Iterable[Path]) -> Path:
    folders = list(dict.fromkeys(folders))
    named = [path for folder in folders for path in sorted(folder.glob(f"{entry}-{salt[:8]}.json"))]
    fitting = {path.read_bytes(): path for path in named if verified.read_form(path).salt.startswith(salt)}
    if not fitting:
        where = ", ".join(map(str, folders))
        raise ThriveError(f"--salt {salt}: no written result of '{entry}' has it in {where}. Name its folder by --to.")
    if len(fitting) > 1:
        raise ThriveError(f"--salt {salt}: {', '.join(map(str, fitting.values()))} differ: name one by its path.")
    return fitting.popitem()[1]


def first_difference(written: Result, again: dict[str, Any]) -> str | None:
    """The first number that is not the very same, in one line; None where there is none.

    Args:
        again: what `benchmark.isolation.verify.verify_entry` returned.
    """
    before, now = dict(_numbers(written.model_dump())), dict(_numbers(again))
    for place in dict.fromkeys([*before, *now]):
        if repr(before.get(place, ABSENT)) != repr(now.get(place, ABSENT)):  # NaN is like itself
            found, expected = (shown(values[place]) if place in values else "nothing" for values in (now, before))
            return f"{place}: found {found}, and {expected} is written."
    return None


def _numbers(result: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """All numbers of a result, each with its place, as JSON writes them, which keeps every bit."""
    for one in json.loads(json.dumps(result["instances"])):
        instance = f"{one['task']} {one['instance']}{', fresh' * one['fresh']}"
        for field in dataclasses.fields(Verified):
            if field.name not in PLACE:
                yield from _leaves(f"{instance}: {field.name}", one[field.name])
    yield from _leaves("gap", json.loads(json.dumps(result["gap"])))


def _leaves(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key in sorted(value):
            yield from _leaves(f"{place}.{key}", value[key])
    elif isinstance(value, list):
        yield f"{place}, how many", len(value)
        for k, part in enumerate(value):
            yield from _leaves(f"{place}[{k}]", part)
    else:
        yield place, value
