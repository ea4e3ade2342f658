"""card.yaml: who made an entry, and what it may use."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field, JsonValue, field_validator, model_validator
from pydantic_core import PydanticCustomError

from benchmark import strict_yaml as settings
from benchmark.core.rules import Budget, Role, Track
from benchmark.tasks import TASKS

APIS = (1,)
PLACEHOLDER = "TODO"
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
        """The board and terminals show these texts: they may be short, and must hold nothing that moves a cursor or turns a line around."""
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
