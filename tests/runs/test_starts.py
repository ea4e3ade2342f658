"""Starts of seeds: computed once, stored whole or not at all, and the same to the last bit for every reader."""

import multiprocessing
import pickle
from pathlib import Path

import numpy as np
import pytest

from benchmark import stamps
from benchmark.core.loop import run, start_of
from benchmark.entries.catalogue import find
from benchmark.errors import Changed, ThriveError
from benchmark.runs import starts
from benchmark.runs.cells import checksum
from benchmark.tasks.discrete import Discrete
from benchmark.tasks.gaussian import Gaussian
from benchmark.tasks.kde import KDE
from benchmark.tasks.linear_regression import LinearRegression

TASKS = [
    Gaussian(3, 20),
    Gaussian(20, 8),
    KDE("blobs", 0.5, 20),
    KDE("swiss_roll", "scott", 20),
    LinearRegression(3, 20, 1.0),
    Discrete(10, 20),
]


@pytest.mark.parametrize("task", TASKS, ids=str)
@pytest.mark.parametrize("id", ["replace", "accumulate", "real-only"])
def test_a_run_from_a_kept_start_is_the_run(root, task, id):
    entry = find(root)[id]
    [start] = starts.unpacked(task, starts.packed(task, [start_of(task, 3)]))
    kept = [repr(record) for record in run(task, entry.make, entry.rules, 3, 12, start)]
    assert kept == [repr(record) for record in run(task, entry.make, entry.rules, 3, 12)]


@pytest.fixture
def counted(monkeypatch, tmp_path) -> Path:
    """A file that gets a line for every start that any process computes."""
    log = tmp_path / "computed"
    log.touch()

    def of(task, seed):
        with log.open("a") as file:
            file.write(f"{seed}\n")
        return start_of(task, seed)

    monkeypatch.setattr(starts, "start_of", of)
    return log


def get(folder: Path) -> bytes:
    return starts.starts(folder, "key", TASKS[0], range(2), 60).content


def test_processes_that_need_one_start_compute_it_once(counted, tmp_path):
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=get, args=(tmp_path / "starts",)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert counted.read_text() == "0\n1\n"
    get(tmp_path / "starts")
    assert counted.read_text() == "0\n1\n"


@pytest.mark.parametrize("spoil", [lambda b: b[:-9], lambda b: b[:99] + bytes([b[99] ^ 4]) + b[100:], lambda b: b""])
def test_a_truncated_or_edited_start_is_computed_again_and_says_so(counted, tmp_path, capsys, spoil):
    before = get(tmp_path / "starts")
    [path] = (tmp_path / "starts").glob("*.start")
    path.write_bytes(spoil(before))
    assert get(tmp_path / "starts") == before
    assert f"{path}: truncated or edited since it was written" in capsys.readouterr().err
    assert counted.read_text() == "0\n1\n" * 2
    assert [p.name for p in (tmp_path / "starts").glob("*.start")] == [f"key.{checksum(before)}.start"]


def test_a_start_is_read_only():
    [start] = starts.unpacked(TASKS[2], starts.packed(TASKS[2], [start_of(TASKS[2], 0)]))
    for array in (start.real, start.test, start.world):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0


@pytest.mark.parametrize("what", [print, np.testing.assert_equal, getattr, find])
def test_a_start_can_be_data_alone(what):
    with pytest.raises(pickle.UnpicklingError, match="a start holds"):
        starts.unpacked(TASKS[0], pickle.dumps([what]))


def test_a_start_that_cannot_be_computed_is_an_error_of_one_line(tmp_path, monkeypatch):
    def fails(task, seed):
        raise ThriveError("no data")

    monkeypatch.setattr(starts, "start_of", fails)
    with pytest.raises(ThriveError, match="^no data$"):
        get(tmp_path)
    monkeypatch.setattr(starts, "start_of", lambda task, seed: 1 / 0)
    with pytest.raises(ThriveError, match="seeds 0:2 ended with status 1: ZeroDivisionError"):
        get(tmp_path)


def test_a_start_made_while_a_file_was_edited_is_not_kept(tmp_path, monkeypatch):
    """Even if the file has been restored."""
    file = tmp_path / "data"
    file.write_text("1")

    def edited(task, seed):
        file.write_text("2")
        file.write_text("1")
        return start_of(task, seed)

    monkeypatch.setattr(stamps, "_FIRST", {})
    monkeypatch.setattr(Gaussian, "files", {"data": file})
    stamps.watch(file)
    monkeypatch.setattr(starts, "start_of", edited)
    with pytest.raises(Changed, match=f"{file} changed while the sweep ran"):
        get(tmp_path / "starts")
    assert list((tmp_path / "starts").glob("*.start")) == []
