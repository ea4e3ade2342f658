"""The reproduction report: every published number beside ours, and beside its closed form where there is one.

    python -m paper.report

writes `report.md`, `report.pdf` and the tables as `tables/*.tex`, from `data/` (see `paper.data`), `published.csv`,
`published_cardinality.csv` and `reasons.csv`. Numbers are computed from these; only the reasons why something differs are written by hand.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmark.records import write_atomically
from paper import document, published, report_cardinality, report_defects, report_text, shell
from paper.document import Block, Heading, Paragraph, Picture, Table
from paper.evidence import (
    Estimate,
    Evidence,
    compared,
    interval,
    load,
    number,
    padded,
    read_reasons,
    shown,
    task_title,
    why,
)
from paper.report_cardinality import CARDINALITY

HERE = Path(__file__).parent
TITLE = "Thrive: published numbers and ours"
WRITTEN_BY = "python -m paper.report"
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
    met = numbers[numbers["verdict"].isin(["agrees", "differs"])]
    agree = int((met["verdict"] == "agrees").sum())
    cardinality = pd.read_csv(CARDINALITY)
    yield Heading(TITLE, 1)
    yield Paragraph(
        f"Written by `{WRITTEN_BY}`. Do not edit. Published numbers are those of Kazdan et al., Collapse or Thrive? (ICML 2025, arXiv "
        "2410.16713), most of them read off its vector figures; the source of each is in `paper/published.csv`."
    )
    yield Heading("Summary")
    yield Paragraph(
        f"{len(numbers) + len(cardinality)} published numbers are held. {len(met)} have been run here, and {agree} of these agree. z is ours minus "
        f"published over the standard error of both means and of the reading; numbers agree where |z| is below {published.AGREES:g}. Numbers along "
        "a curve share their runs, so they agree or differ together. Intervals are 95 % t intervals over seeds."
    )
    rows = [
        _summary_row(
            part.title.partition(",")[0],
            numbers[(numbers["task"] == part.task) & (numbers["quantity"] == part.quantity)],
        )
        for part in PARTS
    ]
    for title, task in (
        ("Language model: fine-tuning", "language_model"),
        ("Language model: pretraining", "pretraining"),
    ):
        rows.append(_summary_row(title, numbers[numbers["task"] == task]))
    rows.append(["Cardinality against proportion", str(len(cardinality)), *["–"] * 6])
    yield Table(
        "summary",
        ["experiment", "published", "run here", "agree", "differ", "not run", "rms z", "ours meet the closed form"],
        "lrrrrrrr",
        rows,
    )
    yield Paragraph(
        "Fine-tuning and cardinality: the embedded language model is not Gemma, and cannot meet its numbers; patterns are compared instead. "
        "Pretraining: published only."
    )
    yield from _what_differs(numbers)
    yield from _what_was_not_run(numbers)


def _summary_row(title: str, rows: pd.DataFrame) -> list[str]:
    count = rows["verdict"].value_counts()
    met = rows[rows["z"].notna()]
    known = met[met["closed"].notna()]
    rms = f"{np.sqrt((met['z'] ** 2).mean()):.2f}" if len(met) else "–"
    within = f"{int((_against_closed(known).abs() < published.AGREES).sum())} of {len(known)}" if len(known) else "–"
    return [title, str(len(rows)), str(len(met)), *(str(count.get(v, 0)) if len(met) or v == "not run" else "–" for v in ("agrees", "differs", "not run")), rms, within]  # fmt: skip


def _against_closed(rows: pd.DataFrame) -> "pd.Series[float]":
    """z of ours against the closed form; where all runs came to the same, 0 if that is it."""
    apart = rows["ours"] - rows["closed"]
    return (apart / rows["error"]).where(apart.abs() > 1e-6, 0.0)


def _what_differs(numbers: pd.DataFrame) -> Iterator[Block]:
    rows = []
    for (task, instance, entry, reason), found in numbers[numbers["verdict"] == "differs"].groupby(
        ["task", "instance", "entry", "reason"], sort=False
    ):
        at = ", ".join("–" if pd.isna(t) else str(t) for t in found["t"])
        rows.append(
            [
                f"{task_title(task)}, {instance}",
                entry,
                at,
                f"{found['z'].min():.1f} to {found['z'].max():.1f}" if len(found) > 1 else f"{found['z'].iloc[0]:.1f}",
                reason,
            ]
        )
    if rows:
        yield Paragraph("What differs, and why:")
        yield Table("differences", ["instance", "workflow", "t", "z", "cause"], "lllrp", rows)


def _what_was_not_run(numbers: pd.DataFrame) -> Iterator[Block]:
    missing = numbers[numbers["verdict"] == "not run"]
    rows: dict[str, int] = {}
    for row in missing.itertuples():
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
        body += [None] * bool(body) + [_row(row, closed, letters) for row in group.itertuples()]
    yield Heading(part.title)
    yield Paragraph(f"{_seeds(rows)} {_about(part, evidence)}")
    yield Table(part.name, head, "llrrrrr" + "r" * closed + "l", body, tuple(rows.index))
    yield from (Paragraph(f"({letter}) {reason}") for reason, letter in letters.items())
    outside = rows[rows["closed"].notna() & rows["z"].notna()]
    outside = outside[_against_closed(outside).abs() >= published.AGREES]
    if len(outside):
        said = ", ".join(f"{row.instance} {row.entry} t = {row.t}" for row in outside.itertuples())
        row = outside.iloc[0].copy()
        row["quantity"] = "closed form"
        yield Paragraph(
            f"Ours are beyond {published.AGREES:g} standard errors of the closed form at: {said}. {why(read_reasons(), row)}"
        )
    if part.task == "kde" and evidence.plain_loop is not None:
        yield from _plain_loop(numbers, evidence)


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
    about = evidence.paper.about["tasks"].get(part.task)
    words = (
        f"Ours: profile `paper`, {len(about['seeds'])} seeds, T = {about['horizon']}."
        if about
        else "Ours: profile `paper`."
    )
    closed = {
        "gaussian": " Closed forms: (1 − 1/n) to the power t for replace, the product over k ≤ t of 1 − 1/(nk²) for accumulate, a recursion for "
        "accumulate-subsample; what the trace loses, the error of the mean gains, d times over.",
        "linear_regression": " Closed forms, for n > d + 1: σ²d/(n − d − 1), times t for replace, times the sum of 1/k² over k ≤ t for accumulate.",
        "discrete": " Closed form: the exact expectation of the Wright-Fisher model, from its ancestral process (`paper/collapse_time.py`).",
        "kde": " An instance with three bandwidths is a mean over them, as published. Instances as published test on other cluster centres than they "
        "train on.",
    }  # fmt: skip
    if part.task == "discrete":
        words = "Ours: `python -m paper.collapse_time`."
    return words + closed[part.task]


def _plain_loop(numbers: pd.DataFrame, evidence: Evidence) -> Iterator[Block]:
    """A second opinion on the instance that differs."""
    plain = evidence.plain_loop
    assert plain is not None
    rows = []
    for row in plain.itertuples():
        found = numbers[
            (numbers["instance"] == row.instance) & (numbers["entry"] == row.entry) & (numbers["t"] == row.t)
        ]
        ours, text = (found["ours"].iloc[0], padded(found["text"].iloc[0])) if len(found) else (np.nan, "–")
        estimate = Estimate(row.mean, row.sd / np.sqrt(row.seeds), row.seeds)
        rows.append([row.instance, row.entry, str(row.t), text, number(ours), shown(estimate), str(row.seeds)])
    yield Paragraph("The second loop, which shares no code with the benchmark:")
    yield Table(
        "plain-loop", ["instance", "workflow", "t", "published", "ours", "second loop", "seeds"], "llrrrrr", rows
    )


# What it took


def _cost(evidence: Evidence) -> Iterator[Block]:
    yield Heading("What it took")
    rows = []
    for profile, found in evidence.profiles.items():
        for task, about in found.about["tasks"].items():
            cost, computed = about.get("cost", {}), about.get("computed", {})
            seconds = cost.get("cpu_seconds")
            commits = ", ".join(_short(commit) for commit in computed.get("commits", [])) or "–"
            rows.append(
                [
                    profile,
                    task_title(task),
                    str(cost.get("runs", "–")),
                    "–" if seconds is None else f"{seconds:.0f}",
                    _span(computed.get("dates", [])),
                    commits,
                ]
            )
    yield Paragraph(
        "CPU seconds of the runs alone, on one thread each. Everything is made again by `dvc repro paper/dvc.yaml`."
    )
    yield Table("cost", ["profile", "task-setting", "runs", "CPU seconds", "days", "commits"], "llrrll", rows)
    known = [
        about["computed"]
        for found in evidence.profiles.values()
        for about in found.about["tasks"].values()
        if "computed" in about
    ]
    versions = sorted(
        {
            f"{name} {v}"
            for computed in known
            for name, every in computed["versions"].items()
            for v in every
            if v != "none"
        }
    )
    platforms = sorted({platform for computed in known for platform in computed["platforms"]})
    if known:
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
