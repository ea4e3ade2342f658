"""The canonical text of a piece of Python: what it does, without how it is written.

Annotations of functions and variables, docstrings, comments, layout, and strings in the arguments of `raise` are left out. In a
class, the names of fields stay, with their order and defaults, and so does what keeps a name from being a field. Names are resolved: a local name stays as it is, an imported one becomes its
full dotted name, and a name of the module is what `Names` makes of it. Empty fields of the syntax tree are left out, so that the
text is the same under every supported Python. The standard library is enough to import this module.
"""

from __future__ import annotations

import ast
import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from benchmark.digest.enclosing import Enclosing
from benchmark.digest.scopes import (
    NO_FIELD,
    SILENT,
    Function,
    Import,
    Names,
    Part,
    Refused,
    Scope,
    bound,
    is_for_its_use,
    loaded,
    scope_of,
    statements,
    words,
)
from benchmark.digest.syntax import chain, flat, in_order, is_bare_class_variable, parameters

LEFT_OUT = {"annotation", "returns", "type_comment", "type_params", "ctx", "kind"}
BODIES = {"body", "orelse", "finalbody"}
HIDDEN = re.compile(r"builtins\.(eval|exec|__import__)$|importlib\.(import_module|reload|__import__)$|runpy\.|sys\.modules\b"
                    r"|typing\.get_type_hints$")  # fmt: skip
HIDDEN_ATTRIBUTES = {"__subclasses__", "__doc__", "__annotations__", "__globals__", "__code__"}


class Dump(ast.NodeVisitor):
    """Writes one statement of a module."""

    def __init__(self, names: Names, scopes: Sequence[Scope] = ()) -> None:
        self.names = names
        self.parts: list[Part] = []
        self.acts = False
        """Whether it may do more, when the module is imported, than to bind its name."""
        self.imports: list[str] = []
        """Dotted names of what is imported inside it."""
        self._enclosing = Enclosing(names, scopes)
        self._later = False  # in the body of a function
        self._message = False  # in the arguments of `raise`

    def text(self, text: str) -> None:
        self.parts.append(text)

    def generic_visit(self, node: ast.AST) -> None:
        self._open(node)
        for name, value in ast.iter_fields(node):
            if name not in LEFT_OUT:
                self._field(name, value)
        self.text(")")

    def _open(self, node: ast.AST) -> None:
        self.text(f"{type(node).__name__}(")

    def _field(self, name: str, value: Any) -> None:
        """Nothing where it is empty."""
        if isinstance(value, list) and name in BODIES:
            value = list(statements(value, fields=self._enclosing.has_fields))
        if value is not None and value != []:
            self.text(f"{name}=")
            self._value(value)
            self.text(";")

    def _value(self, value: Any) -> None:
        if isinstance(value, list):
            self.text("[")
            for item in value:
                before = len(self.parts)
                self._value(item)
                if len(self.parts) > before:  # an import may be left out
                    self.text(",")
            self.text("]")
        elif isinstance(value, ast.AST):
            self.visit(value)
        else:
            self.text(json.dumps(value))

    # Constants

    def visit_Constant(self, node: ast.Constant) -> None:
        value: Any = node.value
        if isinstance(value, str):
            self.text('""' if self._message else json.dumps(value))
        else:  # repr() of a very long integer is refused
            self.text(f"{type(value).__name__} {hex(value) if type(value) is int else repr(value)}")

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Pythons differ in how they cut its constant pieces and nest it."""
        if self._message:
            return self.text('""')
        pieces: list[Any] = []
        for piece in flat(node):
            if isinstance(piece, str) and pieces and isinstance(pieces[-1], str):
                pieces[-1] += piece
            elif piece != "":
                pieces.append(piece)
        if all(isinstance(piece, str) for piece in pieces):
            return self.text(json.dumps("".join(pieces)))
        self._open(node)
        self._value(pieces)
        return self.text(")")

    # Names

    def visit_Name(self, node: ast.Name) -> None:
        self._reference(node, node.id, [])

    def visit_Attribute(self, node: ast.Attribute) -> None:
        name, attributes = chain(node)
        if hidden := HIDDEN_ATTRIBUTES.intersection(attributes):
            self._refuse(node, f"{hidden.pop()} reads what no key can see")
        if name is not None:
            return self._reference(node, name, attributes)
        self.visit(node.value)
        return self.text(f".{node.attr}")

    def _reference(self, node: ast.Name | ast.Attribute, name: str, attributes: list[str]) -> None:
        is_local, imported = self._enclosing.local(name)
        if is_local and imported is None:
            self.text(f"local {name}" + "".join(f".{attribute}" for attribute in attributes))
            if not self._enclosing.may_be_of_the_module(node, name):
                return
        parts, dotted = self.names.imported(imported, attributes) if imported else self.names.named(name, attributes)
        if HIDDEN.match(dotted):
            self._refuse(node, f"{dotted.removeprefix('builtins.')} reaches what no key can see")
        self.parts += parts

    def _calls(self, node: ast.expr) -> None:
        dotted = self._enclosing.dotted(node)
        self.acts |= not self._later and not (dotted and SILENT.match(dotted))

    def _refuse(self, node: Any, reason: str) -> None:
        if self.names.strict:
            raise Refused(f"line {node.lineno}: {reason}")

    # Statements and expressions that need more than their fields

    def visit_Call(self, node: ast.Call) -> None:
        self._calls(node.func)
        self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        self.text("Raise(")
        if node.exc is not None:
            self._raised(node.exc)
        self._field("cause", node.cause)
        self.text(")")

    def _raised(self, node: ast.expr) -> None:
        if isinstance(node, ast.Call):
            self.text("Call(")
            self._field("func", node.func)
            before, self._message = self._message, True
            self._field("args", node.args)
            self._field("keywords", node.keywords)
            self._message = before
            self.text(")")
        else:
            self.visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        kinds = NO_FIELD & words(node.annotation)
        if self._enclosing.has_fields and "ClassVar" not in kinds:
            self.text(f"Field({sorted(kinds)}")
            self._field("target", node.target)
            self._field("value", node.value)
            self.text(")")
        elif node.value is not None:
            self.generic_visit(ast.Assign(targets=[node.target], value=node.value))

    def visit_Import(self, node: Import) -> None:
        """Left out where the name is resolved wherever it is used."""
        for name, dotted, what in loaded(node, self.names):
            self.imports.append(what)
            used = self.names.is_mentioned(name) or is_for_its_use(what)
            if not (self._enclosing.local(name) == (True, dotted) and used):
                self.text(f"import {name} ")
                self.parts += self.names.imported(what, [])[0]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.visit_Import(node)

    def visit_Global(self, node: ast.Global) -> None:
        """Seen in what the names are resolved to."""

    def visit_FunctionDef(self, node: Function) -> None:
        self._open(node)
        self.text(json.dumps(node.name))
        self._decorators(node)
        self._arguments(node.args)
        shared = {name for line in ast.walk(node) if isinstance(line, ast.Global) for name in line.names}
        if any("register" in (getattr(d, "attr", None), getattr(d, "id", None)) for d in node.decorator_list):
            self._field(
                "dispatch", [each.annotation for each in node.args.args if each.annotation]
            )  # functools.singledispatch
        types = ((part.name, None) for part in getattr(node, "type_params", ()))
        pairs = [*types, *((name, None) for name in parameters(node.args)), *bound(node.body, self.names)]
        with self._inside(scope_of((pair for pair in pairs if pair[0] not in shared), outside=shared), later=True):
            self._field("body", node.body)
        self.text(")")

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 named by ast

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._open(node)
        self._arguments(node.args)
        walrus = list(bound([node.body], self.names))
        with self._inside(scope_of([*((name, None) for name in parameters(node.args)), *walrus]), later=True):
            self.visit(node.body)
        self.text(")")

    def _decorators(self, node: Function | ast.ClassDef) -> None:
        for decorator in node.decorator_list:
            if not isinstance(decorator, ast.Call):  # which is seen as a call anyway
                self._calls(decorator)
        self._field("decorators", node.decorator_list)

    def _arguments(self, node: ast.arguments) -> None:
        for kind in ("posonlyargs", "args", "kwonlyargs"):
            self._field(kind, [each.arg for each in getattr(node, kind)])
        self._field("vararg", node.vararg and node.vararg.arg)
        self._field("kwarg", node.kwarg and node.kwarg.arg)
        self._field("defaults", node.defaults)
        self._field("kw_defaults", node.kw_defaults if any(node.kw_defaults) else [])

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._open(node)
        self.text(json.dumps(node.name))
        self._decorators(node)
        self._field("bases", node.bases)
        self._field("keywords", node.keywords)
        self.acts |= not self._later and any(keyword.arg == "metaclass" for keyword in node.keywords)
        types = ((part.name, None) for part in getattr(node, "type_params", ()))
        collects = bool(node.bases or node.decorator_list or node.keywords)  # as dataclass and NamedTuple do
        body = statements(node.body, fields=collects)
        scope = scope_of([*types, *bound(node.body, self.names)], is_class=True, has_fields=collects)
        with self._inside(scope, later=self._later):
            self._field("members", in_order([line for line in body if not is_bare_class_variable(line)], self.names))
        self.text(")")

    def _comprehension(self, node: Any) -> None:
        """A comprehension. Its first iterable belongs to the scope around it."""
        self._open(node)
        self.visit(node.generators[0].iter)
        with self._inside(scope_of(bound([each.target for each in node.generators], self.names)), later=self._later):
            for k, each in enumerate(node.generators):
                self._field("target", each.target)
                self._field("iter", each.iter if k else None)
                self._field("ifs", each.ifs)
                self._field("is_async", each.is_async or None)
            for name in ("key", "value", "elt"):
                self._field(name, getattr(node, name, None))
        self.text(")")

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension  # noqa: N815 named by ast

    @contextlib.contextmanager
    def _inside(self, scope: Scope, later: bool) -> Iterator[None]:
        before = self._later, self._message
        self._later, self._message = later, False
        with self._enclosing.entered(scope):
            yield
        self._later, self._message = before
