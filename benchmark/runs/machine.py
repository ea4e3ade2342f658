"""Whether this machine can run an instance."""

import contextlib
import os
from pathlib import Path

from benchmark.errors import BadParams
from benchmark.runs.params import Instance

CONTAINERS_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Files that hold a container's limit of memory, in bytes, or "max": of version 2 and 1 of Linux' control groups."""


def memory_limit() -> int:
    """Bytes that this process may use: the machine's memory, or less in a container."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in map(Path, CONTAINERS_LIMITS):
        with contextlib.suppress(OSError, ValueError):  # another system, or no limit
            limits.append(int(path.read_text()))
    return min(limits)


def cores() -> int:
    """Those that this process may use: of an affinity mask, a container's or a scheduler's share, not all that the machine has."""
    from joblib import cpu_count

    return int(cpu_count())


def require_machine(one: Instance) -> None:
    """Whether this machine can run an instance.

    Raises:
        BadParams: it has not the memory, the device or the files.
    """
    width = one.task.dimension or 1
    doubles = (one.horizon + 1) * one.task.n * width + width**2  # the pool, and a map of its columns
    memory = memory_limit()
    if 8 * doubles > memory:
        raise BadParams(
            f"{one.key}: {one.name}: a pool of {one.horizon + 1} generations needs about {8 * doubles / 1e9:.3g} GB, and this machine "
            f"has {memory / 1e9:.3g}. Lower n or the horizon."
        )
    if (obstacle := obstacle_of(one)) is not None:
        raise BadParams(f"{one.key}: {obstacle}")


def obstacle_of(one: Instance) -> str | None:
    """What the files or devices of this machine lack for an instance; None where nothing."""
    found: str | None = getattr(one.task, "obstacle", None)
    return found
