"""What the digest asks of a piece of syntax: names, parameters, statements of a class, what an import binds.

The standard library is enough to import this module.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmark.digest.scopes import Import, Names, bound, words


def flat(node: ast.JoinedStr) -> Iterator[Any]:
    """The pieces of an f-string, those of f-strings within it too: a text, or the node of a value."""
    for value in node.values:
        if isinstance(value, ast.JoinedStr):
            yield from flat(value)
        else:
            yield value.value if isinstance(value, ast.Constant) else value


def chain(node: ast.expr) -> tuple[str | None, list[str]]:
    """`a.b.c` as "a" and ["b", "c"]; None where the beginning is not a name."""
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.insert(0, node.attr)
        node = node.value
    return (node.id if isinstance(node, ast.Name) else None), attributes


def parameters(node: ast.arguments) -> list[str]:
    """The names of all of them."""
    every = [*node.posonlyargs, *node.args, *node.kwonlyargs, node.vararg, node.kwarg]
    return [each.arg for each in every if each is not None]


def is_bare_class_variable(line: ast.stmt) -> bool:
    """An annotation alone, without a value: it makes no field."""
    return isinstance(line, ast.AnnAssign) and line.value is None and "ClassVar" in words(line.annotation)


def in_order(body: list[ast.stmt], names: Names) -> list[ast.stmt]:
    """Methods by their names, after the rest of a class, unless the rest uses one of them."""
    methods: list[Any] = [line for line in body if isinstance(line, (ast.FunctionDef, ast.AsyncFunctionDef))]
    rest = [line for line in body if line not in methods]
    used = {node.id for line in rest for node in ast.walk(line) if isinstance(node, ast.Name)}
    used |= {name for name, _ in bound(rest, names)}
    return body if used & {m.name for m in methods} else [*rest, *sorted(methods, key=lambda m: m.name)]


def targets_of(node: Import, above: str) -> list[tuple[str, str]]:
    """Each name that an import binds, with the dotted name of what it is bound to; `above` stands before relative ones."""
    if isinstance(node, ast.Import):
        top = [(a.name.partition(".")[0], a.asname, a.name) for a in node.names]
        return [(asname or first, name if asname else first) for first, asname, name in top]
    base = above + (f"{node.module}." if node.module else "")
    return [] if base == "__future__." else [(a.asname or a.name, base + a.name) for a in node.names]


def name_of(line: ast.stmt) -> str | None:
    """The one name that a definition binds."""
    if isinstance(line, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return line.name
    targets = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", getattr(line, "name", None))]
    if isinstance(line, ast.AugAssign) or any(isinstance(node, ast.NamedExpr) for node in ast.walk(line)):
        return None
    return targets[0].id if len(targets) == 1 and isinstance(targets[0], ast.Name) and _binds(line) else None


def _binds(line: ast.stmt) -> bool:
    return type(line).__name__ in ("Assign", "AnnAssign", "TypeAlias")


def is_overload(line: ast.stmt) -> bool:
    """A signature for type checkers."""
    decorators = getattr(line, "decorator_list", ())
    return any("overload" in (getattr(d, "id", None), getattr(d, "attr", None)) for d in decorators)


def parsed(path: Path) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a dubious escape sequence, in some Pythons
        return ast.parse(path.read_bytes(), str(path))
