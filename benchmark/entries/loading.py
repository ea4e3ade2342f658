"""Importing a strategy from its folder: the one place where a stranger's code enters a process."""

import difflib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmark.core.strategy import Strategy
from benchmark.errors import BadEntry, StrategyFailed, Unsupported

ENTRY_MODULE = "thrive_entry_"


def load(folder: Path) -> type[Strategy]:
    """The one strategy that strategy.py of a folder defines.

    Raises:
        BadEntry: there is no such file, it does not import, or it defines none or several.
    """
    module = _imported(folder, f"{ENTRY_MODULE}{folder.name.replace('.', '_')}")
    classes = [c for c in vars(module).values() if inspect.isclass(c) and c.__module__ == module.__name__]
    strategies = [c for c in classes if issubclass(c, Strategy)]
    if len(strategies) != 1:
        names = ", ".join(c.__name__ for c in strategies) or "none"
        raise BadEntry(f"{folder / 'strategy.py'}: found {names}, expected exactly one subclass of benchmark.Strategy.")
    _check_methods(folder / "strategy.py", strategies[0])
    return strategies[0]


METHODS = {
    name: list(inspect.signature(method).parameters)[1:]
    for name, method in vars(Strategy).items()
    if inspect.isfunction(method) and not name.startswith("_")
}
"""What the harness calls, with its parameters."""
NEAR = 0.8
"""Likeness of names from which one counts as a slip for the other: `keeps` and `keep` have 0.89, `kept` and `keep` 0.75."""


def _check_methods(path: Path, strategy: type[Strategy]) -> None:
    """Raises BadEntry where a method would be ignored, for its name is a slip, or could not be called."""
    own = [c for c in strategy.__mro__ if c not in Strategy.__mro__]
    for name in dict.fromkeys(name for c in own for name in vars(c)):
        where = f"{path}: {strategy.__name__}.{name}"
        member = inspect.getattr_static(strategy, name)
        if name in METHODS:
            _check_signature(where, name, member)
        elif callable(getattr(strategy, name, None)) and (near := _near(name)):
            raise BadEntry(
                f"{where}: the harness calls no method of that name. Did you mean '{near}'? "
                f"If it is your own, begin its name with an underscore."
            )


def _near(name: str) -> str | None:
    """The method that a name is a slip for."""
    if name.startswith("_"):
        return None
    plain = {_plain(method): method for method in METHODS}
    close = difflib.get_close_matches(_plain(name), plain, 1, NEAR)
    return plain[close[0]] if close else None


def _plain(name: str) -> str:
    return name.lower().replace("_", "")


def _check_signature(where: str, name: str, member: Any) -> None:
    expected = f"expected {name}({', '.join(['self', *METHODS[name]])})"
    bound = [] if isinstance(member, staticmethod) else [None]
    method = getattr(member, "__func__", member)
    if not (callable(method) or hasattr(method, "__get__")):
        raise BadEntry(f"{where}: found {type(member).__name__}, {expected}.")
    try:
        signature = inspect.signature(method)
    except (TypeError, ValueError):  # written in C, say
        return
    try:
        signature.bind(*(bound if inspect.isfunction(method) else []), *METHODS[name])
    except TypeError:
        raise BadEntry(f"{where}: found {name}{signature}, {expected}.") from None


def _imported(folder: Path, name: str) -> ModuleType:
    """strategy.py as a package of its own, so that it can import the files beside it: `from . import helper`."""
    path = folder / "strategy.py"
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=[str(folder)])
    if not path.is_file() or spec is None or spec.loader is None:
        raise BadEntry(f"{path}: no such file. An entry is a folder with strategy.py and card.yaml.")
    for helper in [helper for helper in sys.modules if helper.startswith(f"{name}.")]:
        del sys.modules[helper]  # helpers of an entry of this id in another clone
    module = sys.modules[name] = importlib.util.module_from_spec(spec)  # dataclasses and pickle look it up there
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, KeyboardInterrupt) or _is_ours(error):
            raise
        raise BadEntry(f"{path}: {error_line(error, 'at import')}{_help_import(error, folder)}") from error
    return module


def named_run(records: Iterator[dict[str, Any]], seed: int) -> Iterator[dict[str, Any]]:
    """The records of a run, whose errors name seed and iteration.

    Raises:
        StrategyFailed: for what a strategy raised itself, with its line.
    """
    t = 1
    try:
        for record in records:
            yield record
            t = record["t"] + 1
    except Unsupported:  # of no one seed
        raise
    except BaseException as error:
        text = text_of(error)
        place = f"seed {seed}" if f"iteration {t}" in text else f"seed {seed}, iteration {t}"
        line = error_line_of_entry(error.__cause__ if isinstance(error.__cause__, StopIteration) else error)
        if line is not None and not isinstance(error, KeyboardInterrupt) and not _is_ours(error):
            raise StrategyFailed(f"{line} ({place})") from None
        if len(error.args) <= 1:
            message = line if isinstance(error, KeyboardInterrupt) and line is not None else str(error)
            error.args = (f"{message} ({place})",)
        raise


def _is_ours(error: BaseException) -> bool:
    """Whether the harness raised it, in the midst of an entry's code: a refusal, or the end of its time."""
    return type(error).__module__.startswith("benchmark.")


def text_of(error: BaseException) -> str:
    """Kind and text of a stranger's error, which may have none."""
    try:
        return f"{type(error).__name__}: {error}"
    except BaseException:
        return f"{type(error).__name__}, whose text cannot be read"


def error_line_of_entry(error: BaseException) -> str | None:
    """Kind and text of an error, with the last line of the entry's code through which it came; None where it came through no such line."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    own = [k for k, frame in enumerate(frames) if str(frame.f_globals.get("__name__")).startswith(ENTRY_MODULE)]
    if not own:
        return None
    frame = traceback.extract_tb(error.__traceback__)[own[-1]]
    return f"{text_of(error)} ({frame.filename}:{frame.lineno}: {frame.line})"


def error_line(error: BaseException, when: str = "") -> str:
    """A stranger's error in one line: its kind, what it says, and the line of code that raised it."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    kind, *text = text_of(error).split(":", 1)
    kind = " ".join(filter(None, (kind, when)))
    where = "" if frame.filename.startswith("<frozen") else f" ({frame.filename}:{frame.lineno}: {frame.line})"
    return f"{':'.join([kind, *text])}{where}"


def _help_import(error: BaseException, folder: Path) -> str:
    beside = isinstance(error, ModuleNotFoundError) and error.name and (folder / f"{error.name}.py").is_file()
    return f" For {error.name}.py beside it, write: from . import {error.name}" if beside else ""  # type: ignore[attr-defined]
