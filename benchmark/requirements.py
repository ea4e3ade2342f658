"""requirements.txt of an entry: it may add to the locked versions, never change one."""

import importlib.metadata
from pathlib import Path

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from benchmark.errors import BadEntry
from benchmark.settings import read_text, shown

LOCK = "requirements.lock"


def check(path: Path, lock: Path) -> None:
    """Whether an entry's requirements go with the lock, and are installed.

    Raises:
        BadEntry: a line is no requirement, excludes a locked version, or is not installed.
    """
    if not (path.exists() or path.is_symlink()):
        return
    locked = {canonicalize_name(r.name): str(r.specifier).removeprefix("==") for _, r in read(lock)}
    for where, requirement in read(path):
        version = locked.get(canonicalize_name(requirement.name))
        if version is not None and not requirement.specifier.contains(version, prereleases=True):
            raise BadEntry(
                f"{where}: '{requirement}' excludes {requirement.name} {version}, which {LOCK} has for all entries: "
                "an entry may add requirements, never change them."
            )
        _installed(where, requirement, path)


def names(path: Path) -> list[str]:
    """Names of the distributions that an entry requires on this platform."""
    return [requirement.name for _, requirement in read(path)]


def read(path: Path) -> list[tuple[str, Requirement]]:
    """Those that hold on this platform, each with where it stands; none where there is no such file.

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
