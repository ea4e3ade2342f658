"""Importing a strategy from its folder: the one place where a stranger's code enters a process."""

import importlib.util
import inspect
import sys
import traceback
from pathlib import Path
from types import ModuleType

from benchmark.errors import BadEntry
from benchmark.strategy import Strategy


def load(folder: Path) -> type[Strategy]:
    """The one strategy that strategy.py of a folder defines.

    Raises:
        BadEntry: there is no such file, it does not import, or it defines none or several.
    """
    module = _imported(folder, f"thrive_entry_{folder.name.replace('.', '_')}")
    found = [c for c in vars(module).values() if inspect.isclass(c) and c.__module__ == module.__name__]
    strategies = [c for c in found if issubclass(c, Strategy)]
    if len(strategies) != 1:
        names = ", ".join(c.__name__ for c in strategies) or "none"
        raise BadEntry(f"{folder / 'strategy.py'}: found {names}, expected exactly one subclass of benchmark.Strategy.")
    return strategies[0]


def _imported(folder: Path, name: str) -> ModuleType:
    """strategy.py as a package of its own, so that it can import the files beside it: `from . import helper`."""
    path = folder / "strategy.py"
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=[str(folder)])
    if not path.is_file() or spec is None or spec.loader is None:
        raise BadEntry(f"{path}: no such file. An entry is a folder with strategy.py and card.yaml.")
    for known in [known for known in sys.modules if known.startswith(f"{name}.")]:
        del sys.modules[known]  # helpers of an entry of this id in another clone
    module = sys.modules[name] = importlib.util.module_from_spec(spec)  # dataclasses and pickle look it up there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise BadEntry(f"{path}: {told(error, 'at import')}{_help_import(error, folder)}") from error
    return module


def told(error: BaseException, when: str = "") -> str:
    """A stranger's error in one line: its kind, what it says, and the line of code that raised it."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    kind = " ".join(filter(None, (type(error).__name__, when)))
    where = "" if frame.filename.startswith("<frozen") else f" ({frame.filename}:{frame.lineno}: {frame.line})"
    return f"{kind}: {error}{where}"


def _help_import(error: BaseException, folder: Path) -> str:
    beside = isinstance(error, ModuleNotFoundError) and error.name and (folder / f"{error.name}.py").is_file()
    return f" For {error.name}.py beside it, write: from . import {error.name}" if beside else ""  # type: ignore[attr-defined]
