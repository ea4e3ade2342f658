"""The committed tables of forecasts, from the finished cells of two profiles.

    thrive run && thrive run --profile long && python -m benchmark.forecast.tables

writes to leaderboard/forecast/, in two minutes on one core: laws.csv, the class of each entry on each instance of the board; checks.csv,
a row for each check of a forecast, by which forecasts are calibrated; coverage.csv, what the checks say together.
"""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.forecast.checks import DIVERGES, checked, coverage
from benchmark.forecast.choice import NoLaw, choose
from benchmark.forecast.curves import Curve, curves
from benchmark.forecast.prediction import follow
from benchmark.results.scoring import Interval
from benchmark.runs.project import Project

FOLDER = Path("leaderboard/forecast")
LAWS_FILE, COVERAGE_FILE = FOLDER / "laws.csv", FOLDER / "coverage.csv"
CHECKS_FILE = FOLDER / "checks.csv"
CHECKED = ("gaussian", "kde")
"""Task-settings whose forecasts are checked."""
LONG = "long"
"""The profile of the long runs."""
TOO_SHORT = "too few seeds or iterations"


def law_of(curve: Curve) -> dict[str, Any]:
    """A row of laws.csv: the class of a whole curve, and the numbers of its law with their intervals of 95 %."""
    row: dict[str, Any] = {"task": curve.task, "instance": curve.instance, "entry": curve.entry, "digest": curve.digest,
                           "T": curve.horizon, "seeds": len(curve.losses)}  # fmt: skip
    try:
        choice = choose(curve.losses, str(curve))
    except NoLaw as reason:
        return row | {"class": DIVERGES if "diverges" in str(reason) else TOO_SHORT}
    row |= {"class": choice.kind, "not_rejected": "; ".join(choice.left)}
    if choice.law is None:
        return row
    found = follow(curve.losses, choice)
    numbers = found.parameters | {"doubling_time": found.doubling_time, "asymptote": found.asymptote}
    return (
        row
        | {"law": choice.law.name}
        | {name: value for what, one in numbers.items() for name, value in _three(what, one)}
    )


def _three(name: str, found: Interval | None) -> Iterator[tuple[str, float]]:
    if found is not None:
        yield from ((name, found.centre), (f"{name}_low", found.low), (f"{name}_high", found.high))


def read_classes(root: Path, digest: str) -> dict[tuple[str, str], str]:
    """Classes by task-setting and instance of the curves of an entry, from laws.csv: none where its code or data changed since."""
    table = _laws(root / LAWS_FILE)
    mine = table[table["digest"] == digest]
    return dict(zip(zip(mine["task"], mine["instance"], strict=True), mine["class"], strict=True))


@functools.cache
def _laws(path: Path) -> pd.DataFrame:
    if not path.is_file():
        return pd.DataFrame(columns=["task", "instance", "class", "digest"])
    return pd.read_csv(path, usecols=["task", "instance", "class", "digest"], dtype=str)


def main() -> None:
    """Write the tables."""
    root = Path.cwd()
    board = Project.load(root)
    laws: list[dict[str, Any]] = []
    checks: list[dict[str, Any]] = []
    for task in board.task_settings():
        for curve in curves(board, task):
            laws.append(law_of(curve))
            checks += checked(curve, board.profile) if task in CHECKED else []
    further = Project.load(root, LONG)
    for task in further.task_settings():
        for curve in curves(further, task):
            checks += checked(curve, LONG)
    FOLDER.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(checks)
    for path, found in ((LAWS_FILE, pd.DataFrame(laws)), (CHECKS_FILE, table), (COVERAGE_FILE, coverage(table))):
        found.to_csv(path, index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
