"""requirements.txt of an entry: it may add to the locked versions, never change one."""

import importlib.metadata
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from benchmark.errors import BadEntry

LOCK = "requirements.lock"


def check(path: Path, lock: Path) -> None:
    """Whether an entry's requirements go with the lock, and are installed.

    Raises:
        BadEntry: a line is no requirement, excludes a locked version, or is not installed.
    """
    locked = {canonicalize_name(r.name): str(r.specifier).removeprefix("==") for _, r in _requirements(lock)}
    for where, requirement in _requirements(path):
        version = locked.get(canonicalize_name(requirement.name))
        if version is not None and not requirement.specifier.contains(version, prereleases=True):
            raise BadEntry(
                f"{where}: '{requirement}' excludes {requirement.name} {version}, which {LOCK} has for all entries: "
                "an entry may add requirements, never change them."
            )
        _installed(where, requirement, path)


def names(path: Path) -> list[str]:
    """Names of the distributions that an entry requires on this platform."""
    return [requirement.name for _, requirement in _requirements(path)]


def _requirements(path: Path) -> Iterator[tuple[str, Requirement]]:
    """Those that hold on this platform, each with where it stands; none where there is no such file."""
    if not path.is_file():
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text = line.split("#")[0].strip()
        if text:
            requirement = _parsed(f"{path}:{number}", text)
            if requirement.marker is None or requirement.marker.evaluate():
                yield f"{path}:{number}", requirement


def _parsed(where: str, text: str) -> Requirement:
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise BadEntry(f"{where}: found '{text}', expected a name and versions, such as 'pot>=0.9'.") from error
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
