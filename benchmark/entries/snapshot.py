"""A private copy of an entry: what is hashed is what is loaded, whatever becomes of its folder meanwhile."""

import shutil
from pathlib import Path

from benchmark.digest.hashes import files_under
from benchmark.entries.entry import README, Entry
from benchmark.entries.requirements import LOCK


def copy(entry: Entry, scratch: Path) -> Entry:
    """The entry as it is now, in a scratch folder, with the files that its links lead to, without bytecode and without its README.

    Raises:
        BadEntry: a link leads elsewhere than to another entry.
    """
    _ = entry.sources
    folder = scratch / entry.folder.parent.name / entry.id
    folder.mkdir(parents=True)
    for name, path in files_under(entry.folder).items():
        if name == README:  # is not in the key, and so not to be read
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)
    lock = entry.folder.absolute().parents[1] / LOCK
    if lock.is_file():  # which the entry's own requirements are held against
        shutil.copyfile(lock, scratch / LOCK)
    return Entry(folder)
