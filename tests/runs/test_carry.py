"""`thrive carry`: finished cells get the keys of new code, all of them or none."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from benchmark.digest.hashes import digest
from benchmark.errors import ThriveError
from benchmark.runs import carry, sweep
from benchmark.runs import cells as records
from benchmark.runs.cells import provenance_of
from tests.conftest import tiny_profile

PARAMS = tiny_profile(
    "gaussian: {horizon: 5, seeds: 3, instances: [{d: [1, 2], n: 12, seconds: 0.01}]}",
    "kde: {horizon: 5, seeds: 3, instances: [{data: moons, bandwidth: 0.3, n: 12, seconds: 0.01}]}",
)


def call(folder: Path, *words: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)


def thrive(folder: Path, *words: str) -> subprocess.CompletedProcess:
    return call(folder, sys.executable, "-m", "thrive.cli", *words)


def commit(folder: Path) -> None:
    call(folder, "git", "add", "-A")
    words = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false", "commit", "-qm", "x"]
    assert call(folder, "git", *words).returncode == 0


@pytest.fixture(scope="module")
def finished(tmp_path_factory, root) -> Path:
    """A clone of the code with a tiny profile and its six finished cells."""
    folder = tmp_path_factory.mktemp("clone")
    ignored = shutil.ignore_patterns("__pycache__", "assets", "recipes")
    for name in ("benchmark", "thrive", *(f"baselines/{id}" for id in ("replace", "accumulate"))):
        shutil.copytree(root / name, folder / name, ignore=ignored)
    shutil.copy(root / "pyproject.toml", folder)
    shutil.copy(root / ".gitignore", folder)
    (folder / "params.yaml").write_text(PARAMS)
    call(folder, "git", "init", "-q")
    commit(folder)
    done = thrive(folder, "run", "-j", "1")
    assert len(contents(folder)) == 6, done.stderr
    return folder


@pytest.fixture
def clone(finished, tmp_path) -> Path:
    return shutil.copytree(finished, tmp_path / "clone")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "cells").glob("*.parquet")}


def edit(folder: Path, name: str, old: str, new: str) -> None:
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))


def test_a_refactoring_carries(clone):
    """A function is renamed: the cells that reach it get new keys and stay finished."""
    before = contents(clone)
    edit(clone, "benchmark/tasks/gaussian.py", "_scaled(", "_times(")
    assert "2 cells finished, 4 to do" in thrive(clone, "run", "--dry-run").stderr
    done = thrive(clone, "carry", "--from", "HEAD", "-j", "1")
    assert (done.returncode, done.stdout) == (0, "4 cells carried.\n"), done.stderr
    assert "6 cells finished, 0 to do" in thrive(clone, "run", "--dry-run").stderr
    after = contents(clone)
    assert len(after) == 6
    assert len(before.keys() & after.keys()) == 2
    carried = [line for path in (clone / "cells").glob("*.parquet")
               for line in provenance_of(pa.parquet.read_table(path)).get("carried", [])]  # fmt: skip
    head = call(clone, "git", "rev-parse", "HEAD").stdout.strip()
    assert {line["key"] for line in carried} == {name.split(".")[0] for name in before.keys() - after.keys()}
    assert {(line["from_commit"], line["commit"], line["dirty"], line["recomputed"], line["of"]) for line in carried} == {(head, head, True, 4, 4)}  # fmt: skip
    assert call(clone, "git", "worktree", "list").stdout.count("\n") == 1


@pytest.mark.parametrize(("name", "old", "new", "told"), [
    ("benchmark/tasks/gaussian.py", "LOG_2PI = float(np.log(2 * np.pi))", "LOG_2PI = float(np.log(2.5 * np.pi))",
     r"gaussian d=\d n=12 · \S+ · seeds 0:3 is not what it was: column 'test_loss', row 0 is [\d.]+, and was [\d.]+"),
    ("benchmark/core/loop.py", '"t": t,', '"t": t, "more": 1,', "column 'more' is not there before"),
    ("baselines/replace/strategy.py", "return pool", "1 / 0\n        return pool", "could not be computed: StrategyFailed: ZeroDivisionError"),
])  # fmt: skip
def test_a_change_of_numbers_is_refused_and_changes_nothing(clone, name, old, new, told):
    before = contents(clone)
    edit(clone, name, old, new)
    done = thrive(clone, "carry", "--from", "HEAD", "-j", "1")
    assert done.returncode == 1
    assert "Error: nothing was carried: " in done.stderr
    assert re.search(told, done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert contents(clone) == before


def test_cells_of_other_parameters_are_not_carried(clone):
    edit(clone, "benchmark/tasks/gaussian.py", "_scaled(", "_times(")
    edit(clone, "params.yaml", "d: [1, 2]", "d: [1, 3]")
    done = thrive(clone, "carry", "--from", "HEAD", "-j", "1")
    assert done.stdout == "2 cells carried.\n", done.stderr


def test_a_revision_that_does_not_exist_or_has_no_carry_is_refused(clone):
    for nowhere in ("nowhere", "HEAD~99", "--all", "HEAD:benchmark", ""):
        done = thrive(clone, "carry", "--from", nowhere)
        [line] = done.stderr.splitlines()
        assert line.startswith(f"Error: --from {nowhere}: there is no such revision.")
        assert done.returncode == 1
    edit(clone, "thrive/cli.py", "    carry,\n", "")
    commit(clone)
    edit(clone, "thrive/cli.py", "):\n    main.add_command", "    carry,\n):\n    main.add_command")
    done = thrive(clone, "carry", "--from", "HEAD")
    assert "--from HEAD: its code cannot list its keys, by `thrive carry --keys`:" in done.stderr
    assert done.returncode == 1


@pytest.fixture
def renamed(finished, tmp_path, monkeypatch) -> Path:
    """The same cells under the keys of an imagined old revision; the new code is the current one."""
    shutil.copytree(finished, tmp_path / "clone")
    folder = tmp_path / "clone"
    old = [each | {"key": digest(each["key"])[:32]} for each in carry.keys(folder)["cells"]]
    for path in list((folder / "cells").glob("*.parquet")):
        key, rest = path.name.split(".", 1)
        path.rename(path.with_name(f"{digest(key)[:32]}.{rest}"))
    monkeypatch.setattr(carry, "_keys_of", lambda *_: old)
    monkeypatch.setattr(carry, "_checked_out", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(carry, "_git", lambda *_: "0" * 40)
    return folder


def tables(folder: Path) -> list[str]:
    """The records of every finished cell, whatever its key."""
    return sorted({str(pa.parquet.read_table(path).to_pylist()) for path in (folder / "cells").glob("*.parquet")})


def test_an_interrupted_carry_loses_nothing_and_continues(renamed, monkeypatch):
    before, files = tables(renamed), contents(renamed)
    write, written = records.write_atomically, []

    def interrupted(path, content):
        if len(written) == 2 and path.parent == renamed / "cells":
            raise KeyboardInterrupt
        written.extend([path] * (path.parent == renamed / "cells"))
        write(path, content)

    monkeypatch.setattr(records, "write_atomically", interrupted)
    with pytest.raises(KeyboardInterrupt):
        carry.carry(renamed, "old", 1)
    assert files.items() <= contents(renamed).items()
    monkeypatch.setattr(records, "write_atomically", write)
    assert carry.carry(renamed, "old", 1) == 4
    assert tables(renamed) == before
    assert not files.keys() & contents(renamed).keys()
    assert {name.split(".")[0] for name in contents(renamed)} == {cell.key for cell in carry.known_cells(renamed)}
    assert carry.carry(renamed, "old", 1) == 0


def test_truncated_cells_are_not_carried(renamed):
    path = next((renamed / "cells").glob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-9])
    assert carry.carry(renamed, "old", 1) == 5
    assert path.is_file()


def test_two_percent_and_at_least_twenty_are_computed_again(renamed):
    """In each task-setting, and for each entry whose own code has changed."""
    [cell, *_] = [c for c in carry.known_cells(renamed) if c.instance.task_setting == "gaussian"]
    same = {"entry": cell.entry.digest}

    def moves(count: int, old: dict = same) -> list[carry.Move]:
        return [carry.Move(cell, old, Path(str(k))) for k in range(count)]

    assert [len(carry._sample(moves(count))) for count in (3, 20, 21, 1000, 1001, 5000)] == [3, 20, 20, 20, 21, 100]
    assert len({move.file for move in carry._sample(moves(5000))}) == 100
    assert len(carry._sample([*moves(5000), *moves(30, {"entry": "another"})])) == 120
    kde = next(c for c in carry.known_cells(renamed) if c.instance.task_setting == "kde")
    assert (
        len(
            carry._sample(
                [*moves(5000), *(carry.Move(kde, same | {"entry": kde.entry.digest}, Path()) for _ in range(9))]
            )
        )
        == 109
    )


@pytest.mark.parametrize(("before", "now", "told"), [
    ({"x": [1.0, float("nan")]}, {"x": [1.0, float("nan")]}, None),
    ({"x": [0.0]}, {"x": [-0.0]}, "column 'x', row 0 is -0.0, and was 0.0"),
    ({"x": [1.0, 1.0]}, {"x": [1.0, 1.0000000000000002]}, "column 'x', row 1"),
    ({"x": [1.0, None]}, {"x": [1.0, float("nan")]}, "column 'x', row 1"),
    ({"x": [1]}, {"x": [1.0]}, "column 'x' is of type double, and was of type int64"),
    ({"x": [1]}, {"x": [1, 2]}, "it has 2 rows, and had 1"),
    ({"x": [["a"]]}, {"x": [["b"]]}, "column 'x', row 0"),
    ({}, {}, None),
])  # fmt: skip
def test_the_first_difference_is_named(before, now, told):
    found = carry.difference(pa.table(before), pa.table(now))
    assert (found is None) if told is None else (told in found)


def test_a_cell_that_cannot_be_computed_refuses_all(renamed, monkeypatch):
    before = contents(renamed)
    monkeypatch.setattr(sweep, "compute", lambda *_: [sweep.Failure(carry.known_cells(renamed)[0], "TimedOut: x", "")])
    with pytest.raises(ThriveError, match="nothing was carried: .* could not be computed: TimedOut: x"):
        carry.carry(renamed, "old", 1)
    assert contents(renamed) == before
