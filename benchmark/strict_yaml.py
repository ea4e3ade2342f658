"""Reads a YAML file into a checked, frozen object. Unknown keys are refused with the nearest known name.

Files may come from strangers: they yield nothing but plain values, and size, depth and aliases are limited so that reading is fast.
"""

import difflib
import itertools
import math
import re
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from benchmark.errors import ThriveError

T = TypeVar("T", bound=BaseModel)

LARGEST_FILE = 200_000
"""Bytes; params.yaml has 12,000."""
DEEPEST = 20
MOST_DIGITS = 15
"""Of a whole number: a double holds no more."""
DECIMAL = r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)(e[-+]?[0-9]+)?|[-+]?\.(inf|nan)"
"""A decimal number. Infinities and NaN are refused later, with the name of their key."""
MOST_FAULTS = 10
LONGEST_SHOWN = 80
UNKNOWN_KEY = ("extra_forbidden", "unexpected_keyword_argument")
MISSING_KEY = ("missing", "missing_argument")
WRONG_KEY = UNKNOWN_KEY + MISSING_KEY
ALTERNATIVE = r"(constrained-|literal\[|float$|int$|str$|dict$|list\[)"
"""Names that pydantic puts into the location of a fault for one of several allowed types."""
SHAPE = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
"""No undeclared key, no text for a number, no infinite number."""


class Settings(BaseModel):
    """A section of a YAML file. Every key is declared; none is ignored."""

    model_config = SHAPE | ConfigDict(frozen=True)


class PlainLoader(yaml.SafeLoader):
    """Loads plain values with one meaning.

    Refuses duplicate keys, tags, aliases, deep nesting, and numbers such as 010 (8), 1:30 (90) and 1_0 (10), all of which YAML
    would accept silently. 1e-3 is a number, as in YAML 1.2.
    """

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        self._depth = getattr(self, "_depth", 0) + 1
        if isinstance(event, yaml.AliasEvent):
            raise _not_plain(f"found the alias *{event.anchor}: write the value out", event.start_mark)
        if getattr(event, "tag", None) is not None:
            raise _not_plain(f"found the tag {event.tag}: write a plain value", event.start_mark)
        if self._depth > DEEPEST:
            raise _not_plain(f"nested more than {DEEPEST} deep", event.start_mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise _not_plain(f"key '{key.value}' stands twice", key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        if not re.fullmatch(rf"[-+]?(0|[1-9][0-9]{{0,{MOST_DIGITS - 1}}})", node.value):
            raise _not_plain(
                f"found the number {shown(node.value)}, expected a decimal of at most {MOST_DIGITS} digits; quote it if it is text",
                node.start_mark,
            )
        return super().construct_yaml_int(node)

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        if not re.fullmatch(DECIMAL, node.value, re.IGNORECASE):
            raise _not_plain(f"found {shown(node.value)}, expected a decimal; quote it if it is text", node.start_mark)
        return super().construct_yaml_float(node)


PlainLoader.add_constructor("tag:yaml.org,2002:int", PlainLoader.construct_yaml_int)
PlainLoader.add_constructor("tag:yaml.org,2002:float", PlainLoader.construct_yaml_float)
PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+$"), list("-+.0123456789")
)


def _not_plain(problem: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def value(text: str) -> JsonValue:
    """A plain value as it would stand in a YAML file: 0.5 is a number, 'a' text.

    Raises:
        ThriveError: it is no number, text or truth value.
    """
    try:
        found = yaml.load(text, PlainLoader)
    except (yaml.YAMLError, ValueError):
        found = []
    if not isinstance(found, bool | int | float | str) or found in (math.inf, -math.inf) or found != found:
        raise ThriveError(f"found {shown(text)}, expected a finite number, a word, true or false")
    return found


def read(path: Path, kind: type[T], error: type[ThriveError]) -> T:
    """Read a YAML file into an object.

    Raises:
        error: the file is missing, is not YAML, or does not fit; the message names file, key, found and expected.
    """
    text = read_text(path, error)
    try:
        content = yaml.load(text, PlainLoader)
    except yaml.MarkedYAMLError as problem:
        raise error(f"{path}: not valid YAML: {_in_one_line(problem, text)}") from None
    except (yaml.YAMLError, ValueError) as problem:  # a date such as 2026-02-30
        raise error(f"{path}: not valid YAML: {' '.join(str(problem).split())}") from None
    if not isinstance(content, dict):
        raise error(f"{path}: found {type(content).__name__}, expected keys and values.")
    return check(content, kind, str(path), error)


def read_text(path: Path, error: type[ThriveError]) -> str:
    """Read a stranger's text file.

    Raises:
        error: there is no such file, it cannot be read, it is too large, or it is not text.
    """
    try:
        if not path.exists():
            raise error(f"{path}: no such file.")
        if not path.is_file():  # opening a pipe would block for ever
            raise error(f"{path}: expected a file, found {'a folder' if path.is_dir() else 'none'}.")
        if (size := path.stat().st_size) > LARGEST_FILE:
            raise error(f"{path}: found {size} bytes, expected at most {LARGEST_FILE}.")
        return path.read_text(encoding="utf-8")
    except OSError as problem:
        raise error(f"{path}: cannot be read: {problem.strerror}.") from None
    except UnicodeDecodeError as problem:
        raise error(f"{path}: byte {problem.start} is not UTF-8. Save it as UTF-8.") from None


def _in_one_line(problem: yaml.MarkedYAMLError, text: str) -> str:
    words = " ".join(str(part) for part in (problem.context, problem.problem) if part)
    mark = problem.problem_mark or problem.context_mark
    lines = text.splitlines()
    where = "" if mark is None else f"line {mark.line + 1}: "
    line = lines[mark.line].strip() if mark is not None and mark.line < len(lines) else ""
    return f"{where}{' '.join(words.split())}: {shown(line)}"


def check(content: Mapping[Any, Any], kind: type[T], where: str, error: type[ThriveError]) -> T:
    """The checked object, or `error` with one line for each fault."""
    try:
        return kind.model_validate(content)
    except ValidationError as problem:
        raise error(fault_lines(where, problem, _keys(kind))) from None


def fault_lines(where: str, problem: ValidationError, known: Iterable[str]) -> str:
    """Pydantic's faults as lines for people, one for each value that does not fit."""
    known = sorted(known)
    by_value: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for fault in problem.errors(include_url=False, include_context=False):
        place = (
            fault["loc"]
            if fault["type"] in WRONG_KEY
            else fault["loc"][:1] + tuple(part for part in fault["loc"][1:] if not re.match(ALTERNATIVE, str(part)))
        )
        by_value.setdefault(place, []).append(dict(fault) | {"loc": place})
    lines = [_fault_line(where, faults, known) for faults in itertools.islice(by_value.values(), MOST_FAULTS)]
    more = len(by_value) - len(lines)
    return "\n".join([*lines, *([f"{where}: {more} more."] if more else [])])


def _fault_line(where: str, faults: list[dict[str, Any]], known: list[str]) -> str:
    fault = faults[0]
    if not fault["loc"]:  # a fault of the whole, whose message names the key
        return f"{where}: {fault['msg']}."
    key = ".".join(shown_name(part) for part in fault["loc"])
    if fault["type"] in UNKNOWN_KEY:
        return f"{where}: unknown key '{key}'.{nearest(str(fault['loc'][-1]), known)}"
    if fault["type"] in MISSING_KEY:
        return f"{where}: key '{key}' is missing."
    expected = ", or ".join(dict.fromkeys(str(one["msg"]) for one in faults))
    return f"{where}: {key}: found {shown(fault['input'])}. {expected}."


def shown(value: object) -> str:
    """The repr of a stranger's value, cut to fit one line."""
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"


def shown_name(name: object) -> str:
    """A stranger's name for a message: as it is if it is short and printable, else its repr."""
    text = str(name)
    return text if text.isprintable() and len(text) <= LONGEST_SHOWN else shown(text)


def _keys(kind: type[BaseModel]) -> set[str]:
    """Names of the fields of a model and of its nested models."""
    found = set(kind.model_fields)
    for field in kind.model_fields.values():
        for part in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(part, type) and issubclass(part, BaseModel):
                found |= _keys(part)
    return found


def nearest(name: str, known: Iterable[str]) -> str:
    """ " Did you mean 'x'?", or the known names if none is near."""
    known = sorted(known)
    close = difflib.get_close_matches(name[:LONGEST_SHOWN], known, 1)
    return f" Did you mean '{close[0]}'?" if close else f" Known: {', '.join(known) or 'none'}."
