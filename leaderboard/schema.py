"""What leaderboard.json holds. Its JSON schema, leaderboard.schema.json, is made from these classes."""

from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    """A part of the board."""

    model_config = ConfigDict(extra="forbid")


class Estimate(Part):
    """A mean over seeds with its t interval of 95 %."""

    centre: float | None = Field(description="null: +inf, since a run diverged")
    low: float | None = Field(description="null: +inf, or too few seeds for an interval")
    high: float | None = Field(description="null: +inf, or too few seeds for an interval")


class InstanceScore(Part):
    """An entry on one instance. Losses are in the task-setting's unit, slopes in that unit per iteration."""

    instance: str
    ranked: bool
    seeds: int
    survival: float = Field(description="share of seeds whose test loss stayed finite up to T")
    final: Estimate
    final_median: float | None = Field(description="null: +inf")
    slope: Estimate
    late_slope: Estimate
    excess: Estimate
    score: Estimate | None = Field(description="null: the instance is not ranked")
    slope_score: Estimate | None = Field(description="null: the instance is not ranked")
    collapse: dict[str, Estimate] = Field(
        description="the collapse profile, by definition, where it is defined; above 0 is worse"
    )


class TaskScore(Part):
    """An entry on one task-setting: means over its ranked instances with equal weights."""

    task: str
    score: Estimate
    slope_score: Estimate
    survival: float
    instances: list[InstanceScore]
    scaling: dict[str, Estimate] = Field(description="the collapse profile's change of scaling, by family of instances")


class Row(Part):
    """An entry."""

    entry: str
    name: str
    version: str
    description: str
    authors: list[str]
    observed: str | None = Field(description="what this benchmark sees of a published method; null: nothing unexpected")
    track: str
    budget: str
    role: str
    rank: int | None = Field(description="by score, within the division; null: a reference line, or incomplete")
    slope_rank: int | None
    score: Estimate | None = Field(description="mean over task-settings; null: incomplete")
    slope_score: Estimate | None
    missing: list[str] = Field(description="task-settings or instances without all seeds: the row is then unranked")
    refused: dict[str, str] = Field(description="task-setting to the reason why the entry does not run there")
    tasks: list[TaskScore]


class Division(Part):
    """Track × budget: entries are ranked within."""

    track: str
    budget: str
    rows: list[Row]


class InstanceAbout(Part):
    """An instance of the protocol."""

    instance: str
    ranked: bool
    family: str = Field(description="the same for instances that differ in n alone")
    n: int
    scale: float | None = Field(description="s: one generation of replace's damage; null: not ranked")
    reason: str | None = Field(description="why it is not ranked")


class TaskAbout(Part):
    """A task-setting of the protocol."""

    task: str
    unit: str
    horizon: int
    seeds: int
    instances: list[InstanceAbout]


class Board(Part):
    """The whole board."""

    metrics_version: int
    profile: str
    tasks: list[TaskAbout]
    references: list[Row]
    divisions: list[Division]
