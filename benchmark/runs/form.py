"""The form of params.yaml: the keys that it may have, and what may stand there."""

from typing import Annotated, Any

from pydantic import Field

from benchmark import strict_yaml as settings
from benchmark.runs.fresh import Verification

MOST_SEEDS = 10_000
MOST_INSTANCES = 1_000
Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$", max_length=400)]
"""Text without control characters."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)]
"""Name of a profile or a pin. A profile's results lie in a folder of its name."""


class Suite(settings.Settings):
    """The instances of one task-setting in one profile."""

    horizon: int = Field(ge=2, le=100_000)
    seeds: int = Field(ge=1, le=MOST_SEEDS)
    instances: list[dict[str, Any]] = Field(min_length=1, max_length=MOST_INSTANCES)


class HowItIsRun(settings.Settings):
    """What an instance in params.yaml says beside its numbers."""

    seconds: float = Field(gt=0, le=1e6)
    """Estimated, for one run on one core."""
    ranked: bool = True
    without: str = Field(default="", max_length=2000)
    """Entries that are not run here, for what it would cost; between spaces."""
    only: str = Field(default="", max_length=2000)
    """Entries that alone are run here, likewise; an instance that is ranked has none."""
    seeds: int | None = Field(default=None, ge=1, le=MOST_SEEDS)
    """Where they are not as many as the suite's."""


class Profile(settings.Settings):
    """What one command runs: which entries (None: all), on which suites."""

    about: Line
    entries: list[str] | None = Field(default=None, min_length=1)
    suites: dict[str, Suite] = Field(min_length=1)


class Pin(settings.Settings):
    """Files that must be exactly these: sha256 of each, by its name in the folder."""

    folder: Line
    package: str | None = Field(default=None, pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=100)
    """The folder is in this installed package; without it, in the clone."""
    embedded: bool = True
    """Whether the files are in the repository; else whoever needs them gets them from the source."""
    source: Line
    files: dict[Line, Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] = {}
    """`thrive fetch --pin` computes them; without them the pin is refused."""


class Verdicts(settings.Settings):
    """Where the board's verdicts begin: see `leaderboard.board.verdicts`."""

    collapses: float = Field(default=0.5, gt=0, le=1)
    """Of replace's excess: an entry beyond this share of it collapses."""
    degrades: float = Field(default=0.1, gt=0, le=10)
    """Of s, one generation of replace's damage: an entry to which the last half of the run does more degrades."""
    error: float = Field(default=0.05, gt=0, lt=1)
    """Probability that any of an entry's verdicts of one kind is false."""


class Params(settings.Settings):
    """The whole file."""

    profile: str
    profiles: dict[Name, Profile]
    pins: dict[Name, Pin]
    verification: Verification = Verification()
    verdicts: Verdicts = Verdicts()
