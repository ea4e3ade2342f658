"""A pool of workers: the same function called with many arguments in parallel, one thread each.

A worker may be killed, for want of memory or by an entry: the pool says which call it was, and goes on with the others.
"""

import os
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from benchmark.errors import Stopped

R = TypeVar("R")
Call = tuple[Any, ...]
KILLED = "its worker was killed, for want of memory or by an entry"


class Killed(NamedTuple):
    """Of a call whose worker was killed twice, the second time with no other call beside it."""

    error: str = KILLED


def in_parallel(function: Callable[..., R], calls: Sequence[Call], jobs: int) -> Generator[tuple[int, R | Killed]]:
    """Call a function with each of these arguments in parallel; give the number of each call and its result when it is finished.

    The results do not depend on the number of processes. Where a worker is killed, the calls that were under way are made again one
    by one, each in a worker of its own, so that the one at fault is known; then the others go on.

    Args:
        calls: arguments of each call, the longest first.
        jobs: processes; with 1, all is computed in this one.

    Raises:
        Exception: one that a call raised; what is finished by then has been given.
    """
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

    jobs = max(min(jobs, len(calls)), 2 * apart)  # joblib computes in this very process where there is one job
    try:
        with parallel_config("loky", n_jobs=jobs, inner_max_num_threads=1):
            parallel = Parallel(return_as="generator_unordered")
            yield from parallel(delayed(_called)(function, number, call, under_way) for number, call in calls.items())
    except TerminatedWorkerError:
        raise _Died from None


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


def _called(function: Callable[..., R], number: int, call: Call, under_way: Path) -> tuple[int, R]:
    """Call it in one thread: joblib keeps its workers to one, but with one process there is no worker."""
    from threadpoolctl import threadpool_limits

    os.environ["OMP_NUM_THREADS"] = "1"  # for torch, when it is imported, whatever the shell has exported
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # a fork would lose the tokenizers' threads
    mark = under_way / str(number)
    mark.touch()
    with threadpool_limits(1):
        result = function(*call)
    mark.unlink(missing_ok=True)
    return number, result
