"""Named random streams: every use of randomness has a name of its own.

A stream is seeded by a one-way function of its name, so that nothing drawn from it, not even a generator's whole state,
leads back to the seed or to another stream. Public seeds are few and can be tried; a secret one is salted.
"""

import hmac
from dataclasses import dataclass, field

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence

SALT_BYTES = 16
"""Fewest bytes of a secret salt: 128 bits cannot be tried."""
PUBLIC_SALT = b"thrive"  # not empty: HMAC pads keys with zeros, so no salt and a salt of zeros would be one


@dataclass(frozen=True)
class SecretSeed:
    """A seed that nobody can know who does not know the salt.

    Attributes:
        salt: random bytes; they are not shown, so that they get into no error text.
        number: which of the salt's seeds, 0 or more. It is the `seed` of the records.
    """

    salt: bytes = field(repr=False)
    number: int

    def __post_init__(self) -> None:
        if len(self.salt) < SALT_BYTES:
            raise ValueError(f"a salt of {len(self.salt)} bytes: expected at least {SALT_BYTES}.")

    def __int__(self) -> int:
        return self.number


Seed = int | SecretSeed


def stream(seed: Seed, purpose: str, t: int = 0) -> Generator:
    """The random stream of one purpose at one iteration.

    It depends on its three arguments and on nothing else, so strategies that run with one seed share
    real data, test set and noise (common random numbers), a new draw in one place moves nothing elsewhere,
    and neither order nor number of workers changes a result.

    Args:
        seed: the run's seed: a public number of 0 or more, or a secret one.
        purpose: what is drawn, such as "real data" or "sample".
        t: the model-fitting iteration; 0 for what is drawn once a run.
    """
    return Generator(PCG64(_entropy(seed, purpose, t)))


def _entropy(seed: Seed, purpose: str, t: int) -> SeedSequence:
    """HMAC-SHA256 of number, t and purpose, under the salt."""
    salt = seed.salt if isinstance(seed, SecretSeed) else PUBLIC_SALT
    name = f"{int(seed)} {t} {purpose}"  # numbers have no spaces, so no two names are alike
    return SeedSequence(np.frombuffer(hmac.digest(salt, name.encode(), "sha256"), "<u4"))
