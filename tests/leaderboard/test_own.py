"""One's own entries on the committed board, and where an entry stands: `thrive board --with`, `thrive show`, completion."""

import os
import shutil
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from benchmark.errors import ThriveError
from benchmark.results import gather
from benchmark.results.profile import Scope, gather_results, run_profile
from benchmark.runs.project import Project
from leaderboard.board.committed import read_board, row_of
from leaderboard.board.project import board_of
from leaderboard.render.own import own_board
from leaderboard.render.publish import is_current
from tests.conftest import tiny_profile
from thrive.cli import main

PARAMS = tiny_profile(
    "gaussian: {horizon: 4, seeds: 4, instances: [{d: 2, n: [12, 20], seconds: 0.01}]}",
    "kde: {horizon: 4, seeds: 3, instances: [{data: moons, bandwidth: 0.3, n: 12, seconds: 0.01}, "
    "{data: blobs, bandwidth: 0.3, n: 12, ranked: false, only: replace, seconds: 0.01}]}",
).replace("[replace, accumulate]", "[replace, accumulate, accumulate-subsample, model-averaging]")


@pytest.fixture(scope="module")
def made(tmp_path_factory, root) -> Path:
    """A clone with a board of four entries, and a submission that is not on it."""
    clone = tmp_path_factory.mktemp("own") / "clone"
    clone.mkdir()
    (clone / "params.yaml").write_text(PARAMS)
    shutil.copy(root / "README.md", clone)
    for id in ("replace", "accumulate", "accumulate-subsample", "model-averaging"):
        shutil.copytree(root / "baselines" / id, clone / "baselines" / id)
    mine = shutil.copytree(root / "baselines" / "model-averaging", clone / "submissions" / "mine")
    card = (mine / "card.yaml").read_text().replace("id: model-averaging", "id: mine").replace("0.5", "0.25")
    (mine / "card.yaml").write_text(card)
    run_profile(Scope(Project.load(clone)), 1)
    gather_results(Project.load(clone)).write(clone / "leaderboard")
    shutil.rmtree(clone / "cells")
    return clone


@pytest.fixture
def clone(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "clone")


def test_only_own_cells_are_computed_and_nobody_else_moves(clone):
    """The same board as that of all entries computed together, but for where the entry comes from."""
    found = own_board(clone, ["mine"])
    assert {cell.entry.id for cell in found.run.plan.to_do} == {"mine"}
    placed = row_of(found.board, "mine")
    assert placed is not None
    assert placed[0].rank is not None, "it has a rank by public seeds, without a verification"

    params = (clone / "params.yaml").read_text()
    (clone / "params.yaml").write_text(params.replace("model-averaging]", "model-averaging, mine]"))
    shutil.move(clone / "submissions" / "mine", clone / "baselines" / "mine")
    run_profile(Scope(Project.load(clone)), 1)
    whole = board_of(Project.load(clone), gather_results(Project.load(clone)))
    assert found.board.divisions == whole.divisions


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (("n: [12, 20]", "n: [12, 21]"), "they are of other instances, or data, than d=2 n=21"),
        (("n: [12, 20]", "n: 12"), "params.yaml no longer has d=2 n=20"),
        (("horizon: 4", "horizon: 5"), "they go to T = 4, not to 5"),
        (("seeds: 4", "seeds: 5"), "they have no seed 4"),
    ],
)
def test_scores_of_another_protocol_are_refused(clone, edit, why):
    (clone / "params.yaml").write_text(PARAMS.replace(*edit))
    with pytest.raises(ThriveError, match=f"the scores of gaussian cannot stand beside yours: {why}"):
        own_board(clone, ["mine"])
    assert not list((clone / "cells").glob("*.parquet"))


@pytest.mark.parametrize(("code", "why"), [("", "not recorded"), ("0" * 64, "other code made them")])
def test_scores_of_another_code_are_refused(clone, code, why):
    held = gather.read(clone / "leaderboard")
    tasks = {name: task.model_copy(update={"code": code}) for name, task in held.about.tasks.items()}
    gather.Results(held.scores, held.curves, held.about.model_copy(update={"tasks": tasks})).write(
        clone / "leaderboard"
    )
    with pytest.raises(ThriveError, match=why):
        own_board(clone, ["mine"])


def test_the_commands(clone, monkeypatch):
    monkeypatch.chdir(clone)
    call = CliRunner().invoke
    done = call(main, ["board"])
    assert done.exit_code == 0, done.output
    before = (clone / "leaderboard" / "leaderboard.json").read_bytes()
    done = call(main, ["board", "--with", "mine", "-j", "1"])
    assert done.exit_code == 0, done.output
    assert "mine: blind, fixed budget. Rank" in done.output
    page = clone / "results" / "tiny" / "with" / "mine" / "leaderboard.html"
    assert 'id="entry-mine"' in page.read_text()
    assert "](../../../../leaderboard/statistics.md)" in page.with_suffix(".md").read_text()
    assert "](statistics.md)" in (clone / "leaderboard" / "leaderboard.md").read_text()
    assert (clone / "leaderboard" / "leaderboard.json").read_bytes() == before, "the committed board stays as it is"

    done = call(main, ["show", "model-averaging"])
    assert done.exit_code == 0, done.output
    row, _ = row_of(read_board(clone / "leaderboard" / "leaderboard.json"), "model-averaging")
    assert f"over all {row.rank} ({row.rank_interval.low}–{row.rank_interval.high})" in " ".join(done.output.split())
    assert "KDE" in done.output
    assert "A reference line" in call(main, ["show", "replace"]).output
    assert "thrive board --with mine" in call(main, ["show", "mine"]).output
    (clone / "leaderboard" / "leaderboard.json").write_text("{}")
    assert "no leaderboard of this version. Make it again: thrive board" in call(main, ["show", "mine"]).output


def test_an_open_page_is_built_only_where_it_is_older_than_its_scores(clone, monkeypatch):
    monkeypatch.chdir(clone)
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    page, scores = (clone / "leaderboard" / name for name in ("leaderboard.html", "scores.parquet"))
    assert not is_current(page)
    for text in (None, "old", "new"):
        if text is not None:
            page.write_text(text)
            shift = 100 if text == "new" else -100
            os.utime(page, (scores.stat().st_mtime + shift,) * 2)
        done = CliRunner().invoke(main, ["board", "--open"])
        assert done.exit_code == 0, done.output
        assert (page.read_text() == "new") is (text == "new")
    assert opened == [page.as_uri()] * 3


def test_a_part_of_a_profile_is_gathered_apart(clone, monkeypatch):
    monkeypatch.chdir(clone)
    before = (clone / "leaderboard" / "about.json").read_bytes()
    done = CliRunner().invoke(main, ["score", "-t", "kde"])
    assert done.exit_code == 0, done.output
    assert set(gather.read(clone / "results" / "tiny" / "board").about.tasks) == {"kde"}
    assert (clone / "leaderboard" / "about.json").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "begin", "expected"),
    [
        (["show"], "m", ["mine", "model-averaging"]),
        (["run", "-s"], "rep", ["replace"]),
        (["run", "--profile"], "t", ["tiny"]),
        (["figures", "--entries"], "replace,mi", ["replace,mine"]),
        (["board", "--with"], "x", []),
    ],
)
def test_a_shell_completes_ids_and_profiles(clone, monkeypatch, words, begin, expected):
    monkeypatch.chdir(clone)
    found = ShellComplete(main, {}, "thrive", "_THRIVE_COMPLETE").get_completions(words, begin)
    assert [item.value for item in found] == expected
    monkeypatch.chdir("/")
    assert ShellComplete(main, {}, "thrive", "_THRIVE_COMPLETE").get_completions(words, begin) == []
