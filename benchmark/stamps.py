"""Checks whether files are still the ones that this process has loaded.

Every write sets a new change time, which no program can set back, so that an edit shows even after the file was restored.
This module must run before the rest of Thrive is loaded, so it imports nothing of Thrive at the top.
"""

import importlib.util
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parent


class Stamp(NamedTuple):
    """Numbers that differ between two versions of a file."""

    changed_ns: int
    size: int
    inode: int


_FIRST: dict[Path, Stamp | None] = {}


def stamp(path: Path) -> Stamp | None:
    """The stamp of a file now; None if there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return Stamp(found.st_ctime_ns, found.st_size, found.st_ino)


def watch(path: Path) -> Stamp | None:
    """Remember the stamp of a file before it is read. Returns the stamp now."""
    now = stamp(path)
    _FIRST.setdefault(path, now)
    return now


def changed(files: Iterable[Path] = ()) -> list[Path]:
    """The files, of Thrive's code and of these, that were written, replaced or removed since they were first watched."""
    files = {*files}
    watched = ((path, first) for path, first in _FIRST.items() if path in files or path.is_relative_to(PACKAGE))
    return [path for path, first in watched if stamp(path) != first]


def check(files: Iterable[Path] = ()) -> None:
    """Raises Changed if Thrive's code or one of these files has changed since it was first watched."""
    from benchmark.errors import Changed

    for path in changed(files):
        raise Changed(path)


def watch_package() -> None:
    """Watch all code of Thrive, and remove bytecode that is older than its source.

    Python compares only size and second of the last write, so it would run stale bytecode after an edit in the same second.
    """
    for path in PACKAGE.rglob("*.py"):
        source = watch(path)
        bytecode = Path(importlib.util.cache_from_source(str(path)))
        with suppress(OSError):  # no bytecode, or a read-only folder, where nobody can have edited
            if source is not None and bytecode.stat().st_mtime_ns < source.changed_ns:
                bytecode.unlink()
