"""What the names of a module of ours are bound to: its definitions, each with its canonical text.

The standard library is enough to import this module.
"""

from __future__ import annotations

import ast
from functools import cached_property
from pathlib import Path
from typing import Protocol

from benchmark.digest.dump import Dump
from benchmark.digest.scopes import Found, Import, Part, Refused, bound, is_for_its_use, loaded, mentioned, statements
from benchmark.digest.syntax import is_overload, name_of, parsed, targets_of


class Resolver(Protocol):
    """What a module asks of the program that it belongs to."""

    def is_ours(self, dotted: str) -> bool:
        """Whether a dotted name begins with a package of ours."""

    def resolve(self, dotted: str, asker: Module) -> Found:
        """What a dotted name stands for in the module that asks."""


class Definition:
    """A function, class, constant or registry of a module; or a statement that is none, such as a loop, and binds any names."""

    def __init__(self, module: Module, node: ast.stmt, name: str | None) -> None:
        self.module = module
        self.node = node
        self.name = name
        self.refused = ""
        """Why its text does not show its meaning; empty where it does."""

    def __repr__(self) -> str:
        return f"{self.module.name}.{self.name or f'line {self.node.lineno}'}"

    @cached_property
    def _dump(self) -> Dump:
        dump = Dump(self.module)
        value = getattr(self.node, "value", None) if isinstance(self.node, (ast.Assign, ast.AnnAssign)) else None
        if self.name and value is not None:
            dump.text(f"{self.name} = ")
        try:
            dump.visit(value if self.name and value is not None else self.node)
        except Refused as reason:
            self.refused = f"{self.module.path}, {reason}"
        return dump

    @property
    def parts(self) -> list[Part]:
        """Its canonical text, with the definitions that it refers to."""
        return self._dump.parts

    @cached_property
    def needs(self) -> list[Definition]:
        """The definitions that it refers to."""
        return list(dict.fromkeys(part for part in self.parts if isinstance(part, Definition)))

    @property
    def acts(self) -> bool:
        """Whether it may do more than to bind its name when its module is imported, and so belongs to all of the module."""
        return self.name is None or self._dump.acts or self._is_registered

    @property
    def imports(self) -> list[str]:
        """What it imports when it runs."""
        return self._dump.imports

    @cached_property
    def _is_registered(self) -> bool:
        """Whether a base class of ours takes note of its subclasses, as by `__init_subclass__`."""
        if not isinstance(self.node, ast.ClassDef):
            return False
        roots = {node.id for base in self.node.bases for node in ast.walk(base) if isinstance(node, ast.Name)}
        bases = [d for name in roots for d in self.module.named(name, [])[0] if isinstance(d, Definition)]
        return any(base is not self and (base._notes_subclasses or base._is_registered) for base in bases)

    @property
    def _notes_subclasses(self) -> bool:
        return isinstance(self.node, ast.ClassDef) and (
            any(getattr(line, "name", None) == "__init_subclass__" for line in self.node.body)
            or any(keyword.arg == "metaclass" for keyword in self.node.keywords)
        )


class Module:
    """A file of ours: what its names are bound to, and its definitions."""

    strict = True

    def __init__(self, program: Resolver, name: str, path: Path) -> None:
        self.program = program
        self.name = name
        self.path = path
        tree = parsed(path)
        self._mentioned = mentioned(tree)
        self.bindings: dict[str, list[Definition | str]] = {}
        self.definitions: list[Definition] = []
        self.imports: list[str] = []
        self._compared: set[str] = set()
        for line in statements(tree.body):
            self._add(line)

    def _add(self, line: ast.stmt) -> None:
        if isinstance(line, (ast.Import, ast.ImportFrom)):
            for name, dotted, what in loaded(line, self):
                self.bindings.setdefault(name, []).append(dotted)
                self.imports.append(what)
                if not (
                    self.is_mentioned(name) or self.program.is_ours(what) or is_for_its_use(what)
                ):  # imported for what that does
                    self.definitions.append(
                        Definition(self, ast.Import([ast.alias(what, "_")], lineno=line.lineno), None)
                    )
        elif not is_overload(line):
            definition = Definition(self, line, name_of(line))
            self.definitions.append(definition)
            for name in dict.fromkeys(name for name, _ in bound([line], self)):
                self.bindings.setdefault(name, []).append(definition)

    def targets(self, node: Import) -> list[tuple[str, str]]:
        package = self.name.split(".")[: None if self.path.name == "__init__.py" else -1]
        level = getattr(node, "level", 0)
        found = targets_of(node, "".join(f"{part}." for part in package[: len(package) - level + 1] if level))
        if any(name == "*" for name, _ in found):
            raise Refused(f"{self.path}, line {node.lineno}: `import *` hides what names mean: name what you import.")
        return found

    def is_mentioned(self, name: str) -> bool:
        return name in self._mentioned

    def binding(self, name: str) -> Definition | str | None:
        """What a name of the module is bound to: a definition, or the dotted name of what was imported.

        Raises:
            Refused: to several things.
        """
        found = list(dict.fromkeys(self.bindings.get(name, ())))
        if len(found) > 1 and name not in self._compared:
            self._compared.add(name)  # they may refer to the name themselves
            texts = [[item] if isinstance(item, str) else item.parts for item in found]
            if any(text != texts[0] for text in texts[1:]):
                self._compared.discard(name)
                raise Refused(f"{self.path}: '{name}' is defined more than once, and differently: give each a name.")
        return found[0] if found else None

    def named(self, name: str, attributes: list[str]) -> Found:
        binding = self.binding(name)
        if isinstance(binding, str):
            return self.imported(binding, attributes)
        if binding is not None:
            return reference_to(binding, [name, *attributes]), ""
        if name == "globals":
            return self.whole(), ""
        return [f"<{'.'.join(['builtins', name, *attributes])}>"], ".".join(["builtins", name, *attributes])

    def imported(self, dotted: str, attributes: list[str]) -> Found:
        return self.program.resolve(".".join([dotted, *attributes]), self)

    def whole(self) -> list[Part]:
        """All definitions that code may reach that holds the module itself."""
        every = [d for d in self.definitions if isinstance(d.name, str)]
        return ["module[", *sorted(every, key=lambda d: str(d.name)), "]"]

    def own(self) -> list[Definition]:
        """All functions and classes, and what acts at import: constants and aliases count where they are used."""
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        return [d for d in self.definitions if (isinstance(d.node, kinds) and self.binding(str(d.name))) or d.acts]


def reference_to(definition: Definition, names: list[str]) -> list[Part]:
    """A definition, under which of its names if it may have several, and attributes of it."""
    return [definition, "".join(f".{name}" for name in names[definition.name is not None :])]
