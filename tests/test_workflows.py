"""The workflows of pull requests: what they may do, and that the output of a stranger's run is read as data."""

import copy
import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from leaderboard.board.difference import NONE, difference


def workflow(root: Path, name: str) -> dict:
    return yaml.safe_load((root / ".github" / "workflows" / f"{name}.yml").read_text())


def steps(found: dict) -> list[dict]:
    return [step for job in found["jobs"].values() for step in job["steps"]]


def test_jobs_that_run_a_strangers_code_may_only_read(root):
    found = workflow(root, "entry")
    assert list(found[True]) == ["pull_request"]  # YAML takes `on` for true
    assert found["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in found["jobs"].values())
    assert "secrets." not in (root / ".github" / "workflows" / "entry.yml").read_text()
    for job in found["jobs"].values():
        harness, proposed = (step["with"] for step in job["steps"] if "checkout" in step.get("uses", ""))
        assert harness["ref"] == "${{ github.event.pull_request.base.sha }}"
        assert proposed["path"] == "proposed"


def test_jobs_that_may_write_run_no_code_of_the_pull_request(root):
    found = workflow(root, "entry-comment")
    assert found["permissions"] == {}
    (checkout,) = (step for step in steps(found) if "checkout" in step.get("uses", ""))
    assert set(checkout["with"]) == {"persist-credentials"}  # no ref: the default branch
    commands = " ".join(step.get("run", "") for step in steps(found))
    assert "thrive" not in commands
    assert "make" not in commands


def test_no_step_has_an_expression_in_its_shell(root):
    for path in (root / ".github" / "workflows").glob("*.yml"):
        for step in steps(workflow(root, path.stem)):
            assert "${{" not in step.get("run", ""), path.name
            assert "checkout" not in step.get("uses", "") or step["with"]["persist-credentials"] is False


@pytest.fixture
def take_over(root, tmp_path):
    """Run the step that copies proposed entries over those of the base branch, in a folder with one known entry."""
    runs = {step["run"] for step in steps(workflow(root, "entry")) if step.get("name", "").startswith("Take over")}
    assert runs == {".ci/take-over"}
    script = str(root / ".ci" / "take-over")
    for folder in ("submissions/known", "proposed/submissions/known"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "strategy.py").write_text("1")
    return lambda: subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, capture_output=True, text=True)


def test_entries_that_differ_are_taken_over_and_nothing_else(take_over, tmp_path):
    assert take_over().returncode == 0
    assert (tmp_path / "entries.txt").read_text() == ""
    (tmp_path / "proposed" / "benchmark").mkdir()
    (tmp_path / "proposed" / "submissions" / "README.md").write_text("2")
    (tmp_path / "proposed" / "submissions" / "known" / "strategy.py").write_text("2")
    (tmp_path / "proposed" / "submissions" / "new").mkdir()
    (tmp_path / "proposed" / "submissions" / "new" / "link").symlink_to("/etc/passwd")
    assert take_over().returncode == 0
    assert (tmp_path / "entries.txt").read_text().split() == ["known", "new"]
    assert (tmp_path / "submissions" / "known" / "strategy.py").read_text() == "2"
    assert (tmp_path / "submissions" / "new" / "link").is_symlink()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["entries.txt", "proposed", "submissions"]


@pytest.mark.parametrize("name", ["Bad Name", "$(touch x)", "-rf", "ünicode"])
def test_a_folder_with_a_strange_name_stops_it(take_over, tmp_path, name):
    (tmp_path / "proposed" / "submissions" / name).mkdir()
    done = take_over()
    assert done.returncode == 1
    assert "an entry is a folder, named" in done.stderr
    assert not (tmp_path / "x").exists()


def test_a_link_in_place_of_a_folder_stops_it(take_over, tmp_path):
    (tmp_path / "proposed" / "submissions" / "linked").symlink_to(tmp_path)
    assert take_over().returncode == 1


@pytest.fixture
def board(root) -> dict:
    """The committed board."""
    return json.loads((root / "leaderboard" / "leaderboard.json").read_text())


def told(tmp_path: Path, before: object, after: object) -> str:
    for name, found in (("before", before), ("after", after)):
        text = found if isinstance(found, bytes) else json.dumps(found).encode()
        (tmp_path / name).write_bytes(text)
    return difference(tmp_path / "before", tmp_path / "after")


def last_ranked(board: dict) -> dict:
    return [row for row in board["divisions"][-1]["rows"] if row["rank"] is not None][-1]


def changed(board: dict, **update) -> dict:
    """The board with its last ranked row changed."""
    found = copy.deepcopy(board)
    last_ranked(found).update(update)
    return found


def test_new_rows_and_changed_ones_are_shown(tmp_path, board):
    assert told(tmp_path, board, board) == "The board stays as it is."
    row = last_ranked(board)
    assert f"`{row['entry']}` |" in told(tmp_path, changed(board, score=None), board)
    assert f"– → {row['score']['centre']:.2f} [" in told(tmp_path, changed(board, score=None), board)
    new = copy.deepcopy(board)
    new["divisions"][-1]["rows"].append(
        {**row, "entry": "my-idea", "score": {"centre": None, "low": None, "high": None}}
    )
    table = told(tmp_path, board, new)
    assert f"| {row['track']}, {row['budget']} | `my-idea` (new) | {row['rank']} | +inf |" in table
    assert table.count("\n") == 4


def test_words_of_a_stranger_do_not_reach_the_comment(tmp_path, board):
    """Neither invalid ids nor any other text that the run wrote."""
    said = "@everyone ![](https://example.org) | <b>"
    for update in ({"entry": said}, {"track": said}, {"budget": said}):
        assert told(tmp_path, board, changed(board, **update)) == "The board stays as it is."
    for update in (
        {"name": said},
        {"description": said},
        {"missing": [said]},
        {"refused": {said: said}},
        {"version": said},
    ):
        assert "everyone" not in told(tmp_path, board, changed(board, score=None, **update))


@pytest.mark.parametrize("found", [b"", b"[]", b"{}", b"\xff", b"null", b" " * (5 << 20), b"[" * 100_000])
def test_refuses_a_folder_without_a_board(tmp_path, board, found):
    assert told(tmp_path, board, found) == told(tmp_path, found, board) == NONE


def test_refuses_a_board_too_long_for_a_comment(tmp_path, board):
    new = copy.deepcopy(board)
    row = new["divisions"][-1]["rows"][-1]
    new["divisions"][-1]["rows"] += [{**row, "entry": f"x{k}", "tasks": []} for k in range(2000)]
    assert told(tmp_path, board, new) == NONE


def test_refuses_a_missing_file_or_a_link(tmp_path, root):
    (tmp_path / "link").symlink_to(root / "leaderboard" / "leaderboard.json")
    assert difference(tmp_path / "link", tmp_path / "none") == NONE
    assert difference(root / "leaderboard" / "leaderboard.json", tmp_path / "link") == NONE


def test_the_published_site_has_all_that_its_pages_link_to(root, tmp_path):
    """Relative links of documents lead to what is published too, or to code, which the site leaves out."""
    subprocess.run([root / ".ci" / "site", tmp_path], check=True)
    assert (tmp_path / "leaderboard" / "leaderboard.html").is_file()
    for page in tmp_path.rglob("*.md"):
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[\w-]*)?\)", page.read_text()):
            assert (root / page.relative_to(tmp_path).parent / target).exists(), f"{page.name}: {target}"


def test_what_publishes_the_site_runs_no_code_of_the_project(root):
    found = workflow(root, "pages")
    assert found["permissions"] == {}
    assert [step["run"] for step in steps(found) if "run" in step] == [".ci/site site"]
    assert found["jobs"]["publish"]["permissions"] == {"pages": "write", "id-token": "write"}
    assert not any("uses" in step and "checkout" in step["uses"] for step in found["jobs"]["publish"]["steps"])


def test_forms_of_issues_are_forms(root):
    forms = [path for path in (root / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml"]
    assert len(forms) == 3
    for path in forms:
        form = yaml.safe_load(path.read_text())
        assert set(form) == {"name", "description", "body"}
        assert all(part["id"] and part["attributes"]["label"] for part in form["body"])
