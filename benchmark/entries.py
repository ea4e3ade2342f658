"""Entries: a folder with a strategy and its card. Baselines and submissions have the same form."""

import importlib.util
import inspect
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from benchmark import settings
from benchmark.digest import digest_of_folder
from benchmark.errors import BadEntry
from benchmark.rules import Budget, Role, Rules, Track
from benchmark.strategy import Strategy

FOLDERS = ("baselines", "submissions")


class Card(settings.Settings):
    """card.yaml: who made the entry, and what it may use."""

    api: Literal[1]
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=60)
    name: str = Field(min_length=1, max_length=60)
    version: str
    authors: list[str] = Field(min_length=1)
    licence: str
    url: str | None = None
    citation: str | None = None
    description: str = Field(min_length=1, max_length=200)
    track: Track
    budget: Budget
    role: Role = Role.ENTRY
    hyperparameters: dict[str, Any] = {}
    tuned_on: str
    configurations_tried: int = Field(ge=0)


@dataclass(frozen=True)
class Entry:
    """An entry by its folder. Travels to workers as a path and is loaded there."""

    folder: Path

    def __reduce__(self) -> tuple[Any, ...]:
        return Entry, (self.folder,)  # a strategy's class is loaded anew by each worker

    @cached_property
    def card(self) -> Card:
        """Raises BadEntry where the card does not fit."""
        card = settings.read(self.folder / "card.yaml", Card, BadEntry)
        if card.id != self.folder.name:
            raise BadEntry(
                f"{self.folder / 'card.yaml'}: id: found '{card.id}', expected the folder's name '{self.id}'."
            )
        return card

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def rules(self) -> Rules:
        return Rules(self.card.track, self.card.budget, self.card.role)

    @cached_property
    def strategy_class(self) -> type[Strategy]:
        """The one strategy that strategy.py defines.

        Raises:
            BadEntry: there is no such file, it does not import, or it defines none or several.
        """
        path = self.folder / "strategy.py"
        spec = importlib.util.spec_from_file_location(f"thrive_entry_{self.id}", path)
        if not path.is_file() or spec is None or spec.loader is None:
            raise BadEntry(f"{path}: no such file. An entry is a folder with strategy.py and card.yaml.")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses and pickle look a class's module up here
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            raise BadEntry(f"{path}: {type(error).__name__} at import: {error}") from error
        found = [c for c in vars(module).values() if inspect.isclass(c) and c.__module__ == spec.name]
        strategies = [c for c in found if issubclass(c, Strategy)]
        if len(strategies) != 1:
            names = ", ".join(c.__name__ for c in strategies) or "none"
            raise BadEntry(f"{path}: found {names}, expected exactly one subclass of benchmark.Strategy.")
        return strategies[0]

    def make(self) -> Strategy:
        """A new strategy object with the card's hyperparameters."""
        try:
            return self.strategy_class(**self.card.hyperparameters)
        except TypeError as error:
            raise BadEntry(f"{self.folder / 'card.yaml'}: hyperparameters: {error}") from error

    @cached_property
    def digest(self) -> str:
        """Of all that can change the entry's numbers: code without comments, data files, hyperparameters, rules."""
        card = self.card
        return digest_of_folder(
            self.folder,
            ignore={"card.yaml", "README.md"},
            extra=[card.hyperparameters, card.track, card.budget, card.role],
        )


def find(root: Path) -> dict[str, Entry]:
    """All entries under a root, by id: every folder that has a card.yaml.

    Raises:
        BadEntry: two entries have one id.
    """
    entries: dict[str, Entry] = {}
    for card in sorted(path for kind in FOLDERS for path in (root / kind).glob("*/card.yaml")):
        entry = Entry(card.parent)
        if entry.id in entries:
            raise BadEntry(f"{entry.folder} and {entries[entry.id].folder} have one id: rename one folder.")
        entries[entry.id] = entry
    return entries


def named(entries: dict[str, Entry], ids: Iterable[str]) -> list[Entry]:
    """The entries of these ids.

    Raises:
        BadEntry: there is no such entry; the message names the nearest.
    """
    missing = [id for id in ids if id not in entries]
    if missing:
        raise BadEntry(f"no entry '{missing[0]}'.{settings.nearest(missing[0], entries)} See: thrive list")
    return [entries[id] for id in ids]
