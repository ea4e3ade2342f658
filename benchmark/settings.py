"""Reading a YAML file into a checked, frozen object: unknown keys are refused, and the nearest name is told.

Files may come from strangers: nothing but plain values is made of them.
"""

import difflib
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from benchmark.errors import ThriveError

T = TypeVar("T", bound=BaseModel)


class Settings(BaseModel):
    """A part of a YAML file. Every key is declared; none is ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class EachKeyOnce(yaml.SafeLoader):
    """Safe, and refuses a key that stands twice, of which YAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen and isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(None, None, f"key '{key.value}' stands twice", key.start_mark)
            seen |= {key.value} if isinstance(key, yaml.ScalarNode) else set()
        return super().construct_mapping(node, deep)


def read(path: Path, kind: type[T], error: type[ThriveError]) -> T:
    """The object that a YAML file describes.

    Raises:
        error: the file lacks, is not YAML, or does not fit; the message names file, key, found and expected.
    """
    try:
        with path.open(encoding="utf-8") as file:  # which errors then name
            content = yaml.load(file, EachKeyOnce)
    except FileNotFoundError:
        raise error(f"{path}: no such file.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise error(f"{path}: not valid YAML: {problem}") from problem
    if not isinstance(content, dict):
        raise error(f"{path}: found {type(content).__name__}, expected keys and values.")
    return check(content, kind, str(path), error)


def check(content: dict[str, Any], kind: type[T], where: str, error: type[ThriveError]) -> T:
    """The checked object, or `error` with one line for each fault."""
    try:
        return kind.model_validate(content)
    except ValidationError as problem:
        raise error("\n".join(fault_line(where, dict(fault), _keys(kind)) for fault in problem.errors())) from None


def fault_line(where: str, fault: dict[str, Any], known: Iterable[str]) -> str:
    """One of pydantic's faults as a line for people: key, found, expected, and the nearest of the known names."""
    key = ".".join(str(part) for part in fault["loc"])
    if fault["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{where}: unknown key '{key}'.{nearest(str(fault['loc'][-1]), known)}"
    if fault["type"] in ("missing", "missing_argument"):
        return f"{where}: key '{key}' is missing."
    return f"{where}: {key}: found {fault['input']!r}. {fault['msg']}."


def _keys(kind: type[BaseModel]) -> set[str]:
    """Names of the fields of a model and of the models in it."""
    found = set(kind.model_fields)
    for field in kind.model_fields.values():
        for part in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(part, type) and issubclass(part, BaseModel):
                found |= _keys(part)
    return found


def nearest(name: str, known: Iterable[str]) -> str:
    """ " Did you mean 'x'?", or what is known where nothing is near."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, 1)
    return f" Did you mean '{close[0]}'?" if close else f" Known: {', '.join(known) or 'none'}."
