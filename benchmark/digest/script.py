"""What a file means that is taken by itself, as a hash. The standard library is enough to import this module."""

from __future__ import annotations

import ast
from pathlib import Path

from benchmark.digest.components import sha256
from benchmark.digest.dump import Dump
from benchmark.digest.scopes import Found, Import, bound, mentioned, scope_of
from benchmark.digest.syntax import parsed, targets_of


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
        tree = parsed(path)
        self.uses: set[str] = set()
        """Dotted names of what it imports and uses."""
        self._mentioned = mentioned(tree)
        dump = Dump(self, [scope_of(bound(tree.body, self))])
        dump.visit(tree)
        self.hash = sha256("".join(dump.parts))
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
        return targets_of(node, "." * getattr(node, "level", 0))

    def is_mentioned(self, name: str) -> bool:
        return name in self._mentioned
