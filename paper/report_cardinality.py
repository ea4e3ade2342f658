"""The section of the report on cardinality against proportion of real data."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from paper.document import Block, Heading, Paragraph, Table
from paper.evidence import Estimate, Evidence, number, shown, task_title

CARDINALITY = Path(__file__).parent / "published_cardinality.csv"


def cell(table: pd.DataFrame, control: str, real: int, synthetic: int) -> Estimate | None:
    rows = table[(table["control"] == control) & (table["real"] == real) & (table["synthetic"] == synthetic)]
    if rows.empty:
        return None
    row = rows.iloc[0]
    return Estimate(float(row["mean"]), float(row["sd"]) / np.sqrt(row["seeds"]), int(row["seeds"]))


def section(evidence: Evidence) -> Iterator[Block]:
    yield Heading("Cardinality against proportion of real data")
    held = pd.read_csv(CARDINALITY, dtype={"published": str})
    yield Paragraph(
        "Published cross-entropy of Gemma 2 2B, nats per token, by rows of synthetic (down) and real data (across):"
    )
    yield _grid("cardinality-published", held["synthetic"], held["real"], held["published"])
    table = evidence.cardinality
    if table is None:
        yield Paragraph("Ours were not run: `python -m paper.cardinality`")
        return
    yield from _cardinality_patterns(held, table)
    for (task, instance, control), rows in table.groupby(["task", "instance", "control"], sort=False):
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


def _cardinality_patterns(held: pd.DataFrame, table: pd.DataFrame) -> Iterator[Block]:
    """What synthetic rows do where real rows are few, and where they are many; paired by seed."""
    theirs = held.assign(published=held["published"].astype(float)).set_index(["real", "synthetic"])["published"]
    own = table[table["task"] == "language_model"]
    real, synthetic = sorted(set(own["real"]) - {0}), sorted(set(own["synthetic"]))
    few, many, most = real[1], real[-1], synthetic[-1]
    body = [
        ["few real rows: loss with four times as many synthetic rows, minus loss without", f"{number(theirs[256, 1024] - theirs[256, 0])} (256 rows)",
         *(f"{_paired(own, control, few, 4 * few)}, {few} rows" for control in ("epochs", "steps"))],
        ["many real rows: loss with the most synthetic rows, minus loss with the fewest", f"{number(theirs[12000, 40000] - theirs[12000, 256])} (12000 rows)",
         *(f"{_paired(own, control, many, most)}, {many} rows" for control in ("epochs", "steps"))],
    ]  # fmt: skip
    yield Paragraph(
        "The pattern, in the embedded language model: one epoch as published, and with matched optimizer steps."
    )
    yield Table("cardinality-patterns", ["pattern", "published", "ours, an epoch", "ours, matched steps"], "prrr", body)


def _paired(own: pd.DataFrame, control: str, real: int, synthetic: int) -> str:
    rows = own[(own["control"] == control) & (own["real"] == real) & (own["synthetic"] == synthetic)]
    if rows.empty:
        return "not run"
    row = rows.iloc[0]
    return shown(Estimate(float(row["change"]), float(row["change_sd"]) / np.sqrt(row["seeds"]), int(row["seeds"])))
