"""Starts of seeds: real data, test set, neutral fit and its loss, which all entries of a seed share.

They are computed once, in a process that never sees an entry, and kept in files named by what can change them and by the checksum of
their bytes. Any process that needs one reads it there, the one that asked for it too: so all have it alike, to the last bit.
"""

import contextlib
import fcntl
import io
import pickle
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmark import stamps
from benchmark.core.loop import start_of
from benchmark.core.task import Start, Task
from benchmark.errors import Stopped, ThriveError
from benchmark.runs.cells import checksum, write_atomically
from benchmark.runs.process import in_a_process_of_its_own, last_lines

OF_NUMPY = {
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy._core.numeric", "_frombuffer"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
}
"""The functions that rebuild arrays."""


class Starts(NamedTuple):
    """The starts of a block of seeds, as the bytes of their file."""

    content: bytes
    cpu_seconds: float
    """CPU seconds that computing them took now; 0 where they were read from a file."""


def starts(folder: Path, key: str, task: Task, seeds: range, seconds: float) -> Starts:
    """The starts of these seeds: from the folder, or computed and kept there.

    Of several processes that need the same, one computes.

    Args:
        key: of all that can change them.
        seconds: that computing them may take.

    Raises:
        ThriveError: they could not be computed.
        Changed: code or data were edited meanwhile.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / f"{key}.lock"):
        content = _kept(folder, key)
        if content is not None:
            return Starts(content, 0.0)
        content, cpu_seconds = _computed(task, seeds, seconds)
        stamps.check(task.files.values())  # what was loaded on the way may be an edit
        write_atomically(folder / f"{key}.{checksum(content)}.start", content)
        return Starts(content, cpu_seconds)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """The system unlocks it also where a process is killed."""
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _kept(folder: Path, key: str) -> bytes | None:
    for path in folder.glob(f"{key}.*.start"):
        content = path.read_bytes()
        if checksum(content) == path.name.split(".")[1]:
            return content
        print(f"{path}: truncated or edited since it was written; computing it again.", file=sys.stderr)
        path.unlink()
    return None


def _computed(task: Task, seeds: range, seconds: float) -> tuple[bytes, float]:
    def work() -> dict[str, Any]:
        try:
            return {"content": np.frombuffer(packed(task, [start_of(task, seed) for seed in seeds]), np.uint8)}
        except ThriveError as error:
            return {"error": str(error)}

    with tempfile.TemporaryDirectory(prefix="thrive-") as home, tempfile.TemporaryFile() as printed:
        ended = in_a_process_of_its_own(work, seconds, Path(home), printed)
        last = " ".join(last_lines(printed).splitlines()[-1:])
    if ended.answer is None:
        how = "was not finished in time" if ended.status is None else f"ended with status {ended.status}"
        raise Stopped(f"the start of seeds {seeds.start}:{seeds.stop} {how}: {last}")
    if "error" in ended.answer:
        raise ThriveError(ended.answer["error"])
    return ended.answer["content"].tobytes(), ended.cpu_seconds


def packed(task: Task, starts_of_seeds: list[Start]) -> bytes:
    """Starts as bytes. A model that is not made of arrays is taken apart by its task."""
    plain: Callable[[Any], Any] = getattr(task, "plain_model", _as_it_is)
    return pickle.dumps([tuple(start._replace(model=plain(start.model))) for start in starts_of_seeds], protocol=5)


def unpacked(task: Task, content: bytes) -> list[Start]:
    """The starts of `packed`; nobody can write to their arrays."""
    model_of: Callable[[Any], Any] = getattr(task, "model_of", _as_it_is)
    starts_of_seeds = [Start(*parts) for parts in _Plain(io.BytesIO(content)).load()]
    for start in starts_of_seeds:
        for array in start[:3]:
            if isinstance(array, np.ndarray):
                array.flags.writeable = False
    return [start._replace(model=model_of(start.model)) for start in starts_of_seeds]


def _as_it_is(model: Any) -> Any:
    return model


class _Plain(pickle.Unpickler):
    """Makes arrays, and objects of the harness's own classes; calls nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        ours = module.startswith("benchmark.tasks.") or module == "benchmark.core.history"
        kind = super().find_class(module, name) if ours or (module, name) in OF_NUMPY else None
        if kind is None or (ours and not isinstance(kind, type)):
            raise pickle.UnpicklingError(f"a start holds {module}.{name}")
        return kind
