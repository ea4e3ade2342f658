"""The source of a figure: a folder of results, or of tables made from them."""

import io
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

from benchmark.errors import ThriveError
from benchmark.results import seal
from benchmark.results.about import About
from benchmark.strict_yaml import nearest
from paper.data import FOLDERS

WHAT = ["task", "instance", "entry", "quantity", "t"]
DRAWN = [*WHAT, "seeds", "mean", "low", "high"]
"""Columns of the table that is written with a figure of curves."""
OF_THE_PAPER = "thrive run --profile paper -t {} && python -m paper.data"
"""The command that makes results of a task-setting which a profile does not run."""


class Missing(Exception):
    """A folder has not all that a figure needs. The message says what is missing and which command makes it."""


@dataclass(frozen=True)
class Source:
    """A folder, and the entries to show; if none are named, those of the paper's figure."""

    folder: Path
    entries: tuple[str, ...] = ()
    missing: list[str] = field(default_factory=list)
    """Parts of figures that were left out, each with the command that makes it."""

    @property
    def where(self) -> str:
        """The folder's path for messages, relative to the current folder if it is inside."""
        here = Path.cwd()
        return str(self.folder.relative_to(here) if self.folder.is_relative_to(here) else self.folder)

    @cached_property
    def about(self) -> About:
        path = self.folder / "about.json"
        if not path.is_file():
            raise Missing(f"{self.where}: no results there. Make them: {self.command()}")
        return seal.read_about(self.folder)

    @cached_property
    def curves(self) -> pd.DataFrame:
        assert self.about, "without it there are no curves either"
        content = io.BytesIO(seal.read_table(self.folder, seal.CURVES))
        return pd.read_parquet(content, columns=[*DRAWN, "sd", "first_seed"])

    def of(self, task: str, quantities: str | list[str], *own: str) -> pd.DataFrame:
        """Curves of a task-setting, with the numbers of its instances (d, n, …) as columns, of the named entries or else of `own`.

        As in the paper, only instances whose sampler is unbiased are included.
        """
        quantities = [quantities] if isinstance(quantities, str) else quantities
        about = self.about.tasks.get(task)
        numbers = [
            {"instance": instance.name, **instance.numbers}
            for instance in (about.instances if about else [])
            if instance.numbers.get("sampler_temperature", 1) == 1
        ]
        found = self.curves[self.curves["task"] == task]
        found = found[found["quantity"].isin(quantities) & found["entry"].isin(self.facets(*own))]
        found = found.merge(pd.DataFrame(numbers, columns=None if numbers else ["instance"]))
        if found.empty:
            words = f"{self.where}: no {' or '.join(quantities)} of {task}, {', '.join(self.facets(*own))}"
            raise Missing(f"{words}. Make it: {self.command(f'-t {task}') if about else OF_THE_PAPER.format(task)}")
        return found

    def facets(self, *own: str) -> tuple[str, ...]:
        return self.entries or own

    def table(self, name: str, command: str) -> pd.DataFrame:
        """A CSV table in the folder. `command` makes it."""
        if not (self.folder / name).is_file():
            raise Missing(f"{self.where}/{name}: no such file. Make it: {command}")
        return pd.read_csv(self.folder / name)

    def command(self, what: str = "") -> str:
        """The command that makes more results in this folder; `what` is an option such as `-t` with a task-setting or `-s` with an entry."""
        if (self.folder / "about.json").is_file():
            profile = self.about.profile
        elif self.folder.name == "board":  # results/PROFILE/board
            profile = self.folder.parent.name
        else:
            profile = self.folder.name if self.folder.name in ("data", *FOLDERS) else "P"
        own = profile in ("data", *FOLDERS)
        profile = "paper" if profile == "data" else profile
        gather = "python -m paper.data" if own else f"thrive score --profile {profile} --to {self.where}"
        return f"thrive run --profile {profile} {what}".strip() + f" && {gather}"

    def check_entries(self) -> None:
        """Raise ThriveError if a named entry has no results here."""
        known = set(self.curves["entry"]) if self.entries else set()
        for id in self.entries:
            if id not in known:
                words = f"{self.where}: no results of '{id}'.{nearest(id, known)}"
                raise ThriveError(f"{words} If it is an entry, make them: {self.command(f'-s {id}')}")
