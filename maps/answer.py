"""`thrive how-much`: the least share of real data, read from the committed map."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.errors import ThriveError
from benchmark.results.document import markdown_table
from benchmark.results.scoring import Interval
from benchmark.tasks import TASKS
from maps.settings import FILE
from maps.survey import NUMBERS
from maps.verdicts import OPEN, Boundary, boundary, verdict

DATA = Path("maps", "data")
OPTIONS = {"n": "-n", "data": "--data", "d": "-d", "sampler_temperature": "--temperature", "t": "--iterations"}
"""Columns of the map by which one may choose, and the options of `thrive how-much`."""
UNIT = {"language_model": "nats per token"}


@dataclass(frozen=True)
class Line:
    """One row of the map at one iteration.

    Attributes:
        numbers: what tells it from other rows.
        seeds: on which its intervals rest.
        noise: half-width of the interval of the excess at the largest share below 1: the smallest difference that the seeds show, in nats.
        is_open_at_last: whether that interval holds the threshold.
        shares: the smallest share, and the largest below 1.
    """

    numbers: dict[str, Any]
    t: int
    seeds: int
    boundary: Boundary
    noise: float
    is_open_at_last: bool
    shares: tuple[float, float]

    @property
    def name(self) -> str:
        return describe(self.numbers)


@dataclass(frozen=True)
class Answer:
    """The least share of real rows that keeps the excess below a threshold.

    Attributes:
        lines: each row that was asked about; the first one needs the largest share.
        elsewhere: other rows of the task-setting at the same iteration, where the answer is another.
        earlier: the first line's row at the last kept iteration up to T/2; None if there is none.
    """

    task: str
    excess: float
    lines: list[Line]
    elsewhere: list[Line]
    earlier: Line | None

    @property
    def sentence(self) -> str:
        """The answer, its uncertainty, its conditions and where it stops holding."""
        worst = self.lines[0]
        unit = UNIT.get(self.task, "nats per example")
        which = (
            worst.name if len(self.lines) == 1 else f"{worst.name}, the hardest of {len(self.lines)} measured instances"
        )
        conditions = [
            *([f"{_percent(self.earlier.boundary.least)} after {self.earlier.t}"] if self.earlier else []),
            f"mean over {worst.seeds} seeds",
            "n rows in each training set, the real ones drawn anew from the same n, the rest the last model's samples",
        ]
        return (
            f"On {which}, {_share_in_words(worst)} keeps the excess over a fit on the real data below {self.excess:g} {unit} after {worst.t} "
            f"iterations ({'; '.join(conditions)}); this holds for these data, this n and this T alone{self._others}."
        )

    @property
    def _others(self) -> str:
        found = [line.boundary.least for line in [*self.lines[1:], *self.elsewhere]]
        return (
            f": on the {len(found)} other measured instances the least share is {_percent(min(found))} to {_percent(max(found))}"
            if found
            else ""
        )

    @property
    def table(self) -> str:
        """A line for each row that was asked about, and for the others."""
        head = ["instance", "least share of real rows", "shown unsafe up to", "shown safe from", "seeds"]
        cells = [[line.name, *map(_percent, line.boundary), str(line.seeds)] for line in [*self.lines, *self.elsewhere]]
        return markdown_table(head, cells)


def describe(numbers: Mapping[str, Any]) -> str:
    """A row of the map in words: "moons, h = 0.5, n = 100, sampler temperature 0.9"."""
    names = {
        "d": "d = {}",
        "data": "{}",
        "bandwidth": "h = {}",
        "n": "n = {}",
        "sampler_temperature": "sampler temperature {}",
    }
    given = {
        name: value
        for name, value in numbers.items()
        if name in names and not (name == "sampler_temperature" and value == 1)
    }
    return ", ".join(names[name].format(value) for name, value in given.items())


def how_much(root: Path, task: str, excess: float, chosen: Mapping[str, Any]) -> Answer:
    """The least share of real rows that keeps the excess below a threshold, in a training set of n rows.

    Args:
        excess: the threshold, in nats.
        chosen: numbers of the instance (see OPTIONS) that were asked about; without a temperature the unbiased sampler, without t the last.

    Raises:
        ThriveError: there is no map, or nothing was measured there; the threshold is below the noise; or no share below 1 has a finite excess.
    """
    points = read(root, task)
    points = points[points["ratio"].isna()]
    t = int(chosen.get("t", points["t"].max()))
    wanted = {"sampler_temperature": 1.0} | {name: value for name, value in chosen.items() if name != "t"}
    _must_be_measured(points, task, wanted | {"t": t})
    lines = [_line(rows, excess) for rows in _rows(points[points["t"] == t])]
    asked = [
        line
        for line in lines
        if all(line.numbers[name] == value for name, value in wanted.items() if name in line.numbers)
    ]
    if not asked:
        raise ThriveError(
            f"maps/data/{task}.csv: no row has {_words(wanted)} together. Measured:\n{_listed(lines)}\n{_what_to_run(task)}"
        )
    asked.sort(key=lambda line: (-_or(line.boundary.least, np.inf), line.name))
    for line in asked:
        _must_be_told_apart(line, task, excess)
    earlier = points[(points["t"] <= t // 2)]
    before = [
        _line(rows, excess)
        for rows in _rows(earlier[earlier["t"] == earlier["t"].max()])
        if describe(_numbers(rows)) == asked[0].name
    ]
    others = [line for line in lines if line not in asked]
    return Answer(task, excess, asked, others, before[0] if before else None)


def read(root: Path, task: str) -> pd.DataFrame:
    """The map of a task-setting (see `maps.survey.table`).

    Raises:
        ThriveError: there is none.
    """
    path = root / DATA / f"{task}.csv"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in (root / DATA).glob("*.csv") if file.stem in TASKS))
        raise ThriveError(
            f"{path}: no such file. There are maps of: {known or 'nothing'}. Make it: thrive map --task {task}"
        )
    return pd.read_csv(path)


def _rows(points: pd.DataFrame) -> list[pd.DataFrame]:
    names = [name for name in (*NUMBERS, "ratio") if name in points]
    return [rows.sort_values("share") for _, rows in points.groupby(names, sort=True, dropna=False)]


def _numbers(rows: pd.DataFrame) -> dict[str, Any]:
    return {name: rows[name].iloc[0] for name in NUMBERS if name in rows}


def _line(rows: pd.DataFrame, excess: float) -> Line:
    shares = [float(share) for share in rows["share"]]
    found = [Interval(*map(float, ends)) for ends in zip(rows["mean"], rows["low"], rows["high"], strict=True)]
    last = max(k for k, share in enumerate(shares) if share < 1)
    noise = found[last].high - found[last].centre if np.isfinite(found[last].centre) else np.inf
    return Line(
        _numbers(rows), int(rows["t"].iloc[0]), int(rows["seeds"].iloc[0]), boundary(shares, found, excess), noise,
        verdict(found[last], excess) == OPEN, (shares[0], shares[last]),
    )  # fmt: skip


def _must_be_measured(points: pd.DataFrame, task: str, wanted: Mapping[str, Any]) -> None:
    for name, value in wanted.items():
        if name not in points:
            raise ThriveError(f"{OPTIONS[name]} {value}: instances of {task} have no such number.")
        measured = sorted(set(points[name]))
        if value not in measured:
            raise ThriveError(
                f"{OPTIONS[name]} {value}: not measured, and the map is not extrapolated. Measured: {', '.join(map(str, measured))}.\n"
                f"{_what_to_run(task)}"
            )


def _must_be_told_apart(line: Line, task: str, excess: float) -> None:
    if np.isinf(line.noise):
        raise ThriveError(
            f"{line.name}: runs diverge at every share of real rows up to {_percent(line.shares[1])}, so that no share is an answer. Ask "
            f"about a larger n, or fewer iterations: see maps/data/{task}.csv."
        )
    if line.is_open_at_last and excess < line.noise:
        raise ThriveError(
            f"--excess {excess:g} is below the noise: on {line.name}, {line.seeds} seeds tell the excess to within {line.noise:.2g} nats. Ask for "
            f"more than that, or write more seeds in {FILE} (sweeps.{task}.seeds) and run: thrive map --task {task}"
        )


def _what_to_run(task: str) -> str:
    return f"To measure more, add it to {FILE} (sweeps.{task}) and run: thrive map --task {task}"


def _share_in_words(line: Line) -> str:
    least, low, high = line.boundary
    if high == line.shares[0]:
        return f"any share of real rows, {_percent(line.shares[0])} included,"
    if low == line.shares[1]:
        return f"only a share of more than {_percent(low)} real rows (which is shown to be too few; nothing was measured between it and 100 %)"
    shown = f"{_percent(low)} is shown to be too few" if not np.isnan(low) else "none is shown to be too few"
    return f"a share of {_percent(least)} real rows ({shown}, {_percent(high)} to be enough)"


def _or(value: float, other: float) -> float:
    return other if np.isnan(value) else value


def _percent(share: float) -> str:
    return "–" if np.isnan(share) else f"{100 * share:.0f} %"


def _words(wanted: Mapping[str, Any]) -> str:
    return ", ".join(f"{OPTIONS[name]} {value}" for name, value in wanted.items())


def _listed(lines: list[Line]) -> str:
    return "\n".join(f"  {line.name}" for line in lines)
