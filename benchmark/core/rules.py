"""What an entry may use: its track, its budget, and the meter that counts what it did use.

A track says which information a strategy may use, a budget how much work; together they are the division
in which an entry is ranked. The harness enforces both. The card only declares.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from benchmark.errors import TrackBroken


class Track(StrEnum):
    """What a strategy may know of a row."""

    BLIND = "blind"  # neither which rows are real nor how old they are, as on the web
    LABELLED = "labelled"  # generation of every row; real rows at most half of the training mass
    ASSISTED = "assisted"  # no cap on real mass, and whatever the harness sells


class Budget(StrEnum):
    """How many rows a strategy may train on at iteration t, with repeats."""

    FIXED = "fixed"  # n
    GROWING = "growing"  # n·⌈t^1.5⌉


BASE_WORKFLOW = {Budget.FIXED: "accumulate-subsample", Budget.GROWING: "accumulate"}
"""The entry that an entry of this budget is compared with: the paper's workflow that keeps all data."""


class Role(StrEnum):
    """Whether an entry competes."""

    ENTRY = "entry"
    REFERENCE = "reference"  # drawn in every division, never ranked, and free of the cap on real mass


REAL_MASS_CAP = 0.5
BEYOND_CHANCE = 5  # standard deviations: a few draws in a million have more
CANDIDATES_PER_ROW = 4
LOG_LIKELIHOODS_PER_ROW = 4
MAX_VERIFIER = 10.0
MAX_BLEND = 0.5


@dataclass(frozen=True)
class Rules:
    """Track, budget and role of one entry, as limits."""

    track: Track = Track.BLIND
    budget: Budget = Budget.FIXED
    role: Role = Role.ENTRY

    @property
    def sees_generations(self) -> bool:
        """Whether a strategy may tell real from synthetic, and old from new."""
        return self.track is not Track.BLIND

    def max_training_rows(self, n: int, t: int) -> int:
        """Most rows that a training set may have at iteration t, with repeats; as many fresh real rows may be bought."""
        return n * math.ceil(t**1.5) if self.budget is Budget.GROWING else n

    def max_log_likelihood_rows(self, n: int, t: int) -> int:
        """Most rows whose log-likelihood may be asked for at iteration t."""
        return LOG_LIKELIHOODS_PER_ROW * self.max_training_rows(n, t)

    @property
    def max_verifier(self) -> float:
        """Most held-back real examples that a verifier is trained on, per row of a generation."""
        return MAX_VERIFIER

    def max_candidates(self, n: int, t: int) -> int:
        """Most examples that the model may be asked for at iteration t."""
        return CANDIDATES_PER_ROW * self.max_training_rows(n, t)

    def max_real_share(self, n: int, t: int) -> float:
        """Largest share of the training mass that real rows may have at iteration t.

        On track `labelled` one half, or what n rows drawn uniformly from t generations may have by chance: 1/t and five
        standard deviations (hypergeometric), which is more than a half at the first few iterations alone.
        """
        if self.track is not Track.LABELLED or self.role is not Role.ENTRY or t == 1:
            return 1.0
        deviation = math.sqrt((t - 1) / t**2 / n * (t - 1) * n / (t * n - 1))
        return max(REAL_MASS_CAP, min(1.0, 1 / t + BEYOND_CHANCE * deviation))

    def max_blend(self, which: str, t: int) -> float:
        """Largest weight that an older model may have in the model of iteration t.

        One half for the previous model: then the fit of k iterations ago weighs at most 2⁻ᵏ, no fit is kept alive, and a model
        rests on at most four fits (Kish's 1/Σ weight²), which the budget's rows therefore need not count.
        For the first model 2/t besides, which is what the oldest fit may weigh; in track `labelled` any weight, for there its real
        mass is counted.

        Raises:
            TrackBroken: track `blind` withholds the first model.
        """
        if which == "previous":
            return MAX_BLEND
        if not self.sees_generations:
            raise TrackBroken("FitOptions.blend: track 'blind' withholds the first model: blend with 'previous'.")
        return 1.0 if self.track is Track.LABELLED else min(MAX_BLEND, 2 / t)


@dataclass
class Meter:
    """What one iteration used. Every field is a column of the records."""

    training_rows: int = 0
    real_share: float = 0.0
    """Of the training set's mass."""
    real_mass: float = 0.0
    """Share of real rows in all that the model rests on: training set, repelling set, and the model that it is blended with."""
    candidates: int = 0
    log_likelihood_rows: int = 0
    fresh_real_rows: int = 0
    verifier_rows: int = 0
