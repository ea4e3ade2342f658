"""Whether files are still those that this process has loaded.

Every write gives a file a new time of change, which no program can set back: a file that was edited and then restored shows, too.
Imports nothing of Thrive at once, for it must run before the rest is loaded.
"""

import importlib.util
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parent


class Stamp(NamedTuple):
    """What differs between two versions of a file."""

    changed_ns: int
    size: int
    inode: int


_FIRST: dict[Path, Stamp | None] = {}


def stamp(path: Path) -> Stamp | None:
    """The stamp of a file as it is now; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return Stamp(found.st_ctime_ns, found.st_size, found.st_ino)


def watch(path: Path) -> Stamp | None:
    """Remember how a file is before it is read. Returns how it is now."""
    now = stamp(path)
    _FIRST.setdefault(path, now)
    return now


def changed(files: Iterable[Path] = ()) -> list[Path]:
    """Of the code of Thrive and these files those that were written, replaced or removed since they were first watched."""
    files = {*files}
    watched = ((path, first) for path, first in _FIRST.items() if path in files or path.is_relative_to(PACKAGE))
    return [path for path, first in watched if stamp(path) != first]


def check(files: Iterable[Path] = ()) -> None:
    """Raises Changed where the code of Thrive, or one of these files, has changed since it was first watched."""
    from benchmark.errors import Changed

    for path in changed(files):
        raise Changed(path)


def watch_package() -> None:
    """Watch all code of Thrive, and remove bytecode that is older than its source.

    Python compares only size and second of the last write, so that it would run the bytecode of an edit made in the same second.
    """
    for path in PACKAGE.rglob("*.py"):
        source = watch(path)
        bytecode = Path(importlib.util.cache_from_source(str(path)))
        with suppress(OSError):  # there is none, or nobody may write here: then nobody has edited in that second either
            if source is not None and bytecode.stat().st_mtime_ns < source.changed_ns:
                bytecode.unlink()
