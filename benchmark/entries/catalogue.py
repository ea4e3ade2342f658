"""The entries of a clone, by id."""

import os
from collections.abc import Collection
from pathlib import Path

from benchmark import strict_yaml as settings
from benchmark.entries.entry import FOLDERS, Entry
from benchmark.errors import BadEntry


def find(root: Path) -> dict[str, Entry]:
    """All entries under a root, by id: every folder that has a card.yaml or a strategy.py, or that may not be opened. Their cards are read when needed.

    Raises:
        BadEntry: two entries have one id.
    """
    entries: dict[str, Entry] = {}
    files = [
        path for kind in FOLDERS for name in ("card.yaml", "strategy.py") for path in (root / kind).glob(f"*/{name}")
    ]
    closed = [
        path
        for kind in FOLDERS
        for path in (root / kind).glob("*")
        if path.is_dir() and not os.access(path, os.R_OK | os.X_OK)
    ]
    for folder in sorted({*(path.parent for path in files), *closed}):
        entry = Entry(folder)
        if entry.id in entries:
            raise BadEntry(f"{entry.folder} and {entries[entry.id].folder} have one id: rename one folder.")
        entries[entry.id] = entry
    return entries


def sound(entries: dict[str, Entry]) -> tuple[dict[str, Entry], list[BadEntry]]:
    """Those whose card and other files can be read, and the faults of the others, which stop nobody else."""
    faults = []
    good = {}
    for id, entry in entries.items():
        try:
            entry.must_be_readable()
        except BadEntry as fault:
            faults.append(fault)
        else:
            good[id] = entry
    return good, faults


def named(entries: dict[str, Entry], ids: Collection[str]) -> list[Entry]:
    """The entries of these ids.

    Raises:
        BadEntry: there is no such entry (the message names the nearest), or it is one that `sound` leaves out.
    """
    missing = [id for id in ids if id not in entries]
    if missing:
        raise BadEntry(
            f"no entry '{settings.shown_name(missing[0])}'.{settings.nearest(missing[0], entries)} See: thrive list"
        )
    chosen = [entries[id] for id in ids]
    for entry in chosen:
        entry.must_be_readable()
    return chosen
