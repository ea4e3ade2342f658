"""What decides a cell's key: the code of loop, rules, task-setting and whatever an entry may import, by its meaning."""

import functools

import benchmark
from benchmark.digest.hashes import digest_of_code, digest_of_reach

CORE = ("benchmark.core.loop", "benchmark.core.rules", *(f"benchmark.{name}" for name in benchmark.__all__))
"""What a run goes through by name, and what it is given: an entry's rules, and all that an entry may import."""


@functools.cache
def digest_of_task_setting(name: str, *also: str) -> str:
    """Digest of all code that decides the numbers of a task-setting, and of whatever else of this package an entry imports."""
    core = digest_of_code(*CORE, f"benchmark.tasks.{name}")
    return digest_of_reach(*CORE, f"benchmark.tasks.{name}", *also) if also else core
