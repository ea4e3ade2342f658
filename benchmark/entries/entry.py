"""Entries: a folder with a strategy and its card. Baselines and submissions have the same form."""

import inspect
import os
import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, JsonValue, field_validator, model_validator
from pydantic_core import PydanticCustomError

from benchmark import strict_yaml as settings
from benchmark.core.rules import Budget, Role, Rules, Track
from benchmark.core.strategy import Strategy
from benchmark.digest.hashes import digest_of_folder, ours_used_in
from benchmark.entries import environment, requirements
from benchmark.entries.loading import load, told
from benchmark.errors import BadEntry, Unsupported
from benchmark.tasks import TASKS

FOLDERS = ("baselines", "submissions")
APIS = (1,)
PLACEHOLDER = "TODO"
README = "README.md"
ID = r"^[a-z0-9][a-z0-9.-]*$"
LONGEST_TEXT = 400
NO_PLAIN_TEXT = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode's categories of control characters, halves of characters, and separators of lines and paragraphs."""
EntryId = Annotated[str, Field(pattern=ID, max_length=60)]


class Card(settings.Settings):
    """card.yaml: who made the entry, and what it may use."""

    api: int = Field(ge=min(APIS), le=max(APIS))
    id: EntryId
    name: str = Field(min_length=1, max_length=60)
    version: str
    authors: list[str] = Field(min_length=1, max_length=100)
    licence: str = Field(min_length=1)
    url: str | None = Field(default=None, pattern=r"^https?://[^\s\"'<>]+$")
    citation: str | None = None
    description: str = Field(min_length=1, max_length=200)
    track: Annotated[Track, Field(strict=False)]
    budget: Annotated[Budget, Field(strict=False)]
    role: Annotated[Role, Field(strict=False)] = Role.ENTRY
    hyperparameters: dict[str, JsonValue] = {}
    not_for: dict[str, str] = {}
    """Task-settings that it does not fit, and why: it is not run there."""
    tuned_on: str
    configurations_tried: int = Field(ge=0, le=10**9)
    compare_with: list[EntryId] = Field(default=[], max_length=5)
    """Entries that the board compares it with. The board writes what the comparison shows; a card claims no result."""
    same_as: dict[str, EntryId] = {}
    """Task-setting to the entry with the very same losses there, where the two strategies coincide."""

    def unfinished(self) -> list[str]:
        """Keys that still hold what `thrive new` wrote there for the author to fill in."""
        values = {"authors": " ".join(self.authors), "description": self.description}
        return [key for key, value in values.items() if PLACEHOLDER in value]

    @model_validator(mode="before")
    @classmethod
    def text_is_text(cls, card: dict[str, Any]) -> dict[str, Any]:
        """What stands on the board and in terminals: nothing that moves a cursor or turns a line around, and no books."""
        for key, value in card.items():
            for text in _strings(value):
                if len(text) > LONGEST_TEXT or any(
                    unicodedata.category(c) in NO_PLAIN_TEXT and c not in "\n\t" for c in text
                ):
                    words = f"Expected at most {LONGEST_TEXT} characters, none of them a control character"
                    facts = {"key": settings.shown_name(key), "text": settings.shown(text), "words": words}
                    raise PydanticCustomError("text", "{key}: found {text}. {words}", facts)
        return card

    @field_validator("api", mode="before")
    @classmethod
    def known_api(cls, api: object) -> object:
        if type(api) is not int or api not in APIS:
            known = ", ".join(map(str, APIS))
            raise PydanticCustomError(
                "api", f"This Thrive knows api {known}: for a later one, get a newer Thrive (git pull)"
            )
        return api

    @field_validator("not_for", "same_as")
    @classmethod
    def known_task_settings(cls, by_task_setting: dict[str, str]) -> dict[str, str]:
        for task_setting in by_task_setting:
            if task_setting not in TASKS:
                hint = settings.nearest(task_setting, TASKS).strip()
                message = f"There is no task-setting '{task_setting}'. {hint}".rstrip(".")
                raise PydanticCustomError("task_setting", message)
        return by_task_setting

    @field_validator("version", mode="before")
    @classmethod
    def three_numbers(cls, version: object) -> object:
        if not isinstance(version, str) or not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", version):
            raise PydanticCustomError("version", "Expected MAJOR.MINOR.PATCH, such as 1.0.0")
        return version


def _strings(value: Any) -> Iterator[str]:
    """All texts in a value of a YAML file."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for part in [*value, *value.values()] if isinstance(value, dict) else value:
            yield from _strings(part)


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
        if card.role is Role.REFERENCE and self.outside:
            raise BadEntry(
                f"{self.folder / 'card.yaml'}: role: found 'reference', expected 'entry': every division shows the reference lines, "
                "so they are the project's own."
            )
        return card

    @property
    def id(self) -> str:
        return self.folder.name

    def must_be_readable(self) -> None:
        """Whether all but the import of its code works.

        Raises:
            BadEntry: the card does not fit, a link leads elsewhere, or a file cannot be read or is no Python.
        """
        try:
            settings.read_text(self.folder / "strategy.py", BadEntry)
            _ = self.card, self.sources, self.digest
            requirements.read(self.folder / "requirements.txt")
        except (OSError, RuntimeError) as problem:  # a folder that may not be opened; a link to itself
            raise BadEntry(f"{self.folder}: cannot be read: {problem}.") from None

    @property
    def outside(self) -> bool:
        """Whether somebody handed it in: such entries are ranked on verified numbers alone."""
        return self.folder.absolute().parent.name == "submissions"

    @property
    def _root(self) -> Path:
        return self.folder.absolute().parents[1]

    @property
    def sources(self) -> list[Path]:
        """All that must be readable to run it: its folder, what links in it lead to, and its wheels.

        Raises:
            BadEntry: a link leads elsewhere than to another entry.
        """
        targets = [path.resolve() for path in sorted(self.folder.rglob("*")) if path.is_symlink()]
        allowed = [(self._root / kind).resolve() for kind in FOLDERS]
        for target in targets:
            if not any(target.is_relative_to(kind) for kind in allowed):
                raise BadEntry(f"{self.folder}: a link in it leads to {target}: it may lead to other entries alone.")
        return [self.folder.absolute(), *targets, *([self.wheels] if self.wheels.is_dir() else [])]

    @property
    def wheels(self) -> Path:
        """The folder that `thrive install` puts what requirements.txt asks for into: its confined process alone imports from it."""
        return self._root / "environments" / self.id

    def install(self) -> list[str]:
        """Put what requirements.txt asks for into `wheels`, and say what was installed. None of it is run.

        Raises:
            BadEntry: a requirement is none, changes the lock, or has no wheel.
        """
        return requirements.install(self.folder / "requirements.txt", self._root / requirements.LOCK, self.wheels)

    @cached_property
    def distributions(self) -> list[Path]:
        """Folders and files of what requirements.txt asks for, and of what that requires in turn; none where `wheels` has them.

        Raises:
            BadEntry: it is not installed, or holds the benchmark's data.
        """
        if self.wheels.is_dir():
            return []
        path = self.folder / "requirements.txt"
        requirements.check(path, self._root / requirements.LOCK)
        return environment.distributions(tuple(requirements.names(path)))

    def must_fit(self, task_setting: str) -> None:
        """Raises Unsupported, with the card's reason, where the card says that it does not fit a task-setting."""
        if task_setting in self.card.not_for:
            raise Unsupported(self.card.not_for[task_setting])

    @property
    def rules(self) -> Rules:
        return Rules(self.card.track, self.card.budget, self.card.role)

    @cached_property
    def strategy_class(self) -> type[Strategy]:
        """The one strategy that strategy.py defines.

        Raises:
            BadEntry: what it requires is not there, it does not import, it is not one class, or the card does not fit it.
        """
        requirements.check(self.folder / "requirements.txt", self._root / requirements.LOCK)
        strategy = load(self.folder)
        self._check_hyperparameters(strategy)
        return strategy

    def _check_hyperparameters(self, strategy: type[Strategy]) -> None:
        given, signature = self.card.hyperparameters, inspect.signature(strategy)
        try:
            signature.bind(**given)
        except TypeError as error:
            unknown = [name for name in given if name not in signature.parameters]
            hint = f" '{unknown[0]}' is unknown.{settings.nearest(unknown[0], signature.parameters)}" if unknown else ""
            where = f"{self.folder / 'card.yaml'}: hyperparameters"
            raise BadEntry(f"{where}: {strategy.__name__}{signature}: {error}.{hint}") from error

    def make(self) -> Strategy:
        """A new strategy object with the card's hyperparameters.

        Raises:
            BadEntry: it cannot be loaded, or its `__init__` raises.
        """
        strategy = self.strategy_class
        try:
            return strategy(**self.card.hyperparameters)
        except Exception as error:
            raise BadEntry(f"{strategy.__name__}.__init__ raised {told(error)}") from error

    @cached_property
    def digest(self) -> str:
        """Of all that can change the entry's numbers: code without comments, data files, hyperparameters, rules."""
        card = self.card
        return digest_of_folder(
            self.folder,
            ignore={"card.yaml", README},
            extra=[card.hyperparameters, card.track, card.budget, card.role],
        )

    @cached_property
    def ours(self) -> list[str]:
        """Dotted names of the harness that its code imports: their code decides its numbers too."""
        return ours_used_in(self.folder)


def find(root: Path) -> dict[str, Entry]:
    """All entries under a root, by id: every folder that has a card.yaml or a strategy.py, or that may not be opened. Their cards are read when needed.

    Raises:
        BadEntry: two entries have one id.
    """
    entries: dict[str, Entry] = {}
    files = [
        path for kind in FOLDERS for name in ("card.yaml", "strategy.py") for path in (root / kind).glob(f"*/{name}")
    ]
    closed = [
        path
        for kind in FOLDERS
        for path in (root / kind).glob("*")
        if path.is_dir() and not os.access(path, os.R_OK | os.X_OK)
    ]
    for folder in sorted({*(path.parent for path in files), *closed}):
        entry = Entry(folder)
        if entry.id in entries:
            raise BadEntry(f"{entry.folder} and {entries[entry.id].folder} have one id: rename one folder.")
        entries[entry.id] = entry
    return entries


def sound(entries: dict[str, Entry]) -> tuple[dict[str, Entry], list[BadEntry]]:
    """Those whose card and other files can be read, and the faults of the others, which stop nobody else."""
    faults = []
    good = {}
    for id, entry in entries.items():
        try:
            entry.must_be_readable()
        except BadEntry as fault:
            faults.append(fault)
        else:
            good[id] = entry
    return good, faults


def named(entries: dict[str, Entry], ids: Collection[str]) -> list[Entry]:
    """The entries of these ids.

    Raises:
        BadEntry: there is no such entry (the message names the nearest), or it is one that `sound` leaves out.
    """
    missing = [id for id in ids if id not in entries]
    if missing:
        raise BadEntry(
            f"no entry '{settings.shown_name(missing[0])}'.{settings.nearest(missing[0], entries)} See: thrive list"
        )
    chosen = [entries[id] for id in ids]
    for entry in chosen:
        entry.must_be_readable()
    return chosen
