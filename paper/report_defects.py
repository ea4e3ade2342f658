"""The section of the report on the published protocol's defects: each with its switch, and what it does to a number."""

import re
from collections.abc import Iterator

import numpy as np
import pandas as pd

from benchmark.results import Results
from paper import published
from paper.document import Block, Heading, Paragraph, Table
from paper.evidence import Estimate, Evidence, at, both, number, padded, shown
from paper.report_cardinality import CARDINALITY, cell


def section(numbers: pd.DataFrame, evidence: Evidence) -> Iterator[Block]:
    yield Heading("As published and corrected")
    yield Paragraph(
        "Where the published protocol has a defect, Thrive runs the corrected protocol and keeps the published one as a named switch of "
        "`params.yaml`, so that each can be seen to make the difference (`thrive run --profile as-published`)."
    )
    head = ["", "defect", "switch", "what is shown", "published", "ours, as published", "ours, corrected"]
    rows: list[list[str]] = []
    for row in _defect_rows(numbers, evidence):
        named = sum(bool(known[0]) for known in rows) + 1
        rows.append([str(named) if row[0] else "", *row])
    yield Table("defects", head, "rppprpp", rows)


def _defect_rows(numbers: pd.DataFrame, evidence: Evidence) -> Iterator[list[str]]:
    paper, old = evidence.paper, evidence.as_published
    blobs = "blobs h=1.0 n=1000"
    corrected = at(old, "kde", blobs, "replace", "test_loss", 1) or at(paper, "kde", blobs, "replace", "test_loss", 1)
    yield ["Blobs: held-out points come from other random centres than the training points", "`blobs_share_centres: false`", f"test loss, {blobs}, t = 1",
           _text(numbers, "kde", f"{blobs} as published", "replace", 1), shown(at(old, "kde", f"{blobs} as published", "replace", "test_loss", 1)), shown(corrected)]  # fmt: skip
    yield from _text_defects(old)
    yield _untrained_defect(evidence.cardinality)
    spread = at(paper, "gaussian", "d=10 n=100", "replace", "marginal_variance", 50)
    yield ["Density figure: the variance is drawn as if it were the standard deviation", "`fig1-as-published` of `thrive figures`", "standard deviation drawn, d=10 n=100, replace, t = 50, mean of seeds",
           "–", "not run" if spread is None else number(spread.mean), "not run" if spread is None else number(float(np.sqrt(spread.mean)))]  # fmt: skip
    single = [at(paper, "kde", f"moons h={h} n=10", "replace", "test_loss", 100) for h in ("0.1", "0.5", "1.0")]
    pooled = numbers[
        (numbers["instance"] == "moons h=0.1,0.5,1.0 n=10") & (numbers["entry"] == "replace") & (numbers["t"] == 100)
    ].iloc[0]
    yield ["Main KDE figures: three bandwidths in one mean", "`fig2-pooled` of `thrive figures`", "test loss, moons n=10, replace, t = 100; corrected: h = .1, .5, 1",
           pooled["text"], number(pooled["ours"]), ", ".join("not run" if e is None else number(e.mean) for e in single)]  # fmt: skip
    yield _stable_defect(numbers, paper)


def _text(numbers: pd.DataFrame, task: str, instance: str, entry: str, t: int) -> str:
    """A published number as given."""
    return str(numbers[(numbers["task"] == task) & (numbers["instance"] == instance) & (numbers["entry"] == entry) & (numbers["t"] == t)]["text"].iloc[0])  # fmt: skip


def _text_defects(old: Results | None) -> Iterator[list[str]]:
    """Of the language model: each instance with a defect beside its sibling without."""
    about = {} if old is None else old.about["tasks"].get("language_model", {})
    names = [i["name"] for i in about.get("instances", [])]
    horizon = about.get("horizon", 0)

    def siblings(mark: str, quantity: str, t: int) -> list[str]:
        defect = next((name for name in names if re.search(mark, name)), None)
        if defect is None:
            return ["not run", "not run"]
        pair = (defect, re.sub(mark, "", defect))
        return [shown(at(old, "language_model", name, "replace", quantity, t)) for name in pair]

    copies, stripped = r" copies=\d+", " stripped"
    words = "Language model: one generator seed for 64 identical empty prompts: a generation is many copies of few samples (inferred from learning curves)"
    last = f"test loss, replace, t = {horizon or 'T'}"
    yield [words, "`copies: 64`", "duplicate rate of generation 1", "–", *siblings(copies, "duplicate_rate", 1)]
    yield ["", "", last, "–", *siblings(copies, "test_loss", horizon)]
    yield ["Language model: the head of a sample is stripped as a set of characters, more at every generation", "`head_as_characters: true`",
           last, "–", *siblings(stripped, "test_loss", horizon)]  # fmt: skip


def _untrained_defect(table: pd.DataFrame | None) -> list[str]:
    """Few rows are few steps: what training gains over the untrained model, with an epoch and with matched steps."""
    held = pd.read_csv(CARDINALITY, dtype={"published": str})
    least = held[held["synthetic"] == 0].sort_values("real").iloc[0]
    base = published.read()
    base = base[(base["instance"] == "gemma-2-2b HelpSteer2") & (base["entry"] == "untrained base")].iloc[0]
    text = f"{number(float(base['published']) - float(least['published']))} ({least['real']} rows)"
    ours = ["not run", "not run"]
    if table is not None:
        own = table[table["task"] == "language_model"]
        few = own[own["real"] > 0]["real"].min()
        untrained = cell(own, "epochs", 0, 0)
        gains = [both(Estimate.minus, untrained, cell(own, control, few, 0)) for control in ("epochs", "steps")]
        ours = [f"{shown(gain)}, {few} rows" for gain in gains]
    return ["Cardinality: few rows are few optimizer steps, all in the warm-up, so that little data means untrained", "control `steps` of `python -m paper.cardinality`",
            "test loss of the untrained model minus that of the fewest real rows alone", text, *ours]  # fmt: skip


def _stable_defect(numbers: pd.DataFrame, paper: Results) -> list[str]:
    name = "moons h=0.1 n=1000"
    published_pair = " → ".join(padded(_text(numbers, "kde", name, "accumulate", t)) for t in (50, 100))
    middle, last = (at(paper, "kde", name, "accumulate", "test_loss", t) for t in (50, 100))
    ours = "not run" if middle is None or last is None else f"{number(middle.mean)} → {number(last.mean)}"
    added = 2 * 0.1**2 * sum(1 / k for k in range(51, 101))  # d·h²·(H_100 - H_50)
    return ["Accumulate of fixed bandwidth is called stable, while its second moment grows by h² per dimension and 1/t", "none: the late slope of the board",
            f"test loss, {name}, from t = 50 to 100", published_pair, ours,
            f"{shown(both(Estimate.minus, last, middle))} above; closed form: E‖x‖² grows by {number(added)}"]  # fmt: skip
