"""Cells that other machines computed: what of a folder is taken over into this clone's store."""

from dataclasses import dataclass, field
from pathlib import Path

from benchmark.errors import ThriveError
from benchmark.runs.carry import known_cells
from benchmark.runs.cells import checksum, files_in, is_as_written, keys_in, table_of, write_atomically


@dataclass
class Merged:
    """What became of the files of a folder.

    Attributes:
        new: cells that were taken over.
        known: cells that are here already.
        stale: cells whose key no entry and instance of this clone has: of other code, numbers or entries.
        spoiled: files whose content is not what was written, with both checksums, or no cell of this schema.
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
    files = files_in(folder)
    if not files:
        raise ThriveError(
            f"{folder}: found no finished cells. Expected the folder `cells` of another clone, or a copy of it."
        )
    here = root / "cells"
    cells = {cell.key: cell for cell in known_cells(root, keys_in(folder) | keys_in(here))}
    present = keys_in(here)
    found = Merged()
    for key, path in files:
        content = path.read_bytes()
        if not is_as_written(path, content):
            written = path.name.split(".")[1]
            found.spoiled.append(f"{path.name}: found checksum {checksum(content)}, expected {written}")
        elif key not in cells:
            found.stale.append(path.name)
        elif table_of(cells[key], content) is None:
            found.spoiled.append(f"{path.name}: its records are not those of {cells[key]}")
        elif key in present:
            found.known += 1
        else:
            write_atomically(here / path.name, content)
            found.new += 1
    return found
