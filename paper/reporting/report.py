"""The reproduction report: every published number beside ours, and beside its closed form where there is one.

    python -m paper.reporting.report

writes `report.md`, `report.pdf` and the tables as `tables/*.tex`, from `data/` (see `paper.data`), `published.csv`,
`published_cardinality.csv` and `reasons.csv`. Numbers are computed from these; only the reasons why something differs are written by hand.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmark.results import document
from benchmark.results.document import Block, Heading, Paragraph, Picture, Table
from benchmark.results.labels import task_title
from benchmark.runs.cells import write_atomically
from paper import published, shell
from paper.reporting import cardinality as report_cardinality
from paper.reporting import defects as report_defects
from paper.reporting import kde as report_kde
from paper.reporting import text as report_text
from paper.reporting.cardinality import CARDINALITY
from paper.reporting.evidence import (
    REASONS,
    UNEXPLAINED,
    Evidence,
    against_closed,
    compared,
    groups_of,
    interval,
    load,
    not_needed,
    number,
    padded,
    rows_of,
)

HERE = Path(__file__).parents[1]
TITLE = "Thrive: published numbers and ours"
WRITTEN_BY = "python -m paper.reporting.report"
FIGURES = {
    "fig1": "Gaussian estimation: fitted densities, trace ratio, error of the mean",
    "fig2": "Kernel density estimation: test loss",
    "fig3": "Language model: test loss",
    "fig4": "The three workflows side by side",
    "fig5": "Cardinality and proportion of real data",
}


class Part(NamedTuple):
    """An experiment whose numbers ours can meet: a table of the report."""

    name: str
    title: str
    task: str
    quantity: str


PARTS = (
    Part("gaussian-trace", "Gaussian estimation: trace ratio, tr Σₜ / d", "gaussian", "trace_ratio"),
    Part("gaussian-mean", "Gaussian estimation: squared error of the mean, ‖μₜ − μ₀‖²", "gaussian", "mean_error"),
    Part("kde", "Kernel density estimation: negative log-likelihood of 500 held-out points, nats", "kde", "test_loss"),
    Part("linear-regression", "Linear regression: mean squared error on fresh noiseless targets", "linear_regression", "mse"),
    Part("discrete", "Discrete distributions: iterations until one outcome is left", "discrete", "collapse_time"),
)  # fmt: skip


def blocks(evidence: Evidence, figures: Path) -> list[Block]:
    """The whole report.

    Raises:
        AssertionError: a published number stands nowhere, or twice.
    """
    numbers = compared(evidence)
    made = [
        *_summary(numbers, evidence),
        *report_defects.section(numbers, evidence),
        *(block for part in PARTS for block in _part(part, numbers, evidence)),
        *report_text.fine_tuning(numbers, evidence),
        *report_text.pretraining(numbers),
        *report_cardinality.section(evidence),
        *_cost(evidence),
        *_pictures(figures),
    ]
    held = sorted(index for block in made if isinstance(block, Table) for index in block.holds)
    assert held == list(numbers.index), "a published number stands nowhere in the report, or twice"
    return made


def _summary(numbers: pd.DataFrame, evidence: Evidence) -> Iterator[Block]:
    theirs = numbers[numbers["source"] == published.FIGURE]
    cardinality = pd.read_csv(CARDINALITY)
    yield Heading(TITLE, 1)
    yield Paragraph(
        f"Written by `{WRITTEN_BY}`. Do not edit. Published numbers are those of Kazdan et al., Collapse or Thrive? (ICML 2025, arXiv "
        "2410.16713), read off its figures; the source of each is in `paper/published.csv` and `paper/published_cardinality.csv`."
    )
    yield Heading("Summary")
    yield from _counts(theirs, len(cardinality))
    yield from _agreement(theirs)
    yield from _what_differs(theirs)
    yield from _what_was_not_run(theirs)


def _experiments(theirs: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for part in PARTS:
        yield (
            part.title.partition(",")[0],
            theirs[(theirs["task"] == part.task) & (theirs["quantity"] == part.quantity)],
        )
    yield "Language model: fine-tuning", theirs[theirs["task"] == "language_model"]
    yield "Language model: pretraining", theirs[theirs["task"] == "pretraining"]


VERDICTS = ("agrees", "differs", "not run", "no counterpart")


def _counts(theirs: pd.DataFrame, cardinality: int) -> Iterator[Block]:
    """A row for each experiment, whose verdicts add up to its published numbers."""
    counts = [
        (title, [int((rows["verdict"] == verdict).sum()) for verdict in VERDICTS])
        for title, rows in _experiments(theirs)
    ]
    counts.append(("Cardinality against proportion of real data", [0, 0, 0, cardinality]))
    total = [sum(column) for column in zip(*(row for _, row in counts), strict=True)]
    agree, differ, missing, without = total
    unexplained = int((theirs["reason"] == UNEXPLAINED).sum())
    yield Paragraph(
        f"{sum(total)} published numbers are held. {without} have no counterpart here: the embedded language model is not Gemma, whose patterns alone are "
        f"compared, and Thrive does not pretrain. {agree + differ} have been run here ({missing} have not), and {agree} of these agree. Of the {differ} that "
        f"differ, {differ - unexplained} are explained and {unexplained} are {UNEXPLAINED}."
    )
    rows: list[list[str] | None] = [[title, str(sum(row)), *map(str, row)] for title, row in counts]
    rows += [None, ["All", str(sum(total)), *map(str, total)]]
    yield Table("summary", ["experiment", "published", "agree", "differ", "not run", "no counterpart"], "lrrrrr", rows)


def _agreement(theirs: pd.DataFrame) -> Iterator[Block]:
    """How many numbers lie how near, beside what sampling error alone would give."""
    met = theirs[theirs["z"].notna()]
    rows: list[list[str] | None] = [
        [
            title,
            str(len(found)),
            *(published.agreement(found, level) for level in published.LEVELS),
            _rms(found),
            _meet_closed(found),
        ]
        for title, part in _experiments(theirs)
        if len(found := part[part["z"].notna()])
    ]
    rows += [
        None,
        [
            "All",
            str(len(met)),
            *(published.agreement(met, level) for level in published.LEVELS),
            _rms(met),
            _meet_closed(met),
        ],
    ]
    yield Paragraph(
        "How many lie within 2, 3 and 4 standard errors, and in brackets how many would if nothing but sampling error set them apart (normal, or t with "
        "the degrees of freedom of our seeds). z is ours minus published over the standard error of both means and of the reading; numbers agree where |z| is "
        f"below {published.AGREES:g}. The spread of runs is the exact one where a closed form gives it (Gaussian replace, linear regression but for "
        "accumulate-subsample), else that of our seeds; of a very skewed quantity most z are then small. Numbers along a curve share their runs, so they agree or differ together, and counts scatter more "
        "than as many independent ones would; published means of unknown seeds count as exact. Intervals are of 95 %, over seeds."
    )
    head = [
        "experiment",
        "run here",
        *(f"|z| < {level:g}" for level in published.LEVELS),
        "rms z",
        "ours meet the closed form",
    ]
    yield Table("agreement", head, "lrrrrrr", rows)


def _rms(rows: pd.DataFrame) -> str:
    return f"{np.sqrt((rows['z'] ** 2).mean()):.2f}" if len(rows) else "–"


def _meet_closed(rows: pd.DataFrame) -> str:
    known = rows[rows["closed"].notna()]
    return f"{int((against_closed(known).abs() < published.AGREES).sum())} of {len(known)}" if len(known) else "–"


def _what_differs(theirs: pd.DataFrame) -> Iterator[Block]:
    rows = []
    for (task, instance, entry, reason), found in groups_of(
        theirs[theirs["verdict"] == "differs"], "task", "instance", "entry", "reason"
    ):
        at = ", ".join("–" if pd.isna(t) else str(t) for t in found["t"])
        rows.append(
            [
                f"{task_title(task)}, {instance}",
                entry,
                at,
                _range(found["z"]),
                _range(found["switched_z"]),
                _range(found["loop_z"]),
                reason,
            ]
        )
    if rows:
        yield Paragraph("What differs, and why:")
        head = ["instance", "workflow", "t", "z", "z, scikit-learn's densities", "z, second loop with these", "cause"]
        yield Table("differences", head, "lllrrrp", rows)
    unused = not_needed(theirs)
    if unused:
        yield Paragraph(f"In `paper/{REASONS.name}`, but nothing needs it any more: {' '.join(unused)}")


def _range(z: "pd.Series[float]") -> str:
    if z.isna().any():
        return "not run"
    return f"{z.min():.1f} to {z.max():.1f}" if len(z) > 1 else f"{z.iloc[0]:.1f}"


def _what_was_not_run(theirs: pd.DataFrame) -> Iterator[Block]:
    missing = theirs[theirs["verdict"] == "not run"]
    rows: dict[str, int] = {}
    for row in rows_of(missing):
        words = published.command(row.task, row.instance, row.quantity)
        rows[words] = rows.get(words, 0) + 1
    if rows:
        yield Paragraph("What was not run:")
        yield Table(
            "not-run", ["published numbers", "command"], "rl", [[str(n), f"`{words}`"] for words, n in rows.items()]
        )


def _part(part: Part, numbers: pd.DataFrame, evidence: Evidence) -> Iterator[Block]:
    """A published number a row."""
    rows = numbers[(numbers["task"] == part.task) & (numbers["quantity"] == part.quantity)]
    rows = rows[rows["source"] == published.FIGURE]
    closed = bool(rows["closed"].notna().any())
    letters = {reason: chr(ord("a") + k) for k, reason in enumerate(dict.fromkeys(filter(None, rows["reason"])))}
    head = [
        "instance",
        "workflow",
        "t",
        "published",
        "ours",
        "95 % interval",
        *(["closed form"] if closed else []),
        "z",
        "agrees",
    ]
    body: list[list[str] | None] = []
    for _, group in rows.groupby(["instance", "entry"], sort=False):
        body += [None] * bool(body) + [_row(row, closed, letters) for row in rows_of(group)]
    yield Heading(part.title)
    yield Paragraph(f"{_seeds(rows)} {_about(part, evidence)}")
    yield Table(part.name, head, "llrrrrr" + "r" * closed + "l", body, tuple(rows.index))
    yield from (Paragraph(f"({letter}) {reason}") for reason, letter in letters.items())
    outside = rows[rows["closed"].notna() & rows["z"].notna()]
    outside = outside[against_closed(outside).abs() >= published.AGREES]
    if len(outside):
        places = ", ".join(f"{row.instance} {row.entry} t = {row.t}" for row in rows_of(outside))
        yield Paragraph(
            f"{UNEXPLAINED}: ours are beyond {published.AGREES:g} standard errors of the closed form at {places}."
        )
    if part.task == "kde":
        yield from report_kde.section(numbers, evidence)


def _seeds(rows: pd.DataFrame) -> str:
    """How many seeds the published means are of, and which are of others."""
    known = rows.dropna(subset="seeds")
    if known.empty:
        return "Published: of how many seeds is not known."
    usual = known["seeds"].mode()[0]
    others = known[known["seeds"] != usual].groupby("instance", sort=False)["seeds"].first()
    return f"Published: {usual} seeds{''.join(f', {instance}: {seeds}' for instance, seeds in others.items())}."


def _row(row: Any, closed: bool, letters: dict[str, str]) -> list[str]:
    verdict = {"agrees": "yes", "differs": "no"}.get(row.verdict, row.verdict)
    if row.reason:
        verdict += f" ({letters[row.reason]})"
    return [
        row.instance, row.entry, "–" if pd.isna(row.t) else str(row.t), padded(row.text), number(row.ours), interval(row.low, row.high),
        *([number(row.closed)] if closed else []), "–" if np.isnan(row.z) else f"{row.z:.1f}", verdict,
    ]  # fmt: skip


def _about(part: Part, evidence: Evidence) -> str:
    about = evidence.paper.about.tasks.get(part.task)
    words = (
        f"Ours: profile `paper`, {len(about.seeds)} seeds, T = {about.horizon}." if about else "Ours: profile `paper`."
    )
    closed = {
        "gaussian": " Closed forms: (1 − 1/n) to the power t for replace, the product over k ≤ t of 1 − 1/(nk²) for accumulate, a recursion for "
        "accumulate-subsample; what the trace loses, the error of the mean gains, d times over.",
        "linear_regression": " Closed forms, for n > d + 1: σ²d/(n − d − 1), times t for replace, times the sum of 1/k² over k ≤ t for accumulate.",
        "discrete": " Closed form: the exact expectation of the Wright-Fisher model, from its ancestral process (`paper/experiments/collapse_time.py`).",
        "kde": " An instance with three bandwidths is a mean over them, as published. Instances as published test on other cluster centres than they "
        "train on. Densities are exact here; scikit-learn's stand below.",
    }  # fmt: skip
    if part.task == "discrete":
        words = "Ours: `python -m paper.experiments.collapse_time`."
    return words + closed[part.task]


# What it took


def _cost(evidence: Evidence) -> Iterator[Block]:
    yield Heading("What it took")
    rows = []
    for profile, found in evidence.profiles.items():
        for task, about in found.about.tasks.items():
            commits = ", ".join(map(_short, about.computed.commits)) or "–"
            rows.append(
                [
                    profile,
                    task_title(task),
                    str(about.cost.runs),
                    f"{about.cost.cpu_seconds:.0f}",
                    _span(about.computed.dates),
                    commits,
                ]
            )
    yield Paragraph(
        "CPU seconds of the runs alone, on one thread each. Everything is made again by `dvc repro paper/dvc.yaml`."
    )
    yield Table("cost", ["profile", "task-setting", "runs", "CPU seconds", "days", "commits"], "llrrll", rows)
    known = [about.computed for found in evidence.profiles.values() for about in found.about.tasks.values()]
    versions = sorted(
        {f"{name} {v}" for computed in known for name, every in computed.versions.items() for v in every if v != "none"}
    )
    platforms = sorted({platform for computed in known for platform in computed.platforms})
    if versions:
        yield Paragraph(f"Computed with {', '.join(versions)}, on {' and '.join(platforms)}.")


def _short(commit: str) -> str:
    """Ten digits of a commit, and whether code differed from it."""
    hexadecimal, _, dirty = commit.partition(", ")
    return f"{hexadecimal[:10]}{' (dirty)' if dirty else ''}"


def _span(dates: Sequence[str]) -> str:
    return "–" if not dates else dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"


def _pictures(folder: Path) -> Iterator[Block]:
    there = {name: folder / f"{name}.png" for name in FIGURES if (folder / f"{name}.png").is_file()}
    if there:
        yield Heading("Figures")
        yield from (Picture(path, FIGURES[name]) for name, path in there.items())


def write(made: Sequence[Block], folder: Path) -> list[Path]:
    """Markdown, PDF, and each table as LaTeX; returns their paths."""
    contents = {
        folder / "report.md": document.markdown(made, folder).encode(),
        folder / "report.pdf": document.pdf(document.typst(made, folder, TITLE), folder),
        **{
            folder / "tables" / f"{b.name}.tex": document.latex(b, WRITTEN_BY).encode()
            for b in made
            if isinstance(b, Table)
        },
    }
    for path in set((folder / "tables").glob("*.tex")) - set(contents):
        path.unlink()
    for path, content in contents.items():
        write_atomically(path, content)
    return list(contents)


def main() -> None:
    for path in write(blocks(load(), HERE / "figures"), HERE):
        print(path)


if __name__ == "__main__":
    shell.run(main)
