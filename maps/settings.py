"""maps/settings.yaml: what is swept, read and checked as params.yaml is."""

from pathlib import Path
from typing import Annotated, Any

from annotated_types import Interval
from pydantic import Field

from benchmark import strict_yaml
from benchmark.errors import BadParams
from benchmark.runs import params
from benchmark.runs.form import MOST_SEEDS, Profile, Suite
from benchmark.runs.params import Instance
from benchmark.runs.project import Project

FILE = Path("maps", "settings.yaml")
MOST_SYNTHETIC = 2.0
"""Synthetic rows for each of n real ones: at iteration 2 the budget `growing` allows 3n rows."""
Instances = Annotated[list[dict[str, Any]], Field(min_length=1)]


class Ratios(strict_yaml.Settings):
    """Training sets of so many synthetic rows for each real one, in place of n rows in all."""

    synthetic_to_real: list[Annotated[float, Interval(ge=0, le=MOST_SYNTHETIC)]] = Field(min_length=1)
    instances: Instances


class Sweep(strict_yaml.Settings):
    """The map of one task-setting."""

    horizon: int = Field(ge=2, le=100_000)
    seeds: int = Field(ge=2, le=MOST_SEEDS)
    excess: float = Field(gt=0)
    """The threshold, in nats, near whose boundary the map is fine."""
    spacing: float = Field(gt=0, le=0.5)
    tolerance: float = Field(gt=0, le=0.5)
    instances: Instances
    ratios: Ratios | None = None


class Steps(strict_yaml.Settings):
    """Iterations of each kind, in any order."""

    accumulate: int = Field(ge=1)
    replace: int = Field(ge=2)
    real: int = Field(ge=1)


class Paths(strict_yaml.Settings):
    """The experiment with orders, in one task-setting."""

    seeds: int = Field(ge=2, le=MOST_SEEDS)
    steps: Steps
    instances: Instances

    @property
    def horizon(self) -> int:
        """The first iteration, which sees the n real rows; the steps; and the last, which sees all rows."""
        return 2 + self.steps.accumulate + self.steps.replace + self.steps.real


class MapSettings(strict_yaml.Settings):
    """The whole file."""

    sweeps: dict[str, Sweep]
    paths: dict[str, Paths]


def load(root: Path) -> MapSettings:
    """maps/settings.yaml of a clone.

    Raises:
        BadParams: names file, key, found and expected.
    """
    return strict_yaml.read(root / FILE, MapSettings, BadParams)


def instances(
    home: Project, task_setting: str, horizon: int, seeds: int, numbers: Instances
) -> tuple[Project, list[Instance]]:
    """Instances that are written as in params.yaml, and the clone with them as its profile `map`.

    Raises:
        BadParams: a number is out of its range, or two instances have all numbers alike.
    """
    suite = Suite(horizon=horizon, seeds=seeds, instances=[{"ranked": False, **each} for each in numbers])
    profile = Profile(about="maps/settings.yaml", suites={task_setting: suite})
    changed = home.params.model_copy(update={"profiles": {"map": profile}})
    return Project(home.root, changed, "map"), params.instances(changed, "map", task_setting)
