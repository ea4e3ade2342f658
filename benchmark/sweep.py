"""The sweep: the cells of a profile, those that are not finished yet in parallel, and what failed."""

import contextlib
import importlib.metadata
import os
import platform
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from benchmark import pins
from benchmark.digest import digest, digest_of_file
from benchmark.entries import Entry
from benchmark.errors import BadParams, ThriveError, Unsupported
from benchmark.loading import named_run
from benchmark.loop import run
from benchmark.params import Params, instances, require_machine
from benchmark.params import profile as profile_named
from benchmark.records import Cell, Store, packed
from benchmark.settings import nearest

PATIENCE = 50  # times the estimate, which is of one idle core
LEAST_SECONDS = 600.0
VERSIONS_OF = ("numpy", "scipy", "scikit-learn", "pyarrow", "torch", "transformers", "tokenizers")


class Failure(NamedTuple):
    """A cell that could not be computed, and why."""

    cell: Cell
    error: str
    details: str  # a traceback, where the error is not one that a user is told how to mend


class Finished(NamedTuple):
    """A computed cell."""

    cell: Cell
    content: bytes  # of its file


@dataclass(frozen=True)
class Plan:
    """The cells of a sweep: finished ones and those to compute."""

    done: list[Cell]
    to_do: list[Cell]

    @property
    def seconds(self) -> float:
        """Estimated, on one core."""
        return sum(cell.seconds for cell in self.to_do)


def cells(
    root: Path, params: Params, profile: str, task_setting: str, entries: Sequence[Entry], seeds: range | None = None
) -> list[Cell]:
    """All cells of a task-setting in a profile, after checking the pins of what they read.

    Args:
        seeds: run these instead of the profile's.
    """
    found = []
    for instance in instances(params, profile, task_setting):
        require_machine(instance)
        pins.verify(root, params, instance.task.pins)
        pinned = digest([params.pins[name].files for name in instance.task.pins])
        wanted = range(instance.seeds) if seeds is None else seeds
        step = instance.task.seeds_per_cell
        blocks = [wanted[i : i + step] for i in range(0, len(wanted), step)]
        run_here = [entry for entry in entries if entry.id not in instance.without]
        found += [Cell(instance, entry, block, pinned) for block in blocks for entry in run_here]
    return found


def plan(store: Store, wanted: Iterable[Cell]) -> Plan:
    """Which cells are finished, and which are to be computed, the longest first."""
    done: list[Cell] = []
    to_do: list[Cell] = []
    for cell in wanted:
        (done if cell in store else to_do).append(cell)
    return Plan(done, sorted(to_do, key=lambda cell: -cell.seconds))


def compute(root: Path, store: Store, to_do: Sequence[Cell], jobs: int) -> list[Failure]:
    """Compute cells in parallel, one thread each, and keep each as it is finished.

    A failed cell stops no other. Interrupted, it has lost only the cells that were being computed.
    """
    from joblib import Parallel, delayed, parallel_config
    from tqdm import tqdm

    common = provenance(root)
    failures: list[Failure] = []
    with (
        parallel_config("loky", n_jobs=min(jobs, len(to_do)), inner_max_num_threads=1),
        tqdm(total=sum(cell.seconds for cell in to_do) + 1e-6, file=sys.stderr, mininterval=1,
             bar_format="{l_bar}{bar}| {n:.1f}/{total:.1f} s of estimated work, {elapsed} gone, {remaining} left {postfix}",
             ) as progress,
    ):  # fmt: skip
        outcomes = Parallel(return_as="generator_unordered")(delayed(_compute)(cell, common) for cell in to_do)
        for outcome in outcomes:
            if isinstance(outcome, Failure):
                failures.append(outcome)
                progress.write(f"failed: {outcome.cell}: {outcome.error}", file=sys.stderr)
            else:
                store.write(outcome.cell, outcome.content)
            progress.set_postfix_str(str(outcome.cell), refresh=False)
            progress.update(outcome.cell.seconds)
    return failures


def _compute(cell: Cell, common: dict[str, Any]) -> Finished | Failure:
    """In a worker: the cell's records with their provenance, common to all cells and its own."""
    from threadpoolctl import threadpool_limits

    # joblib keeps its workers to one thread, but -j 1 has no worker: numpy is held here, and torch when it is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    wall, cpu = time.perf_counter(), time.process_time()
    refused = None
    try:
        cell.entry.must_fit(cell.instance.task_setting)
        with threadpool_limits(1), _limits(max(LEAST_SECONDS, PATIENCE * cell.seconds)):
            records = [record for seed in cell.seeds for record in _run(cell, seed)]
    except Unsupported as reason:  # no fault: the board shows a dash with the reason
        records, refused = [], str(reason)
    except (ThriveError, TimedOut) as error:
        return Failure(cell, f"{type(error).__name__}: {error}", "")
    except Exception as error:  # a stranger's code may raise anything; the other cells go on
        return Failure(cell, f"{type(error).__name__}: {error}", traceback.format_exc())
    took = {
        "cell": str(cell),
        "date": datetime.now(UTC).date().isoformat(),
        "refused": refused,
        "dtype": None if refused else getattr(cell.instance.task, "arithmetic", "float64"),
        "wall_seconds": round(time.perf_counter() - wall, 3),
        "cpu_seconds": round(time.process_time() - cpu, 3),
    }
    return Finished(cell, packed(records, {**common, **took}))


class TimedOut(BaseException):
    """A cell took many times what it should. Not an Exception, which a strategy might catch and go on."""


@contextlib.contextmanager
def _limits(seconds: float) -> Iterator[None]:
    """A stranger's endless loop ends, and what would take more memory than there is raises MemoryError: other cells go on."""

    def stop(*_: object) -> None:
        raise TimedOut(f"not finished in {seconds:.0f} s: an endless loop?")

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    before = resource.getrlimit(resource.RLIMIT_AS)
    handler = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    resource.setrlimit(resource.RLIMIT_AS, (memory if before[1] < 0 else min(memory, before[1]), before[1]))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        resource.setrlimit(resource.RLIMIT_AS, before)


def _run(cell: Cell, seed: int) -> Iterable[dict[str, Any]]:
    instance = cell.instance
    return named_run(run(instance.task, cell.entry.make, cell.entry.rules, seed, instance.horizon), seed)


def provenance(root: Path) -> dict[str, Any]:
    """What it takes to run it again: commit, versions, lock, platform. Each cell adds what it computed in."""
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


def entry_ids(params: Params, profile: str, known: Iterable[str], also: Sequence[str]) -> list[str]:
    """Ids of the entries that a profile runs (all, unless it names them), and those that are asked for beside them."""
    listed = profile_named(params, profile).entries
    return list(dict.fromkeys([*(known if listed is None else listed), *also]))


def task_settings(params: Params, profile: str, asked: Sequence[str]) -> list[str]:
    """The task-settings of a profile, or those that are asked for.

    Raises:
        BadParams: there is no such task-setting in the profile.
    """
    suites = profile_named(params, profile).suites
    for task in asked:
        if task not in suites:
            raise BadParams(f"profile '{profile}' has no task-setting '{task}'.{nearest(task, suites)}")
    return list(asked or suites)
