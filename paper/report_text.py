"""The sections of the report on language models, whose numbers ours cannot meet: patterns are compared."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmark.results import Results
from paper import published
from paper.document import Block, Heading, Paragraph, Table
from paper.evidence import Estimate, Evidence, at, both, number, padded, read_reasons, shown, why

GEMMA = {f"gemma-2-{size} HelpSteer2": f"Gemma 2 {size.upper()}" for size in ("2b", "9b", "27b")}


def fine_tuning(numbers: pd.DataFrame, evidence: Evidence) -> Iterator[Block]:
    rows = numbers[numbers["task"] == "language_model"]
    yield Heading("Language model: fine-tuning")
    yield Paragraph(
        "The embedded language model is a few million weights on a few hundred pairs of the World Factbook, not Gemma on HelpSteer2: its losses "
        "cannot be these numbers. What can be compared is the pattern."
    )
    yield from _patterns(rows, evidence.paper)
    yield Paragraph("Published cross-entropy, nats per token, by iteration; the first row is the untrained base:")
    yield _wide(
        "language-model",
        rows,
        lambda row: (
            f"{GEMMA[row.instance]} {row.entry}" if row.entry != "untrained base" else f"{GEMMA[row.instance]} replace"
        ),
    )


def _wide(name: str, rows: pd.DataFrame, column: Callable[[Any], str]) -> Table:
    """Published numbers alone: iterations down, curves across."""
    columns = list(dict.fromkeys(column(row) for row in rows.itertuples() if not pd.isna(row.t)))
    cells = {(0 if pd.isna(row.t) else row.t, column(row)): padded(row.text) for row in rows.itertuples()}
    body = [
        ["–" if t == 0 else str(t), *(cells.get((t, c), "") for c in columns)] for t in sorted({t for t, _ in cells})
    ]
    return Table(name, ["t", *columns], "r" * (1 + len(columns)), body, tuple(rows.index))


def _patterns(rows: pd.DataFrame, paper: Results) -> Iterator[Block]:
    about = paper.about["tasks"].get("language_model")
    if about is None:
        yield Paragraph(f"Ours were not run: `{published.command('language_model', '', '')}`")
    horizon = about["horizon"] if about else 10
    name = about["instances"][0]["name"] if about else ""
    curves = {f"ours ({name}, t = {horizon})": partial_at(paper, name)} if about else {}
    theirs: dict[str, Any] = {}
    for instance, title in GEMMA.items():
        own = rows[(rows["instance"] == instance) & rows["t"].notna() & (rows["t"] <= horizon)]
        last = int(own.groupby("entry")["t"].max().min())
        theirs[f"{title}, t = {last}"] = (own.set_index(["entry", "t"])["published"].to_dict(), last)
    body = []
    reasons = read_reasons()
    for pattern in PATTERNS:
        found = [
            pattern.of(lambda entry, t, v=values: _exactly(v.get((entry, t))), last) for values, last in theirs.values()
        ]
        ours = [pattern.of(own, horizon) for own in curves.values()]
        same = _same(found[0], ours[0], pattern.beside) if ours else "not run"
        if same == "no":
            same += f": {why(reasons, pattern.as_row())}"
        body.append(
            [pattern.words, *("" if e is None else number(e.mean) for e in found), *(shown(e) for e in ours), same]
        )
    head = ["pattern", *theirs, *curves, f"same as {GEMMA['gemma-2-2b HelpSteer2']}"]
    yield Table("language-model-patterns", head, "p" + "r" * (len(head) - 2) + "p", body)


def partial_at(found: Results, instance: str) -> Callable[[str, int], Estimate | None]:
    """The test loss of a workflow at an iteration."""
    return lambda entry, t: at(found, "language_model", instance, entry, "test_loss", t)


def _exactly(value: float | None) -> Estimate | None:
    return None if value is None else Estimate(value, np.nan, 1)


class Pattern(NamedTuple):
    """A number whose side of `beside` is compared."""

    words: str
    entry: str
    kind: str  # for reasons.csv
    beside: float
    of: Callable[[Callable[[str, int], Estimate | None], int], Estimate | None]

    def as_row(self) -> Any:
        return pd.Series(
            {"task": "language_model", "instance": "", "entry": self.entry, "quantity": self.kind, "t": ""}
        )


def _change(entry: str) -> Callable[..., Estimate | None]:
    return lambda loss, last: both(Estimate.minus, loss(entry, last), loss(entry, 1))


def _apart(worse: str, better: str) -> Callable[..., Estimate | None]:
    return lambda loss, last: both(Estimate.minus, loss(worse, last), loss(better, last))


def _share(entry: str) -> Callable[..., Estimate | None]:
    return lambda loss, last: both(Estimate.over, _change(entry)(loss, last), _change("replace")(loss, last))


PATTERNS = (
    Pattern("replace − accumulate-subsample, at the last iteration", "replace", "order", 0, _apart("replace", "accumulate-subsample")),
    Pattern("accumulate-subsample − accumulate, at the last iteration", "accumulate-subsample", "order", 0, _apart("accumulate-subsample", "accumulate")),
    Pattern("replace − accumulate, at the last iteration", "replace", "order", 0, _apart("replace", "accumulate")),
    *(Pattern(f"{entry}, change since t = 1", entry, "change", 0, _change(entry)) for entry in ("replace", "accumulate-subsample", "accumulate")),
    *(Pattern(f"change of {entry} as a share of replace's: below 1", entry, "share", 1, _share(entry)) for entry in ("accumulate-subsample", "accumulate")),
)  # fmt: skip


def _same(theirs: Estimate | None, ours: Estimate | None, beside: float) -> str:
    """Whether our interval lies on their side; "open" where it holds `beside`."""
    if theirs is None or ours is None:
        return "not run"
    if np.isnan(ours.half) or abs(ours.mean - beside) <= ours.half:
        return "open"
    return "yes" if (ours.mean > beside) == (theirs.mean > beside) else "no"


def pretraining(numbers: pd.DataFrame) -> Iterator[Block]:
    rows = numbers[numbers["task"] == "pretraining"]
    yield Heading("Language model: pretraining")
    yield Paragraph(
        "Published only: Thrive has no pretraining task-setting, and no number of ours stands here. Cross-entropy on TinyStories, nats per token, one run each:"
    )
    yield _wide("pretraining", rows, lambda row: f"{row.instance.removesuffix(' TinyStories')} {row.entry}")
