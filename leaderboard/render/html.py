"""The board as one file of HTML, which needs no network: DataTables and Vega-Lite are embedded.

Strangers' text reaches the page through Jinja's escaping alone, and a policy in the page's head forbids it every request.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.results.collapse import DEFINITIONS
from benchmark.results.gather import Results
from benchmark.results.labels import above_zero, division_title, task_title
from leaderboard.board.schema import Board, Estimate, Row, TaskScore
from leaderboard.board.words import (
    MEANINGS,
    NOT_SHOWN,
    OUTSIDE,
    dates,
    digits,
    rank,
    show,
    spread,
    verified,
    verified_on,
    verified_when,
    versions,
)  # fmt: skip

PAGE = Path(__file__).with_name("page")
POINTS = 16  # iterations that a curve is drawn at
SPARK = 72, 18  # width and height of a sparkline, pixels


def html(board: Board, results: Results) -> str:
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
    curves = _curves(board, results.curves)
    return environment.get_template("board.html").render(
        board=board,
        divisions=[(division, division.rows + board.references) for division in board.divisions],
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
        sparks=_sparks(board, results),
        texts=results.about.texts,
        dates=dates(board),
        versions=versions(board),
        meanings=MEANINGS,
        not_shown=NOT_SHOWN,
        definitions=DEFINITIONS,
        data={"curves": curves, "ranks": _ranks(board), "front": _front(board)},
        style=(PAGE / "board.css").read_text(encoding="utf-8"),
        script=(PAGE / "board.js").read_text(encoding="utf-8"),
        datatables=_datatables(),
        datatables_style=_of_itables("dt_bundle.css"),
        vega=_vega(),
    )


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
    for task in board.tasks:
        for about in task.instances:
            mine = losses[(losses["task"] == task.task) & (losses["instance"] == about.instance)]
            t = _some(mine["t"].to_numpy())
            mine = mine[mine["t"].isin(t)]
            parts.append({
                "task": task_title(task.task), "instance": about.instance, "unit": task.unit, "t": t.tolist(),
                "runs": {entry: [_numbers(run[column]) for column in ("mean", "low", "high")]
                         for entry, run in mine.sort_values("t").groupby("entry")},
            })  # fmt: skip
    return parts


def _numbers(column: "pd.Series[float]") -> list[float | None]:
    """Five significant digits; null where it is not finite, which ends the line."""
    return [float(f"{value:.5g}") if np.isfinite(value) else None for value in column]


def _sparks(board: Board, results: Results) -> dict[tuple[str, str], str]:
    """By entry and task-setting: points of a line, asinh(excess / s) of the medians over seeds against t, the mean over ranked instances.

    All of a task-setting have one vertical axis: from 0, at the bottom, to what replace ends at.
    """
    losses = results.curves[results.curves["quantity"] == "test_loss"]
    real = results.scores.groupby(["task", "instance"])["real_loss"].median()
    found = {}
    for task in board.tasks:
        ranked = {about.instance: about.scale for about in task.instances if about.ranked}
        mine = losses[(losses["task"] == task.task) & losses["instance"].isin(ranked)]
        mine = mine[mine["t"].isin(_some(mine["t"].to_numpy()))]
        excess = mine["q50"] - mine["instance"].map(real[task.task])
        with np.errstate(invalid="ignore"):
            score = np.arcsinh(excess / mine["instance"].map(ranked).astype(float))
        by_entry = score.groupby([mine["entry"], mine["t"]]).mean().unstack()
        top = np.nanmax(by_entry.loc["replace"]) if "replace" in by_entry.index else 1.0
        for entry, line in by_entry.iterrows():
            found[str(entry), task.task] = _points(line, float(top))
    return found


def _points(line: "pd.Series[float]", top: float) -> str:
    """Of an SVG polyline; iterations on a logarithmic axis, what is beyond the axis at its edge."""
    width, height = SPARK
    line = line[np.isfinite(line)]
    if line.empty:
        return ""
    last = np.log(max(line.index.max(), 2))
    x = 1 + (width - 2) * np.log(line.index.to_numpy(float)) / last
    y = height - 2 - (height - 4) * np.clip(line.to_numpy(float) / top, 0, 1)
    return " ".join(f"{a:.0f},{b:.1f}" for a, b in zip(x, y, strict=True))


def _ranks(board: Board) -> list[dict[str, Any]]:
    return [
        {
            "entry": row.entry,
            "division": division_title(division.track, division.budget),
            "rank": row.rank,
            **row.rank_interval.model_dump(),
        }
        for division in board.divisions
        for row in division.rows
        if row.rank_interval is not None
    ]


def _front(board: Board) -> list[dict[str, Any]]:
    """Score against cost, entry by entry, and whether no other entry is as cheap and better."""
    points: list[dict[str, Any]] = [
        {"entry": row.entry, "division": "reference" if row.role == "reference" else f"{row.track}, {row.budget}",
         "score": row.score.centre, "low": row.score.low, "high": row.score.high, "cost": row.usage.cost}
        for row in _rows(board)
        if row.score is not None and row.score.centre is not None and row.usage is not None and row.usage.cost is not None
    ]  # fmt: skip
    points.sort(key=lambda point: (point["cost"], point["score"]))
    best = np.inf
    for point in points:
        point["front"] = point["division"] != "reference" and point["score"] < best
        best = min(best, point["score"]) if point["front"] else best
    return points


def _of_itables(name: str) -> str:
    import itables

    return (Path(itables.__file__).parent / "html" / name).read_text(encoding="utf-8")


def _datatables() -> str:
    """DataTables as itables bundles it, a module: what it exports becomes global, and nothing in it ends the script."""
    source, count = re.subn(
        r"export\{(?:[^}]*,)?(\w+) as default(?:,[^}]*)?\};", r"window.DataTable=\1;", _of_itables("dt_bundle.js")
    )
    if count != 1:
        raise RuntimeError("itables: its bundle of DataTables has no default export; see leaderboard/render/html.py.")
    return _as_script(source)


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
