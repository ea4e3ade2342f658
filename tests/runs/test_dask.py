"""Cells computed by the workers of a Dask scheduler: a scheduler and two worker processes on this machine."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner

from benchmark.entries.catalogue import find
from benchmark.errors import ThriveError
from benchmark.runs import sweep
from benchmark.runs.cells import Store, as_bytes, provenance_of
from benchmark.runs.machine import needs
from benchmark.runs.pool_of_workers import KILLED, Killed, all_of, in_parallel
from benchmark.runs.project import Project
from tests.runs.test_cell_process import entry
from tests.runs.test_records import PARAMS, clone  # noqa: F401
from thrive.cli import main

pytest.importorskip("distributed")
ROOT = Path(__file__).parents[2]


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, subprocess.Popen]]:
    """A scheduler, with its address, and two workers of one thread and 2 GB, each started again where it is killed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    start = {"cwd": folder, "env": environment, "stderr": subprocess.PIPE, "text": True}
    dask = [sys.executable, "-m", "dask"]
    first = subprocess.Popen([*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"], **start)
    address = next(found[1] for line in first.stderr if (found := re.search(r"Scheduler at:\s+tcp://(\S+)", line)))
    options = [
        "--nworkers",
        "2",
        "--nthreads",
        "1",
        "--no-dashboard",
        "--local-directory",
        str(folder),
        "--resources",
        "MEMORY=2e9",
    ]
    second = subprocess.Popen([*dask, "worker", f"tcp://{address}", *options], **start | {"stderr": subprocess.DEVNULL})
    try:
        yield f"dask://{address}", first
    finally:
        for process in (second, first):
            process.send_signal(signal.SIGTERM)
        for process in (second, first):
            process.wait(timeout=60)
        first.stderr.close()


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    with cluster(tmp_path_factory.mktemp("dask")) as (address, _):
        yield address


def slow_pid(_: int) -> int:
    time.sleep(0.5)
    return os.getpid()


@pytest.mark.long
def test_cells_run_in_both_workers_and_their_files_are_those_of_loky(clone, scheduler):  # noqa: F811
    assert len(set(all_of(slow_pid, [(n,) for n in range(2)], 2)) - {os.getpid()}) == 2  # loky's own
    workers = {pid for _, pid in in_parallel(slow_pid, [(n,) for n in range(6)], 2, scheduler)}
    assert len(workers) == 2
    assert os.getpid() not in workers
    project = Project.load(clone, "tiny")
    entries = [find(clone)[id] for id in ("replace", "accumulate")]
    cells = [cell for task in ("gaussian", "kde") for cell in sweep.cells(project, task, entries)]
    records = []
    for where in ("loky", scheduler):
        store = Store(clone / f"cells-{where[:4]}")
        assert sweep.compute(clone, store, cells, 2, where=where) == []
        records.append([but_for_times(store.read(cell)) for cell in cells])
    assert records[0] == records[1]


def but_for_times(table: pa.Table) -> bytes:
    """The file of a cell as it would be had it taken no time."""
    return as_bytes(table, provenance_of(table) | {"wall_seconds": 0, "cpu_seconds": 0, "date": ""})


def memory_left(_: int) -> float:
    """What the worker has not yet given to calls, this one among them."""
    from distributed import get_worker

    return get_worker().state.available_resources["MEMORY"]


@pytest.mark.long
def test_a_call_has_what_it_asks_for_or_fails_by_name(scheduler):
    """Workers have 2 GB each, and no GPU."""
    asked = [{"MEMORY": 5e8}, {"MEMORY": 2e9}, {}, {"MEMORY": 3e9}, {"MEMORY": 1.0, "GPU": 1}]
    found = dict(in_parallel(memory_left, [(n,) for n in range(5)], 2, scheduler, asked))
    assert [found[n] for n in range(3)] == [1.5e9, 0.0, 2e9]
    said = "no worker declares what it needs: dask worker … --resources"
    assert found[3] == Killed(f"{said} 'MEMORY=3000000000'")
    assert found[4] == Killed(f"{said} 'MEMORY=1,GPU=1'")


def test_a_cell_asks_for_memory_and_for_a_gpu_where_it_computes_on_one(root):
    project = Project.load(root, "smoke")
    [gaussian], [text] = project.instances("gaussian"), project.instances("language_model")
    assert set(needs(gaussian)) == set(needs(text)) == {"MEMORY"}
    assert needs(text)["MEMORY"] > needs(gaussian)["MEMORY"] > 5e8
    on_gpu = replace(text, task=replace(text.task, device="cuda"))
    assert needs(on_gpu) == needs(text) | {"GPU": 1}


@pytest.mark.long
def test_a_worker_that_is_killed_in_mid_cell_costs_its_cell_alone(clone, scheduler):  # noqa: F811
    entry(clone, "kills", inside="__import__('os').kill(__import__('os').getppid(), 9)")
    project, known = Project.load(clone, "tiny"), find(clone)
    entries = [known[id] for id in ("kills", "replace", "accumulate")]
    cells = [cell for task in ("gaussian", "kde") for cell in sweep.cells(project, task, entries)]
    store = Store(clone / "cells")
    failures = sweep.compute(clone, store, cells, 2, where=scheduler)
    assert {failure.error for failure in failures} == {f"{KILLED}. The others went on."}
    assert [cell for cell in cells if cell not in store] == [c for c in cells if c.entry.id == "kills"]


def test_where_no_scheduler_answers_it_is_said(clone, monkeypatch):  # noqa: F811
    with pytest.raises(ThriveError, match="dask://127.0.0.1:9: no Dask scheduler answers there within 10 s"):
        list(in_parallel(slow_pid, [(0,)], 2, "dask://127.0.0.1:9"))
    (clone / "params.yaml").write_text(PARAMS)
    monkeypatch.chdir(clone)
    done = CliRunner().invoke(main, ["run", "--parallel", "slurm"])
    assert "found 'slurm', expected loky or dask://HOST:PORT" in done.output
