"""Cells that other machines computed: what of a folder is taken over into this clone's store."""

from dataclasses import dataclass, field
from pathlib import Path

from benchmark.errors import ThriveError
from benchmark.runs.carry import known_cells
from benchmark.runs.cells import Store, checksum, write_atomically


@dataclass
class Merged:
    """What became of the files of a folder.

    Attributes:
        new: cells that were taken over.
        known: cells that are here already.
        stale: cells whose key no entry and instance of this clone has: of other code, numbers or entries.
        spoiled: files whose content is not what was written, with both checksums.
    """

    new: int = 0
    known: int = 0
    stale: list[str] = field(default_factory=list)
    spoiled: list[str] = field(default_factory=list)


def merge(root: Path, folder: Path) -> Merged:
    """Take over the finished cells of a folder, after checking each one's key and checksum; nothing there or here is changed else.

    Raises:
        ThriveError: there is no such folder, or it has no cells.
    """
    files = sorted(folder.glob("*.*.parquet"))
    if not files:
        raise ThriveError(
            f"{folder}: found no finished cells. Expected the folder `cells` of another clone, or a copy of it."
        )
    keys = {cell.key for cell in known_cells(root)}
    store = Store(root / "cells")
    here = {path.name for path in store.folder.glob("*.*.parquet")}
    found = Merged()
    for path in files:
        key, written, _ = path.name.split(".", 2)
        content = path.read_bytes()
        if checksum(content) != written:
            found.spoiled.append(f"{path.name}: found checksum {checksum(content)}, expected {written}")
        elif key not in keys:
            found.stale.append(path.name)
        elif path.name in here:
            found.known += 1
        else:
            write_atomically(store.folder / path.name, content)
            found.new += 1
    return found
