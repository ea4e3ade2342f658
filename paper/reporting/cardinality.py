"""Section of the report: cardinality against proportion of real data."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.results.document import Block, Heading, Paragraph, Table
from benchmark.results.labels import task_title
from paper.reporting import patterns
from paper.reporting.evidence import Estimate, Evidence, groups_of
from paper.reporting.words import number, shown

CARDINALITY = Path(__file__).parents[1] / "published_cardinality.csv"
FEW_TIMES = 4
"""The synthetic rows added to few real ones, as a multiple of these."""


def cell(table: pd.DataFrame, control: str, real: int, synthetic: int) -> Estimate | None:
    rows = table[(table["control"] == control) & (table["real"] == real) & (table["synthetic"] == synthetic)]
    if rows.empty:
        return None
    row = rows.iloc[0]
    return Estimate(float(row["mean"]), float(row["sd"]) / np.sqrt(row["seeds"]), int(row["seeds"]))


def section(evidence: Evidence) -> Iterator[Block]:
    yield Heading("Cardinality against proportion of real data")
    held = pd.read_csv(CARDINALITY, dtype={"value": str})
    yield Paragraph(
        "Published cross-entropy of Gemma 2 2B, nats per token, by number of synthetic rows (down) and real rows (across):"
    )
    yield _grid("cardinality-published", held["synthetic"], held["real"], held["value"])
    table = evidence.cardinality
    if table is None:
        yield Paragraph("Ours were not run. Run them: `python -m paper.experiments.cardinality`")
        return
    yield from _cardinality_patterns(held, table)
    for (task, instance, control), rows in groups_of(table, "task", "instance", "control"):
        rows = rows[rows["real"] > 0]
        what = {"epochs": "one epoch" if task == "language_model" else "all rows", "steps": "matched steps"}[control]
        yield Paragraph(
            f"Ours, {task_title(task)}, {instance}, {what}, {rows['seeds'].iloc[0]} seeds, test loss in nats:"
        )
        yield _grid(
            f"cardinality-{task}-{control}".replace("_", "-"), rows["synthetic"], rows["real"], rows["mean"].map(number)
        )


def _grid(name: str, down: "pd.Series[int]", across: "pd.Series[int]", values: Iterable[str]) -> Table:
    cells = dict(zip(zip(down, across, strict=True), values, strict=True))
    columns = sorted(set(across))
    body = [[str(s), *(cells.get((s, r), "–") for r in columns)] for s in sorted(set(down))]
    return Table(name, ["synthetic", *map(str, columns)], "r" * (1 + len(columns)), body)


def pattern_rows(held: pd.DataFrame, table: pd.DataFrame) -> list[list[str]]:
    """The effect of synthetic rows if real rows are few, and if they are many, paired by seed.

    Returns:
        for each pattern: its words, the published effect, ours with an epoch and with matched steps, and whether the former agrees.
    """
    theirs = held.assign(value=held["value"].astype(float)).set_index(["real", "synthetic"])["value"]
    own = table[table["task"] == "language_model"]
    real, synthetic = sorted(set(own["real"]) - {0}), sorted(set(own["synthetic"]))
    few = next(r for r in real if FEW_TIMES * r in synthetic)
    their_few = next(r for r in sorted(set(held["real"])) if (r, 0) in theirs and (r, FEW_TIMES * r) in theirs)
    many, most = (int(max(held[name])) for name in ("real", "synthetic"))
    least = int(min(held[held["real"] == many]["synthetic"]))
    body: list[list[str]] = []
    for words, pair, ours in (
        (f"few real rows: loss with {FEW_TIMES} times as many synthetic rows, minus loss without", (their_few, FEW_TIMES * their_few, 0), (few, FEW_TIMES * few)),
        ("many real rows: loss with the most synthetic rows, minus loss with the fewest", (many, most, least), (real[-1], synthetic[-1])),
    ):  # fmt: skip
        published = float(theirs[pair[0], pair[1]] - theirs[pair[0], pair[2]])
        changes = [_change(own, control, *ours) for control in ("epochs", "steps")]
        body.append([
            words, f"{number(published)}, {pair[0]} real, {pair[1]} and {pair[2]} synthetic",
            *(f"{shown(change)}, {ours[0]} real, {ours[1]} and 0 synthetic" for change in changes),
            patterns.verdict(published, changes[0]),
        ])  # fmt: skip
    return body


def _cardinality_patterns(held: pd.DataFrame, table: pd.DataFrame) -> Iterator[Block]:
    yield Paragraph(
        "The pattern in the embedded language model, with one epoch as published and with matched optimizer steps. "
        + patterns.RULE
    )
    head = ["pattern", "published", "ours, an epoch", "ours, matched steps", "agrees, an epoch"]
    yield Table("cardinality-patterns", head, "ppppp", pattern_rows(held, table))


def _change(own: pd.DataFrame, control: str, real: int, synthetic: int) -> Estimate | None:
    """Loss with synthetic rows minus loss without, paired by seed; None if not run."""
    rows = own[(own["control"] == control) & (own["real"] == real) & (own["synthetic"] == synthetic)]
    if rows.empty:
        return None
    row = rows.iloc[0]
    return Estimate(float(row["change"]), float(row["change_sd"]) / np.sqrt(row["seeds"]), int(row["seeds"]))
