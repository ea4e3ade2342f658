"""params.yaml: profiles, instances, seeds and pins."""

import dataclasses
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config

from benchmark import settings
from benchmark.errors import BadParams
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
    return params


def profile(params: Params, name: str) -> Profile:
    """The profile of that name."""
    if name not in params.profiles:
        raise BadParams(f"params.yaml: no profile '{name}'.{settings.nearest(name, params.profiles)}")
    return params.profiles[name]


def instances(params: Params, profile_name: str, task_setting: str) -> list[Instance]:
    """The instances of one task-setting in a profile; none where the profile leaves it out.

    A number that is a list stands for all its values: `{d: [1, 10], n: [10, 100]}` is four instances. Beside the
    numbers stand `seconds` (required), `ranked`, `without` and `seeds` (where they are not the suite's).
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


def _product(grid: dict[str, Any]) -> list[dict[str, Any]]:
    """Every combination of the values that are lists."""
    choices = [value if isinstance(value, list) else [value] for value in grid.values()]
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*choices)]


def _instance(task_setting: str, suite: Suite, numbers: dict[str, Any], where: str) -> Instance:
    numbers = dict(numbers)
    ranked, without = numbers.pop("ranked", True), numbers.pop("without", "").split()
    seconds, seeds = numbers.pop("seconds", None), numbers.pop("seeds", suite.seeds)
    if not isinstance(seconds, (int, float)):
        raise BadParams(f"{where}: seconds: found {seconds!r}, expected the estimated seconds of one run.")
    if not isinstance(seeds, int) or isinstance(seeds, bool) or seeds < 1:
        raise BadParams(f"{where}: seeds: found {seeds!r}, expected a number of seeds from 1.")
    kind: Any = task_class(task_setting)
    try:
        task = TypeAdapter(with_config(ConfigDict(extra="forbid"))(kind)).validate_python(numbers)
    except ValidationError as problem:
        known = [field.name for field in dataclasses.fields(kind)] + ["ranked", "seconds", "seeds", "without"]
        raise BadParams("\n".join(settings.fault_line(where, dict(f), known) for f in problem.errors())) from None
    return Instance(task_setting, task, suite.horizon, seeds, bool(ranked), float(seconds), tuple(without))
