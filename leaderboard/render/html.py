"""The board as one file of HTML, which needs no network: Vega-Lite is embedded.

Strangers' text reaches the page through Jinja's escaping alone, and a policy in the page's head forbids it every request.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.results.collapse import DEFINITIONS
from benchmark.results.colours import SERIES, VERDICTS
from benchmark.results.gather import Results
from benchmark.results.labels import above_zero, division_title, task_title
from benchmark.results.profile import BOARD
from leaderboard.board.schema import Board, Estimate, Row, TaskAbout, TaskScore
from leaderboard.board.summary import in_short, of_entry
from leaderboard.board.words import (
    BUDGETS,
    MEANINGS,
    NOT_SHOWN,
    OUTSIDE,
    TRACKS,
    avoided,
    dates,
    digits,
    laws,
    percent,
    points,
    rank,
    show,
    spread,
    verdict_counts,
    verified,
    verified_on,
    verified_when,
    versions,
)  # fmt: skip
from leaderboard.render import dots

PAGE = Path(__file__).with_name("page")
POINTS = 16  # iterations that a curve is drawn at
MORE = (
    ("beside base", "beside base"), ("win rate", "win rate"), ("avoided", "avoided"), ("slope rank", "slope score"),
    ("slope win rate", "win rate"), ("verified", "verified"), ("gap", "gap"), ("survival", "survival"), ("law", "law"), ("training rows", "training rows"),
    ("candidates", "candidates"), ("real rows", "real rows"), ("configurations tried", "configurations tried"),
)  # fmt: skip
"""Columns beyond the seven, with the word that explains each."""


@dataclass(frozen=True)
class Around:
    """What a page has beside the board.

    Attributes:
        home: the address of the clone, from the page.
        sources: the code of entries by id.
        statistics: the address of statistics.md, likewise.
    """

    home: str = ".."
    sources: Mapping[str, str] = field(default_factory=dict)
    statistics: str = "statistics.md"


def around(root: Path, folder: Path, sources: Mapping[str, str]) -> Around:
    """Of a page in a folder."""
    statistics = Path(os.path.relpath(root / BOARD / "statistics.md", folder))
    return Around(Path(os.path.relpath(root, folder)).as_posix(), sources, statistics.as_posix())


ALONE = Around()


def html(board: Board, results: Results, beside: Around = ALONE) -> str:
    """The page; deterministic.

    Args:
        results: what the board was built from.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "estimate": show,
        "digits": digits,
        "rows": rows_in_words,
        "order": order,
        "spread": spread,
    }
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    ordered = _dearest_first(board)
    return environment.get_template("board.html").render(
        board=board,
        ordered=ordered,
        count=sum(len(division.rows) for division in board.divisions),
        instances=sum(about.ranked for task in board.tasks for about in task.instances),
        in_short=in_short(board),
        shorts={row.entry: of_entry(row, division) for division in board.divisions for row in division.rows},
        bases={row.entry: division.base for division in board.divisions for row in division.rows},
        pages=list(_rows(board)),
        task_title=task_title,
        part_of=part_of,
        rank=rank,
        above_zero=lambda found: above_zero(found.centre, found.low),
        outside=OUTSIDE,
        verified=verified,
        verified_on=verified_on,
        verified_when=verified_when,
        verdict_counts=verdict_counts,
        laws=laws,
        verdicts=list(VERDICTS),
        marks={verdict: look.mark for verdict, look in VERDICTS.items()},
        percent=percent,
        points=points,
        avoided=avoided,
        searched=_searched,
        dots=dots.dots(board),
        dot_width=dots.WIDTH,
        at=dots.place,
        example=dots.example(board),
        texts=results.about.texts,
        sources=beside.sources,
        home=beside.home,
        dates=dates(board),
        versions=versions(board),
        meanings=MEANINGS,
        tracks=TRACKS,
        budgets=BUDGETS,
        more=MORE,
        not_shown=NOT_SHOWN,
        definitions=DEFINITIONS,
        data={
            "curves": _curves(board, results.curves),
            "ranks": _ranks(board),
            "fronts": _fronts(board),
            "colours": SERIES,
        },
        style=_text("board.css"),
        colours=_colours(board),
        table=_text("table.js"),
        charts=_text("charts.js"),
        vega=_vega(),
    )


def _dearest_first(board: Board) -> list[TaskAbout]:
    """The task-settings, the one with the fewest seeds first: it costs most, and models at scale are most like it."""
    fewest = min((task.seeds for task in board.tasks), default=0)
    return sorted(board.tasks, key=lambda task: task.seeds != fewest)


def _text(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")


def _colours(board: Board) -> str:
    """The style of verdicts, and of the place that is shown by what is judged."""
    light = "".join(f".verdict.{verdict}{{color:{look.light}}}" for verdict, look in VERDICTS.items())
    dark = "".join(f".verdict.{verdict}{{color:{look.dark}}}" for verdict, look in VERDICTS.items())
    judges = "".join(f"body[data-judge={task.task}] .judge.{task.task}{{display:inline}}" for task in board.tasks)
    return f"{light}@media (prefers-color-scheme: dark){{{dark}}}{judges}"


def _searched(row: Row) -> str:
    """What a search looks at: id, name, authors, description, citation, address, verdict."""
    parts = [row.entry, row.name, *row.authors, row.description, row.citation or "", row.url or "", row.verdict or ""]
    return " ".join(parts).lower()


def _rows(board: Board) -> Iterator[Row]:
    yield from (row for division in board.divisions for row in division.rows)
    yield from board.references


def part_of(row: Row, task: str) -> TaskScore | None:
    """The scores of an entry on a task-setting; None where it was not run."""
    return next((part for part in row.tasks if part.task == task), None)


def rows_in_words(value: float) -> str:
    """A number of rows: 18,300."""
    return f"{float(f'{value:.3g}'):,.0f}"


def order(found: Estimate | float | None) -> float:
    """What a column sorts by: what diverged comes after all numbers, what there is none of last."""
    if isinstance(found, Estimate):
        return 1e300 if found.centre is None else found.centre
    return 1e301 if found is None else found


def _some(t: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """Which iterations a curve is drawn at: first, last, and others at equal ratios."""
    return np.unique(np.geomspace(1, t.max(), POINTS).round().astype(int)) if len(t) > POINTS else np.unique(t)


def _curves(board: Board, curves: pd.DataFrame) -> list[dict[str, Any]]:
    """By instance: mean test loss over seeds with its bootstrap band, for all entries."""
    losses = curves[curves["quantity"] == "test_loss"]
    parts = []
    for task in _dearest_first(board):
        first = next((about.instance for about in task.instances if about.ranked), None)
        for about in task.instances:
            mine = losses[(losses["task"] == task.task) & (losses["instance"] == about.instance)]
            t = _some(mine["t"].to_numpy())
            mine = mine[mine["t"].isin(t)]
            parts.append({
                "task": task_title(task.task), "instance": about.instance, "unit": task.unit, "t": t.tolist(), "first": about.instance == first,
                "runs": {entry: [_numbers(run[column]) for column in ("mean", "low", "high")]
                         for entry, run in mine.sort_values("t").groupby("entry")},
            })  # fmt: skip
    return parts


def _numbers(column: "pd.Series[float]") -> list[float | None]:
    """Five significant digits; null where it is not finite, which ends the line."""
    return [float(f"{value:.5g}") if np.isfinite(value) else None for value in column]


def _ranks(board: Board) -> list[dict[str, Any]]:
    """Rank intervals of the divisions where some leave another rank open."""
    found = []
    for division in board.divisions:
        rows = [(row, row.rank_interval) for row in division.rows if row.rank_interval is not None]
        if any(interval.low < interval.high for _, interval in rows):
            shown = [{"entry": row.entry, "rank": row.rank, **interval.model_dump()} for row, interval in rows]
            found.append({"division": division_title(division.track, division.budget), "rows": shown})
    return found


def _fronts(board: Board) -> list[dict[str, Any]]:
    """Win rate against cost by division of three entries or more, and whether no other entry is as cheap and better."""
    found = []
    for division in board.divisions:
        found_points: list[dict[str, Any]] = [
            {"entry": row.entry, "rate": row.win_rate.centre, "low": row.win_rate.low, "high": row.win_rate.high, "cost": row.usage.cost}
            for row in division.rows
            if row.rank is not None and row.win_rate is not None and row.usage is not None and row.usage.cost is not None
        ]  # fmt: skip
        found_points.sort(key=lambda point: (point["cost"], -point["rate"]))
        best = -np.inf
        for point in found_points:
            point["front"] = point["rate"] > best
            best = max(best, point["rate"])
        if len(found_points) >= 3:
            found.append({"division": division_title(division.track, division.budget), "points": found_points})
    return found


def _vega() -> str:
    """vegaEmbed with Vega and Vega-Lite."""
    import vl_convert

    bundle = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # of which its stub forgets the default
    return _as_script(bundle)


def _as_script(source: str) -> str:
    """JavaScript that HTML's parser leaves alone (in strings, `\\!` is `!`)."""
    if "</script" in source.lower():
        raise RuntimeError("a bundled library holds '</script', which would end the script that it is embedded in.")
    return source.replace("<!--", "<\\!--")
