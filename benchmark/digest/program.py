"""What a definition means, as a hash: of what it does and of the meaning of every definition that it reaches.

A program is some packages of ours. A name in a definition is resolved to another definition of ours, whose hash stands there, or to the
full dotted name of what is not ours. Neither files nor names of modules nor any order occurs in a hash, so that moving a definition, or
splitting a module, changes nothing. The standard library is enough to import this module.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from benchmark.digest.components import components, hashed, sha256
from benchmark.digest.definitions import Definition, Module, reference_to
from benchmark.digest.scopes import Found, Refused


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
                return reference_to(binding, [name, *rest]), ""
            if (below := self.module(f"{module.name}.{name}")) is None:
                return _missing(module, name, rest, asker)
            module = below
        return module.whole(), ""

    def definition(self, dotted: str) -> Definition:
        """A definition of ours by its dotted name.

        Raises:
            Refused: it is none.
        """
        found = self.resolve(dotted)[0][0]
        if isinstance(found, Definition):
            return found
        raise Refused(f"{dotted}: no definition of {', '.join(self.packages)}")

    def closure(self, *roots: str) -> list[Definition]:
        """All definitions that some modules, packages or definitions reach, by dotted name.

        Raises:
            Refused: the text of one does not show its meaning.
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
        """The definitions that act at import, of a module, of the packages around it, and of all that they import."""
        parts = dotted.split(".")
        for name in (".".join(parts[: k + 1]) for k in range(len(parts))):
            module = None if name in seen else self.module(name)
            seen.add(name)
            if module is not None:
                yield from (definition for definition in module.definitions if definition.acts)
                for other in module.imports:
                    yield from self._acting(other, seen)

    def digest(self, *roots: str) -> str:
        """Hash of all that some modules, packages or definitions reach."""
        return sha256(json.dumps(sorted({self.hash(definition) for definition in self.closure(*roots)})))

    def hash(self, definition: Definition) -> str:
        """Hash of a definition and of all that it reaches. Definitions that reach one another are hashed together."""
        if definition not in self._hashes:
            for component in components(definition, self._hashes):
                self._hashes |= hashed(component, self._hashes)
        return self._hashes[definition]


def _missing(module: Module, name: str, rest: list[str], asker: Module | None) -> Found:
    if (lazy := module.binding("__getattr__")) and isinstance(lazy, Definition):
        return [lazy, *(f".{part}" for part in [name, *rest])], ""
    if name.startswith("__"):
        return [f"module.{'.'.join([name, *rest])}"], ""
    raise Refused(f"{asker.path if asker else module.path}: {module.name} has no '{name}'.")
