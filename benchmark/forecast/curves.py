"""Curves of test losses by seed, from the finished cells of a profile."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.errors import ThriveError
from benchmark.forecast.choice import NoLaw
from benchmark.forecast.covariance import Matrix
from benchmark.runs import sweep
from benchmark.runs.cells import Cell, Store
from benchmark.runs.project import Project


@dataclass(frozen=True)
class Curve:
    """Test losses of an entry on an instance.

    Attributes:
        digest: of the entry's code and data.
        losses: seeds × iterations t = 1 … T.
        real_loss: L_real by seed.
    """

    task: str
    instance: str
    entry: str
    digest: str
    losses: Matrix
    real_loss: "pd.Series[float]"

    def __str__(self) -> str:
        return f"{self.task} {self.instance}, {self.entry}"

    @property
    def horizon(self) -> int:
        return int(self.losses.shape[1])

    def until(self, t: int) -> Matrix:
        """The losses of the first iterations."""
        return self.losses[:, :t]


def curves(project: Project, task: str, ids: Sequence[str] = ()) -> Iterator[Curve]:
    """Of all finished cells of a task-setting: instance by instance, entry by entry. Who refuses the task-setting has none.

    Args:
        ids: of these entries; none: of all that the profile runs.

    Raises:
        BadEntry: there is no such entry.
        NoLaw: seeds do not pair.
    """
    store = Store(project.cells)
    entries = [project.entry(id) for id in ids or project.ids()]
    by_pair: dict[tuple[str, str], list[Cell]] = {}
    for cell in sweep.cells(project, task, entries):
        by_pair.setdefault((cell.instance.name, cell.entry.id), []).append(cell)
    for (instance, id), cells in by_pair.items():
        tables = [table for cell in cells if (table := store.read(cell)) is not None and table.num_rows]
        if tables:
            columns = ["seed", "t", "test_loss", "real_loss"]
            records = pd.concat([table.select(columns).to_pandas() for table in tables])
            yield curve_of(records, task, instance, id, cells[0].entry.digest)


def curve_of(records: pd.DataFrame, task: str, instance: str, entry: str, digest: str = "") -> Curve:
    """The curve of some records, one row an iteration of a run.

    Raises:
        NoLaw: a seed lacks iterations that another has.
    """
    table = records.pivot(index="seed", columns="t", values="test_loss").sort_index(axis=1)
    counts = records.groupby("seed")["t"].nunique()
    short = counts[counts < counts.max()]
    if len(short) or int(records["t"].max()) != table.shape[1]:
        seed = short.index[0] if len(short) else counts.index[0]
        raise NoLaw(
            f"{task} {instance}, {entry}: seeds do not pair: seed {seed} has {counts[seed]} iterations, others have up to "
            f"{int(records['t'].max())}. Every iteration needs the same seeds: run them again with one `horizon`."
        )
    losses = table.to_numpy(np.float64)
    return Curve(task, instance, entry, digest, losses, records.groupby("seed")["real_loss"].first())


def curve(project: Project, task: str, instance: str, entry: str) -> Curve:
    """One of them.

    Raises:
        ThriveError: it is not run; the message names the command that does so.
    """
    found = {one.instance: one for one in curves(project, task, [entry])}
    if instance not in found:
        raise ThriveError(
            f"profile '{project.profile}': no finished run of '{entry}' on {task} {instance}. "
            f"Run: thrive run --profile {project.profile} -t {task} -s {entry}"
        )
    return found[instance]
