"""A profile, run and gathered: what `thrive run` and `thrive score` do, without their options and prints."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from benchmark.entries import catalogue
from benchmark.entries.entry import Entry
from benchmark.errors import AllRefused, BadEntry, ThriveError
from benchmark.results import gather
from benchmark.results.gather import Results
from benchmark.runs import params, sweep
from benchmark.runs.cell_process import Failure
from benchmark.runs.cells import Cell, Store, keys_in
from benchmark.runs.pool_of_workers import HERE
from benchmark.runs.progress import SILENT, Progress
from benchmark.runs.project import Project
from benchmark.runs.sweep import Plan

BOARD = Path("leaderboard")
"""Folder of the scores, figures and pages of the profile that params.yaml names."""


@dataclass(frozen=True)
class Scope:
    """The part of a profile that is run.

    Attributes:
        project: the clone and the profile.
        tasks: task-settings; none: all of the profile.
        ids: entries beside the profile's.
        only: run the entries of `ids` alone.
        seeds: run these instead of the profile's. With these or `only`, the profile's results stay as they are.
    """

    project: Project
    tasks: Sequence[str] = ()
    ids: Sequence[str] = ()
    only: bool = False
    seeds: range | None = None

    @property
    def keeps_results(self) -> bool:
        """Whether the results of the profile stay as they are, and a summary is made instead."""
        return self.only or self.seeds is not None

    @cached_property
    def entries(self) -> list[Entry]:
        """Those that are run.

        Raises:
            BadParams: the profile names an entry that does not exist.
            BadEntry: so does `ids`.
        """
        project = self.project
        if not self.only:
            params.check_entries(project.params, project.profile, project.entries)
        return catalogue.named(project.entries, list(dict.fromkeys(self.ids)) if self.only else project.ids(self.ids))

    @property
    def faults(self) -> list[BadEntry]:
        """Why entries of the clone are left out."""
        return [] if self.only else self.project.faults

    @cached_property
    def cells(self) -> dict[str, list[Cell]]:
        """The cells of each task-setting.

        Raises:
            ThriveError: there are none.
        """
        entries, finished = self.entries, keys_in(self.project.cells)
        found = {
            task: sweep.cells(self.project, task, entries, self.seeds, finished)
            for task in self.project.task_settings(self.tasks)
        }
        if not any(found.values()):
            names = ", ".join(entry.id for entry in entries)
            raise ThriveError(f"profile {self.project.profile}: nothing to run: every instance leaves out {names}.")
        return found

    def plan(self, store: Store) -> Plan:
        """Which of its cells are finished, and which are to be computed."""
        return sweep.plan(store, [cell for of_task in self.cells.values() for cell in of_task])


@dataclass
class ProfileRun:
    """The outcome of running a profile.

    Attributes:
        plan: the cells that were finished before, and those that were computed.
        failures: cells that could not be computed; the others are kept.
        summaries: median losses of each task-setting, as text, where the profile's results stay as they are.
        refusals: of each task-setting that every entry refuses, why.
        gone: by task-setting, entries that its results no longer hold, each with the reason.
        is_empty: whether nothing has a result.
    """

    plan: Plan
    failures: list[Failure] = field(default_factory=list)
    summaries: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    gone: dict[str, dict[str, str]] = field(default_factory=dict)
    is_empty: bool = True


def run_profile(scope: Scope, jobs: int, progress: Progress = SILENT, where: str = HERE) -> ProfileRun:
    """Compute the cells that are not finished, and write the results of each task-setting.

    Interrupted, it goes on where it stopped when it is called again.

    Args:
        jobs: processes.
        where: see `benchmark.runs.pool_of_workers.in_parallel`.
        progress: hears what there is to do, and of each cell when it is finished.

    Raises:
        ThriveError: a profile, an entry or a task-setting does not exist, or there is nothing to run.
        OSError: the disk is full or cannot be written to.
    """
    project = scope.project
    _ = scope.cells
    require_writable(project.cells, project.results.parent)
    store = Store(project.cells)
    done = ProfileRun(scope.plan(store))
    progress.say(in_words(scope, done.plan, jobs))
    if done.plan.to_do:
        done.failures = sweep.compute(project.root, store, done.plan.to_do, jobs, progress, where)
    for task, cells in scope.cells.items():
        if not any(cell in store for cell in cells):
            continue  # every instance leaves these entries out, or they failed
        try:
            _gather(scope, store, task, cells, done)
        except AllRefused as refusals:
            done.refusals.append(str(refusals))
        else:
            done.is_empty = False
    return done


def _gather(scope: Scope, store: Store, task: str, cells: list[Cell], done: ProfileRun) -> None:
    profile = scope.project.profile
    if scope.keeps_results:
        done.summaries.append(gather.summary(gather.gather(store, cells, profile)))
        return
    gone = gather.refresh(store, cells, profile, scope.project.results / task)
    if gone:
        done.gone[task] = {id: _why_gone(id, scope) for id in gone}


def _why_gone(id: str, scope: Scope) -> str:
    if id not in scope.project.entries:
        return "this clone has no such entry any more."
    if id not in scope.project.readable:
        return "the entry or its card cannot be read, see: thrive list"
    if any(entry.id == id for entry in scope.entries):
        return "params.yaml leaves it out of every instance, by `without`."
    return f"its cells are kept: to have it there, add -s {id}"


def in_words(scope: Scope, plan: Plan, jobs: int) -> str:
    """How much there is to do, in one line."""
    return (
        f"profile {scope.project.profile}: {len(plan.done)} cells finished, {len(plan.to_do)} to do, "
        f"about {plan.seconds / jobs:.0f} s on {jobs} processes."
    )


def require_writable(*folders: Path) -> None:
    """Before anything is computed: a full or read-only disk raises OSError here."""
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(1 << 16))
            file.flush()
            os.fsync(file.fileno())


def gather_results(project: Project) -> Results:
    """The results of all task-settings of a profile, in one.

    Raises:
        ThriveError: a task-setting has none; the message names the command that makes them.
    """
    return gather.merged([gather.read(project.results / task) for task in project.task_settings()])


def home_of_scores(project: Project) -> Path:
    """The folder, within the clone, of a profile's scores and board."""
    return BOARD if project.profile == project.params.profile else Path("results", project.profile, "board")
