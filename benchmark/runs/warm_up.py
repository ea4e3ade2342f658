"""Loading once, in a worker, what each of the processes that it forks would load anew."""

import ast
import functools
import gc
import importlib
import inspect
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from benchmark.core.task import Task


@functools.cache
def warm_up(task: Task) -> None:
    """Import what functions of the task-setting would import, and load what its instance always reads."""
    for module, names in _imported(Path(inspect.getfile(type(task)))):
        with suppress(ImportError):  # what this instance does not need may be missing
            found = importlib.import_module(module)
            for name in names:
                getattr(found, name, None)  # transformers loads its parts when they are asked for
    load: Callable[[], None] = getattr(task, "warm_up", _nothing)
    load()
    gc.collect()
    gc.freeze()  # a forked process would copy every page in which its garbage collector marks an object


def _nothing() -> None:
    pass


def _imported(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Modules that a file imports anywhere, and names that it takes from them."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, [alias.name for alias in node.names]
