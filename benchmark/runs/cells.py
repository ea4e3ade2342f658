"""Records and cells: what was measured, written once and never edited.

A cell is an instance × an entry × a block of seeds: the unit of work and of resuming. Its key is a hash of all in the repository
that can change its numbers and of nothing else; versions of libraries stand in its provenance instead. It is one Parquet file with its own provenance, named by its key and by the
checksum of its bytes.
"""

import hashlib
import io
import json
import os
import sys
import tempfile
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.digest.hashes import digest
from benchmark.entries.entry import Entry
from benchmark.errors import ThriveError
from benchmark.runs.keys import digest_of_task_setting
from benchmark.runs.params import Instance

SCHEMA_VERSIONS: dict[str, int] = {}
"""Version of the records by task-setting, 1 where none is named. A higher one computes the cells of this task-setting again, and no others."""

COLUMNS = frozenset({
    "seed", "t", "test_loss", "real_loss", "simplest_loss", "status", "training_rows", "candidates", "fresh_real_rows", "verifier_rows", "texts",
})  # fmt: skip
"""What the records of every task-setting hold."""


@dataclass(frozen=True)
class Cell:
    """The work of one worker at a time."""

    instance: Instance
    entry: Entry
    seeds: range
    files: str  # digest of the files that the instance reads

    @cached_property
    def code(self) -> str:
        """Digest of the harness's code that makes its numbers."""
        return digest_of_task_setting(self.instance.task_setting, *self.entry.ours)

    @property
    def schema_version(self) -> int:
        return SCHEMA_VERSIONS.get(self.instance.task_setting, 1)

    @cached_property
    def key(self) -> str:
        """32 hex digits."""
        instance = self.instance
        return digest(
            self.schema_version,
            self.code,
            type(instance.task).__qualname__,
            self.entry.digest,
            instance.task_setting,
            asdict(instance.task),  # type: ignore[call-overload]
            instance.horizon,
            list(self.seeds),
            self.files,
            self.entry.card.not_for.get(instance.task_setting),
        )[:32]

    def key_of_starts(self, common: dict[str, Any]) -> str:
        """Digest of all that can change the starts of its seeds. Starts are not kept for long, so that versions of libraries count in it."""
        made_by = [common[name] for name in ("versions", "python", "platform")]
        task = asdict(self.instance.task)  # type: ignore[call-overload]
        code = digest_of_task_setting(self.instance.task_setting)
        parts = code, self.instance.task_setting, task, list(self.seeds), self.files, self.arithmetic, made_by
        return digest(self.schema_version, *parts)[:32]

    @property
    def arithmetic(self) -> str:
        """The number format in which it computes on this machine."""
        return getattr(self.instance.task, "arithmetic", "float64")

    @property
    def seconds(self) -> float:
        """Estimated, on one core."""
        fits = self.instance.task_setting not in self.entry.card.not_for
        return self.instance.seconds * len(self.seeds) * fits

    def __str__(self) -> str:
        seeds = f"{self.seeds.start}:{self.seeds.stop}"
        return f"{self.instance.task_setting} {self.instance.name} · {self.entry.id} · seeds {seeds}"


def files_in(folder: Path) -> list[tuple[str, Path]]:
    """The files of a folder of finished cells, sorted, each with the key in its name. Their content is not checked."""
    return [(path.name.split(".")[0], path) for path in sorted(folder.glob("*.*.parquet"))]


def keys_in(folder: Path) -> set[str]:
    """The keys of a folder's finished cells."""
    return {key for key, _ in files_in(folder)}


def is_as_written(path: Path, content: bytes) -> bool:
    """Whether a file of a finished cell still has the content whose checksum its name holds."""
    return checksum(content) == path.name.split(".")[1]


class Store:
    """A folder of finished cells. Writing is atomic: a cell is there whole, or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._files = dict(files_in(folder))

    def read(self, cell: Cell) -> pa.Table | None:
        """The records of a cell; None where it is not finished, or no longer what was written.

        Raises:
            ThriveError: its file holds other records than those of this cell, though its checksum fits. The file is removed.
        """
        content = self._content(cell)
        if content is None:
            return None
        table = table_of(cell, content)
        if table is None:
            self._forget(cell)
            raise ThriveError(
                f"{self.folder}: the file of '{cell}' held other records than those of this cell, though its checksum fits: it was written "
                "by another version of Thrive, or by hand. It is removed, and all others are kept: the same command computes it again."
            )
        return table

    def __contains__(self, cell: Cell) -> bool:
        """Whether a cell is finished, and what was written."""
        return self._content(cell) is not None

    def _content(self, cell: Cell) -> bytes | None:
        path = self._files.get(cell.key)
        if path is None:
            return None
        try:
            content = path.read_bytes()
        except FileNotFoundError:  # removed meanwhile, by another command or by hand
            del self._files[cell.key]
            return None
        if not is_as_written(path, content):
            print(f"{path}: truncated or edited since it was written; computing it again.", file=sys.stderr)
            self._forget(cell)
            return None
        return content

    def _forget(self, cell: Cell) -> None:
        self._files.pop(cell.key).unlink(missing_ok=True)

    def write(self, cell: Cell, content: bytes) -> None:
        """Keep a finished cell, as `packed` made it."""
        path = self.folder / f"{cell.key}.{checksum(content)}.parquet"
        write_atomically(path, content)
        self._files[cell.key] = path
        self._failure_of(cell).unlink(missing_ok=True)

    def write_failure(self, cell: Cell, error: str) -> None:
        """Keep why a cell failed, until it is finished."""
        write_atomically(self._failure_of(cell), error.encode(errors="replace"))

    def failure(self, cell: Cell) -> str | None:
        """Why a cell failed when it was last computed, if it did."""
        path = self._failure_of(cell)
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None

    def _failure_of(self, cell: Cell) -> Path:
        return self.folder / "failed" / f"{cell.key}.txt"


def table_of(cell: Cell, content: bytes) -> pa.Table | None:
    """The records in the content of a cell's file; None where it is no Parquet, or has other columns, seeds or iterations."""
    try:
        table = pq.read_table(io.BytesIO(content))
        provenance = provenance_of(table)
    except (pa.ArrowException, KeyError, TypeError, ValueError, OSError):
        return None
    if not isinstance(provenance, dict) or not {"refused", "cpu_seconds", "versions"} <= set(provenance):
        return None
    refused = provenance["refused"]
    if not (isinstance(provenance["cpu_seconds"], (int, float)) and isinstance(provenance["versions"], dict)):
        return None
    if refused is not None:
        return table if table.num_rows == 0 and isinstance(refused, str) and refused else None
    if not set(table.column_names) >= COLUMNS:
        return None
    steps = np.arange(1, cell.instance.horizon + 1)
    expected = {"seed": np.repeat(cell.seeds, len(steps)), "t": np.tile(steps, len(cell.seeds))}
    return table if all(np.array_equal(table[name].to_numpy(), expected[name]) for name in expected) else None


def packed(records: list[dict[str, Any]], provenance: dict[str, Any]) -> bytes:
    """A finished cell, as the bytes of its file."""
    return as_bytes(pa.Table.from_pylist(records), provenance)


def as_bytes(table: pa.Table, provenance: dict[str, Any]) -> bytes:
    """The same, of a table of records."""
    table = table.replace_schema_metadata({"thrive": json.dumps(provenance, sort_keys=True)})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def provenance_of(table: pa.Table) -> dict[str, Any]:
    """Commit, versions, platform, threads and seconds of a cell."""
    return provenance_of_schema(table.schema)


def provenance_of_schema(schema: pa.Schema) -> dict[str, Any]:
    """The same, of the schema of a cell's records."""
    found: dict[str, Any] = json.loads(schema.metadata[b"thrive"])
    return found


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that whoever reads it, even after a crash, finds all of it or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".writing-", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.name, 0o644)
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


def checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
