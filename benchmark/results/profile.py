"""A profile, run and gathered: what `thrive run` and `thrive score` do, without their options and prints."""

import itertools
import os
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd
from pydantic import JsonValue

from benchmark.core.rules import BASE_WORKFLOW
from benchmark.entries import catalogue
from benchmark.entries.entry import Entry
from benchmark.errors import AllRefused, BadEntry, ThriveError
from benchmark.results import gather
from benchmark.results.firsts import first_of_division
from benchmark.results.gather import Results
from benchmark.results.seal import ABOUT
from benchmark.results.trial import Trial
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
        seeds: run these instead of the profile's. With these, `only` or `horizon`, the profile's results stay as they are: it is a trial.
        horizon: T, instead of the profile's.
        changes: hyperparameters to their values, which the one entry of `ids` is run with instead of its card's.
    """

    project: Project
    tasks: Sequence[str] = ()
    ids: Sequence[str] = ()
    only: bool = False
    seeds: range | None = None
    horizon: int | None = None
    changes: Mapping[str, Sequence[JsonValue]] = field(default_factory=dict)

    @property
    def is_trial(self) -> bool:
        """Whether the results of the profile stay as they are, and a summary is made instead."""
        return self.only or self.seeds is not None or self.horizon is not None

    @property
    def trial_folder(self) -> Path:
        """Where the results of a trial are written."""
        return self.project.results / "trials" / ("+".join(self.ids)[:100] if self.only else "all")

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
        found = catalogue.named(project.entries, list(dict.fromkeys(self.ids)) if self.only else project.ids(self.ids))
        if not self.changes:
            return found
        [entry] = found
        values = itertools.product(*self.changes.values())
        varied = [Entry(entry.folder, tuple(zip(self.changes, some, strict=True))) for some in values]
        for one in varied:
            _ = one.card  # which has these hyperparameters, or raises an error
        return varied

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
        entries = self.entries
        found = {task: self._cells(task, entries) for task in self.project.task_settings(self.tasks)}
        if not any(found.values()):
            names = ", ".join(entry.id for entry in entries)
            raise ThriveError(f"profile {self.project.profile}: nothing to run: every instance leaves out {names}.")
        return found

    def _cells(self, task: str, entries: Sequence[Entry]) -> list[Cell]:
        return sweep.cells(self.project, task, entries, self.seeds, self.horizon, keys_in(self.project.cells))

    @property
    def bases(self) -> dict[str, str]:
        """To each entry, the base workflow of its budget."""
        return {entry.id: BASE_WORKFLOW[entry.card.budget] for entry in self.entries}

    @cached_property
    def firsts(self) -> list[str]:
        """The entries that are first in the divisions of those that are tried, on the committed board."""
        path = self.project.root / BOARD / "leaderboard.json"
        rules = dict.fromkeys(entry.rules for entry in self.entries) if self.only else ()
        return [id for some in rules for id in first_of_division(path, some)]

    @cached_property
    def companions(self) -> list[Entry]:
        """Entries that a trial is shown beside: replace, in units of whose damage scores are, base workflows, and firsts."""
        if not self.is_trial:
            return []
        wanted = dict.fromkeys([*self.bases.values(), *self.firsts, params.REFERENCE])
        own, readable = {entry.id for entry in self.entries}, self.project.readable
        return [readable[id] for id in wanted if id in readable and id not in own]

    @cached_property
    def known(self) -> dict[str, Results]:
        """By task-setting, results of companions that the profile's board holds, made by the same code on the same seeds."""
        home = self.project.root / home_of_scores(self.project)
        if not self.companions or not (home / ABOUT).is_file():
            return {}
        board = gather.read(home)
        found = {}
        for task, cells in self.cells.items():
            about = board.about.tasks.get(task)
            if (
                cells
                and about
                and board.about.profile == self.project.profile
                and not gather.difference(about, gather.about_cells(cells))
            ):
                as_run = {id: run.digest for id, run in about.as_run.items()}
                same = {one.id for one in self.companions if as_run.get(one.id) == one.digest}
                found[task] = board.only(task, same)
        return found

    @cached_property
    def companion_cells(self) -> dict[str, list[Cell]]:
        """The cells of companions whose results are not known."""
        have = {task: {*found.about.tasks[task].entries} for task, found in self.known.items()}
        wanted = {task: [one for one in self.companions if one.id not in have.get(task, ())] for task in self.cells}
        return {task: self._cells(task, entries) for task, entries in wanted.items()}

    def plan(self, store: Store) -> Plan:
        """Which of its cells are finished, and which are to be computed."""
        return sweep.plan(
            store, [c for cells in (self.cells, self.companion_cells) for of_task in cells.values() for c in of_task]
        )


@dataclass
class ProfileRun:
    """The outcome of running a profile.

    Attributes:
        plan: the cells that were finished before, and those that were computed.
        failures: cells that could not be computed; the others are kept.
        summaries: of a trial, median losses of each task-setting, as text.
        trials: of a trial, the results of each task-setting beside those of others.
        refusals: of each task-setting that every entry refuses, why.
        gone: by task-setting, entries that its results no longer hold, each with the reason.
        is_empty: whether nothing has a result.
    """

    plan: Plan
    failures: list[Failure] = field(default_factory=list)
    summaries: list[str] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)
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
    if scope.is_trial:
        results = gather.gather(store, cells, profile)
        results.write(scope.trial_folder / task)
        notes = dict.fromkeys(scope.firsts, "first of its division") | dict.fromkeys(scope.bases.values(), "base")
        done.summaries.append(gather.summary(results))
        others = [cell for cell in scope.companion_cells[task] if cell in store]
        parts = [gather.gather(store, others, profile)] if others else []
        parts += [scope.known[task]] if task in scope.known else []
        done.trials.append(
            Trial(task, results, _together(parts) if parts else results.only(task, []), scope.bases, notes)
        )
        return
    gone = gather.refresh(store, cells, profile, scope.project.results / task)
    if gone:
        done.gone[task] = {id: _why_gone(id, scope) for id in gone}


def _together(parts: Sequence[Results]) -> Results:
    """Results of several entries on one task-setting; what they are of is that of the first."""
    scores, curves = (
        pd.concat(frames, ignore_index=True) for frames in zip(*[(p.scores, p.curves) for p in parts], strict=True)
    )
    return Results(scores, curves, parts[0].about)


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
    others = ", ".join(dict.fromkeys(cell.entry.id for cells in scope.companion_cells.values() for cell in cells))
    return (
        f"profile {scope.project.profile}: {len(plan.done)} cells finished, {len(plan.to_do)} to do, "
        + f"with those of {others} to compare with, " * bool(others)
        + f"about {plan.seconds / jobs:.0f} s on {jobs} processes."
    )


def require_writable(*folders: Path) -> None:
    """Before anything is computed: a full or read-only disk raises OSError here."""
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(1 << 16))
            file.flush()
            os.fsync(file.fileno())


def gather_results(project: Project, tasks: Collection[str] = ()) -> Results:
    """The results of the task-settings of a profile (none named: of all), in one.

    Raises:
        ThriveError: a task-setting has none; the message names the command that makes them.
    """
    return gather.merged([gather.read(project.results / task) for task in project.task_settings(tasks)])


def home_of_scores(project: Project) -> Path:
    """The folder, within the clone, of a profile's scores and board."""
    return BOARD if project.profile == project.params.profile else own_home(project)


def own_home(project: Project) -> Path:
    """The folder, within the clone, of a board of a profile that is not the committed one."""
    return Path("results", project.profile, "board")
