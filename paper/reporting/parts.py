"""Sections of the report on the experiments that we can reproduce, each with a table."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmark.results.document import Block, Heading, Paragraph, Table
from paper import published
from paper.reporting import kde as report_kde
from paper.reporting.evidence import UNEXPLAINED, Evidence, against_closed, rows_of
from paper.reporting.words import interval, number, padded


class Part(NamedTuple):
    """An experiment that we can reproduce: a table of the report."""

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


def part_section(part: Part, numbers: pd.DataFrame, evidence: Evidence) -> Iterator[Block]:
    """The section of an experiment, with a row for each published number."""
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
            f"{UNEXPLAINED}: ours differ from the closed form by more than {published.AGREES:g} standard errors at {places}."
        )
    if part.task == "kde":
        yield from report_kde.section(numbers, evidence)


def _seeds(rows: pd.DataFrame) -> str:
    """The number of seeds behind the published means, with the exceptions."""
    known = rows.dropna(subset="seeds")
    if known.empty:
        return "Published: the number of seeds is not known."
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
        "accumulate-subsample. The error of the mean gains d times what the trace ratio loses.",
        "linear_regression": " Closed forms, for n > d + 1: σ²d/(n − d − 1), times t for replace, times the sum of 1/k² over k ≤ t for accumulate.",
        "discrete": " Closed form: the exact expectation of the Wright-Fisher model, from its ancestral process (`paper/experiments/collapse_time.py`).",
        "kde": " An instance with three bandwidths is a mean over them, as published. Instances named \"as published\" are tested on other cluster "
        "centres than they are trained on. Densities are exact here; results with scikit-learn's follow below.",
    }  # fmt: skip
    if part.task == "discrete":
        words = "Ours: `python -m paper.experiments.collapse_time`."
    return words + closed[part.task]
