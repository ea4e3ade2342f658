"""A private copy of an entry: what is hashed is what is loaded, whatever becomes of its folder meanwhile."""

import ast
import io
import shutil
import tokenize
from pathlib import Path

from benchmark.digest.hashes import files_under, looks_at_its_text
from benchmark.entries.entry import README, Entry
from benchmark.entries.requirements import LOCK


def copy(entry: Entry, scratch: Path) -> Entry:
    """The entry as it is now, in a scratch folder, with the files that its links lead to.

    Nothing is in it that the digest leaves out, for its code could read that: no bytecode, README, card, comments or docstrings.
    Lines keep their numbers. Code that may look at its own text is copied, and hashed, as it is written.

    Raises:
        BadEntry: a link leads elsewhere than to another entry, or a file is no Python.
    """
    _ = entry.sources
    folder = scratch / entry.folder.parent.name / entry.folder.name
    folder.mkdir(parents=True)
    files = files_under(entry.folder)
    looks = looks_at_its_text(files.values())
    for name, path in files.items():
        if name == README:
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)
    lock = entry.folder.absolute().parents[1] / LOCK
    if lock.is_file():  # which the entry's own requirements are held against
        shutil.copyfile(lock, scratch / LOCK)
    copied = Entry(folder, entry.changes)
    _ = copied.card, copied.digest  # read before they are gone; and BadEntry for what is no Python
    (folder / "card.yaml").unlink()
    for path in folder.rglob("*.py"):
        if not looks:
            path.write_bytes(without_remarks(path.read_bytes()))
    return copied


def without_remarks(code: bytes) -> bytes:
    """Python code without comments, its docstrings empty, every line where it was."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(code).readline)
    lines = io.StringIO(code.decode(encoding), newline=None).readlines()
    text = "".join(lines)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column].rstrip(" \t") + "\n"
    rows = [line.encode() for line in lines]
    for docstring in _docstrings(ast.parse(text)):
        first, last = docstring.lineno - 1, (docstring.end_lineno or docstring.lineno) - 1
        after = rows[last][docstring.end_col_offset :]
        rows[first] = rows[first][: docstring.col_offset] + b'"""' + b"\n" * (last - first) + b'"""' + after
        rows[first + 1 : last + 1] = [b""] * (last - first)
    return b"".join(rows)


def _docstrings(tree: ast.Module) -> list[ast.Expr]:
    return [
        node.body[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
        and isinstance(node.body[0].value, ast.Constant)
        and isinstance(node.body[0].value.value, str)
    ]
