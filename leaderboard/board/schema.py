"""What leaderboard.json holds. Its JSON schema, leaderboard.schema.json, is made from these classes."""

import math

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class Part(BaseModel):
    """A part of the board."""

    model_config = ConfigDict(extra="forbid")


class Estimate(Part):
    """A mean over seeds with its t interval of 95 %."""

    centre: float | None = Field(description="null: +inf, since a run diverged")
    low: float | None = Field(description="null: +inf, or too few seeds for an interval")
    high: float | None = Field(description="null: +inf, or too few seeds for an interval")

    def __str__(self) -> str:
        """ "1.23 [1.10, 1.36]"; no brackets where there is no interval."""
        if self.centre is None:
            return "+inf"
        ends = [] if self.low is None or self.high is None else [self.low, self.high]
        return _two_digits(self.centre) + (f" [{', '.join(map(_two_digits, ends))}]" if ends else "")


def _two_digits(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}"  # plus 0: no "-0.00"


DIGITS = 6  # significant: more would differ between processors


def estimate(interval: tuple[float, float, float]) -> Estimate:
    """Of a centre and the ends of its interval."""
    centre, low, high = map(rounded, interval)
    return Estimate(centre=centre, low=low, high=high)


def rounded(value: float) -> float | None:
    """None where it is not finite."""
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


class InstanceScore(Part):
    """An entry on one instance. Losses are in the task-setting's unit, slopes in that unit per iteration."""

    instance: str
    ranked: bool
    seeds: int
    survival: float = Field(description="share of seeds whose test losses are all finite")
    final: Estimate
    final_median: float | None = Field(description="null: +inf")
    final_bits: float | None = Field(
        default=None, description="mean final loss in bits; of text, in bits per byte of the test texts; null: +inf"
    )
    slope: Estimate
    late_slope: Estimate
    excess: Estimate
    score: Estimate | None = Field(description="null: the instance is not ranked")
    slope_score: Estimate | None = Field(description="null: the instance is not ranked")
    collapse: dict[str, Estimate] = Field(
        description="the collapse profile, by definition, where it is defined; above 0 is worse"
    )
    verdict: str | None = Field(
        description="collapses, degrades, open (these seeds cannot tell), stable or thrives; null: not ranked"
    )
    law: str | None = Field(
        description="class of the law that the test loss follows: constant, saturating, logarithmic, linear or exponential; cannot tell; "
        "diverges; null: not computed for the entry as it is"
    )


class Usage(Part):
    """What a run used: sums over iterations, mean over seeds and ranked instances."""

    training_rows: float
    candidates: float
    real_rows: float = Field(
        description="fresh real rows that were bought, and held-back ones that verifiers trained on"
    )
    cost: float | None = Field(
        description="all three, beside replace's on the same instances; null: replace was not run"
    )


class RankInterval(Part):
    """The ranks that the tests leave open."""

    low: int
    high: int


class Neighbour(Part):
    """The entry next to another in its division, by win rate."""

    entry: str
    above: bool = Field(description="it has the higher win rate")
    difference: Estimate = Field(description="its win rate minus that of the entry, paired, over seeds and instances")


class TaskScore(Part):
    """An entry on one task-setting: means over its ranked instances with equal weights."""

    task: str
    rank: int | None = Field(description="by win rate, within the division; null: unranked here")
    rank_interval: RankInterval | None
    slope_rank: int | None
    slope_rank_interval: RankInterval | None
    win_rate: Estimate | None = Field(description="share of duels won on the final loss; null: a run is missing")
    slope_win_rate: Estimate | None
    avoided: float | None = Field(description="share of replace's excess that is avoided, see Row.avoided")
    score: Estimate
    slope_score: Estimate
    survival: float
    verdict: str | None = Field(description="of the mean over its ranked instances")
    above_base: Estimate | None = Field(
        description="score minus that of the division's base workflow, paired by seed; below 0 is better; null: unknown"
    )
    usage: Usage
    instances: list[InstanceScore]
    scaling: dict[str, Estimate] = Field(description="the collapse profile's change of scaling, by family of instances")


class VerifiedTask(Part):
    """What of a task-setting was verified."""

    task: str
    seeds: int
    horizon: int
    instances: int = Field(description="of the profile")
    fresh: int = Field(description="instances drawn by the salt")
    above_base: Estimate | None = Field(description="on the profile's instances; null: an instance has no score")


class Verification(Part):
    """The latest verification of an entry: in a sandbox, with secret seeds that follow from the salt."""

    date: str
    salt: str
    profile: str
    version: str
    isolation: str | None
    stale: bool = Field(description="the entry's code, data or card changed since")
    above_base: Estimate | None = Field(
        description="mean over task-settings of score minus that of the base workflow under the same salt; below 0 is better"
    )
    gap: Estimate | None = Field(
        description="above_base on fresh instances minus that on the profile's; null: none were drawn"
    )
    tasks: list[VerifiedTask]


class Row(Part):
    """An entry."""

    entry: str
    name: str
    version: str
    description: str
    authors: list[str]
    licence: str
    url: str | None
    citation: str | None
    hyperparameters: dict[str, JsonValue]
    tuned_on: str
    configurations_tried: int
    digest: str | None = Field(description="of code and data as they were run; null: not recorded")
    observed: str | None = Field(
        description="how it compares with the entries that its card names, computed from the scores; null: it names none"
    )
    same_as: dict[str, list[str]] = Field(
        description="task-setting to the entries whose losses on a ranked instance are the same to the bit"
    )
    track: str
    budget: str
    role: str
    rank: int | None = Field(
        description="by win rate, within the division; null: a reference line, incomplete, or from outside and not verified"
    )
    rank_interval: RankInterval | None = Field(
        description="1 + the entries significantly better … N - those significantly worse, over seeds and instances: paired tests, Holm, 5 %"
    )
    slope_rank: int | None
    slope_rank_interval: RankInterval | None
    neighbours: list[Neighbour] = Field(description="the entries ranked next to it; none: unranked")
    win_rate: Estimate | None = Field(
        description="share of duels on the final loss won against the field of opponents, a tie is half a win: mean over task-settings; "
        "its interval holds on other seeds and, where a task-setting resamples them, other instances; null: incomplete"
    )
    slope_win_rate: Estimate | None = Field(description="the same on the slope of the test loss")
    avoided: float | None = Field(
        description="share of replace's excess at T that is avoided: 1 - the ratio of medians over seeds, held between 0 and 2; mean over "
        "instances, then task-settings; null: incomplete, or replace's median excess is not above 0"
    )
    verdict: str | None = Field(description="the worst of its task-settings; null: of none")
    verdict_counts: dict[str, int] = Field(description="of its ranked instances, how many have which verdict")
    laws: dict[str, int] = Field(description="of its ranked instances, how many have a test loss of which class of law")
    above_base: Estimate | None = Field(description="mean over task-settings of score minus that of the base workflow")
    beside_base: str | None = Field(description="better, worse or not separable, after Holm; null: base, or unranked")
    survival: float | None = Field(description="mean over task-settings")
    usage: Usage | None = Field(description="mean over task-settings")
    score: Estimate | None = Field(description="mean over task-settings; null: incomplete")
    slope_score: Estimate | None
    outside: bool = Field(description="handed in: it is ranked on verified numbers alone")
    verified: Verification | None = Field(description="null: not verified")
    unranked: str | None = Field(
        description="why an entry from outside has no rank; null: it has, or is not from outside"
    )
    alike: list[str] = Field(description="near-duplicates: other entries, and in what they are alike")
    missing: list[str] = Field(description="task-settings or instances without all seeds: the row is then unranked")
    refused: dict[str, str] = Field(description="task-setting to the reason why the entry does not run there")
    tasks: list[TaskScore]


class Division(Part):
    """Track × budget: entries are ranked within."""

    track: str
    budget: str
    base: str = Field(description="the base workflow that entries are compared with")
    rows: list[Row]


class InstanceAbout(Part):
    """An instance of the protocol."""

    instance: str
    ranked: bool
    family: str = Field(description="the same for instances that differ in n alone")
    n: int
    scale: float | None = Field(description="s: one generation of replace's damage; null: not ranked")
    reason: str | None = Field(description="why it is not ranked")
    bits_per_byte: float | None = Field(
        default=None, description="of text: what one nat per token is in bits per byte of the test texts"
    )


class Computed(Part):
    """What occurs in the provenance of a task-setting's cells."""

    dates: list[str] = Field(description="days, UTC")
    commits: list[str] = Field(description="of Thrive; dirty: code differed from its commit")
    platforms: list[str]
    versions: dict[str, list[str]] = Field(description="of Python and of libraries")


class TaskAbout(Part):
    """A task-setting of the protocol."""

    task: str
    unit: str
    horizon: int
    seeds: int
    opponents: int = Field(description="entries of the field that everybody duels with here")
    resampled: bool = Field(
        description="whether intervals of win rates and ranks hold on other instances like these; false: too few, so that they are conditional on them"
    )
    computed: Computed
    instances: list[InstanceAbout]


class Board(Part):
    """The whole board."""

    metrics_version: int
    profile: str
    tasks: list[TaskAbout]
    references: list[Row]
    divisions: list[Division]
    faults: list[str] = Field(description="what cards say, or fail to say, against the scores")
