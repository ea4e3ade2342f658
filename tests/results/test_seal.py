"""Results on disk are those that were written; otherwise the reader gets an error with the file and the command that rebuilds it."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark import stamps
from benchmark.errors import ThriveError
from benchmark.results import gather as results
from benchmark.results import seal
from tests.runs.test_records import PARAMS
from thrive.cli import main

FILES = ("about.json", "scores.parquet", "curves.parquet")
SPOILS = {
    "truncated": lambda content: content[:-9],
    "empty": lambda content: b"",
    "flipped": lambda content: content[:300] + bytes([content[300] ^ 1]) + content[301:],
    "other": lambda content: b"{}",
    "deep": lambda content: b"[" * 100_000,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory, root) -> Path:
    """A clone with results, and a board's folder of them."""
    clone = tmp_path_factory.mktemp("made")
    other = "  other:\n    about: what params.yaml names\n    suites: {kde: {horizon: 2, seeds: 1, instances: [{data: moons, bandwidth: 1.0, n: 9, seconds: 1}]}}\n"
    text = PARAMS.replace("profile: tiny", "profile: other", 1).replace("profiles:\n", f"profiles:\n{other}")
    (clone / "params.yaml").write_text(text)
    shutil.copytree(root / "baselines", clone / "baselines", ignore=shutil.ignore_patterns("__pycache__"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(clone)
        assert call("run", "--profile", "tiny", "-j", "1").exit_code == 0
        assert call("score", "--profile", "tiny").exit_code == 0
    return clone


@pytest.fixture
def clone(made, tmp_path, monkeypatch) -> Path:
    """A copy of that clone, in which commands run."""
    shutil.copytree(made, tmp_path / "clone")
    monkeypatch.chdir(tmp_path / "clone")
    return tmp_path / "clone"


def call(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def content(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


@pytest.mark.parametrize("spoil", SPOILS)
@pytest.mark.parametrize("name", FILES)
def test_spoiled_results_are_refused_by_score_and_made_again_by_run(clone, name, spoil):
    folder = clone / "results" / "tiny" / "gaussian"
    before = content(folder)
    (folder / name).write_bytes(SPOILS[spoil](before[name]))
    refused = call("score", "--profile", "tiny", "--to", "elsewhere")
    assert refused.exit_code == 1
    assert refused.stderr == (
        f"Error: {folder / name}: truncated or edited since it was written. "
        "Make it again: thrive run --profile tiny -t gaussian\n"
    )
    assert not (clone / "elsewhere").exists()
    again = call("run", "--profile", "tiny", "-j", "1")
    assert again.exit_code == 0, again.stderr
    assert f"{folder / name}: truncated or edited since it was written. Making it again." in again.stderr
    assert content(folder) == before
    assert call("score", "--profile", "tiny", "--to", "elsewhere").exit_code == 0


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("words", [
    ("board", "--at", "results/tiny/board"),
    ("figures", "--at", "results/tiny/board", "--to", "drawn", "--only", "fig1"),
])  # fmt: skip
def test_a_spoiled_board_folder_is_refused_by_every_reader(clone, name, words):
    path = clone / "results" / "tiny" / "board" / name
    path.write_bytes(SPOILS["flipped"](path.read_bytes()))
    found = call(*words)
    if (words[0], name) == ("figures", "scores.parquet"):  # which figures do not read
        return
    assert found.exit_code == 1
    assert found.stderr.endswith("Make it again: thrive score --profile tiny\n")
    assert str(path) in found.stderr
    assert found.exception is None or isinstance(found.exception, SystemExit)


@pytest.mark.parametrize("name", FILES)
def test_compare_refuses_spoiled_results(clone, name):
    path = clone / "results" / "tiny" / "kde" / name
    path.write_bytes(b"")
    found = call("compare", "replace", "accumulate", "--profile", "tiny")
    assert (found.exit_code, str(path) in found.stderr) == (1, True)
    assert found.stderr.endswith("Make it again: thrive run --profile tiny -t kde\n")


def test_nothing_is_written_if_nothing_changed(clone):
    """`dvc repro` would see a rewritten file."""
    paths = [path for path in (clone / "results").rglob("*") if path.is_file()]
    paths += (clone / "cells").glob("*.txt")
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in paths}
    assert call("run", "--profile", "tiny", "-j", "1").exit_code == 0
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in paths} == before
    assert "again" not in call("run", "--profile", "tiny", "-j", "1").stderr


@pytest.mark.parametrize("which", range(3))
def test_an_interrupted_write_is_found_and_made_again(clone, monkeypatch, which):
    """Before whichever of the three files the power fails."""
    folder = clone / "results" / "tiny" / "gaussian"
    before = content(folder)
    old = results.read(folder)
    calls = iter(range(9))
    write = results.write_atomically

    def interrupted(path, what):
        if next(calls) == which:
            raise KeyboardInterrupt
        write(path, what)

    changed = results.Results(old.scores[1:], old.curves[1:], old.about)
    monkeypatch.setattr(results, "write_atomically", interrupted)
    with pytest.raises(KeyboardInterrupt):
        changed.write(folder)
    monkeypatch.setattr(results, "write_atomically", write)
    if which > 0:
        with pytest.raises(ThriveError, match="truncated or edited"):
            results.read(folder)
    assert call("run", "--profile", "tiny", "-j", "1").exit_code == 0
    assert content(folder) == before
    assert [path.name for path in folder.iterdir() if path.name not in FILES] == []


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 10**6), bit=st.integers(0, 7), name=st.sampled_from(FILES))
def test_no_bit_can_change_unseen(made, tmp_path, position, bit, name):
    folder = tmp_path / "flipped"
    shutil.copytree(made / "results" / "tiny" / "kde", folder, dirs_exist_ok=True)
    before = seal.read_about(folder).model_dump_json()
    spoiled = bytearray((folder / name).read_bytes())
    spoiled[position % len(spoiled)] ^= 1 << bit
    (folder / name).write_bytes(spoiled)
    try:
        results.read(folder)
    except ThriveError:
        return
    assert name == "about.json"  # where 1e-5 may become 1E-5
    assert seal.read_about(folder).model_dump_json() == before


@pytest.mark.parametrize("folder", ["leaderboard", "paper/data", "paper/data/bandwidths", "paper/data/as-published"])
def test_committed_results_are_as_they_were_written(root, folder):
    read = results.read if folder == "leaderboard" else results.read_curves
    assert len(read(root / folder).curves)


@pytest.mark.parametrize("folder", ["leaderboard", "paper/data", "paper/data/bandwidths", "paper/data/as-published"])
def test_about_json_is_written_as_it_was_read(root, folder):
    """Byte for byte: nothing is lost, added or converted between file and object."""
    path = root / folder / "about.json"
    names = json.loads(path.read_text())["sha256"].keys() - {path.name}
    tables = {name: (path.parent / name).read_bytes() for name in names}
    assert seal.sealed(seal.read_about(path.parent), tables) == path.read_bytes()


def test_results_are_not_made_by_code_that_was_edited_after_it_was_loaded(clone, monkeypatch):
    """Such results would be taken for results of the edited code."""
    source = clone / "some.py"
    source.write_text("A = 1")
    monkeypatch.setattr(stamps, "_FIRST", {})
    monkeypatch.setattr(stamps, "PACKAGE", clone)  # as if it were of the code of Thrive
    stamps.watch(source)
    source.write_text("A = 2")
    shutil.rmtree(clone / "results")
    found = call("run", "--profile", "tiny", "-j", "1")
    assert (found.exit_code, (clone / "results" / "tiny").exists()) == (1, False)
    assert found.stderr.endswith(
        f"Error: {source} changed while the sweep ran: nothing that depends on it is kept. Run it again.\n"
    )
