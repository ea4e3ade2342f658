"""A clone and one profile of its params.yaml: what a command works on."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmark.entries import catalogue
from benchmark.entries.entry import Entry
from benchmark.errors import BadEntry, BadParams
from benchmark.runs import params
from benchmark.runs.form import Params
from benchmark.runs.params import Instance
from benchmark.strict_yaml import nearest


@dataclass(frozen=True)
class Project:
    """A clone and one profile.

    Attributes:
        root: the folder with params.yaml, baselines and submissions.
        params: what params.yaml says.
        profile: name of the profile.
    """

    root: Path
    params: Params
    profile: str

    @classmethod
    def load(cls, root: Path, profile: str | None = None) -> "Project":
        """The clone in a folder.

        Args:
            profile: without it, the one that params.yaml names.

        Raises:
            BadParams: params.yaml is not valid, or has no such profile.
        """
        loaded = params.load(root)
        name = loaded.profile if profile is None else profile
        params.profile(loaded, name)
        return cls(root, loaded, name)

    @property
    def cells(self) -> Path:
        """The folder of finished cells, of all profiles."""
        return self.root / "cells"

    @property
    def results(self) -> Path:
        """The folder of the profile's results, with one folder for each task-setting."""
        return self.root / "results" / self.profile

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """All entries of the clone, by id."""
        return catalogue.find(self.root)

    @cached_property
    def _sound(self) -> tuple[dict[str, Entry], list[BadEntry]]:
        return catalogue.sound(self.entries)

    @property
    def readable(self) -> dict[str, Entry]:
        """The entries whose card and other files can be read."""
        return self._sound[0]

    @property
    def faults(self) -> list[BadEntry]:
        """Why the other entries cannot be read."""
        return self._sound[1]

    def entry(self, id: str) -> Entry:
        """Raises BadEntry where there is no such entry, or it cannot be read."""
        [entry] = catalogue.named(self.entries, [id])
        return entry

    def ids(self, also: Sequence[str] = ()) -> list[str]:
        """Ids of the entries that the profile runs (all that can be read, unless it names them), and of these beside them."""
        listed = params.profile(self.params, self.profile).entries
        return list(dict.fromkeys([*(self.readable if listed is None else listed), *also]))

    def task_settings(self, asked: Collection[str] = ()) -> list[str]:
        """The task-settings of the profile, or those that are asked for.

        Raises:
            BadParams: the profile has no such task-setting.
        """
        suites = params.profile(self.params, self.profile).suites
        for task_setting in asked:
            if task_setting not in suites:
                hint = nearest(task_setting, suites)
                raise BadParams(f"profile '{self.profile}' has no task-setting '{task_setting}'.{hint}")
        return list(asked or suites)

    def instances(self, task_setting: str) -> list[Instance]:
        """The profile's instances of a task-setting; none where it leaves the task-setting out."""
        return params.instances(self.params, self.profile, task_setting)
