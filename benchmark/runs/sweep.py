"""The sweep: the cells of a profile, those that are not finished yet in parallel, and what failed."""

import importlib.metadata
import platform
import subprocess
from collections.abc import Collection, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmark.digest.hashes import digest_of_file
from benchmark.entries.entry import Entry
from benchmark.runs import cell_process, pins
from benchmark.runs.cell_process import Failure
from benchmark.runs.cells import Cell, Store
from benchmark.runs.estimates import Estimates, learned
from benchmark.runs.machine import needs, require_machine
from benchmark.runs.params import Instance
from benchmark.runs.pool_of_workers import HERE, Killed, in_parallel
from benchmark.runs.progress import SILENT, Progress
from benchmark.runs.project import Project

PATIENCE = 50  # times the estimate, which is of one idle core
LEAST_SECONDS = 600.0
VERSIONS_OF = ("numpy", "scipy", "scikit-learn", "pyarrow", "torch", "transformers", "tokenizers")


@dataclass(frozen=True)
class Plan:
    """The cells of a sweep: finished ones and those to compute."""

    done: list[Cell]
    to_do: list[Cell]
    estimates: Estimates

    @property
    def seconds(self) -> float:
        """Estimated, on one core."""
        return sum(self.estimates.of(cell) for cell in self.to_do)


def cells(
    project: Project,
    task_setting: str,
    entries: Sequence[Entry],
    seeds: range | None = None,
    horizon: int | None = None,
    finished: Collection[str] = (),
) -> list[Cell]:
    """All cells of a task-setting in a profile, after checking the files that they read.

    Args:
        seeds: run these instead of the profile's.
        horizon: T, instead of the profile's. It is part of a cell's key.
        finished: keys of cells. Where some seeds of a block are finished, as after a study has got more of them, the others are a cell.
    """
    found = []
    for instance in project.instances(task_setting):
        if horizon is not None:
            instance = replace(instance, horizon=horizon, seconds=instance.seconds * horizon / instance.horizon)
        require_machine(instance)
        found += cells_of(project, instance, entries, seeds, finished)
    return found


def cells_of(
    project: Project,
    instance: Instance,
    entries: Sequence[Entry],
    seeds: range | None = None,
    finished: Collection[str] = (),
) -> list[Cell]:
    """The cells of one instance, likewise."""
    read = instance.task.files
    pins.verify_files(project.root, project.params, read)
    files = pins.digest_of_files(read)
    wanted = range(instance.seeds) if seeds is None else seeds
    step = instance.task.seeds_per_cell
    blocks = [wanted[i : i + step] for i in range(0, len(wanted), step)]
    run_here = [entry for entry in entries if instance.runs(entry.folder.name)]
    found = [Cell(instance, entry, block, files) for block in blocks for entry in run_here]
    return [part for cell in found for part in _parts(cell, finished)] if finished else found


def _parts(cell: Cell, finished: Collection[str]) -> list[Cell]:
    """The cell; or the longest beginning of its seeds that is finished, and what is left."""
    for stop in range(len(cell.seeds), 0, -1):
        first = replace(cell, seeds=cell.seeds[:stop])
        if first.key in finished:
            rest = cell.seeds[stop:]
            return [first, *(_parts(replace(cell, seeds=rest), finished) if rest else [])]
    return [cell]


def plan(store: Store, wanted: Iterable[Cell]) -> Plan:
    """Which cells are finished, and which are to be computed, the longest first."""
    done: list[Cell] = []
    to_do: list[Cell] = []
    for cell in wanted:
        (done if cell in store else to_do).append(cell)
    estimates = learned(store, done, to_do)
    return Plan(done, sorted(to_do, key=lambda cell: -estimates.of(cell)), estimates)


def compute(
    root: Path, store: Store, to_do: Sequence[Cell], jobs: int, progress: Progress = SILENT, where: str = HERE
) -> list[Failure]:
    """Compute cells in parallel, one thread each, and keep each as it is finished.

    Workers, of this machine or of a Dask scheduler, send their cells back, and this process alone writes them.
    A failed cell stops no other, nor does one whose worker is killed. Interrupted, it has lost only the cells that were being computed.
    """
    common = provenance(root)
    failures: list[Failure] = []
    calls = [(cell, store.folder / "starts", common, _seconds(cell)) for cell in to_do]
    with (
        progress.computing(to_do) as report,
        closing(
            in_parallel(cell_process.compute, calls, jobs, where, [needs(cell.instance) for cell in to_do])
        ) as outcomes,
    ):
        for number, outcome in outcomes:
            if isinstance(outcome, Killed):
                outcome = Failure(to_do[number], f"{outcome.error}. The others went on.", "")
            if isinstance(outcome, Failure):
                failures.append(outcome)
                store.write_failure(outcome.cell, outcome.error)
            else:
                store.write(outcome.cell, outcome.content)
            report(outcome.cell, outcome)
    return failures


def _seconds(cell: Cell) -> float:
    """The most that a cell may take."""
    return max(LEAST_SECONDS, PATIENCE * cell.seconds)


def provenance(root: Path) -> dict[str, Any]:
    """What one needs to run a cell again: commit, versions, lock, platform. Each cell adds its number format."""
    lock = root / "requirements.lock"
    return {
        "commit": _git(root, "rev-parse", "HEAD"),
        "dirty": bool(
            _git(root, "status", "--porcelain", "--", "benchmark", "baselines", "submissions", "params.yaml")
        ),
        "versions": {name: _version(name) for name in VERSIONS_OF},
        "lock": digest_of_file(lock) if lock.is_file() else None,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "threads": 1,
    }


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git(root: Path, *words: str) -> str | None:
    try:
        return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
