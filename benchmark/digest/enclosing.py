"""What a name means at one place of a piece of Python: in the functions, classes and comprehensions around it.

The standard library is enough to import this module.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator, Sequence

from benchmark.digest.scopes import Names, Scope
from benchmark.digest.syntax import chain


class Enclosing:
    """The scopes around a place, the innermost last; outside of them, the names of the module."""

    def __init__(self, names: Names, scopes: Sequence[Scope]) -> None:
        self._names = names
        self._scopes = list(scopes)

    @contextlib.contextmanager
    def entered(self, scope: Scope) -> Iterator[None]:
        """With one more scope inside the others."""
        self._scopes.append(scope)
        yield
        self._scopes.pop()

    @property
    def has_fields(self) -> bool:
        """Whether the place is directly in a class whose annotated names are fields."""
        return bool(self._scopes) and self._scopes[-1].has_fields

    def local(self, name: str) -> tuple[bool, str | None]:
        """Whether a name belongs to one of the scopes, and the dotted name of what was imported under it."""
        for depth, scope in enumerate(reversed(self._scopes)):
            if name in scope.outside:
                return False, None
            if name in scope.names and (depth == 0 or not scope.is_class):
                return True, scope.names[name]
        return False, None

    def may_be_of_the_module(self, node: ast.Name | ast.Attribute, name: str) -> bool:
        """Whether a name is read in the body of a class before the class has it, as in `n = n`."""
        scope = self._scopes[-1]
        if not (scope.is_class and name in scope.names) or isinstance(node.ctx, ast.Store):
            return False
        return not self._names.named(name, [])[1].startswith("builtins.")

    def dotted(self, node: ast.expr) -> str | None:
        """The full name of what is called, if it is not ours; None if that is unknown."""
        name, attributes = chain(node)
        if name is None:
            return "typing." if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Constant) else None
        is_local, imported = self.local(name)
        if is_local and imported is None:
            return "builtins.property" if attributes[-1:] in (["setter"], ["getter"], ["deleter"]) else None
        found = self._names.imported(imported, attributes) if imported else self._names.named(name, attributes)
        return found[1] or None
