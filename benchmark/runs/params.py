"""params.yaml: profiles, instances, seeds and pins."""

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import create_model

from benchmark import strict_yaml as settings
from benchmark.core.task import Task
from benchmark.errors import BadParams
from benchmark.runs.form import MOST_INSTANCES, HowItIsRun, Params, Profile, Suite
from benchmark.tasks import TASKS, task_class

REFERENCE = "replace"
"""The entry whose damage is the unit of every score: no instance is ranked without it."""


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
    only: tuple[str, ...] = ()  # entries that alone are run here; none: all
    distinction: str = ""  # numbers that tell it from others of its profile, where its task's name does not show them
    key: str = ""  # its place in params.yaml

    @property
    def name(self) -> str:
        """Unique within a profile."""
        return self.task.name + self.distinction

    def runs(self, id: str) -> bool:
        """Whether an entry is run here."""
        return id not in self.without and (not self.only or id in self.only)


def load(root: Path) -> Params:
    """params.yaml of a root, of which every profile can be run and, where it ranks anything, have a board.

    Raises:
        BadParams: names file, key, found and expected.
    """
    path = root / "params.yaml"
    params = settings.read(path, Params, BadParams)
    chosen = profile(params, params.profile)
    for name, entry in params.profiles.items():
        for task in entry.suites:
            if task not in TASKS:
                hint = settings.nearest(task, TASKS)
                raise BadParams(f"{path}: profiles.{name}.suites: no task-setting '{settings.shown_name(task)}'.{hint}")
        check_profile(params, name)
    if not any(one.ranked for task in chosen.suites for one in instances(params, params.profile, task)):
        raise BadParams(
            f"{path}: profile: found '{params.profile}', none of whose instances is ranked, so that it has no board. Choose another, "
            f"or run it without choosing it: thrive run --profile {params.profile}"
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
        hint = settings.nearest(name, params.profiles)
        raise BadParams(f"params.yaml: no profile '{settings.shown_name(name)}'.{hint}")
    return params.profiles[name]


def check_profile(params: Params, name: str) -> None:
    """Raises BadParams where two instances have one name, or ranks would have no unit."""
    entries = params.profiles[name].entries
    every_instance = [one for task in params.profiles[name].suites for one in instances(params, name, task)]
    _refuse_one_name(every_instance)
    ranked = [one for one in every_instance if one.ranked]
    if ranked and entries is not None and REFERENCE not in entries:
        raise BadParams(
            f"params.yaml: profiles.{name}.entries: found {settings.shown(entries)}, expected '{REFERENCE}' among them: scores are in "
            f"units of its damage. Add it, or write `ranked: false` in every instance."
        )
    for one in ranked:
        if one.only:
            raise BadParams(
                f"{one.key}: only: found '{' '.join(one.only)}' where all are ranked. Leave it out, or write `ranked: false`."
            )
        if REFERENCE in one.without:
            raise BadParams(
                f"{one.key}: without: found '{REFERENCE}', in units of whose damage scores are. Leave it in, or write `ranked: false`."
            )


def check_entries(params: Params, profile_name: str, ids: Iterable[str]) -> None:
    """Raises BadParams where a profile names an entry that is not there."""
    ids = list(ids)
    where = f"params.yaml: profiles.{profile_name}"
    named = [(f"{where}.entries", id) for id in profile(params, profile_name).entries or ()]
    for task in profile(params, profile_name).suites:
        for one in instances(params, profile_name, task):
            named += [(f"{one.key}: without", id) for id in one.without] + [(f"{one.key}: only", id) for id in one.only]
    for key, id in named:
        if id not in ids:
            hint = settings.nearest(id, ids)
            raise BadParams(f"{key}: no entry '{settings.shown_name(id)}'.{hint} See: thrive list")


def instances(params: Params, profile_name: str, task_setting: str) -> list[Instance]:
    """The instances of one task-setting in a profile; none where the profile leaves it out.

    A number that is a list stands for all its values: `{d: [1, 10], n: [10, 100]}` is four instances. Beside the
    numbers are `seconds` (required), `ranked`, `without` and `seeds` (where they are not the suite's).

    Raises:
        BadParams: a number is out of its range, or two instances have all numbers alike.
    """
    suite = profile(params, profile_name).suites.get(task_setting)
    if suite is None:
        return []
    where = f"params.yaml: profiles.{profile_name}.suites.{task_setting}.instances"
    return _distinguished(
        [
            _instance(task_setting, suite, numbers, f"{where}.{k}")
            for k, grid in enumerate(suite.instances)
            for numbers in _product(grid, f"{where}.{k}")
        ]
    )


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
    drawn: dict[str, Instance] = {}
    for attempt in range(100 * fresh.instances):
        numbers = {**fresh.numbers(salt, task_setting, attempt), "seconds": fresh.seconds}
        instance = _instance(task_setting, suite, numbers, where)
        if instance.name not in names:
            drawn.setdefault(instance.name, instance)
        if len(drawn) == fresh.instances:
            return list(drawn.values())
    raise BadParams(
        f"{where}.draw: {fresh.instances} instances asked for, but the ranges hold {len(drawn)}: widen them."
    )


def _product(grid: dict[str, Any], where: str) -> list[dict[str, Any]]:
    """Every combination of the values that are lists."""
    several = {
        key: value for key, value in grid.items() if isinstance(value, list) and key not in HowItIsRun.model_fields
    }
    count = math.prod(map(len, several.values()))
    if not 1 <= count <= MOST_INSTANCES:
        raise BadParams(f"{where}: found lists that stand for {count:.3g} instances, expected 1 to {MOST_INSTANCES}.")
    for key, values in several.items():
        repeated = next((value for k, value in enumerate(values) if value in values[:k]), None)
        if repeated is not None:
            raise BadParams(
                f"{where}: {settings.shown_name(key)}: found {settings.shown(values)}, which repeats {settings.shown(repeated)}. "
                "Leave one out."
            )
    return [grid | dict(zip(several, values, strict=True)) for values in itertools.product(*several.values())]


def _instance(task_setting: str, suite: Suite, content: dict[str, Any], where: str) -> Instance:
    form, kind = _form(task_setting), task_class(task_setting)
    checked = settings.check(content, form, where, BadParams)
    numbers = {name: value for name, value in checked if name not in HowItIsRun.model_fields}
    try:
        task = kind(**numbers)
    except ValueError as problem:
        raise BadParams(f"{where}: {problem}.") from None
    return Instance(
        task_setting,
        task,
        suite.horizon,
        checked.seeds or suite.seeds,
        checked.ranked,
        checked.seconds,
        tuple(checked.without.split()),
        tuple(checked.only.split()),
        key=where,
    )


def task_of(task_setting: str, numbers: dict[str, Any]) -> Task:
    """An instance by its numbers alone.

    Raises:
        BadParams: there is no such task-setting, or a number is missing or out of its range.
    """
    if task_setting not in TASKS:
        raise BadParams(
            f"no task-setting '{settings.shown_name(task_setting)}'.{settings.nearest(task_setting, TASKS)}"
        )
    suite = Suite(horizon=2, seeds=1, instances=[{}])
    return _instance(task_setting, suite, {**numbers, "seconds": 1.0}, task_setting).task


@functools.cache
def _form(task_setting: str) -> type[HowItIsRun]:
    """An instance as it stands in params.yaml: the fields of the task-setting's dataclass, and how it is run."""
    kind: Any = task_class(task_setting)
    types = get_type_hints(kind, include_extras=True)
    fields: Any = {
        field.name: (types[field.name], ... if field.default is dataclasses.MISSING else field.default)
        for field in dataclasses.fields(kind)
    }
    return create_model(kind.__name__, __base__=HowItIsRun, **fields)


def _distinguished(suite_instances: Sequence[Instance]) -> list[Instance]:
    """The same, those of one name with the numbers in which they differ."""
    by_name: dict[str, list[Instance]] = {}
    for one in suite_instances:
        by_name.setdefault(one.name, []).append(one)
    return [_with_distinction(one, by_name[one.name]) for one in suite_instances]


def _with_distinction(one: Instance, namesakes: Sequence[Instance]) -> Instance:
    twin = next((other for other in namesakes if other is not one and other.task == one.task), None)
    if twin is not None:
        raise BadParams(f"{one.key}: {one.name}: all numbers are those of {twin.key}. Leave one out.")
    differing = {key for key in vars(one.task) if len({repr(vars(other.task)[key]) for other in namesakes}) > 1}
    words = [f" {key}={value!r}" for key, value in vars(one.task).items() if key in differing]
    return dataclasses.replace(one, distinction="".join(words))


def _refuse_one_name(profile_instances: Sequence[Instance]) -> None:
    by_name: dict[str, Instance] = {}
    for one in profile_instances:
        other = by_name.setdefault(one.name, one)
        if other is not one:
            raise BadParams(
                f"{one.key}: its name is '{one.name}', and so is that of {other.key}. Change a number of one."
            )
