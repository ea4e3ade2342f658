"""Whether this machine can run an instance."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from benchmark.errors import BadParams
from benchmark.runs.params import Instance
from benchmark.runs.pool_of_workers import GPU, MEMORY

GROUPS = Path("/proc/self/cgroup")
"""The control groups of this process, of Linux: lines `number:controllers:path`."""
LIMITS = {"": ("", "memory.max"), "memory": ("memory", "memory.limit_in_bytes")}
"""By controllers of version 2 and 1: folder of the groups under `MOUNT`, and file with the limit, in bytes or "max"."""
MEMORY_OF_LIBRARIES = {"language_model": 2e9}
"""Bytes, with the network of the embedded checkpoint; 0.5 GB elsewhere."""
MOUNT = Path("/sys/fs/cgroup")


def memory_limit() -> int:
    """Bytes that this process may use: the machine's memory, or less in a container or in a scheduler's job."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in _files_of_limits():
        with contextlib.suppress(OSError, ValueError):  # another system, or no limit
            limits.append(int(path.read_text()))
    return min(limits)


def _files_of_limits() -> Iterator[Path]:
    """Those of this process's group and of all above it. In a container, the group may be what is mounted itself."""
    groups = dict.fromkeys(LIMITS, "/")
    with contextlib.suppress(OSError):
        for line in GROUPS.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            groups.update(dict.fromkeys(set(controllers.split(",")) & set(LIMITS), path))
    for controllers, path in groups.items():
        folder, name = LIMITS[controllers]
        group = MOUNT / folder / path.lstrip("/")
        yield from (each / name for each in (group, *group.parents) if each.is_relative_to(MOUNT))


def cores() -> int:
    """Those that this process may use: of an affinity mask, a container's or a scheduler's share, not all that the machine has."""
    from joblib import cpu_count

    return int(cpu_count())


def memory_of_pool(one: Instance) -> int:
    """Bytes, of all generations of a run and of a map of their columns."""
    width = one.task.dimension or 1
    return 8 * ((one.horizon + 1) * one.task.n * width + width**2)


def needs(one: Instance) -> dict[str, float]:
    """What a cell of an instance asks of a worker: bytes of memory, and a GPU where it computes on one. It takes one core, as all do."""
    device = getattr(one.task, "device", "cpu")
    memory = MEMORY_OF_LIBRARIES.get(one.task_setting, 5e8) + memory_of_pool(one)
    return {MEMORY: memory} if device == "cpu" else {MEMORY: memory, GPU: 1}


def require_machine(one: Instance) -> None:
    """Whether this machine can run an instance.

    Raises:
        BadParams: it has not the memory, the device or the files.
    """
    memory, pool = memory_limit(), memory_of_pool(one)
    if pool > memory:
        raise BadParams(
            f"{one.key}: {one.name}: a pool of {one.horizon + 1} generations needs about {pool / 1e9:.3g} GB, and this machine "
            f"has {memory / 1e9:.3g}. Lower n or the horizon."
        )
    if (obstacle := obstacle_of(one)) is not None:
        raise BadParams(f"{one.key}: {obstacle}")


def obstacle_of(one: Instance) -> str | None:
    """What the files or devices of this machine lack for an instance; None where nothing."""
    found: str | None = getattr(one.task, "obstacle", None)
    return found
