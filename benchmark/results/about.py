"""What a folder of results is of: the content of its about.json, without the checksums (see `benchmark.results.seal`)."""

from collections.abc import Collection

from pydantic import BaseModel, ConfigDict, JsonValue


class Part(BaseModel):
    """A part of about.json."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AboutInstance(Part):
    """An instance of a task-setting.

    Attributes:
        ranked: whether params.yaml ranks it.
        numbers: the fields of the task-setting, such as d and n.
        bits_per_byte: of text, what one nat per token is in bits per byte of the test texts.
        files: digest of the files that it reads; empty where none was recorded.
    """

    name: str
    ranked: bool
    numbers: dict[str, JsonValue]
    bits_per_byte: float | None = None
    files: str = ""

    @property
    def n(self) -> int:
        """Rows of real data, which every task-setting has."""
        n = self.numbers["n"]
        assert isinstance(n, int)
        return n


class AsRun(Part):
    """An entry as it was when its scores were computed: a card that says otherwise by now has scores that are stale."""

    digest: str
    version: str
    track: str
    budget: str


class Computed(Part):
    """All that occurs in the provenance of some cells.

    Attributes:
        dates: days, UTC.
        commits: of Thrive, with ", dirty" where code differed from its commit.
        versions: of Python and of libraries.
    """

    dates: list[str] = []
    commits: list[str] = []
    platforms: list[str] = []
    versions: dict[str, list[str]] = {}


class Cost(Part):
    """What the cells cost: runs, and CPU seconds of the runs alone."""

    runs: int = 0
    cpu_seconds: float = 0.0


class AboutTask(Part):
    """A task-setting of the results.

    Attributes:
        unit: of the test loss.
        code: digest of the harness's code that made the numbers; empty where none was recorded.
        horizon: T, the last iteration.
        seeds: those that the profile runs, ascending.
        entries: ids of those whose cells are asked for, ascending.
        as_run: by id of the entry.
        refused: by id of the entry, why it does not run on the task-setting.
        texts: samples of the first seed by id of the entry and iteration; empty where examples are not text.
    """

    unit: str
    code: str = ""
    horizon: int
    seeds: list[int]
    instances: list[AboutInstance]
    entries: list[str]
    as_run: dict[str, AsRun] = {}
    refused: dict[str, str] = {}
    texts: dict[str, dict[str, list[str]]] = {}
    computed: Computed = Computed()
    cost: Cost = Cost()


class About(Part):
    """What results are of: a profile, and its task-settings by name."""

    profile: str
    tasks: dict[str, AboutTask]

    @property
    def texts(self) -> dict[str, dict[str, list[str]]]:
        """Samples of text by entry and iteration, of all task-settings."""
        return {entry: texts for task in self.tasks.values() for entry, texts in task.texts.items()}

    def of(self, tasks: Collection[str]) -> "About":
        """The same with some of its task-settings alone."""
        return About(profile=self.profile, tasks={name: task for name, task in self.tasks.items() if name in tasks})
