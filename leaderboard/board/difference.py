"""What a pull request does to the board, as Markdown: `python -m leaderboard.board.difference before.json after.json`.

Both files come from a job that ran a stranger's code, if only in a sandbox, so they are text that anybody may have written: of bounded
size, held against the schema, and nothing but numbers and well-formed ids is taken from them. Needs pydantic alone.
"""

import re
import sys
from pathlib import Path

from pydantic import ValidationError

from leaderboard.board.schema import Board, Estimate, Row

MOST_BYTES = 4 << 20
MOST_CHARACTERS = 60_000  # GitHub takes 65,536
ID = re.compile(r"[a-z0-9][a-z0-9.-]{0,59}")
DIVISION = re.compile(r"[a-z]{1,20}")
NONE = "The run left no board that can be read: see its log."


def difference(before: Path, after: Path) -> str:
    """A table of the rows that are new or have another score or rank."""
    old, new = read(before), read(after)
    if old is None or new is None:
        return NONE
    known = {row.entry: row for row in _rows(old)}
    changed = [row for row in _rows(new) if row.entry not in known or _shown(row) != _shown(known[row.entry])]
    if not changed:
        return "The board stays as it is."
    lines = [_line(row, known.get(row.entry)) for row in changed]
    text = "\n".join(
        ["`verified` is the score minus that of the division's base workflow, in a sandbox and with secret seeds, both under one salt; `gap` is "
         "what it is more on fresh instances than on public ones. Lower is better, brackets are 95 % intervals.", "",
         "| division | entry | rank | score | slope score | verified | gap | near-duplicates |", f"|{' --- |' * 8}", *lines]
    )  # fmt: skip
    return text if len(text) <= MOST_CHARACTERS else NONE


def read(path: Path) -> Board | None:
    """A board, or None where the file is none."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MOST_BYTES:
        return None
    try:
        return Board.model_validate_json(path.read_bytes())
    except ValidationError:
        return None


def _rows(board: Board) -> list[Row]:
    """Ranked rows whose names are such as the harness gives."""
    rows = [row for division in board.divisions for row in division.rows]
    named = (
        ID.fullmatch(row.entry) and DIVISION.fullmatch(row.track) and DIVISION.fullmatch(row.budget) for row in rows
    )
    return [row for row, good in zip(rows, named, strict=True) if good]


def _shown(row: Row) -> tuple[str, ...]:
    rank = str(row.rank) if row.rank is not None else "unranked" if row.outside else "incomplete"
    found = row.verified
    verified = (None, None) if found is None else (found.above_base, found.gap)
    return rank, *(_estimate(part) for part in (row.score, row.slope_score, *verified)), str(len(row.alike))


def _line(row: Row, old: Row | None) -> str:
    cells = _shown(row)
    if old is not None:
        cells = tuple(now if now == was else f"{was} → {now}" for was, now in zip(_shown(old), cells, strict=True))
    return f"| {row.track}, {row.budget} | `{row.entry}`{'' if old else ' (new)'} | {' | '.join(cells)} |"


def _estimate(found: Estimate | None) -> str:
    return "–" if found is None else str(found)


if __name__ == "__main__":
    print(difference(Path(sys.argv[1]), Path(sys.argv[2])))
