"""What can change a number, as a hash: syntax trees rather than text, so that prose about code changes nothing."""

import ast
import functools
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmark.errors import BadEntry

PACKAGE = Path(__file__).parent


def digest(*parts: object) -> str:
    """sha256 of the parts, as 64 hex digits."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def digest_of_file(path: Path) -> str:
    """sha256 of the bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of_code(path: Path) -> str:
    """Of a Python file's syntax tree, without comments, layout and docstrings."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    except (SyntaxError, UnicodeDecodeError) as error:
        raise BadEntry(f"{path}: {type(error).__name__}: {error}") from error
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [line for line in body if not _is_string(line)]  # type: ignore[attr-defined]
    return digest(ast.dump(tree))


def _is_string(line: ast.AST) -> bool:
    """A string standing alone: a docstring, of a function or an attribute."""
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)


def digest_of_folder(folder: Path, ignore: set[str], extra: Iterable[Any] = ()) -> str:
    """Of all files under a folder: code by its syntax tree, the rest by its bytes."""
    files = {name: path for name, path in files_under(folder).items() if path.name not in ignore}
    code = [(name, digest_of_code(p) if p.suffix == ".py" else digest_of_file(p)) for name, p in files.items()]
    return digest(code, list(extra))


def files_under(folder: Path) -> dict[str, Path]:
    """All files of a folder but bytecode, by their names in it, sorted; those, too, of folders that links lead to, each folder once."""
    found: dict[str, Path] = {}
    seen: set[str] = set()
    for home, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [
            name for name in folders if name != "__pycache__" and os.path.realpath(f"{home}/{name}") not in seen
        ]
        seen.update(os.path.realpath(f"{home}/{name}") for name in folders)
        paths = (Path(home, name) for name in names)
        found |= {path.relative_to(folder).as_posix(): path for path in paths if path.is_file()}
    return dict(sorted(found.items()))


def digest_of_modules(*names: str) -> str:
    """Of modules of this package and of all that they import from it, by `from benchmark.x import y`."""
    return digest([(str(p.relative_to(PACKAGE)), _of_module(p)) for p in sorted(modules(*names))])


def modules(*names: str) -> set[Path]:
    """The files of modules of this package and of all that they import from it."""
    found: set[Path] = set()
    waiting = [_path(name) for name in names]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imported(path)
    return found


def _path(name: str) -> Path:
    base = PACKAGE.parent.joinpath(*name.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


@functools.cache
def _of_module(path: Path) -> str:  # this package's own files do not change while it runs
    return digest_of_code(path)


@functools.cache
def _imported(path: Path) -> list[Path]:
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    found = [
        (node.module, alias.name) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
    ]
    ours = [(module, name) for module, name in found if module and f"{module}.".startswith("benchmark.")]
    return [
        part
        if (part := _path(f"{module}.{name}")).is_file()
        else _path(module)  # a module of a package, or a name in one
        for module, name in ours
    ]
