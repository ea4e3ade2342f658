"""Named random streams: every use of randomness has a name of its own."""

import functools
import hashlib

from numpy.random import PCG64, Generator, SeedSequence


def stream(seed: int, purpose: str, t: int = 0) -> Generator:
    """The random stream of one purpose at one iteration.

    It depends on its three arguments and on nothing else, so strategies that run with one seed share
    real data, test set and noise (common random numbers), a new draw in one place moves nothing elsewhere,
    and neither order nor number of workers changes a result.

    Args:
        seed: the run's seed, 0 or more.
        purpose: what is drawn, such as "real data" or "sample".
        t: the model-fitting iteration; 0 for what is drawn once a run.
    """
    return Generator(PCG64(SeedSequence(seed, spawn_key=(_number(purpose), t))))


@functools.cache
def _number(purpose: str) -> int:
    return int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:4], "big")
