"""A pool of workers: the same function called with many arguments in parallel, one thread each."""

import os
from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

from benchmark.errors import Stopped

R = TypeVar("R")


def in_parallel(
    function: Callable[..., R], calls: Sequence[tuple[Any, ...]], jobs: int, in_order: bool = False
) -> Generator[R]:
    """Call a function with each of these arguments in parallel, and give each result when it is finished.

    The results do not depend on the number of processes.

    Args:
        calls: arguments of each call, the longest first.
        jobs: processes; with 1, all is computed in this one.
        in_order: give what was returned in the order of the calls.

    Raises:
        Stopped: a worker was killed.
        Exception: one that a call raised; what is finished by then has been given.
    """
    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky.process_executor import TerminatedWorkerError  # type: ignore[import-untyped]

    if not calls:
        return
    order = "generator" if in_order else "generator_unordered"
    try:
        with parallel_config("loky", n_jobs=min(jobs, len(calls)), inner_max_num_threads=1):
            yield from Parallel(return_as=order)(delayed(_in_one_thread)(function, *call) for call in calls)
    except TerminatedWorkerError:
        # by whoever runs the machine, or by an entry, which runs with the same rights
        raise Stopped(
            "a worker was killed, for want of memory or by an entry: what is finished is kept. Run it again, with -j 1 to see at which cell."
        ) from None


def _in_one_thread(function: Callable[..., R], *arguments: Any) -> R:
    """joblib keeps its workers to one thread, but with one process there is no worker."""
    from threadpoolctl import threadpool_limits

    os.environ["OMP_NUM_THREADS"] = "1"  # for torch, when it is imported, whatever the shell has exported
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # a fork would lose the tokenizers' threads
    with threadpool_limits(1):
        return function(*arguments)
