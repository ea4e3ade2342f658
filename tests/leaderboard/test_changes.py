"""The list of changes of the board: which rows moved, and why."""

import subprocess

import pytest

from benchmark.entries.catalogue import find
from leaderboard.board import build
from leaderboard.render import changes
from tests.leaderboard.test_board import COMPUTED, REPLACE, some_results

LOW, HIGH = [[1, 1.2, 1.3], [1, 1.2, 1.3]], [[1, 1.5, 2], [1, 1.6, 2]]


@pytest.fixture(scope="module")
def cards(root):
    return {entry.id: entry.card for entry in find(root).values()}


@pytest.fixture
def board(cards):
    """A board of replace and of entries with these losses."""

    def made(cards=cards, computed=COMPUTED, **losses):
        losses = {id.replace("_", "-").replace("anchor-0", "anchor-0."): runs for id, runs in losses.items()}
        digests = {id: {"digest": "d", "version": cards[id].version, "track": cards[id].track, "budget": cards[id].budget} for id in losses}  # fmt: skip
        return build.build_board(some_results({"replace": REPLACE, **losses}, computed=computed, as_run=digests), cards)

    return made


def why(old, new):
    """The last column by entry."""
    text = changes.changes(old.model_dump(), new)
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if "`" in line]
    return {row[1].strip("`"): row[-1] for row in rows}


def test_an_unchanged_board_has_no_changes(board):
    assert changes.changes(board(anchor_05=LOW).model_dump(), board(anchor_05=LOW)) == ""


def test_new_removed_and_displaced_entries_are_listed(board):
    old = board(anchor_05=LOW, anchor_01=HIGH)
    found = why(old, board(anchor_05=LOW, anchor_01=HIGH, self_correction=REPLACE))
    assert found == {"anchor-0.5": "others moved", "anchor-0.1": "others moved", "self-correction": "new entry"}
    assert why(old, board(anchor_05=LOW))["anchor-0.1"] == "left"


def test_a_number_that_moved_has_a_cause(board, cards):
    old, new = board(anchor_05=LOW), board(anchor_05=HIGH)
    assert "unknown" in why(old, new)["anchor-0.5"]
    newer = cards | {"anchor-0.5": cards["anchor-0.5"].model_copy(update={"version": "9.0.0"})}
    assert why(old, board(cards=newer, anchor_05=HIGH)) == {"anchor-0.5": "version 1.0.0 → 9.0.0"}
    other = old.model_dump()
    other["divisions"][0]["rows"][0]["digest"] = "another"
    assert "| its code or data changed |" in changes.changes(other, new)


def test_a_number_of_an_entry_that_has_not_all_task_settings_is_listed(board):
    """It has no score over all: its scores by task-setting stand for that."""
    old, new = board(anchor_05=LOW).model_dump(), board(anchor_05=HIGH)
    [row] = [row for division in new.divisions for row in division.rows]
    old["divisions"][0]["rows"][0] |= {"score": None, "slope_score": None}
    partly = row.model_copy(update={"score": None, "slope_score": None})
    division = new.divisions[0].model_copy(update={"rows": [partly]})
    found = changes.changes(old, new.model_copy(update={"divisions": [division]}))
    assert "`anchor-0.5`" in found
    assert "No row moved" not in found


def test_changes_for_all_entries_come_first(board):
    old = board(anchor_05=LOW).model_dump()
    old["metrics_version"] -= 1
    old["tasks"][0]["horizon"] = 7
    again = board(computed=COMPUTED | {"versions": {"python": ["3.12.0"]}, "commits": ["1" * 40]}, anchor_05=LOW)
    text = changes.changes(old, again)
    for words in ("metrics version", "iterations changed", "python 3.11.2 → 3.12.0", "computed anew, at 1111111111"):
        assert words in text
    assert text.endswith("No row moved.\n")


def test_the_latest_changes_come_first_and_the_old_ones_stay(board, tmp_path):
    def git(*words):
        subprocess.run(
            ["git", "-c", "user.name=x", "-c", "user.email=x@x", "-c", "commit.gpgsign=false", *words],
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )

    folder = tmp_path / "leaderboard"
    folder.mkdir()
    git("init")
    for k, losses in enumerate((LOW, HIGH, LOW)):
        made = board(anchor_05=losses)
        text = changes.record(made, tmp_path)
        assert text.count("## Profile") == k
        (folder / "leaderboard.json").write_text(made.model_dump_json())
        (folder / "board_changes.md").write_text(text)
        git("add", ".")
        git("commit", "-m", "board")
        assert changes.record(made, tmp_path) == text  # built again, it says nothing new
