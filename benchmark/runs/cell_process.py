"""A cell, computed: an entry's code runs in a process of its own, forked for this cell, and what it does there reaches no other cell.

The process that forks it, a worker of the sweep, never loads an entry. It checks that what is loaded is what the cell's key says:
the entry from a private copy, code and data of the harness by their digests, and by their stamps once the cell is computed.
"""

import contextlib
import mmap
import os
import resource
import signal
import struct
import tempfile
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple

from pyarrow import ArrowException

from benchmark import stamps
from benchmark.core.loop import run
from benchmark.entries import snapshot
from benchmark.entries.entry import Entry
from benchmark.entries.loading import named_run, text_of
from benchmark.errors import Changed, ThriveError, Unsupported
from benchmark.messages import one_line
from benchmark.runs import pins
from benchmark.runs.cells import Cell, packed
from benchmark.runs.machine import memory_limit
from benchmark.runs.process import Ended, in_a_process_of_its_own, last_lines
from benchmark.runs.starts import starts, unpacked
from benchmark.runs.time_limit import TimedOut, time_limit
from benchmark.runs.warm_up import warm_up

GRACE = 5.0
"""Seconds for which an entry may ignore that its time is over."""

LONGEST = 3000
"""Characters of an error that are shown."""
LARGEST_FILE = 1 << 30
"""Bytes that an entry's process may write to one file."""
REACHED = struct.Struct("<qq")
"""Seed and iteration."""
Answer = dict[str, Any]
"""What an entry's process sends: its records, or why the entry refuses, or an error with details."""


class Failure(NamedTuple):
    """A cell that could not be computed, and why."""

    cell: Cell
    error: str
    details: str  # a traceback, where the error does not say itself how to mend it


class Finished(NamedTuple):
    """A computed cell."""

    cell: Cell
    content: bytes  # of its file
    cpu_seconds: float


class Failed(Exception):
    """An entry's process failed: error and details."""


def compute(cell: Cell, folder: Path, common: dict[str, Any], seconds: float) -> Finished | Failure:
    """Compute a cell, in a worker: its records, with the provenance that all cells share and with its own.

    Args:
        folder: keeps the starts of seeds.
        seconds: the most that a cell may take.
    """
    began = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory(prefix="thrive-") as scratch:
            answer, cpu_seconds = _answer(cell, folder, common, seconds, Path(scratch))
        refused = answer.get("refused")
        took = {
            "cell": str(cell),
            "date": datetime.now(UTC).date().isoformat(),
            "refused": refused,
            "dtype": None if refused else cell.arithmetic,
            "wall_seconds": round(time.perf_counter() - began, 3),
            "cpu_seconds": round(cpu_seconds, 3),
        }
        content = packed(answer.get("records", []), {**common, **took})
    except Failed as failure:
        error, details = failure.args
        return Failure(
            cell, one_line(error, LONGEST), "\n".join(one_line(line, LONGEST) for line in details.splitlines())
        )
    except (ThriveError, OSError, ArrowException) as error:
        return Failure(cell, one_line(f"{type(error).__name__}: {error}", LONGEST), "")
    except Exception as error:  # a fault of the harness, or a library's: the other cells go on
        return Failure(cell, f"{type(error).__name__}: {error}", traceback.format_exc())
    return Finished(cell, content, cpu_seconds)


def _answer(cell: Cell, folder: Path, common: dict[str, Any], seconds: float, scratch: Path) -> tuple[Answer, float]:
    """What the entry's process answers, and the CPU seconds that it took.

    Raises:
        Failed: there is none.
        Changed: it may be that of something else than what the key says.
    """
    entry = snapshot.copy(cell.entry, scratch)
    _check_key(cell, entry)
    task = cell.instance.task
    try:
        entry.must_fit(cell.instance.task_setting)
    except Unsupported as reason:
        return {"refused": str(reason)}, 0.0
    warm_up(task)
    given = starts(folder, cell.key_of_starts(common), task, cell.seeds, seconds)
    home = scratch / "home"
    home.mkdir()
    with tempfile.TemporaryFile() as printed:
        reached = mmap.mmap(-1, REACHED.size)  # shared with the process: where it is, should it end without a word
        REACHED.pack_into(reached, 0, cell.seeds.start, 1)
        work = partial(_run, entry, cell, given.content, seconds, reached)
        ended = in_a_process_of_its_own(work, seconds + GRACE, home, printed)
        seed, t = REACHED.unpack_from(reached)
        answer = _sound(ended, cell, seconds, printed, f"seed {seed}, iteration {t}")
    stamps.check(task.files.values())
    if "error" in answer:
        original, copied = str(cell.entry.folder), str(entry.folder)
        raise Failed(*(str(answer[name]).replace(copied, original) for name in ("error", "details")))
    return answer, given.cpu_seconds + ended.cpu_seconds


def _check_key(cell: Cell, entry: Entry) -> None:
    """Hold the key of what this process has loaded, and of the copy of the entry, against the cell's."""
    loaded = Cell(cell.instance, entry, cell.seeds, pins.digest_of_files(cell.instance.task.files))
    if loaded.code != cell.code:
        raise Changed(f"{stamps.PACKAGE}: the code")
    if loaded.files != cell.files:
        raise Changed(f"{cell.instance.name}: a file that it reads")
    if loaded.key != cell.key:
        raise Changed(cell.entry.folder)


def _sound(ended: Ended, cell: Cell, seconds: float, printed: IO[bytes], where: str) -> Answer:
    """The answer of an entry's process, if it is one.

    Args:
        where: seed and iteration that it had reached.

    Raises:
        Failed: it is none.
    """
    if ended.status is None:
        stubborn = "and it went on when told to stop: an endless loop?"
        raise Failed(f"TimedOut: not finished in {seconds:.0f} s, {stubborn} ({where})", last_lines(printed))
    if ended.answer is None:
        raise Failed(f"its process ended without an answer, {_cause(ended.status)} ({where})", last_lines(printed))
    answer = ended.answer
    kinds = {"records": list, "refused": str, "error": str, "details": str}
    if not isinstance(answer, dict) or {*answer} not in ({"records"}, {"refused"}, {"error", "details"}):
        raise Failed("its process sent what is no answer", last_lines(printed))
    if not all(isinstance(value, kinds[name]) for name, value in answer.items()):
        raise Failed("its process sent what is no answer", last_lines(printed))
    expected = [(seed, t) for seed in cell.seeds for t in range(1, cell.instance.horizon + 1)]
    if "records" in answer and [_place(record) for record in answer["records"]] != expected:
        raise Failed("its process sent other records than those of this cell", last_lines(printed))
    return answer


def _place(record: Any) -> tuple[Any, Any]:
    return (record.get("seed"), record.get("t")) if isinstance(record, dict) else (None, None)


def _cause(status: int) -> str:
    return f"with status {status}" if status >= 0 else f"killed by {signal.Signals(-status).name}"


def _run(entry: Entry, cell: Cell, content: bytes, seconds: float, reached: mmap.mmap) -> Answer:
    """Run all seeds of the cell. This is called in the entry's process."""
    instance = cell.instance
    records: list[dict[str, Any]] = []
    try:
        with _limits(seconds):
            for seed, start in zip(cell.seeds, unpacked(instance.task, content), strict=True):
                for record in named_run(
                    run(instance.task, entry.make, entry.rules, seed, instance.horizon, start), seed
                ):
                    records.append(record)
                    REACHED.pack_into(reached, 0, seed, record["t"] + 1)
    except Unsupported as reason:  # no fault: the board shows a dash with the reason
        return {"refused": str(reason)}
    except BaseException as error:  # a stranger's code may raise anything
        expected = isinstance(error, (ThriveError, TimedOut))
        return {"error": text_of(error), "details": "" if expected else traceback.format_exc()}
    return {"records": records}


def _address_space() -> int:
    """Bytes of addresses that this process has reserved; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


@contextlib.contextmanager
def _limits(seconds: float) -> Iterator[None]:
    """A stranger's endless loop ends, and what would take more memory than there is raises MemoryError: other cells go on."""
    memory = _address_space() + memory_limit()  # libraries reserve far more addresses than they ever fill
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (memory if most < 0 else min(memory, most), most))
    _, largest = resource.getrlimit(resource.RLIMIT_FSIZE)  # what it prints is a file, too
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE if largest < 0 else min(LARGEST_FILE, largest), largest))
    with time_limit(seconds, f"not finished in {seconds:.0f} s: an endless loop?"):
        yield
