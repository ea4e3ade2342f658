"""requirements.txt of an entry: it may add to the locked versions, never change one.

`install` puts what it asks for into a folder of the entry's own, as wheels, for building a source distribution runs a stranger's code.
"""

import importlib.metadata
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from benchmark.entries.environment import HELD_OUT
from benchmark.errors import BadEntry
from benchmark.strict_yaml import read_text, shown

LOCK = "requirements.lock"


def check(path: Path, lock: Path) -> None:
    """Whether an entry's requirements go with the lock, and are installed.

    Raises:
        BadEntry: a line is no requirement, excludes a locked version, or is not installed.
    """
    if not (path.exists() or path.is_symlink()):
        return
    for where, requirement in _that_go_with(path, lock):
        _installed(where, requirement, path)


def install(path: Path, lock: Path, folder: Path) -> list[str]:
    """Put what an entry requires, with what that requires, into a folder of its own, which is made anew.

    Wheels alone, so that none of their code is run, and pip reads none of the entry's files: it is given names and versions.

    Returns:
        Names and versions of what was installed.

    Raises:
        BadEntry: a line is no requirement, excludes a locked version, has no wheel, or brings the benchmark's data.
    """
    shutil.rmtree(folder, ignore_errors=True)
    wanted = [str(requirement) for _, requirement in _that_go_with(path, lock)]
    if not wanted:
        return []
    words = [sys.executable, "-m", "pip", "install", "--only-binary", ":all:", "--no-compile", "--no-input",
             "--disable-pip-version-check", "--constraint", str(lock), "--target", str(folder), "--", *wanted]  # fmt: skip
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["pip said nothing"]
        raise BadEntry(f"{path}: cannot be installed from wheels alone: {last[0][:300]}")
    found = sorted((one.name, one.version) for one in importlib.metadata.distributions(path=[str(folder)]))
    for name, _ in found:
        if canonicalize_name(name) in HELD_OUT:
            shutil.rmtree(folder)
            raise BadEntry(f"{path}: brings '{name}', which holds the text of the benchmark's data.")
    return [f"{name} {version}" for name, version in found]


def _that_go_with(path: Path, lock: Path) -> Iterator[tuple[str, Requirement]]:
    """An entry's requirements; raises BadEntry at one that excludes a locked version."""
    locked = {canonicalize_name(r.name): str(r.specifier).removeprefix("==") for _, r in read(lock)}
    for where, requirement in read(path):
        version = locked.get(canonicalize_name(requirement.name))
        if version is not None and not requirement.specifier.contains(version, prereleases=True):
            raise BadEntry(
                f"{where}: '{requirement}' excludes {requirement.name} {version}, which {LOCK} has for all entries: "
                "an entry may add requirements, never change them."
            )
        yield where, requirement


def names(path: Path) -> list[str]:
    """Names of the distributions that an entry requires on this platform."""
    return [requirement.name for _, requirement in read(path)]


def read(path: Path) -> list[tuple[str, Requirement]]:
    """The requirements that hold on this platform, each with its line; none where there is no such file.

    Raises:
        BadEntry: it is no text, or a line is no requirement.
    """
    if not path.exists() and not path.is_symlink():
        return []
    lines = enumerate(read_text(path, BadEntry).splitlines(), 1)
    texts = [(f"{path}:{number}", text) for number, line in lines if (text := line.split("#")[0].strip())]
    found = [(where, _parsed(where, text)) for where, text in texts]
    return [(where, requirement) for where, requirement in found if _holds_here(where, requirement)]


def _holds_here(where: str, requirement: Requirement) -> bool:
    try:
        return requirement.marker is None or requirement.marker.evaluate()
    except (UndefinedComparison, UndefinedEnvironmentName) as error:
        raise BadEntry(f"{where}: '{requirement}': {error}") from None


def _parsed(where: str, text: str) -> Requirement:
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise BadEntry(f"{where}: found {shown(text)}, expected a name and versions, such as 'pot>=0.9'.") from error
    if requirement.url is not None:
        raise BadEntry(f"{where}: found the address {requirement.url}, expected a name and versions.")
    return requirement


def _installed(where: str, requirement: Requirement, path: Path) -> None:
    try:
        found = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        found = "none"
    else:
        if requirement.specifier.contains(found, prereleases=True):
            return
    raise BadEntry(
        f"{where}: '{requirement}' is not installed (found {found}). "
        f"Install it: python -m pip install --constraint {LOCK} --requirement {path}"
    )
