"""A data set of one's own, as the language model reads it: three Parquet files of real text in a folder.

    python -m benchmark.recipes.own_data SOURCE FOLDER [--columns question answer] [--revision COMMIT] [--validation 0.1] [--test 0.1]

reads whatever `datasets` reads (a Parquet, JSONL, CSV or text file, a folder of them, or a data set of the hub at a revision), maps one
column to `text` (layout texts), or two to `prompt` and `response` (layouts pairs and chat), leaves out rows without text and repeated
ones, and writes FOLDER/train.parquet, validation.parquet and test.parquet. Splits that the source has stay as they are, a split named
dev or valid as validation; those that it lacks are cut from its training rows, at random from a fixed seed.
"""

import argparse
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.errors import ThriveError

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

SEED = 2410
FORMATS = {".parquet": "parquet", ".jsonl": "json", ".json": "json", ".csv": "csv", ".txt": "text"}
NAMES = {1: ["text"], 2: ["prompt", "response"]}
ALIASES = {"validation": ("dev", "valid", "val"), "test": ()}


def read(source: str, revision: str | None = None) -> "DatasetDict":
    """All splits of a file, a folder or a data set of the hub.

    Raises:
        ThriveError: there is no such source, it is of no known format, or it is of the hub and has no revision of 40 hex digits.
    """
    path = Path(source)
    if path.is_file():
        if path.suffix not in FORMATS:
            raise ThriveError(f"{path}: found a file '{path.suffix}', expected {', '.join(FORMATS)}.")
        given = {"path": FORMATS[path.suffix], "data_files": str(path)}
    elif path.is_dir():
        given = {"path": str(path)}
    elif revision is None or not re.fullmatch("[0-9a-f]{40}", revision):
        raise ThriveError(
            f"{source}: no such file or folder; and a data set of the hub needs --revision, a commit of 40 hex digits, found {revision}."
        )
    else:
        os.environ["HF_HUB_OFFLINE"] = (
            "0"  # read when datasets is imported; unlike this, a run reads nothing from the hub
        )
        given = {"path": source, "revision": revision}
    from datasets import disable_progress_bars, load_dataset

    disable_progress_bars()
    try:
        with tempfile.TemporaryDirectory() as cache:
            return load_dataset(**given, cache_dir=cache, keep_in_memory=True)
    except Exception as error:  # of many kinds
        raise ThriveError(
            f"{source}: datasets cannot read it: {type(error).__name__}: {str(error).splitlines()[0]}"
        ) from error


def mapped(rows: "Dataset", columns: list[str]) -> "Dataset":
    """The named columns under the names that a layout reads, without rows that have no text there.

    Raises:
        ThriveError: a column is missing, or holds other things than text.
    """
    missing = [name for name in columns if name not in rows.column_names]
    if missing:
        raise ThriveError(f"--columns: found {', '.join(missing)}, expected some of {', '.join(rows.column_names)}.")
    rows = rows.select_columns(columns)
    other = {
        name: kind
        for name, kind in ((name, getattr(kind, "dtype", type(kind).__name__)) for name, kind in rows.features.items())
        if kind not in ("string", "large_string")
    }
    if other:
        raise ThriveError(f"--columns: {', '.join(other)}: found {', '.join(map(str, other.values()))}, expected text.")
    rows = rows.filter(lambda row: all(row.values()), keep_in_memory=True)
    return rows.rename_columns(dict(zip(columns, NAMES[len(columns)], strict=True)))


def without(rows: "Dataset", seen: set[tuple[str, ...]]) -> "Dataset":
    """The rows that are not seen yet, each once; they are seen from now on."""

    def is_new(row: dict[str, str]) -> bool:
        key = tuple(row.values())
        new = key not in seen
        seen.add(key)
        return new

    return rows.filter(is_new, keep_in_memory=True)


def split(found: "DatasetDict", columns: list[str], shares: dict[str, float]) -> "dict[str, Dataset]":
    """Test, validation and training rows; none is in two of them."""
    named = {name: next((n for n in (name, *ALIASES[name]) if n in found), None) for name in ("test", "validation")}
    train = mapped(found["train"] if "train" in found else next(iter(found.values())), columns)
    seen: set[tuple[str, ...]] = set()
    splits = {name: without(mapped(found[own], columns), seen) for name, own in named.items() if own is not None}
    train = without(train, seen)
    count = len(train)
    for name in [name for name, own in named.items() if own is None]:
        cut = train.train_test_split(test_size=max(1, round(shares[name] * count)), seed=SEED, keep_in_memory=True)
        train, splits[name] = cut["train"], cut["test"]
    return splits | {"train": train}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmark.recipes.own_data", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("source", help="file, folder, or data set of the hub")
    parser.add_argument("folder", type=Path, help="to write to")
    parser.add_argument(
        "--columns",
        nargs="+",
        help="one column of texts, or two of prompts and responses; else those that a layout reads",
    )
    parser.add_argument("--revision", help="commit of a data set of the hub")
    for name in ("validation", "test"):
        parser.add_argument(
            f"--{name}",
            type=float,
            default=0.1,
            help=f"share of rows cut for {name}, where the source has no such split",
        )
    given = parser.parse_args(arguments)
    try:
        found = read(given.source, given.revision)
        there = next(iter(found.values())).column_names
        columns = given.columns or next((names for names in NAMES.values() if {*names} <= {*there}), there[:1])
        if len(columns) not in NAMES:
            raise ThriveError(
                f"--columns: found {len(columns)} names, expected one of texts, or two of prompts and responses."
            )
        splits = split(found, columns, {name: getattr(given, name) for name in ("validation", "test")})
    except ThriveError as error:
        parser.exit(1, f"{error}\n")
    given.folder.mkdir(parents=True, exist_ok=True)
    for name, rows in splits.items():
        rows.to_parquet(given.folder / f"{name}.parquet")
        print(f"{given.folder / name}.parquet: {len(rows)} rows of {' and '.join(rows.column_names)}")


if __name__ == "__main__":
    main()
