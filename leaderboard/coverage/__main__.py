"""Writes leaderboard/statistics.md, in a few minutes of one core."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmark.runs import params
from benchmark.runs.cells import write_atomically
from leaderboard.coverage import methods
from leaderboard.coverage.populations import committed
from leaderboard.coverage.report import report

FOLDER = Path(__file__).parents[1]


def main() -> None:
    board = json.loads((FOLDER / "leaderboard.json").read_text(encoding="utf-8"))
    method = replace(methods.BOARD, verdicts=partial(methods.verdicts, bounds=params.load(FOLDER.parent).verdicts))
    text = report(committed(FOLDER), board, method)
    write_atomically(FOLDER / "statistics.md", text.encode())
    print(text)


if __name__ == "__main__":
    main()
