"""Writes leaderboard/statistics.md, in about five minutes on one core."""

from pathlib import Path

from benchmark.runs.cells import write_atomically
from leaderboard.coverage.populations import committed
from leaderboard.coverage.report import report

FOLDER = Path(__file__).parents[1]


def main() -> None:
    text = report(committed(FOLDER))
    write_atomically(FOLDER / "statistics.md", text.encode())
    print(text)


if __name__ == "__main__":
    main()
