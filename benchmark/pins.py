"""Embedded data and checkpoints, each file of which must have the sha256 that params.yaml states."""

import importlib.util
from collections.abc import Iterable
from pathlib import Path

from benchmark.digest import digest_of_file
from benchmark.errors import PinMismatch
from benchmark.params import Params, Pin


def verify(root: Path, params: Params, names: Iterable[str]) -> None:
    """Check every file of these pins.

    Raises:
        PinMismatch: a file lacks or differs; the message names file, found and expected.
    """
    for name in names:
        _verify(root, name, params.pins[name])


def folder(root: Path, name: str, pin: Pin) -> Path:
    """Where a pin's files are.

    Raises:
        PinMismatch: they are in a package that is not installed; the message says how to.
    """
    if pin.package is None:
        return root / pin.folder
    found = importlib.util.find_spec(pin.package)  # which does not import it
    if found is None or found.origin is None:
        raise PinMismatch(f"pin '{name}': no package '{pin.package}' is installed. Install it: {pin.source}")
    return Path(found.origin).parent / pin.folder


def _verify(root: Path, name: str, pin: Pin) -> None:
    restore = f"git checkout -- {pin.folder}" if pin.package is None else pin.source
    where = folder(root, name, pin)
    for file, expected in pin.files.items():
        path = where / file
        if not path.is_file():
            raise PinMismatch(f"{path}: no such file (pin '{name}'). Restore it: {restore}")
        found = digest_of_file(path)
        if found != expected:
            raise PinMismatch(
                f"{path}: sha256 is {found}, and params.yaml pins {expected} (pins.{name}).\n"
                f"Restore it: {restore}; or, if you meant to change it, change the pin."
            )
