"""Files that task-settings read: embedded data and checkpoints, pinned by params.yaml, and users' own.

Every file counts in the key of the cells that read it. Where params.yaml pins a folder, each of its files must also have the sha256 there.
"""

import functools
import importlib.util
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from benchmark import stamps
from benchmark.digest.hashes import digest, digest_of_file
from benchmark.errors import PinMismatch
from benchmark.runs.form import Params, Pin

SETTLED_NS = 1_000_000_000
"""A file that was written this long ago and is written again gets another time of change, on every file system."""


def digest_of_files(files: Mapping[str, Path]) -> str:
    """Digest of the names and contents of files."""
    return digest({name: _sha256(path) for name, path in files.items()})


def _sha256(path: Path) -> str:
    """sha256 of a file, which is read once for each of its versions."""
    now = stamps.watch(path)
    if now is None or time.time_ns() - now.changed_ns < SETTLED_NS:
        return digest_of_file(path)
    return _sha256_at(path, now)


@functools.cache
def _sha256_at(path: Path, stamp: stamps.Stamp) -> str:
    return digest_of_file(path)


def verify_files(root: Path, params: Params, files: Mapping[str, Path]) -> None:
    """Check every pin whose folder holds one of these files.

    Raises:
        PinMismatch: as `verify`.
    """
    folders = {path.parent.resolve() for path in files.values()}
    for name, pin in params.pins.items():
        for where in {place.resolve() for place in _places(root, pin)} & folders:
            _verify(where, name, pin)


def _places(root: Path, pin: Pin) -> list[Path]:
    """Where the files of a pin may be read: in the clone, and in the clone whose code runs, mostly the same."""
    if pin.package is None:
        return [root / pin.folder, stamps.PACKAGE.parent / pin.folder]
    package = importlib.util.find_spec(pin.package)
    return [] if package is None or package.origin is None else [Path(package.origin).parent / pin.folder]


def verify(root: Path, params: Params, names: Iterable[str]) -> None:
    """Check every file of these pins.

    Raises:
        PinMismatch: a file is missing or differs; the message names file, found and expected.
    """
    for name in names:
        _verify(folder(root, name, params.pins[name]), name, params.pins[name])


def check_all(root: Path, params: Params) -> Iterator[str]:
    """Check every pin, and say in a line for each what was found. One of files that are not embedded is passed over where there are none.

    Raises:
        PinMismatch: as `verify`.
    """
    for name, pin in params.pins.items():
        if (pin.package or not pin.embedded) and not any(place.exists() for place in _places(root, pin)):
            yield f"{name}: not here, and only some profiles need it. To have it: {pin.source}"
        else:
            verify(root, params, [name])
            yield f"{name}: {len(pin.files)} files in {folder(root, name, pin)} are as pinned."


def folder(root: Path, name: str, pin: Pin) -> Path:
    """Where a pin's files are.

    Raises:
        PinMismatch: they are in a package that is not installed; the message says how to.
    """
    if pin.package is None:
        return root / pin.folder
    package = importlib.util.find_spec(pin.package)  # which does not import it
    if package is None or package.origin is None:
        raise PinMismatch(f"pin '{name}': no package '{pin.package}' is installed. Install it: {pin.source}")
    return Path(package.origin).parent / pin.folder


def _verify(where: Path, name: str, pin: Pin) -> None:
    restore = f"git checkout -- {pin.folder}" if pin.package is None and pin.embedded else pin.source
    for file, expected in pin.files.items():
        path = where / file
        if not path.is_file():
            raise PinMismatch(f"{path}: no such file (pin '{name}'). Restore it: {restore}")
        found = _sha256(path)
        if found != expected:
            raise PinMismatch(
                f"{path}: sha256 is {found}, and params.yaml pins {expected} (pins.{name}).\n"
                f"Restore it: {restore}; or, if you meant to change it, change the pin."
            )
