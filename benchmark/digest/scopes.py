"""What the names in a piece of Python are bound to, and which of its statements do anything when a module is imported.

The standard library is enough to import this module.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

Part: TypeAlias = "str | Any"
"""A piece of a canonical text: text, or a definition that it refers to."""
Found: TypeAlias = "tuple[list[Part], str]"
"""The canonical text of a name, and its dotted name where it is not ours."""

QUOTING = {ast.arg, ast.AnnAssign, ast.FunctionDef, ast.AsyncFunctionDef}
"""Nodes whose annotations may be strings with names in them."""
NO_FIELD = {"ClassVar", "InitVar", "KW_ONLY"}  # annotations that decide what a dataclass makes of a name
SILENT = re.compile(
    r"(typing|typing_extensions|functools|dataclasses|contextlib|abc|collections|math|re|enum|pathlib|itertools|operator)\."
    r"|builtins\.(abs|bool|bytes|classmethod|complex|dict|float|frozenset|int|len|list|max|min|object|property|range|round|set"
    r"|slice|staticmethod|str|sum|super|tuple)$"
)
"""Calls that do nothing but return a value: a definition that makes others at import may do something to its whole module."""
Function: TypeAlias = "ast.FunctionDef | ast.AsyncFunctionDef"
Import: TypeAlias = "ast.Import | ast.ImportFrom"


class Refused(Exception):
    """Code whose text does not show its meaning."""


class Names(Protocol):
    """What the names of a module stand for."""

    strict: bool
    """Whether to refuse what hides its meaning."""

    def named(self, name: str, attributes: list[str]) -> Found:
        """The canonical text of a name of the module with some attributes, and its dotted name if it is not ours."""

    def imported(self, dotted: str, attributes: list[str]) -> Found:
        """The same, of an imported name."""

    def targets(self, node: Import) -> list[tuple[str, str]]:
        """Each name that an import binds, with the dotted name of what it is bound to."""

    def is_mentioned(self, name: str) -> bool:
        """Whether the module uses a name anywhere."""


def statements(body: Iterable[ast.stmt], fields: bool = False) -> Iterator[ast.stmt]:
    """Those that do something when a module is imported; with `fields`, bare annotations too."""
    for line in body:
        if isinstance(line, ast.If) and (branch := _branch_taken(line)) is not None:
            yield from statements(branch, fields)
        elif isinstance(line, ast.Pass) or (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)):
            continue  # a docstring, `...`
        elif fields or not (isinstance(line, ast.AnnAssign) and line.value is None):
            yield line


def _branch_taken(line: ast.If) -> list[ast.stmt] | None:
    """The branch of `if TYPE_CHECKING` or `if __name__ == "__main__"` that is taken; None where the test is another."""
    test = line.test
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not) and _is_type_checking(test.operand):
        return line.body
    is_main = isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"
    return line.orelse if is_main or _is_type_checking(test) else None


def _is_type_checking(test: ast.expr) -> bool:
    return "TYPE_CHECKING" in (getattr(test, "id", None), getattr(test, "attr", None))


def loaded(node: Import, names: Names) -> list[tuple[str, str, str]]:
    """Each name that an import binds, with the dotted name of what it is bound to and of what is loaded: `import a.b` binds a."""
    targets = names.targets(node)
    full = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [dotted for _, dotted in targets]
    return [(name, dotted, what) for (name, dotted), what in zip(targets, full, strict=True)]


def is_for_its_use(dotted: str) -> bool:
    """Whether the import of it does nothing else, used or not: a whole library, or a class, may have been for annotations."""
    return "." not in dotted or SILENT.match(f"{dotted}.") is not None or dotted.rpartition(".")[2][:1].isupper()


def mentioned(tree: ast.AST) -> set[str]:
    """All names that occur in a tree, those in string annotations and in `__all__` too."""
    found: set[str] = set()
    for node in ast.walk(tree):
        kind = type(node)
        if kind is ast.Name:
            found.add(node.id)  # type: ignore[attr-defined]
        elif kind in QUOTING:
            quoted = getattr(node, "annotation", None) or getattr(node, "returns", None)
            found |= words(quoted) if quoted is not None else set()
        elif kind is ast.Assign and "__all__" in {getattr(target, "id", None) for target in node.targets}:  # type: ignore[attr-defined]
            found |= words(node.value)  # type: ignore[attr-defined]
    return found


def words(annotation: ast.expr) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(annotation):
        text = getattr(node, "id", None) or getattr(node, "attr", None) or getattr(node, "value", None)
        found.update(re.findall(r"\w+", text) if isinstance(text, str) else ())
    return found


def bound(nodes: Iterable[ast.AST | None], names: Names) -> Iterator[tuple[str, str | None]]:
    """The names that some nodes bind in their own scope, with the dotted name where that is an import."""
    for node in nodes:
        match node:
            case None:
                continue
            case ast.Import() | ast.ImportFrom():
                yield from names.targets(node)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield node.name, None
                yield from bound([*node.decorator_list, *node.args.defaults, *node.args.kw_defaults], names)
            case ast.ClassDef():
                yield node.name, None
                yield from bound([*node.decorator_list, *node.bases, *node.keywords], names)
            case ast.Lambda():
                yield from bound([*node.args.defaults, *node.args.kw_defaults], names)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                walrus = [n.target for n in ast.walk(node) if isinstance(n, ast.NamedExpr)]
                yield from bound(walrus, names)
            case ast.AnnAssign():
                yield from bound([node.target, node.value], names)
            case ast.Name():
                if not isinstance(node.ctx, ast.Load):
                    yield node.id, None
            case _:
                for name in ("name", "rest"):  # of an except handler, of a pattern
                    if isinstance(found := getattr(node, name, None), str):
                        yield found, None
                yield from bound(ast.iter_child_nodes(node), names)


@dataclass
class Scope:
    """A function, class or comprehension: its names, each with what was imported under it."""

    names: dict[str, str | None]
    outside: set[str] = field(default_factory=set)
    """Names that `global` declares to be the module's."""
    is_class: bool = False
    has_fields: bool = False


def scope_of(pairs: Iterable[tuple[str, str | None]], **kind: Any) -> Scope:
    names: dict[str, str | None] = {}
    for name, dotted in pairs:
        names[name] = dotted if names.get(name, dotted) == dotted else None
    return Scope(names, **kind)
