"""Sections of the report on language models, whose numbers we cannot reproduce: patterns are compared instead."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmark.results.document import Block, Heading, Paragraph, Table
from benchmark.results.gather import Results
from paper import published
from paper.reporting import patterns
from paper.reporting.evidence import Estimate, Evidence, at, both, read_reasons, rows_of, why
from paper.reporting.words import number, padded, shown

GEMMA = {f"gemma-2-{size} HelpSteer2": size.upper() for size in ("2b", "9b", "27b")}
SHORT = {"accumulate-subsample": "subsample", "untrained base": "replace"}
"""Heads of columns. The untrained base is shown in the column of replace."""

Loss = Callable[[str, int], Estimate | None]
"""The test loss of a workflow at an iteration; None if it was not run."""


def fine_tuning(numbers: pd.DataFrame, evidence: Evidence) -> Iterator[Block]:
    rows = numbers[numbers["task"] == "language_model"]
    yield Heading("Language model: fine-tuning")
    yield Paragraph(
        "The embedded language models have other data and far fewer weights than Gemma 2 on HelpSteer2, and cannot have its losses: only patterns "
        "are compared. `docs/language-model.md` tells the models, their data, and what decides which pattern appears."
    )
    yield from _patterns(rows, evidence.paper)
    yield Paragraph(
        "Published cross-entropy of Gemma 2, nats per token, by iteration; the first row is the untrained base:"
    )
    yield _wide("language-model", rows, lambda row: f"{GEMMA[row.instance]} {SHORT.get(row.entry, row.entry)}")


def pretraining(numbers: pd.DataFrame, ours: Results | None) -> Iterator[Block]:
    rows = numbers[numbers["task"] == "pretraining"]
    yield Heading("Language model: pretraining")
    yield Paragraph("Published: cross-entropy on TinyStories, nats per token, one run each:")
    yield _wide("pretraining", rows, lambda row: f"{row.instance.split()[0]} {SHORT.get(row.entry, row.entry)}")
    if ours is None:
        yield Paragraph("Ours were not run. Run them: `thrive run --profile from-scratch && python -m paper.data`")
        return
    yield Paragraph(
        f"Ours: a network of 11,232 weights, trained from random weights on surnames at every iteration. {_seeds(ours)} Nats per token:"
    )
    yield _losses("from-scratch", ours)


def pretrained(ours: Results | None) -> Iterator[Block]:
    """SmolLM2-135M, by entry, with samples."""
    yield Heading("Language model: SmolLM2-135M")
    if ours is None:
        yield Paragraph("Not run. Run it: `thrive run --profile smollm2 && python -m paper.data`")
        return
    about = ours.about.tasks["language_model"]
    bits = about.instances[0].bits_per_byte
    yield Paragraph(
        "SmolLM2-135M, dequantized instruct weights, fine-tuned at every iteration on pairs of the World Factbook, through the code of the embedded "
        f"model. {_seeds(ours)} Nats per token{f'; 1 nat per token is {bits:.3f} bits per byte' if bits else ''}:"
    )
    yield _losses("smollm2", ours)
    for entry in sorted(about.texts):
        for t in (1, about.horizon):
            words = " ¶ ".join(text.replace("\n", " / ") for text in about.texts[entry].get(str(t), []))
            yield Paragraph(f"Samples of {entry} at t = {t}: {words}")


def _seeds(ours: Results) -> str:
    """How many seeds of those that the profile runs are finished."""
    about = ours.about.tasks["language_model"]
    finished = int(ours.curves["seeds"].min())
    return f"{finished} of {len(about.seeds)} seeds so far." if finished < len(about.seeds) else f"{finished} seeds."


def _losses(name: str, ours: Results) -> Table:
    """Mean test loss, iterations down and entries across; with more than one seed, ± half of its 95 % interval."""
    wide = ours.curves[ours.curves["quantity"] == "test_loss"].set_index(["entry", "t"])
    entries = sorted(set(wide.index.get_level_values("entry")))
    body = [
        [str(t), *(_loss_of(wide.loc[entry, t]) if (entry, t) in wide.index else "" for entry in entries)]
        for t in sorted(set(wide.index.get_level_values("t")))
    ]
    return Table(f"language-model-{name}", ["t", *entries], "r" * (1 + len(entries)), body)


def _loss_of(row: Any) -> str:
    return shown(
        Estimate(
            float(row["mean"]),
            float(row["sd"]) / np.sqrt(row["seeds"]) if row["seeds"] > 1 else np.nan,
            int(row["seeds"]),
        )
    )


def _wide(name: str, rows: pd.DataFrame, column: Callable[[Any], str]) -> Table:
    """A table of published numbers, with iterations down and curves across."""
    columns = list(dict.fromkeys(column(row) for row in rows_of(rows) if not pd.isna(row.t)))
    cells = {(0 if pd.isna(row.t) else row.t, column(row)): padded(row.text) for row in rows_of(rows)}
    times = sorted({t for t, _ in cells})
    body = [[str(t or "–"), *(cells.get((t, c), "") for c in columns)] for t in times]
    return Table(name, ["t", *columns], "r" * (1 + len(columns)), body, tuple(rows.index))


class Pattern(NamedTuple):
    """A number whose side of `neutral` (0, or 1 for a share) and whose size are compared with the published one."""

    words: str
    entry: str
    quantity: str  # reasons.csv identifies the pattern by entry and quantity
    neutral: float
    of: Callable[[Loss, int], Estimate | None]  # computes it from the losses and the last iteration


def _apart(worse: str, better: str) -> Callable[[Loss, int], Estimate | None]:
    return lambda loss, last: both(Estimate.minus, loss(worse, last), loss(better, last))


def _change(entry: str) -> Callable[[Loss, int], Estimate | None]:
    return lambda loss, last: both(Estimate.minus, loss(entry, last), loss(entry, 1))


def _share(entry: str) -> Callable[[Loss, int], Estimate | None]:
    return lambda loss, last: both(Estimate.over, _change(entry)(loss, last), _change("replace")(loss, last))


PATTERNS = (
    Pattern("replace − accumulate-subsample, at the last iteration", "replace", "order", 0, _apart("replace", "accumulate-subsample")),
    Pattern("accumulate-subsample − accumulate, at the last iteration", "accumulate-subsample", "order", 0, _apart("accumulate-subsample", "accumulate")),
    Pattern("replace − accumulate, at the last iteration", "replace", "order", 0, _apart("replace", "accumulate")),
    *(Pattern(f"{entry}, change since t = 1", entry, "change", 0, _change(entry)) for entry in ("replace", "accumulate-subsample", "accumulate")),
    *(Pattern(f"change of {entry} as a share of replace's: below 1", entry, "share", 1, _share(entry)) for entry in ("accumulate-subsample", "accumulate")),
)  # fmt: skip


def _patterns(rows: pd.DataFrame, paper: Results) -> Iterator[Block]:
    about = paper.about.tasks.get("language_model")
    if about is None:
        yield Paragraph(f"Ours were not run. Run them: `{published.command('language_model', '', '')}`")
        return
    last = about.horizon
    theirs = {
        title: losses_of(rows[(rows["instance"] == instance) & (rows["t"] <= last)])
        for instance, title in GEMMA.items()
    }
    names = [about_instance.name for about_instance in about.instances]
    yield Paragraph(
        f"Ours: {len(about.seeds)} seeds at most, T = {last}; intervals treat workflows as independent. {patterns.RULE}"
    )
    body = []
    for pattern in PATTERNS:
        of_models = [pattern.of(*of_model) for of_model in theirs.values()]
        ours = [pattern.of(our_loss(paper, name), last) for name in names]
        verdict = patterns.verdict(None if of_models[0] is None else of_models[0].mean, ours[0], pattern.neutral)
        if verdict.startswith("no,"):
            verdict += f": {why(read_reasons(), _as_row(pattern))}"
        body.append([pattern.words, *("" if e is None else number(e.mean) for e in of_models), *map(shown, ours), verdict])  # fmt: skip
    head = [
        "pattern",
        *(f"{title}, t = {at_most}" for title, (_, at_most) in theirs.items()),
        *(f"ours, `{name}`" for name in names),
        f"`{names[0]}` agrees with 2B",
    ]
    yield Table("language-model-patterns", head, "prrr" + "r" * len(names) + "p", body)


def our_loss(paper: Results, instance: str) -> Loss:
    return lambda entry, t: at(paper, "language_model", instance, entry, "test_loss", t)


def losses_of(rows: pd.DataFrame) -> tuple[Loss, int]:
    """The published losses of a model, and the last iteration that all its workflows have."""
    known = rows.set_index(["entry", "t"])["value"].to_dict()

    def loss(entry: str, t: int) -> Estimate | None:
        return Estimate(known[entry, t], np.nan, 1) if (entry, t) in known else None

    return loss, int(rows.groupby("entry")["t"].max().min())


def _as_row(pattern: Pattern) -> Any:
    return pd.Series(
        {"task": "language_model", "instance": "", "entry": pattern.entry, "quantity": pattern.quantity, "t": ""}
    )
