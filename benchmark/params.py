"""params.yaml: profiles, instances, seeds and pins."""

import dataclasses
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config

from benchmark import settings
from benchmark.errors import BadParams
from benchmark.fresh import Verification
from benchmark.task import Task
from benchmark.tasks import TASKS, task_class


class Suite(settings.Settings):
    """The instances of one task-setting in one profile."""

    horizon: int = Field(ge=2)
    seeds: int = Field(ge=1)
    instances: list[dict[str, Any]] = Field(min_length=1)


class Profile(settings.Settings):
    """What one command runs: which entries (None: all), on which suites."""

    about: str
    entries: list[str] | None = None
    suites: dict[str, Suite] = Field(min_length=1)


class Pin(settings.Settings):
    """Files that must be exactly these: sha256 of each, by its name in the folder."""

    folder: str
    package: str | None = None
    """The folder is in this installed package; without it, in the clone."""
    source: str
    files: dict[str, str] = Field(min_length=1)


class Params(settings.Settings):
    """The whole file."""

    profile: str
    profiles: dict[str, Profile]
    pins: dict[str, Pin]
    verification: Verification = Verification()


@dataclass(frozen=True)
class Instance:
    """A task instance of a profile: its task-setting, its numbers, and how far it is run."""

    task_setting: str
    task: Task
    horizon: int
    seeds: int
    ranked: bool
    seconds: float  # estimated, for one run on one core
    without: tuple[str, ...] = ()  # entries that are not run here, for what it would cost

    @property
    def name(self) -> str:
        return self.task.name


def load(root: Path) -> Params:
    """params.yaml of a root.

    Raises:
        BadParams: names file, key, found and expected.
    """
    path = root / "params.yaml"
    params = settings.read(path, Params, BadParams)
    profile(params, params.profile)
    for name, entry in params.profiles.items():
        for task in entry.suites:
            if task not in TASKS:
                raise BadParams(
                    f"{path}: profiles.{name}.suites: no task-setting '{task}'.{settings.nearest(task, TASKS)}"
                )
    _check_fresh(path, params)
    return params


def _check_fresh(path: Path, params: Params) -> None:
    """Raises BadParams where the ranges of fresh instances hold what is no instance."""
    where = f"{path}: verification.fresh"
    for task, fresh in params.verification.fresh.items():
        if task not in TASKS:
            raise BadParams(f"{where}: no task-setting '{task}'.{settings.nearest(task, TASKS)}")
        for numbers in fresh.corners():
            _instance(
                task, Suite(horizon=2, seeds=2, instances=[{}]), {**numbers, "seconds": 1}, f"{where}.{task}.draw"
            )


def profile(params: Params, name: str) -> Profile:
    """The profile of that name."""
    if name not in params.profiles:
        raise BadParams(f"params.yaml: no profile '{name}'.{settings.nearest(name, params.profiles)}")
    return params.profiles[name]


def instances(params: Params, profile_name: str, task_setting: str) -> list[Instance]:
    """The instances of one task-setting in a profile; none where the profile leaves it out.

    A number that is a list stands for all its values: `{d: [1, 10], n: [10, 100]}` is four instances. Beside the
    numbers stand `seconds` (required), `ranked` and `without`.
    """
    suite = profile(params, profile_name).suites.get(task_setting)
    if suite is None:
        return []
    where = f"params.yaml: profiles.{profile_name}.suites.{task_setting}.instances"
    return [
        _instance(task_setting, suite, numbers, f"{where}.{k}")
        for k, grid in enumerate(suite.instances)
        for numbers in _product(grid)
    ]


def fresh_instances(params: Params, profile_name: str, task_setting: str, salt: str) -> list[Instance]:
    """The fresh instances that a salt draws for one task-setting of a profile; none is one of the profile's own.

    Raises:
        BadParams: params.yaml has no ranges for the task-setting, or they hold too few instances.
    """
    where = f"params.yaml: verification.fresh.{task_setting}"
    fresh = params.verification.fresh.get(task_setting)
    if fresh is None:
        raise BadParams(f"{where}: no ranges to draw fresh instances from. Add them, or leave out --fresh-instances.")
    suite = profile(params, profile_name).suites[task_setting]
    names = {instance.name for instance in instances(params, profile_name, task_setting)}
    found: dict[str, Instance] = {}
    for attempt in range(100 * fresh.instances):
        numbers = {**fresh.numbers(salt, task_setting, attempt), "seconds": fresh.seconds}
        instance = _instance(task_setting, suite, numbers, where)
        if instance.name not in names:
            found.setdefault(instance.name, instance)
        if len(found) == fresh.instances:
            return list(found.values())
    raise BadParams(
        f"{where}.draw: {fresh.instances} instances asked for, but the ranges hold {len(found)}: widen them."
    )


def _product(grid: dict[str, Any]) -> list[dict[str, Any]]:
    """Every combination of the values that are lists."""
    choices = [value if isinstance(value, list) else [value] for value in grid.values()]
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*choices)]


def _instance(task_setting: str, suite: Suite, numbers: dict[str, Any], where: str) -> Instance:
    numbers = dict(numbers)
    ranked, without = numbers.pop("ranked", True), numbers.pop("without", "").split()
    seconds = numbers.pop("seconds", None)
    if not isinstance(seconds, (int, float)):
        raise BadParams(f"{where}: seconds: found {seconds!r}, expected the estimated seconds of one run.")
    kind: Any = task_class(task_setting)
    try:
        task = TypeAdapter(with_config(ConfigDict(extra="forbid"))(kind)).validate_python(numbers)
    except ValidationError as problem:
        known = [field.name for field in dataclasses.fields(kind)] + ["ranked", "seconds", "without"]
        raise BadParams("\n".join(settings.fault_line(where, dict(f), known) for f in problem.errors())) from None
    return Instance(task_setting, task, suite.horizon, suite.seeds, bool(ranked), float(seconds), tuple(without))
