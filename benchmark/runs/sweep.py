"""The sweep: the cells of a profile, those that are not finished yet in parallel, and what failed."""

import importlib.metadata
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.digest.hashes import digest_of_file
from benchmark.entries.entry import Entry
from benchmark.errors import BadParams, Stopped
from benchmark.runs import cell_process, pins
from benchmark.runs.cell_process import Failure
from benchmark.runs.cells import Cell, Store
from benchmark.runs.params import Params, instances, require_machine
from benchmark.runs.params import profile as profile_named
from benchmark.strict_yaml import nearest

PATIENCE = 50  # times the estimate, which is of one idle core
LEAST_SECONDS = 600.0
VERSIONS_OF = ("numpy", "scipy", "scikit-learn", "pyarrow", "torch", "transformers", "tokenizers")


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
    """All cells of a task-setting in a profile, after checking the files that they read.

    Args:
        seeds: run these instead of the profile's.
    """
    found = []
    for instance in instances(params, profile, task_setting):
        require_machine(instance)
        read = instance.task.files
        pins.verify_files(root, params, read)
        files = pins.digest_of_files(read)
        wanted = range(instance.seeds) if seeds is None else seeds
        step = instance.task.seeds_per_cell
        blocks = [wanted[i : i + step] for i in range(0, len(wanted), step)]
        run_here = [entry for entry in entries if entry.id not in instance.without]
        found += [Cell(instance, entry, block, files) for block in blocks for entry in run_here]
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
    from joblib.externals.loky.process_executor import TerminatedWorkerError  # type: ignore[import-untyped]
    from tqdm import tqdm

    common = provenance(root)
    failures: list[Failure] = []
    # Of now: a cell that comes back would read its entry's card as it is by then.
    seconds = {cell.key: cell.seconds for cell in to_do}
    with (
        _told_of(TerminatedWorkerError),
        parallel_config("loky", n_jobs=min(jobs, len(to_do)), inner_max_num_threads=1),
        tqdm(total=sum(seconds.values()) + 1e-6, file=sys.stderr, mininterval=1,
             bar_format="{l_bar}{bar}| {n:.1f}/{total:.1f} s of estimated work, {elapsed} gone, {remaining} left {postfix}",
             ) as progress,
    ):  # fmt: skip
        outcomes = Parallel(return_as="generator_unordered")(
            delayed(cell_process.compute)(cell, store.folder / "starts", common, _seconds(cell)) for cell in to_do
        )
        for outcome in outcomes:
            if isinstance(outcome, Failure):
                failures.append(outcome)
                progress.write(f"failed: {outcome.cell}: {outcome.error}", file=sys.stderr)
            else:
                store.write(outcome.cell, outcome.content)
            progress.set_postfix_str(str(outcome.cell), refresh=False)
            progress.update(seconds[outcome.cell.key])
    return failures


@contextmanager
def _told_of(kind: type[Exception]) -> Iterator[None]:
    """A worker that was killed, in one line: by whoever runs the machine, or by an entry, which runs with the same rights."""
    try:
        yield
    except kind:
        raise Stopped(
            "a worker was killed, for want of memory or by an entry: what is finished is kept. Run it again, with -j 1 to see at which cell."
        ) from None


def _seconds(cell: Cell) -> float:
    """That it may take."""
    return max(LEAST_SECONDS, PATIENCE * cell.seconds)


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
