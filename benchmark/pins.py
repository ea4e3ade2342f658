"""Embedded data and checkpoints, each file of which must have the sha256 that params.yaml states."""

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


def _verify(root: Path, name: str, pin: Pin) -> None:
    for file, expected in pin.files.items():
        path = root / pin.folder / file
        if not path.is_file():
            raise PinMismatch(f"{path}: no such file (pin '{name}'). Restore it: git checkout -- {pin.folder}")
        found = digest_of_file(path)
        if found != expected:
            raise PinMismatch(
                f"{path}: sha256 is {found}, and params.yaml pins {expected} (pins.{name}).\n"
                f"Restore it: git checkout -- {pin.folder}; or, if you meant to change it, change the pin."
            )
