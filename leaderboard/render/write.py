"""The board, written: JSON with its schema, HTML, Markdown, CSV, LaTeX, and samples of text by generation."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmark.errors import ThriveError
from benchmark.results.collapse import DEFINITIONS
from benchmark.results.document import FORMULAS_TOO, latex_row, latex_text, markdown_table, markdown_text
from benchmark.results.gather import Results
from benchmark.results.labels import above_zero, division_title, task_title
from benchmark.runs.cells import write_atomically
from leaderboard.board.schema import Board, Division, Estimate, Row, TaskScore
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
    verified_when,
    versions,
)  # fmt: skip
from leaderboard.render.html import html


def write(board: Board, results: Results, folder: Path) -> list[Path]:
    """Write all forms of the board; returns their paths.

    Args:
        results: what the board was built from, for curves and samples of text.
    """
    texts = results.about.texts
    contents = {
        "leaderboard.json": board.model_dump_json(indent=1) + "\n",
        "leaderboard.schema.json": json.dumps(Board.model_json_schema(), indent=1) + "\n",
        "leaderboard.html": html(board, results),
        "leaderboard.md": markdown(board),
        "leaderboard.csv": as_csv(board),
        "leaderboard.tex": latex(board),
    }
    if texts:
        contents["samples.md"] = samples(texts)
    for name, content in contents.items():
        write_atomically(folder / name, content.encode())
    return [folder / name for name in contents]


def markdown(board: Board) -> str:
    """The whole board as Markdown."""
    divisions = "\n".join(
        f"## {division_title(division.track, division.budget)}\n\n{table(board, division.rows + board.references)}"
        for division in board.divisions
    )
    preamble = _PREAMBLE.format(
        profile=board.profile,
        dates=dates(board),
        meanings="\n".join(f"- **{word}**: {meaning}" for word, meaning in MEANINGS.items()),
        not_shown="\n".join(f"- {line}" for line in NOT_SHOWN),
        protocol=_protocol(board),
    )
    return f"{preamble}\n{divisions}\n{_observed(board)}\n{_nats(board)}\n{_collapse(board)}"


def _observed(board: Board) -> str:
    rows = [row for division in board.divisions for row in division.rows if row.observed]
    lines = [f"- `{row.entry}`: {plain(row.observed or '')}" for row in sorted(rows, key=lambda row: row.entry)]
    return f"{_OBSERVED}\n" + "\n".join(lines) + "\n"


_OBSERVED = """## How entries compare with those that their cards name

Computed from the scores: the difference in score, paired by seed, whose 95 % intervals stand for each difference alone. A word (better, worse, not separable)
holds after Holm's correction over all tests of its entry: score and slope score, every ranked instance and the mean over them. No words were written by hand.
"""


def plain(text: str) -> str:
    """A stranger's text that stays text in Markdown: no markup, formula or HTML, one line; an address may lead to itself."""
    return markdown_text(" ".join(text.split()), FORMULAS_TOO)


def _numbered(board: Board) -> Iterator[tuple[Division | None, Row]]:
    """All rows with their divisions; reference lines have none."""
    yield from ((division, row) for division in board.divisions for row in division.rows)
    yield from ((None, row) for row in board.references)


def as_csv(board: Board) -> str:
    """One row an entry. Scores are means with the ends of their intervals; `inf` means that a run diverged, nothing that there is none."""
    estimates = ["score", "slope_score", *(f"{task.task}_score" for task in board.tasks)]
    head = [
        "track",
        "budget",
        "rank",
        "rank_low",
        "rank_high",
        "slope_rank",
        "entry",
        "version",
        "verdict",
        "beside_base",
        "survival",
        "cost",
        "outside",
        "verified_on",
        "salt",
        "stale",
    ]
    estimates += ["above_base_verified", "gap"]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*head, *(f"{name}{end}" for name in estimates for end in ("", "_low", "_high"))])
    for division, row in _numbered(board):
        ends = (row.rank_interval.low, row.rank_interval.high) if row.rank_interval else ("", "")
        by_task = {part.task: part.score for part in row.tasks}
        shown = row.verified
        found = [row.score, row.slope_score, *(by_task.get(task.task) for task in board.tasks)]
        found += [None, None] if shown is None else [shown.above_base, shown.gap]
        writer.writerow([
            division.track if division else "reference", division.budget if division else "", row.rank, *ends, row.slope_rank, row.entry,
            row.version, row.verdict, row.beside_base, row.survival, row.usage and row.usage.cost,
            row.outside, shown and shown.date, shown and shown.salt, shown and shown.stale,
            *(number for estimate in found for number in _three(estimate)),
        ])  # fmt: skip
    return file.getvalue()


def _three(estimate: Estimate | None) -> tuple[Any, Any, Any]:
    if estimate is None:
        return "", "", ""
    return ("inf",) * 3 if estimate.centre is None else (estimate.centre, estimate.low, estimate.high)


def latex(board: Board) -> str:
    """A booktabs table for `\\input`; needs booktabs alone."""
    tasks = [task.task for task in board.tasks]
    head = ["rank", "entry", "verdict", "score", *map(task_title, tasks)]
    lines = [
        "% Written by `thrive board`. Do not edit.",
        rf"\begin{{tabular}}{{lll{'r' * (len(tasks) + 1)}}}",
        r"\toprule",
        latex_row(head),
    ]
    for division in board.divisions:
        lines += [
            r"\midrule",
            rf"\multicolumn{{{len(tasks) + 4}}}{{l}}{{\emph{{{latex_text(division_title(division.track, division.budget))}}}}} \\",
        ]
        lines += [_latex_row(row, tasks) for row in division.rows]
    lines += [r"\midrule", *(_latex_row(row, tasks) for row in board.references), r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines) + "\n"


def _latex_row(row: Row, tasks: list[str]) -> str:
    cells = [rank(row.rank, row.rank_interval), f"`{row.entry}`", row.verdict or "–",
             _score(row, "score"), *(_of_task(row, task) for task in tasks)]  # fmt: skip
    return latex_row([cell.replace("+inf", "∞") for cell in cells])


MARKS = ("<!-- board: written by `thrive board` -->", "<!-- end of board -->")


def inject(board: Board, readme: Path) -> None:
    """Put the ranks of every division between the marks of the README.

    Raises:
        ThriveError: a mark is missing.
    """
    text = readme.read_text(encoding="utf-8")
    before, begin, rest = text.partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not (begin and end):
        raise ThriveError(f"{readme}: the marks {MARKS[0]} and {MARKS[1]} are missing. Put them where the board goes.")
    parts = [
        f"**{division_title(d.track, d.budget)}**\n\n{table(board, d.rows + board.references)}" for d in board.divisions
    ]
    write_atomically(readme, f"{before}{begin}\n{chr(10).join(parts)}{end}{after}".encode())


_PREAMBLE = """# Leaderboard

Generated by `thrive board` from the scores of profile `{profile}`, computed on {dates}. Do not edit. The same with curves, charts and a page for each entry:
[leaderboard.html](leaderboard.html), one file. How often the intervals hold the truth: [statistics.md](statistics.md).

{meanings}

The board does not show:

{not_shown}

{protocol}"""


def _protocol(board: Board) -> str:
    lines = ["| task-setting | instances ranked | T | seeds | test loss |", "|---|---|---|---|---|"]
    for task in board.tasks:
        names = ", ".join(i.instance for i in task.instances if i.ranked)
        lines.append(f"| {task_title(task.task)} | {names} | {task.horizon} | {task.seeds} | {task.unit} |")
    with_versions = ", ".join(f"{name} {' and '.join(found)}" for name, found in versions(board).items())
    return "\n".join(lines) + f"\n\nMetrics version {board.metrics_version}. Computed with {with_versions}.\n"


def table(board: Board, rows: list[Row]) -> str:
    """Ranks, verdicts and scores of some rows."""
    tasks = [task.task for task in board.tasks]
    head = [
        "rank", "entry", "verdict", "beside base", "score", "slope score", "slope rank", "verified", "gap", "survival", "cost",
        *(task_title(task) for task in tasks),
    ]  # fmt: skip
    lines = []
    for row in rows:
        lines.append([
            rank(row.rank, row.rank_interval), f"`{row.entry}`{f' {OUTSIDE}' * row.outside}", row.verdict or "–", row.beside_base or "–",
            _score(row, "score"), _score(row, "slope_score"), rank(row.slope_rank, row.slope_rank_interval), _verified(row), _gap(row),
            "–" if row.survival is None else f"{row.survival:.0%}", _cost(row), *(_of_task(row, task) for task in tasks),
        ])  # fmt: skip
    notes = [f"- `{row.entry}` {OUTSIDE} is not ranked: {row.unranked}" for row in rows if row.unranked]
    notes += [f"- `{row.entry}` ≈ {plain('; '.join(row.alike))}" for row in rows if row.outside and row.alike]
    notes += [f"- `{row.entry}` is incomplete: {'; '.join(row.missing)}" for row in rows if row.missing]
    notes += [
        f"- `{row.entry}` does not run on {task}: {plain(why)}" for row in rows for task, why in row.refused.items()
    ]
    notes += [
        f"- `{row.entry}` has the very losses of {', '.join(f'`{other}`' for other in others)} on {task}"
        for row in rows
        for task, others in row.same_as.items()
    ]
    return markdown_table(head, lines) + ("\n" + "\n".join(notes) + "\n" if notes else "")


def _verified(row: Row) -> str:
    return f"{verified(row)} ({verified_when(row)})" if row.verified else verified(row)


def _gap(row: Row) -> str:
    return show(row.verified.gap if row.verified else None)


def _cost(row: Row) -> str:
    return "–" if row.usage is None or row.usage.cost is None else f"{row.usage.cost:.3g}"


def _score(row: Row, which: str) -> str:
    estimate = getattr(row, which)
    return show(estimate) if estimate is not None else "incomplete" if row.missing else "–"


def _of_task(row: Row, task: str) -> str:
    return show(next((part.score for part in row.tasks if part.task == task), None))


def _nats(board: Board) -> str:
    """Final test losses in nats: a table for each task-setting, entries by instances."""
    rows = board.references + [row for division in board.divisions for row in division.rows]
    parts = [
        "## Final test loss, in nats\n\nMean over seeds with its 95 % t interval, then the median; heavy-tailed where models collapse.\n"
    ]
    for task in board.tasks:
        found = {row.entry: part for row in rows for part in row.tasks if part.task == task.task}
        instances = [about.instance + ("" if about.ranked else " (unranked)") for about in task.instances]
        head = [f"{task_title(task.task)} ({task.unit})", *instances]
        lines = [
            [f"`{entry}`", *(_final(part, about.instance) for about in task.instances)] for entry, part in found.items()
        ]
        parts.append(markdown_table(head, lines))
    return "\n".join(parts)


def _final(part: TaskScore, instance: str) -> str:
    found = next((score for score in part.instances if score.instance == instance), None)
    if found is None:
        return "–"
    if found.final.centre is None:
        return f"+inf (survival {found.survival:.0%})"
    return f"{spread(found.final)}; {digits(found.final_median)}"


def _collapse(board: Board) -> str:
    """On how many instances each entry collapses in each sense."""
    head = ["entry", *DEFINITIONS]
    rows = board.references + [row for division in board.divisions for row in division.rows]
    lines = [[f"`{row.entry}`", *(_count(row, name) for name in DEFINITIONS)] for row in rows]
    meanings = "\n".join(f"- **{name}**: {meaning}" for name, meaning in DEFINITIONS.items())
    return f"{_COLLAPSE}\n{meanings}\n\n{markdown_table(head, lines)}"


_COLLAPSE = """## Which kind of collapse

Eight things that "model collapse" has been said to mean (arXiv 2503.03150), beside the score. Of the instances where a measure is
defined (ranked or not; scaling: families of instances that differ in n alone), the number where its 95 % t interval over seeds lies above 0:
0/9 says that an entry does not collapse in that sense anywhere, – that it is not defined.
"""


def _count(row: Row, definition: str) -> str:
    parts = [score.collapse for task in row.tasks for score in task.instances]
    found = [part[definition] for part in parts if definition in part]
    if definition == "scaling":
        found = [estimate for task in row.tasks for estimate in task.scaling.values()]
    return f"{sum(above_zero(estimate.centre, estimate.low) for estimate in found)}/{len(found)}" if found else "–"


def samples(texts: dict[str, dict[str, list[str]]]) -> str:
    """What the language models write, by entry and generation."""
    lines = [
        "# What the language models write\n",
        "Generated by `thrive board`: the first samples of each generation, first seed, unselected.\n",
    ]
    for entry, by_generation in texts.items():
        lines.append(f"## {entry}\n")
        for t, found in sorted(by_generation.items(), key=lambda item: int(item[0])):
            lines.append(f"Generation {t}\n")
            lines += [f"    {line}" for text in found for line in text.splitlines()] + [""]
    return "\n".join(lines)
