"""What a definition means, as a hash: of what it does and of the meaning of every definition that it reaches.

A program is some packages of ours. A name in a definition is resolved to another definition of ours, whose hash stands there, or to the
full dotted name of what is not ours. Neither files nor names of modules nor any order occurs in a hash, so that moving a definition, or
splitting a module, changes nothing. The standard library is enough to import this module.
"""

from __future__ import annotations

import ast
import hashlib
import json
import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

from benchmark.digest.dump import Dump
from benchmark.digest.scopes import (
    Import,
    Part,
    Refused,
    bound,
    is_for_its_use,
    loaded,
    mentioned,
    scope_of,
    statements,
)

Found: TypeAlias = "tuple[list[Part], str]"
"""The canonical text of a name, and its dotted name where it is not ours."""


class Definition:
    """A function, class, constant or registry of a module; or a statement that is none, such as a loop, and binds any names."""

    def __init__(self, module: Module, node: ast.stmt, name: str | None) -> None:
        self.module = module
        self.node = node
        self.name = name
        self.refused = ""
        """Why its meaning cannot be told."""

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
        """Whether a base class of ours is told of it."""
        if not isinstance(self.node, ast.ClassDef):
            return False
        roots = {node.id for base in self.node.bases for node in ast.walk(base) if isinstance(node, ast.Name)}
        bases = [d for name in roots for d in self.module.named(name, [])[0] if isinstance(d, Definition)]
        return any(base is not self and (base._tells_of_subclasses or base._is_registered) for base in bases)

    @property
    def _tells_of_subclasses(self) -> bool:
        return isinstance(self.node, ast.ClassDef) and (
            any(getattr(line, "name", None) == "__init_subclass__" for line in self.node.body)
            or any(keyword.arg == "metaclass" for keyword in self.node.keywords)
        )


class Module:
    """A file of ours: what its names are bound to, and its definitions."""

    strict = True

    def __init__(self, program: Program, name: str, path: Path) -> None:
        self.program = program
        self.name = name
        self.path = path
        tree = _parsed(path)
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
        elif not _is_overload(line):
            definition = Definition(self, line, _name_of(line))
            self.definitions.append(definition)
            for name in dict.fromkeys(name for name, _ in bound([line], self)):
                self.bindings.setdefault(name, []).append(definition)

    def targets(self, node: Import) -> list[tuple[str, str]]:
        package = self.name.split(".")[: None if self.path.name == "__init__.py" else -1]
        level = getattr(node, "level", 0)
        found = _targets(node, "".join(f"{part}." for part in package[: len(package) - level + 1] if level))
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
            return _reference(binding, [name, *attributes]), ""
        if name == "globals":
            return self.whole(), ""
        return [f"<{'.'.join(['builtins', name, *attributes])}>"], ".".join(["builtins", name, *attributes])

    def imported(self, dotted: str, attributes: list[str]) -> Found:
        return self.program.resolve(".".join([dotted, *attributes]), self)

    def whole(self) -> list[Part]:
        """All that somebody might take of the module, who has hold of it."""
        every = [d for d in self.definitions if isinstance(d.name, str)]
        return ["module[", *sorted(every, key=lambda d: str(d.name)), "]"]

    def own(self) -> list[Definition]:
        """All functions and classes, and what acts at import: constants and aliases count where they are used."""
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        return [d for d in self.definitions if (isinstance(d.node, kinds) and self.binding(str(d.name))) or d.acts]


class Program:
    """Some packages of ours in a folder."""

    def __init__(self, folder: Path, packages: Sequence[str] = ("benchmark",)) -> None:
        self.folder = folder
        self.packages = packages
        self._modules: dict[str, Module | None] = {}
        self._hashes: dict[Definition, str] = {}

    def is_ours(self, dotted: str) -> bool:
        return dotted.partition(".")[0] in self.packages

    def module(self, name: str) -> Module | None:
        """A module of ours by its dotted name."""
        if name not in self._modules:
            base = self.folder.joinpath(*name.split("."))
            paths = [base / "__init__.py", base.with_name(f"{base.name}.py")] if self.is_ours(name) else []
            path = next((path for path in paths if path.is_file()), None)
            self._modules[name] = None  # while it is read
            self._modules[name] = Module(self, name, path) if path else None
        return self._modules[name]

    def resolve(
        self, dotted: str, asker: Module | None = None, seen: frozenset[tuple[str, str]] = frozenset()
    ) -> Found:
        """What a dotted name stands for."""
        head, *rest = dotted.split(".")
        module = self.module(head)
        if module is None:
            return [f"<{dotted}>"], dotted
        while rest:
            name = rest.pop(0)
            binding = None if (module.name, name) in seen else module.binding(name)
            if isinstance(binding, str):
                return self.resolve(".".join([binding, *rest]), asker, seen | {(module.name, name)})
            if binding is not None:
                return _reference(binding, [name, *rest]), ""
            if (below := self.module(f"{module.name}.{name}")) is None:
                return _missing(module, name, rest, asker)
            module = below
        return module.whole(), ""

    def closure(self, *roots: str) -> list[Definition]:
        """All definitions that some modules, packages or definitions reach, by dotted name.

        Raises:
            Refused: the meaning of one cannot be told.
        """
        found: dict[Definition, None] = {}
        modules: set[str] = set()
        waiting = [definition for root in roots for definition in self._root(root)]
        while waiting:
            definition = waiting.pop()
            if definition not in found:
                found[definition] = None
                waiting += definition.needs
                if definition.refused:
                    raise Refused(definition.refused)
                for name in (definition.module.name, *definition.imports):
                    waiting += self._acting(name, modules)
        return list(found)

    def _root(self, root: str) -> list[Definition]:
        module = self.module(root)
        if module is None:
            return [part for part in self.resolve(root)[0] if isinstance(part, Definition)]
        below: Iterable[Path] = module.path.parent.rglob("*.py") if module.path.name == "__init__.py" else [module.path]
        names = sorted(".".join(path.relative_to(self.folder).with_suffix("").parts) for path in below)
        return [d for name in names if (part := self.module(name.removesuffix(".__init__"))) for d in part.own()]

    def _acting(self, dotted: str, seen: set[str]) -> Iterator[Definition]:
        """Of a module, of the packages around it, and of all that they import: what is no mere definition."""
        parts = dotted.split(".")
        for name in (".".join(parts[: k + 1]) for k in range(len(parts))):
            module = None if name in seen else self.module(name)
            seen.add(name)
            if module is not None:
                yield from (definition for definition in module.definitions if definition.acts)
                for other in module.imports:
                    yield from self._acting(other, seen)

    def digest(self, *roots: str) -> str:
        """Of all that some modules, packages or definitions reach."""
        return _sha256(json.dumps(sorted({self.hash(definition) for definition in self.closure(*roots)})))

    def hash(self, definition: Definition) -> str:
        """Of a definition and of all that it reaches. Definitions that reach one another are hashed together."""
        if definition not in self._hashes:
            for component in _components(definition, self._hashes):
                self._hashes |= _hashed(component, self._hashes)
        return self._hashes[definition]


def _hashed(component: list[Definition], known: dict[Definition, str]) -> dict[Definition, str]:
    """In as many rounds as there are definitions, each sees a change in every other; no order and no name matters."""
    colours = dict.fromkeys(component, "")
    for _ in component if len(component) > 1 else (None, None):
        colours = {d: _sha256(_rendered(d, known | colours)) for d in component}
    together = sorted(colours.values())
    return {d: _sha256(json.dumps([colour, together])) for d, colour in colours.items()}


def _rendered(definition: Definition, hashes: dict[Definition, str]) -> str:
    return "".join(f"#{hashes[part]}" if isinstance(part, Definition) else part for part in definition.parts)


def _components(start: Definition, done: dict[Definition, str]) -> list[list[Definition]]:
    """Definitions that reach one another, those that a component needs before it (Tarjan 1972)."""
    number: dict[Definition, int] = {start: 0}
    lowest = {start: 0}
    stack, path = [start], [(start, iter(start.needs))]
    found: list[list[Definition]] = []
    while path:
        definition, needs = path[-1]
        for other in needs:
            if other in done or (other in number and other not in lowest):
                continue
            if other in number:
                lowest[definition] = min(lowest[definition], number[other])
                continue
            number[other] = lowest[other] = len(number)
            stack.append(other)
            path.append((other, iter(other.needs)))
            break
        else:
            path.pop()
            if path:
                lowest[path[-1][0]] = min(lowest[path[-1][0]], lowest[definition])
            if lowest[definition] == number[definition]:
                cut = stack.index(definition)
                found.append(stack[cut:])
                for member in stack[cut:]:
                    del lowest[member]
                del stack[cut:]
    return found


def _reference(definition: Definition, names: list[str]) -> list[Part]:
    """A definition, under which of its names if it may have several, and attributes of it."""
    return [definition, "".join(f".{name}" for name in names[definition.name is not None :])]


def _missing(module: Module, name: str, rest: list[str], asker: Module | None) -> Found:
    if (lazy := module.binding("__getattr__")) and isinstance(lazy, Definition):
        return [lazy, *(f".{part}" for part in [name, *rest])], ""
    if name.startswith("__"):
        return [f"module.{'.'.join([name, *rest])}"], ""
    raise Refused(f"{asker.path if asker else module.path}: {module.name} has no '{name}'.")


def _targets(node: Import, above: str) -> list[tuple[str, str]]:
    """Each name that an import binds, with the dotted name of what it is bound to; `above` stands before relative ones."""
    if isinstance(node, ast.Import):
        top = [(a.name.partition(".")[0], a.asname, a.name) for a in node.names]
        return [(asname or first, name if asname else first) for first, asname, name in top]
    base = above + (f"{node.module}." if node.module else "")
    return [] if base == "__future__." else [(a.asname or a.name, base + a.name) for a in node.names]


def _name_of(line: ast.stmt) -> str | None:
    """The one name that a definition binds."""
    if isinstance(line, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return line.name
    targets = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", getattr(line, "name", None))]
    if isinstance(line, ast.AugAssign) or any(isinstance(node, ast.NamedExpr) for node in ast.walk(line)):
        return None
    return targets[0].id if len(targets) == 1 and isinstance(targets[0], ast.Name) and _binds(line) else None


def _binds(line: ast.stmt) -> bool:
    return type(line).__name__ in ("Assign", "AnnAssign", "TypeAlias")


def _is_overload(line: ast.stmt) -> bool:
    """A signature for type checkers."""
    decorators = getattr(line, "decorator_list", ())
    return any("overload" in (getattr(d, "id", None), getattr(d, "attr", None)) for d in decorators)


def _parsed(path: Path) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a dubious escape sequence, in some Pythons
        return ast.parse(path.read_bytes(), str(path))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _is_of_benchmark(node: Import) -> bool:
    names = (
        [alias.name for alias in node.names]
        if isinstance(node, ast.Import)
        else []
        if node.level
        else [node.module or ""]
    )
    return bool(names) and all(name.partition(".")[0] == "benchmark" for name in names)


class Script:
    """A file taken by itself, as it is in an entry's folder: all of it in its order, and nothing in it is refused."""

    strict = False

    def __init__(self, path: Path) -> None:
        tree = _parsed(path)
        self.uses: set[str] = set()
        """Dotted names of what it imports and uses."""
        self._mentioned = mentioned(tree)
        dump = Dump(self, [scope_of(bound(tree.body, self))])
        dump.visit(tree)
        self.hash = _sha256("".join(dump.parts))
        nodes = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
        self.imports = sorted({ast.unparse(node) for node in nodes if not _is_of_benchmark(node)})
        """All that it imports from elsewhere than Thrive, used or not: what is not there changes what it does."""

    def named(self, name: str, attributes: list[str]) -> Found:
        return self.imported(".".join(["builtins", name]), attributes)

    def imported(self, dotted: str, attributes: list[str]) -> Found:
        dotted = ".".join([dotted, *attributes])
        self.uses.add(dotted)
        return [f"<{dotted}>"], dotted

    def targets(self, node: Import) -> list[tuple[str, str]]:
        return _targets(node, "." * getattr(node, "level", 0))

    def is_mentioned(self, name: str) -> bool:
        return name in self._mentioned
