"""`thrive run` and `thrive score` called from Python: projects, scopes, runs of a profile, workers, time limits."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmark.errors import BadEntry, BadParams, Stopped, ThriveError
from benchmark.results.profile import Scope, gather_results, home_of_scores, run_profile
from benchmark.runs.cells import Cell
from benchmark.runs.pool_of_workers import Killed, all_of, in_parallel
from benchmark.runs.progress import Progress
from benchmark.runs.project import Project
from benchmark.runs.time_limit import TimedOut, time_limit
from tests.conftest import tiny_profile
from thrive.cli import main
from thrive.group import INTERRUPTED

PARAMS = tiny_profile(
    "gaussian: {horizon: 2, seeds: 2, instances: [{d: 2, n: 12, seconds: 0.01}]}",
    more="""  other:
    about: for tests
    suites:
      kde: {horizon: 2, seeds: 2, instances: [{data: moons, bandwidth: 0.3, n: 12, seconds: 0.01}]}
""",
)


@pytest.fixture
def clone(tmp_path: Path, root: Path) -> Path:
    """A root with two tiny profiles and three entries."""
    (tmp_path / "params.yaml").write_text(PARAMS)
    for id in ("replace", "accumulate", "accumulate-subsample"):
        shutil.copytree(root / "baselines" / id, tmp_path / "baselines" / id)
    return tmp_path


class Heard(Progress):
    """Records all messages."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.cells: list[tuple[str, str]] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    @contextmanager
    def computing(self, cells) -> Iterator:
        yield lambda cell, outcome: self.cells.append((cell.entry.id, getattr(outcome, "error", "")))


def ids(cells: list[Cell]) -> list[str]:
    return sorted(cell.entry.id for cell in cells)


def test_a_project_is_a_clone_and_a_profile(clone):
    project = Project.load(clone)
    assert (project.profile, project.results, project.cells) == ("tiny", clone / "results" / "tiny", clone / "cells")
    assert project.task_settings() == ["gaussian"]
    assert project.ids(["accumulate-subsample"]) == ["replace", "accumulate", "accumulate-subsample"]
    assert Project.load(clone, "other").ids() == ["accumulate", "accumulate-subsample", "replace"]
    assert home_of_scores(project) == Path("leaderboard")
    assert home_of_scores(Project.load(clone, "other")) == Path("results/other/board")
    with pytest.raises(BadParams, match=r"no profile 'tyni'. Known: other, tiny"):
        Project.load(clone, "tyni")
    with pytest.raises(BadParams, match="profile 'tiny' has no task-setting 'kde'"):
        project.task_settings(["kde"])
    with pytest.raises(BadEntry, match="no entry 'replaces'"):
        project.entry("replaces")


def test_a_profile_is_run_and_gathered_without_a_print(clone, capfd):
    project, heard = Project.load(clone), Heard()
    done = run_profile(Scope(project), 1, heard)
    assert heard.lines == ["profile tiny: 0 cells finished, 2 to do, about 0 s on 1 processes."]
    assert sorted(heard.cells) == [("accumulate", ""), ("replace", "")]
    assert (ids(done.plan.to_do), done.failures, done.summaries, done.gone) == (["accumulate", "replace"], [], [], {})
    assert not done.is_empty
    assert set(gather_results(project).scores["entry"]) == {"replace", "accumulate"}
    assert ids(run_profile(Scope(project), 1).plan.done) == ["accumulate", "replace"]
    assert capfd.readouterr() == ("", "")


def test_a_trial_has_a_summary_and_leaves_results_alone(clone):
    run_profile(Scope(Project.load(clone)), 1)
    before = {path: path.read_bytes() for path in (clone / "results" / "tiny" / "gaussian").iterdir()}
    scope = Scope(Project.load(clone), ids=["accumulate-subsample"], only=True, seeds=range(3))
    [summary] = run_profile(scope, 1).summaries
    assert "median over 3 seeds" in summary
    assert "accumulate-subsample" in summary
    assert {path: path.read_bytes() for path in (clone / "results" / "tiny" / "gaussian").iterdir()} == before


def test_a_failure_is_returned_and_a_removed_entry_has_a_reason(clone):
    run_profile(Scope(Project.load(clone), ids=["accumulate-subsample"]), 1)
    broken = clone / "baselines" / "accumulate" / "strategy.py"
    broken.write_text(broken.read_text().replace("return pool", "raise RuntimeError('boom')\n        return pool"))
    heard = Heard()
    done = run_profile(Scope(Project.load(clone)), 1, heard)
    [failure] = done.failures
    assert "RuntimeError: boom" in failure.error
    assert heard.cells == [("accumulate", failure.error)]
    assert (
        done.gone["gaussian"]["accumulate-subsample"]
        == "its cells are kept: to have it there, add -s accumulate-subsample"
    )


def test_there_must_be_something_to_run(clone):
    text = PARAMS.replace("seconds: 0.01}", "seconds: 0.01, ranked: false, without: accumulate}", 1)
    (clone / "params.yaml").write_text(text.replace("profile: tiny", "profile: other", 1))
    with pytest.raises(ThriveError, match="profile tiny: nothing to run: every instance leaves out accumulate"):
        run_profile(Scope(Project.load(clone, "tiny"), ids=["accumulate"], only=True), 1)


def sleep_and_square(seconds: float, number: int) -> int:
    time.sleep(seconds)
    return number**2


def threads_of_blas(_: int) -> list[int]:
    import numpy as np
    from threadpoolctl import threadpool_info

    np.ones((2, 2)) @ np.ones((2, 2))
    return [library["num_threads"] for library in threadpool_info()]


def die(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at_two(number: int, killed: Path) -> int:
    """Dies whenever it is 2, and the first time that it is 3."""
    if number == 2 or (number == 3 and not killed.exists()):
        killed.touch()
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGKILL)
    return number**2


@pytest.mark.parametrize("jobs", [1, 2])
def test_workers_give_each_result_with_the_number_of_its_call(jobs):
    calls = [(0.2, 1), (0.0, 2), (0.0, 3)]
    assert all_of(sleep_and_square, calls, jobs) == [1, 4, 9]
    assert sorted(in_parallel(sleep_and_square, calls, jobs)) == [(0, 1), (1, 4), (2, 9)]
    assert list(in_parallel(sleep_and_square, [], jobs)) == []


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_worker_has_one_thread(jobs):
    for _, threads in in_parallel(threads_of_blas, [(1,), (2,)], jobs):
        assert set(threads) == {1}


@pytest.mark.long
def test_a_worker_that_is_killed_stops_no_other_call(tmp_path):
    """The call at fault is known, and one that was killed with its neighbour, or once by chance, is made again."""
    calls = [(number, tmp_path / f"killed-{number}") for number in range(8)]
    found = dict(in_parallel(die_at_two, calls, 2))
    assert found == {n: Killed() if n == 2 else n**2 for n in range(8)}


def test_results_that_must_all_be_there_end_in_one_line():
    with pytest.raises(Stopped, match="die, call 1 of 2: its worker was killed, for want of memory or by an entry"):
        all_of(die, [(1,), (2,)], 2)


def endless() -> None:
    """An endless loop that catches every Exception, as an entry might."""
    while True:
        with suppress(Exception):
            time.sleep(10)


def ring() -> None:
    os.kill(os.getpid(), signal.SIGALRM)
    time.sleep(1)


def test_time_is_limited_and_the_alarm_is_restored():
    with pytest.raises(TimedOut, match="too long"), time_limit(0.2, "too long"):
        endless()
    with time_limit(0.2, "too long"):
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_an_alarm_of_somebody_else_is_named():
    with pytest.raises(TimedOut, match="an alarm rang that is not the harness's"), time_limit(60, "too long"):
        ring()


@pytest.mark.parametrize("command", ["run", "status", "score", "board"])
def test_ctrl_c_outside_of_a_sweep_ends_with_a_line_and_the_status_of_the_signal(clone, command, monkeypatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(clone)
    monkeypatch.setattr(Project, "load", interrupted)
    done = CliRunner().invoke(main, [command])
    assert done.exit_code == 130
    assert done.output.splitlines()[-1] == INTERRUPTED


NAPS = """
import os, time
from benchmark.runs.pool_of_workers import in_parallel
from tests.runs.test_profile import sleep_and_tell

for _, pid in in_parallel(sleep_and_tell, [(k,) for k in range(400)], 2):
    print(pid, flush=True)
"""


def sleep_and_tell(_: int) -> int:
    time.sleep(0.2)
    return os.getpid()


@pytest.mark.long
def test_workers_end_with_a_parent_that_is_killed(root):
    process = subprocess.Popen([sys.executable, "-c", NAPS], cwd=root, stdout=subprocess.PIPE, text=True)
    workers = {int(process.stdout.readline()) for _ in range(6)}
    assert len(workers) == 2
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
