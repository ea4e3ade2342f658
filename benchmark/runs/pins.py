"""Files that task-settings read: embedded data and checkpoints, pinned by params.yaml, and users' own.

Every file counts in the key of the cells that read it, and every folder must be pinned: the pin's files must have the sha256 there.
"""

import functools
import importlib.util
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import yaml

from benchmark import stamps, strict_yaml
from benchmark.digest.hashes import digest, digest_of_file, files_under
from benchmark.errors import BadParams, PinMismatch
from benchmark.runs.cells import write_atomically
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
    """Check the pin of every folder that holds one of these files.

    Raises:
        PinMismatch: as `verify`; or a folder has no pin.
    """
    pinned = {place.resolve(): name for name, pin in params.pins.items() for place in _places(root, pin)}
    for folder in dict.fromkeys(path.parent.resolve() for path in files.values()):
        where = next((place for place in (folder, *folder.parents) if place in pinned), None)
        if where is None:
            raise PinMismatch(
                f"{folder}: no pin of params.yaml is of this folder. Write one under pins, with its folder and source, and let its "
                "digests be computed: thrive fetch --pin NAME (docs/own-model.md)"
            )
        _verify(where, pinned[where], params.pins[pinned[where]])


def write(root: Path, name: str) -> int:
    """Compute the digest of every file of a pin's folder, and write them to params.yaml; returns how many.

    Hidden files do not count.

    Raises:
        PinMismatch: params.yaml has no such pin, its folder is not there, or it holds no file.
    """
    path = root / "params.yaml"
    params = strict_yaml.read(path, Params, BadParams)
    if name not in params.pins:
        raise PinMismatch(f"{path}: pins: no pin '{strict_yaml.shown_name(name)}'. Write its folder and source there.")
    pin = params.pins[name]
    where = folder(root, name, pin)
    digests = {file: digest_of_file(path) for file, path in files_under(where).items()}
    if not digests:
        raise PinMismatch(f"{where}: no such folder, or an empty one (pin '{name}').")
    content = pin.model_copy(update={"files": digests}).model_dump(exclude_defaults=True)
    block = yaml.safe_dump({name: content}, sort_keys=False, width=10_000, allow_unicode=True)
    lines = path.read_text(encoding="utf-8").splitlines()
    after = lines.index("pins:") if "pins:" in lines else len(lines)
    start = next((i for i in range(after, len(lines)) if re.match(rf"  {re.escape(name)}:", lines[i])), None)
    if start is None:
        raise PinMismatch(
            f"{path}: pins: expected a line 'pins:' and below it a line '  {name}:', to write the digests there."
        )
    end = next((i for i in range(start + 1, len(lines)) if re.match(r" {0,2}[^ #]", lines[i])), len(lines))
    new = [*lines[:start], *(f"  {line}" for line in block.splitlines()), *lines[end:], ""]
    write_atomically(path, "\n".join(new).encode())
    return len(digests)


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
    if not pin.files:
        raise PinMismatch(
            f"params.yaml: pins.{name}: found no digests of files. Compute them: thrive fetch --pin {name}"
        )
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
