"""Entries: a folder with a strategy and its card. Baselines and submissions have the same form."""

import inspect
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from benchmark import strict_yaml as settings
from benchmark.core.rules import Role, Rules
from benchmark.core.strategy import Strategy
from benchmark.digest.hashes import digest_of_folder, ours_used_in
from benchmark.entries import environment, requirements
from benchmark.entries.card import Card
from benchmark.entries.loading import error_line, load
from benchmark.errors import BadEntry, Unsupported

FOLDERS = ("baselines", "submissions")
README = "README.md"


@dataclass(frozen=True)
class Entry:
    """An entry by its folder. Travels to workers as a path and is loaded there.

    Attributes:
        changes: hyperparameters that are tried instead of the card's, by name.
    """

    folder: Path
    changes: tuple[tuple[str, JsonValue], ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return Entry, (self.folder, self.changes)  # a strategy's class is loaded anew by each worker

    @cached_property
    def card(self) -> Card:
        """Raises BadEntry where the card does not fit, or has no hyperparameter of a name that is changed."""
        card = settings.read(self.folder / "card.yaml", Card, BadEntry)
        if card.id != self.folder.name:
            raise BadEntry(
                f"{self.folder / 'card.yaml'}: id: found '{card.id}', expected the folder's name '{self.folder.name}'."
            )
        if card.role is Role.REFERENCE and self.outside:
            raise BadEntry(
                f"{self.folder / 'card.yaml'}: role: found 'reference', expected 'entry': every division shows the reference lines, "
                "so they are the project's own."
            )
        return self._changed(card) if self.changes else card

    def _changed(self, card: Card) -> Card:
        for name, _ in self.changes:
            if name not in card.hyperparameters:
                hint = settings.nearest(name, card.hyperparameters) or " It has none."
                raise BadEntry(f"{self.folder / 'card.yaml'}: hyperparameters: no '{settings.shown_name(name)}'.{hint}")
        return card.model_copy(
            update={"id": self.id, "hyperparameters": {**card.hyperparameters, **dict(self.changes)}}
        )

    @property
    def id(self) -> str:
        """The folder's name, and the hyperparameters that are changed: "my-idea share=0.5"."""
        return " ".join([self.folder.name, *(f"{name}={value}" for name, value in self.changes)])

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
        return self._root / "environments" / self.folder.name

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
            raise BadEntry(f"{strategy.__name__}.__init__ raised {error_line(error)}") from error

    @cached_property
    def digest(self) -> str:
        """Digest of all that can change the entry's numbers: code without comments, data files, hyperparameters, rules."""
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
