"""Releases of the board: a version stays what it was, and can be built again after the next one exists."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from benchmark.results.profile import Scope, gather_results, run_profile
from benchmark.runs.project import Project
from leaderboard.render.publish import publish_board
from tests.conftest import tiny_profile

PARAMS = tiny_profile("gaussian: {horizon: 3, seeds: 3, instances: [{d: 2, n: 12, seconds: 0.01}]}").replace(
    "[replace, accumulate]", "[replace, accumulate-subsample]"
)


def call(clone: Path, *words: str) -> subprocess.CompletedProcess[str]:
    identity = {f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, **identity, "PATH": path, "PYTHONPATH": str(clone), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(words, cwd=clone, env=environment, capture_output=True, text=True)


def commit_board(clone: Path) -> str:
    run_profile(Scope(Project.load(clone)), 1)
    gather_results(Project.load(clone)).write(clone / "leaderboard")
    publish_board(Project.load(clone), Path("leaderboard"))
    for words in (["add", "-A"], ["-c", "commit.gpgsign=false", "commit", "-qm", "A board."]):
        done = call(clone, "git", *words)
        assert done.returncode == 0, done.stderr
    return (clone / "leaderboard" / "leaderboard.json").read_text()


@pytest.fixture
def clone(root, tmp_path) -> Path:
    """The working tree with two entries and a tiny board, committed."""
    clone = tmp_path / "clone"
    for name in ("benchmark", "leaderboard", "paper", "thrive"):
        keep_out = shutil.ignore_patterns("__pycache__", "*.parquet", "leaderboard.html", "assets", "data", "figures")
        shutil.copytree(root / name, clone / name, ignore=keep_out)
    for name in (
        "README.md",
        "CITATION.cff",
        "CHANGELOG.md",
        "Makefile",
        "requirements.lock",
        ".gitignore",
        ".ci/release",
    ):
        (clone / name).parent.mkdir(exist_ok=True)
        shutil.copy(root / name, clone / name)
    shutil.rmtree(clone / "leaderboard" / "verified")
    (clone / "leaderboard" / "VERSION").unlink(missing_ok=True)
    (clone / "params.yaml").write_text(PARAMS)
    for id in ("replace", "accumulate-subsample", "model-averaging"):
        shutil.copytree(root / "baselines" / id, clone / "baselines" / id)
    assert call(clone, "git", "init", "-q").returncode == 0
    return clone


def test_a_released_board_is_built_again_after_the_next_one(clone):
    first = commit_board(clone)
    assert "expected 1: the last one was 0" in call(clone, ".ci/release", "2").stderr
    done = call(clone, ".ci/release", "1")
    assert done.returncode == 0, done.stderr
    with tarfile.open(clone / "thrive-board-1.tar.gz") as archive:
        names = set(archive.getnames())
    assert {
        f"thrive-board-1/leaderboard/{name}"
        for name in ("scores.parquet", "leaderboard.json", "board_changes.md", "VERSION")
    } <= names
    assert "version: board-1" in (clone / "CITATION.cff").read_text()

    (clone / "params.yaml").write_text(
        PARAMS.replace("accumulate-subsample]", "accumulate-subsample, model-averaging]")
    )
    second = commit_board(clone)
    assert second != first
    (clone / "leaderboard" / "leaderboard.csv").write_text("edited")
    assert "not committed" in call(clone, ".ci/release", "2").stderr
    assert call(clone, "git", "checkout", "--", ".").returncode == 0
    assert call(clone, ".ci/release", "2").returncode == 0

    done = call(clone, "make", "-o", "setup", "board", "TAG=board-1")
    assert done.returncode == 0, done.stdout + done.stderr
    built = (clone / "boards" / "board-1" / "leaderboard" / "leaderboard.json").read_text()
    assert json.loads(built) == json.loads(first)
    assert (clone / "leaderboard" / "leaderboard.json").read_text() == second
