"""What moved since the last board, and why: `board_changes.md`, the latest first.

The last board is the one that is committed. It may be of an older schema, so that of it only what is compared here is read.
"""

import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmark.results.document import markdown_table
from benchmark.results.labels import task_title
from leaderboard.board.schema import Board, Estimate, RankInterval
from leaderboard.board.words import dates, rank, show

HEAD = "# What moved on the board\n\nWritten by `thrive board`: each section compares a board with the one committed before it.\n"


def record(board: Board, root: Path) -> str:
    """The text of board_changes.md: as committed, with a section on top where this board is another than the committed one."""
    before = _committed(root, "leaderboard/leaderboard.json")
    known = (_committed(root, "leaderboard/board_changes.md") or HEAD).removeprefix(HEAD)
    section = "" if before is None else changes(json.loads(before), board)
    return HEAD + (f"\n{section}" if section else "") + known


def _committed(root: Path, path: str) -> str | None:
    """None where it is not committed, or the folder is no clone."""
    try:
        asked = subprocess.run(["git", "show", f"HEAD:./{path}"], cwd=root, capture_output=True, encoding="utf-8")
    except OSError:  # there is no git
        return None
    return asked.stdout if asked.returncode == 0 else None


def changes(old: dict[str, Any], board: Board) -> str:
    """A section of Markdown; empty where it is the same board."""
    new = board.model_dump()
    was, now = dict(_rows(old)), dict(_rows(new))
    common = _protocol(old, new)
    lines = [
        [
            f"{row['track']}, {row['budget']}",
            f"`{entry}`",
            *_cells(was.get(entry), row),
            _why(was.get(entry), row, common),
        ]
        for entry, row in now.items()
        if entry not in was or _shown(was[entry]) != _shown(row)
    ]
    lines += [[f"{was[e]['track']}, {was[e]['budget']}", f"`{e}`", "–", "–", "–", "left"] for e in was if e not in now]
    if not lines and not common:
        return ""
    head = [f"## Profile {board.profile}, computed on {dates(board)}", "", *(f"- {line}" for line in common), ""]
    table = markdown_table(["division", "entry", "rank", "score", "slope score", "why"], lines)
    return "\n".join([*head, table if lines else "No row moved.\n"])


def _rows(board: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((row["entry"], row) for division in board["divisions"] for row in division["rows"])


def _shown(row: dict[str, Any]) -> tuple[str, str, str]:
    interval = row["rank_interval"]
    standing = rank(row["rank"], interval and RankInterval.model_validate(interval))
    return standing, _scores(row, "score"), _scores(row, "slope_score")


def _scores(row: dict[str, Any], which: str) -> str:
    """Over all task-settings; of an entry that has not all of them, by task-setting."""
    if row[which] is not None:
        return _estimate(row[which])
    return "; ".join(f"{task_title(part['task'])} {_estimate(part[which])}" for part in row["tasks"]) or "–"


def _estimate(found: dict[str, float | None] | None) -> str:
    return show(None if found is None else Estimate.model_validate(found))


def _cells(old: dict[str, Any] | None, row: dict[str, Any]) -> Sequence[str]:
    now = _shown(row)
    if old is None:
        return now
    return [b if a == b else f"{a} → {b}" for a, b in zip(_shown(old), now, strict=True)]


def _why(old: dict[str, Any] | None, row: dict[str, Any], common: list[str]) -> str:
    if old is None:
        return "new entry"
    if old["version"] != row["version"]:
        return f"version {old['version']} → {row['version']}"
    if old.get("digest") != row["digest"]:
        return "its code or data changed"
    if row["outside"] and old.get("verified") != row["verified"]:
        return f"verified on {row['verified']['date']}" if row["verified"] else "no longer verified"
    if _shown(old)[1:] == _shown(row)[1:]:
        return "others moved"
    return "see above" if common else "unknown: the same code, protocol and libraries gave other numbers"


def _protocol(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What changed for all entries."""
    found = []
    if old["metrics_version"] != new["metrics_version"]:
        found.append(
            f"metrics version {old['metrics_version']} → {new['metrics_version']}: the scores' formulas changed."
        )
    if old["profile"] != new["profile"]:
        found.append(f"profile {old['profile']} → {new['profile']}.")
    before = {task["task"]: task for task in old["tasks"]}
    found += [f"{name}: no longer a task-setting." for name in before if name not in {t["task"] for t in new["tasks"]}]
    for task in new["tasks"]:
        name, known = task["task"], before.get(task["task"])
        if known is None:
            found.append(f"{name}: a new task-setting.")
            continue
        found += [
            f"{name}: {words} changed."
            for words, of in {"seeds": _of("seeds"), "iterations": _of("horizon"), "instances": _ranked}.items()
            if of(known) != of(task)
        ]
        for library, versions in task["computed"]["versions"].items():
            earlier = known.get("computed", {}).get("versions", {}).get(library)
            if earlier is not None and earlier != versions:
                found.append(f"{name}: {library} {', '.join(earlier)} → {', '.join(versions)}.")
        if known.get("computed", {}).get("commits") != task["computed"]["commits"]:
            found.append(
                f"{name}: computed anew, at {', '.join(commit[:10] for commit in task['computed']['commits'])}."
            )
    return found


def _of(key: str) -> Any:
    return lambda task: task[key]


def _ranked(task: dict[str, Any]) -> list[str]:
    return [about["instance"] for about in task["instances"] if about["ranked"]]
