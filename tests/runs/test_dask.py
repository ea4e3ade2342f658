"""Cells computed by the workers of a Dask scheduler: a scheduler and two worker processes on this machine."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmark.entries.catalogue import find
from benchmark.errors import ThriveError
from benchmark.runs import sweep
from benchmark.runs.cells import Store
from benchmark.runs.pool_of_workers import KILLED, all_of, in_parallel
from benchmark.runs.project import Project
from tests.runs.test_cell_process import entry
from tests.runs.test_records import PARAMS, clone  # noqa: F401
from thrive.cli import main

pytest.importorskip("distributed")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """The address of a scheduler with two workers of one thread, each started again where it is killed."""
    folder = tmp_path_factory.mktemp("dask")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    start = {"cwd": folder, "env": environment, "stderr": subprocess.PIPE, "text": True}
    dask = [sys.executable, "-m", "dask"]
    first = subprocess.Popen([*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"], **start)
    address = next(found[1] for line in first.stderr if (found := re.search(r"Scheduler at:\s+tcp://(\S+)", line)))
    options = ["--nworkers", "2", "--nthreads", "1", "--no-dashboard", "--local-directory", str(folder)]
    second = subprocess.Popen([*dask, "worker", f"tcp://{address}", *options], **start | {"stderr": subprocess.DEVNULL})
    yield f"dask://{address}"
    for process in (second, first):
        process.send_signal(signal.SIGTERM)
    for process in (second, first):
        process.wait(timeout=30)
    first.stderr.close()


def slow_pid(_: int) -> int:
    time.sleep(0.5)
    return os.getpid()


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
        records.append([store.read(cell).to_pylist() for cell in cells])
    assert records[0] == records[1]


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
