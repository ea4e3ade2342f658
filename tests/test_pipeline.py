"""The whole pipeline through DVC, in a clone of its own: profile smoke."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def clone(tmp_path_factory, root) -> Path:
    """The working tree as it would be committed, in a repository of its own."""
    folder = tmp_path_factory.mktemp("thrive") / "clone"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=root, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in listed:
        if (root / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, folder / name, follow_symlinks=False)
    (folder / "params.yaml").write_text(
        (root / "params.yaml").read_text().replace("profile: standard", "profile: smoke")
    )
    for words in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


def call(clone: Path, *words: str) -> str:
    """A command of this environment in the clone, on the clone's own code; returns all that it prints."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(clone),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HF_HUB_OFFLINE": "1",
    }
    done = subprocess.run(words, cwd=clone, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_pipeline_end_to_end(clone):
    """From a fresh clone to board and figures; then nothing runs again, but what a new baseline needs."""
    first = call(clone, "dvc", "repro")
    profile = json.loads((clone / "leaderboard" / "leaderboard.json").read_text())
    assert profile["profile"] == "smoke"
    assert {row["entry"] for row in profile["references"]} == {"real-only", "replace"}
    assert [row["entry"] for division in profile["divisions"] for row in division["rows"]] == [
        "accumulate-subsample",
        "accumulate",
    ]
    for name in ("fig1", "fig2", "fig4", "slopes", "collapse-profile"):
        assert (clone / "leaderboard" / "figures" / f"{name}.png").stat().st_size > 10_000
        assert (clone / "leaderboard" / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    assert "Rank intervals" in (clone / "leaderboard" / "leaderboard.html").read_text()
    printed = call(clone, "thrive", "score", "--json")
    assert json.loads(printed[printed.index("{") : printed.rindex("}") + 1]) == profile
    assert "Running stage 'score@gaussian'" in first

    assert "Data and pipelines are up to date" in call(clone, "dvc", "repro")

    readme = clone / "README.md"
    readme.write_text(readme.read_text() + "\nMore prose.\n")
    assert "Data and pipelines are up to date" in call(clone, "dvc", "repro")

    new = clone / "submissions" / "again"
    shutil.copytree(clone / "baselines" / "accumulate", new)
    (new / "card.yaml").write_text((new / "card.yaml").read_text().replace("id: accumulate", "id: again"))
    code = (new / "strategy.py").read_text().replace("pool.all()", "pool.sample(len(pool), context.rng)")
    (new / "strategy.py").write_text(code)  # other code for the same rows; the same code would share its cells
    params = clone / "params.yaml"
    params.write_text(
        params.read_text().replace("accumulate, accumulate-subsample]", "accumulate, accumulate-subsample, again]", 1)
    )
    listing = call(clone, "thrive", "run", "--dry-run")
    assert {line.split(" · ")[1] for line in listing.splitlines() if line.startswith("to do")} == {"again"}
    assert "Running stage 'score@gaussian'" in call(clone, "dvc", "repro")
    again = json.loads((clone / "leaderboard" / "leaderboard.json").read_text())
    scores = {row["entry"]: row["score"] for division in again["divisions"] for row in division["rows"]}
    assert scores["again"] == scores["accumulate"]
