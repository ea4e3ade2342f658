"""A pool of workers: the same function called with many arguments in parallel, one thread each.

A worker may be killed, for want of memory or by an entry: the pool says which call it was, and goes on with the others.
"""

import functools
import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from benchmark.errors import Stopped, ThriveError

R = TypeVar("R")
Call = tuple[Any, ...]
HERE = "loky"
GPU, MEMORY = "GPU", "MEMORY"
PATIENCE = 10
"""Seconds that a scheduler may take to answer."""
GLANCE = 1.0
"""Seconds between two looks of a worker at whether its parent lives."""
KILLED = "its worker was killed, for want of memory or by an entry"


Needs = Mapping[str, float]
"""What a call asks of its worker: GPU (1), and MEMORY in bytes."""


class Killed(NamedTuple):
    """Of a call whose worker was killed twice, the second time with no other call beside it; or which no worker can take."""

    error: str = KILLED


def in_parallel(
    function: Callable[..., R], calls: Sequence[Call], jobs: int, where: str = HERE, needs: Sequence[Needs] = ()
) -> Generator[tuple[int, R | Killed]]:
    """Call a function with each of these arguments in parallel; give the number of each call and its result when it is finished.

    The results do not depend on the number of processes. Where a worker is killed, the calls that were under way are made again one
    by one, each in a worker of its own, so that the one at fault is known; then the others go on.

    Args:
        calls: arguments of each call, the longest first.
        jobs: processes; with 1, all is computed in this one.
        where: HERE, on this machine; or the address of a Dask scheduler, whose workers see the same files.
        needs: what each call asks of a worker of Dask, beside one thread.

    Raises:
        ThriveError: no scheduler answers at that address, it ended, or Dask is not installed.
        Exception: one that a call raised; what is finished by then has been given.
    """
    if where != HERE:
        yield from _by_dask(function, calls, where, needs or [{}] * len(calls))
        return
    left = dict(enumerate(calls))
    suspects: list[int] = []
    with tempfile.TemporaryDirectory(prefix="thrive-calls-") as folder:
        while left:
            apart = bool(suspects)
            batch = [suspects.pop(0)] if apart else list(left)
            under_way = Path(tempfile.mkdtemp(dir=folder))
            try:
                with closing(_results(function, {n: left[n] for n in batch}, jobs, apart, under_way)) as results:
                    for number, result in results:
                        del left[number]
                        yield number, result
            except _Died:
                if apart:
                    del left[batch[0]]
                    yield batch[0], Killed()
                else:
                    suspects = sorted(int(mark.name) for mark in under_way.iterdir()) or list(left)


class _Died(Exception):
    """A worker of the pool was killed."""


def _results(
    function: Callable[..., R], calls: dict[int, Call], jobs: int, apart: bool, under_way: Path
) -> Generator[tuple[int, R]]:
    """Of one pool. With `apart` even a single call has a worker of its own."""
    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky.process_executor import TerminatedWorkerError  # type: ignore[import-untyped]
    from joblib.parallel import BACKENDS

    if HERE not in BACKENDS:  # no semaphores, as where there is no shared memory: joblib has said so
        yield from (_marked(function, number, call, under_way) for number, call in calls.items())
        return
    jobs = max(min(jobs, len(calls)), 2 * apart)  # joblib computes in this very process where there is one job
    try:
        with parallel_config("loky", n_jobs=jobs, inner_max_num_threads=1):
            parallel = Parallel(return_as="generator_unordered")
            tasks = (delayed(_marked)(function, number, call, under_way, os.getpid()) for number, call in calls.items())
            yield from parallel(tasks)
    except TerminatedWorkerError:
        raise _Died from None


def _by_dask(
    function: Callable[..., R], calls: Sequence[Call], address: str, needs: Sequence[Needs]
) -> Generator[tuple[int, R | Killed]]:
    """By the workers of a Dask scheduler, which makes a call again where a worker is killed, up to its `allowed-failures`.

    Not through joblib's Dask backend: it loses the error of a worker that was killed, and waits for ever.
    """
    try:
        from distributed import Client, KilledWorker, as_completed
    except ImportError:
        raise ThriveError(f"{address}: Dask is not installed. To have it: pip install 'thrive-bench[dask]'") from None
    try:
        client: Any = Client(address.replace("dask://", "tcp://"), timeout=PATIENCE)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ThriveError(
            f"{address}: no Dask scheduler answers there within {PATIENCE} s ({type(error).__name__}). Start one: dask scheduler"
        ) from None
    for name in (
        "distributed",
        "distributed.client",
    ):  # of a scheduler that ends they print tracebacks; we say it in a line
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with client:
        client.wait_for_workers(1)
        workers = [worker["resources"] for worker in client.scheduler_info(n_workers=-1)["workers"].values()]
        numbers = {}
        for number, (call, needed) in enumerate(zip(calls, needs, strict=True)):
            asked, lacking = _of_workers(needed, workers)
            if lacking:
                yield number, Killed(lacking)
            else:
                future = client.submit(_in_one_thread, function, call, pure=False, resources=asked or None)
                numbers[future] = number
        for future in as_completed(numbers):  # type: ignore[no-untyped-call]
            if future.status in ("cancelled", "lost"):
                raise ThriveError(
                    f"{address}: the scheduler ended. Finished cells are kept: start it, and repeat the command."
                )
            fault = future.exception() if future.status == "error" else None
            if fault is not None and not isinstance(fault, KilledWorker):
                raise fault
            if fault is None:
                yield numbers.pop(future), future.result()
        for (
            number
        ) in numbers.values():  # Dask blames all calls that waited for the worker: each is made once more, alone
            asked, _ = _of_workers(needs[number], workers)
            future = client.submit(_in_one_thread, function, calls[number], pure=False, resources=asked or None)
            try:
                yield number, future.result()
            except KilledWorker:
                yield number, Killed()


def _of_workers(needed: Needs, workers: Sequence[Needs]) -> tuple[dict[str, float], str]:
    """What a call asks of Dask, which knows of a worker's memory and GPUs what the worker declares; and what no worker has, in words.

    Memory is asked for where workers declare it. A call that Dask can give to nobody would wait for ever.
    """
    asked = {name: amount for name, amount in needed.items() if name == GPU or any(name in each for each in workers)}
    if any(all(each.get(name, 0) >= amount for name, amount in asked.items()) for each in workers):
        return asked, ""
    wanted = ",".join(f"{name}={amount:.0f}" for name, amount in asked.items())
    return asked, f"no worker declares what it needs: dask worker … --resources '{wanted}'"


def all_of(function: Callable[..., R], calls: Sequence[Call], jobs: int) -> list[R]:
    """All results, in the order of the calls.

    Raises:
        Stopped: a worker was killed, and again when its call was made once more.
        Exception: one that a call raised.
    """
    found: dict[int, R] = {}
    for number, result in in_parallel(function, calls, jobs):
        if isinstance(result, Killed):
            raise Stopped(f"{function.__name__}, call {number + 1} of {len(calls)}: {result.error}.")
        found[number] = result
    return [found[number] for number in range(len(calls))]


def _marked(
    function: Callable[..., R], number: int, call: Call, under_way: Path, parent: int | None = None
) -> tuple[int, R]:
    """Make a call, with a mark in a folder for as long as it is under way; in a worker, which ends with its parent."""
    if parent is not None and parent != os.getpid():
        _end_with(parent)
    mark = under_way / str(number)
    mark.touch()
    result = _in_one_thread(function, call)
    mark.unlink()
    return number, result


@functools.cache
def _end_with(parent: int) -> None:
    """End this process when its parent has ended, killed as it may be: else joblib's workers would wait five minutes for more calls."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(GLANCE)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _in_one_thread(function: Callable[..., R], call: Call) -> R:
    """joblib keeps its workers to one thread, but with one process there is no worker; a worker of Dask has its own limits."""
    from threadpoolctl import threadpool_limits

    os.environ["OMP_NUM_THREADS"] = "1"  # for torch, when it is imported, whatever the shell has exported
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # a fork would lose the tokenizers' threads
    with threadpool_limits(1):
        return function(*call)
