"""What can change a number, as a hash: what code means rather than how it is written (see `benchmark.digest.program`)."""

import functools
import hashlib
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmark.digest.dump import HIDDEN
from benchmark.digest.program import Program
from benchmark.digest.scopes import Refused
from benchmark.digest.script import Script
from benchmark.errors import BadEntry, ThriveError

PACKAGE = Path(__file__).parents[1]
READS_ITSELF = re.compile(
    rb"__doc__|__annotations__|__file__|__spec__|__loader__|\binspect\b|f_lineno|\bco_\w|linecache|get_type_hints"
)
"""What can make a comment, a docstring, an annotation or a line's number count."""


def digest(*parts: object) -> str:
    """sha256 of the parts, as 64 hex digits."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def digest_of_file(path: Path) -> str:
    """sha256 of the bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of_folder(folder: Path, ignore: set[str], extra: Iterable[Any] = ()) -> str:
    """Digest of all files under a folder: code by what it means, the rest by its bytes.

    Args:
        ignore: names of files that do not count, in the folder itself.
    """
    files = {name: path for name, path in files_under(folder).items() if name not in ignore}
    looks = looks_at_its_text(files.values())
    code = [(name, _of_script(p, looks) if p.suffix == ".py" else digest_of_file(p)) for name, p in files.items()]
    return digest(code, list(extra))


def looks_at_its_text(files: Iterable[Path]) -> bool:
    """Whether code among these files may look at comments, docstrings, annotations or line numbers, its own or its neighbour's."""
    return any(READS_ITSELF.search(path.read_bytes()) for path in files if path.suffix == ".py")


def _of_script(path: Path, looks: bool) -> str:
    """Digest of what a file means, with all that it imports, used or not; of its bytes too where an entry looks at its text."""
    script = _script(path)
    return digest(script.hash, script.imports, digest_of_file(path) if looks else None)


def files_under(folder: Path) -> dict[str, Path]:
    """All files of a folder, by their names in it, sorted; those, too, of folders that links lead to, each folder once.

    Not bytecode, hidden files, and what editors leave beside a file that is open (`#name#`, `name~`).
    """
    found: dict[str, Path] = {}
    seen: set[str] = set()
    for home, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [
            name
            for name in folders
            if name != "__pycache__" and not name.startswith(".") and os.path.realpath(f"{home}/{name}") not in seen
        ]
        seen.update(os.path.realpath(f"{home}/{name}") for name in folders)
        paths = (Path(home, name) for name in names if not (name.startswith((".", "#")) or name.endswith("~")))
        found |= {path.relative_to(folder).as_posix(): path for path in paths if path.is_file()}
    return dict(sorted(found.items()))


def ours_used_in(folder: Path) -> list[str]:
    """Dotted names of this package that the Python files under a folder import and use."""
    code = [path for path in files_under(folder).values() if path.suffix == ".py"]
    used = {name for path in code for name in _script(path).uses}
    loads_by_name = {"benchmark"} if any(HIDDEN.match(name) for name in used) else set()
    return sorted({name for name in used if name.partition(".")[0] == "benchmark"} | loads_by_name)


def _script(path: Path) -> Script:
    try:
        return Script(path)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # ValueError: not UTF-8, or a zero byte
        raise BadEntry(f"{path}: {type(error).__name__}: {error}") from error


@functools.cache
def program() -> Program:  # this package's own files do not change while it runs
    """This package."""
    return Program(PACKAGE.parent)


@functools.cache
def digest_of_code(*roots: str) -> str:
    """Digest of modules, packages or definitions of this package, by dotted name, and of all that they reach.

    Raises:
        ThriveError: the text of one does not show its meaning.
    """
    try:
        return program().digest(*roots)
    except Refused as reason:
        raise ThriveError(f"no key can be made. {reason}") from reason


@functools.cache
def digest_of_reach(*roots: str) -> str:
    """The same as `digest_of_code`; where the text of something does not show its meaning, of every file of the package."""
    try:
        return program().digest(*roots)
    except Refused:  # what loads modules by name, say: then any change may change what it does
        return digest([digest_of_file(path) for path in sorted(PACKAGE.rglob("*.py"))])
