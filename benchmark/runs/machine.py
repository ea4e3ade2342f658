"""Whether this machine can run an instance."""

import os

from benchmark.errors import BadParams
from benchmark.runs.params import Instance


def require_machine(one: Instance) -> None:
    """Whether this machine can run an instance.

    Raises:
        BadParams: it has not the memory, the device or the files.
    """
    width = one.task.dimension or 1
    doubles = (one.horizon + 1) * one.task.n * width + width**2  # the pool, and a map of its columns
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if 8 * doubles > memory:
        raise BadParams(
            f"{one.key}: {one.name}: a pool of {one.horizon + 1} generations needs about {8 * doubles / 1e9:.3g} GB, and this machine "
            f"has {memory / 1e9:.3g}. Lower n or the horizon."
        )
    obstacle = getattr(one.task, "obstacle", None)
    if obstacle is not None:
        raise BadParams(f"{one.key}: {obstacle}")
