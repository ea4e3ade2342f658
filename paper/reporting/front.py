"""The front page of the report: an abstract, and what became of each claim of the paper."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
import pandas as pd

import benchmark
from benchmark.results.document import Block, Heading, Paragraph, Table
from benchmark.results.labels import task_title
from paper import published
from paper.reporting import cardinality as report_cardinality
from paper.reporting import patterns, text
from paper.reporting.defects import GROWS, growth
from paper.reporting.evidence import UNEXPLAINED, Estimate, Evidence, both, rows_of
from paper.reporting.parts import PARTS
from paper.reporting.words import interval, number, padded, shown

TITLE = "Thrive: published numbers and ours"
WRITTEN_BY = "python -m paper.reporting.report"
LARGEST_SHARE, LARGEST_LATE = 0.15, 0.25
"""Accumulate is called bounded if it rises by at most this share of replace's rise, and if at most this share of its own rise is of the
second half. A law b·Σ 1/k², which is that of the Gaussian, has a late share of 0.16 at T = 10."""
CLAIMS = {
    "replace": "Replace: models collapse",
    "accumulate": "Accumulate: the loss stays stable",
    "accumulate-subsample": "Accumulate-subsample: the loss rises slowly, between the two",
}


QUANTITY = {
    "trace_ratio": "trace ratio",
    "mean_error": "error of the mean",
    "test_loss": "test loss",
    "mse": "test error",
}


class Verdict(NamedTuple):
    """What became of a claim in a task-setting."""

    claim: str
    where: str
    published: str
    ours: str
    verdict: str


def front(numbers: pd.DataFrame, evidence: Evidence) -> Iterator[Block]:
    theirs = numbers[numbers["source"] == published.FIGURE]
    yield Heading(TITLE, 1)
    days = [
        day
        for found in evidence.profiles.values()
        for about in found.about.tasks.values()
        for day in about.computed.dates
    ]
    yield Paragraph(
        f"Version {benchmark.__version__}{f', numbers computed up to {max(days)}' if days else ''}. Written by `{WRITTEN_BY}`. Do not edit. "
        "Published numbers are those of Kazdan et al., Collapse or Thrive? (ICML 2025, arXiv 2410.16713), read off its figures; the source of "
        "each is in `paper/published.csv` and `paper/published_cardinality.csv`."
    )
    yield Heading("Abstract")
    yield Paragraph(_abstract(theirs, evidence))
    yield Paragraph(
        "Claims of the paper. A claim with numbers of the same experiment is reproduced if all of them agree, which is within "
        f"{published.AGREES:g} standard errors of both; one of the language model if its pattern agrees in sign and, where both are shares, in size (the "
        f"appendix says the rule); accumulate's if it rises by at most {LARGEST_SHARE:.0%} of replace's rise, at most {LARGEST_LATE:.0%} of it in the second half."
    )
    head = ["claim", "setting", "published", "ours", "verdict"]
    rows: list[list[str] | None] = []
    for _, group in groupby(claims(theirs, evidence), lambda verdict: verdict.claim):
        rows += [None] * bool(rows) + [list(verdict) for verdict in group]
    yield Table("claims", head, "ppppp", rows)


def claims(theirs: pd.DataFrame, evidence: Evidence) -> Iterator[Verdict]:
    """In the order of the paper's three workflows, then growth of the KDE, then cardinality."""
    for entry, claim in CLAIMS.items():
        for part in PARTS:
            rows = theirs[
                (theirs["task"] == part.task) & (theirs["quantity"] == part.quantity) & (theirs["entry"] == entry)
            ]
            if len(rows) and part.task != "discrete":
                yield _numeric(claim, f"{task_title(part.task)}: {QUANTITY[part.quantity]}", rows)
        yield from _text(claim, entry, theirs, evidence)
    yield from _growth(theirs, evidence)
    yield from _cardinality(evidence)


def _numeric(claim: str, where: str, rows: pd.DataFrame) -> Verdict:
    """The latest published number that was run here as the example; the verdict is of all."""
    run = rows[rows["z"].notna()]
    if run.empty:
        return Verdict(claim, where, f"{len(rows)} numbers", "not run", "not run")
    example = next(rows_of(run.nlargest(1, "t")))
    differ = run[run["verdict"] == "differs"]
    unexplained = int((differ["reason"] == UNEXPLAINED).sum())
    verdict = "reproduced"
    if len(differ):
        verdict += f" but for {len(differ)} of {len(run)} numbers, "
        verdict += f"of which {unexplained} {UNEXPLAINED}" if unexplained else "explained in the appendix"
    if len(run) < len(rows):
        verdict += f"; {len(rows) - len(run)} not run"
    return Verdict(
        claim, where,
        f"{padded(example.text)} at t = {example.t} ({example.instance})",
        f"{number(example.ours)} ({interval(example.low, example.high)}); {len(run) - len(differ)} of {len(run)} numbers agree",
        verdict,
    )  # fmt: skip


class Rises(NamedTuple):
    """Rises of the test loss since t = 1 until T, of Gemma 2 2B as published and of one model of ours."""

    gemma: text.Loss
    ours: text.Loss
    instance: str
    last: int

    def change(self, entry: str, loss: text.Loss, last: int | None = None) -> Estimate | None:
        return both(Estimate.minus, loss(entry, last or self.last), loss(entry, 1))

    def share(self, entry: str, loss: text.Loss) -> Estimate | None:
        """As a share of replace's rise."""
        return both(Estimate.over, self.change(entry, loss), self.change("replace", loss))

    @property
    def late(self) -> float | None:
        """The share of accumulate's rise that is of the second half, of the means."""
        whole, half = (self.change("accumulate", self.ours, t) for t in (self.last, self.last // 2))
        return None if whole is None or half is None or whole.mean <= 0 else 1 - half.mean / whole.mean


def rises(theirs: pd.DataFrame, evidence: Evidence) -> Rises | None:
    """Of the first language model of the profile; None if it was not run."""
    about = evidence.paper.about.tasks.get("language_model")
    if about is None:
        return None
    name = next(name for name, size in text.GEMMA.items() if size == "2B")
    known = theirs[(theirs["instance"] == name) & (theirs["t"] <= about.horizon)]
    first = about.instances[0].name
    return Rises(text.losses_of(known)[0], text.our_loss(evidence.paper, first), first, about.horizon)


def _text(claim: str, entry: str, theirs: pd.DataFrame, evidence: Evidence) -> Iterator[Verdict]:
    found = rises(theirs, evidence)
    where = "Language model: test loss"
    if found is None:
        yield Verdict(claim, where, "Gemma 2 2B", "not run", "not run")
        return
    compute = found.change if entry == "replace" else found.share
    gemma, ours = compute(entry, found.gemma), compute(entry, found.ours)
    in_words = _nats if entry == "replace" else _of_replace
    theirs_in_words = f"Gemma 2 2B, {found.last} iterations: {in_words(gemma)}"
    ours_in_words = f"{found.instance}: {in_words(ours)}"
    if entry == "accumulate" and ours is not None:
        late = found.late
        ours_in_words += "; falls" if late is None else f"; {late:.0%} of it in the second half"
        bounded = ours.mean <= LARGEST_SHARE and (late is None or late <= LARGEST_LATE)
        verdict = "bounded" if bounded else "not bounded"
        size = patterns.verdict(None if gemma is None else gemma.mean, ours)
        verdict += "; " * size.startswith("no, ") + size.removeprefix("no, ").removeprefix("yes")
    elif entry == "replace" and gemma is not None and ours is not None:
        same = ours.leaves_out(0) and (ours.mean > 0) == (gemma.mean > 0)  # nats of other tokens have other sizes
        verdict = "the pattern is reproduced" if same else "open" if not ours.leaves_out(0) else "no, the other sign"
    else:
        agrees = patterns.verdict(None if gemma is None else gemma.mean, ours, 0)
        verdict = "the pattern is reproduced" if agrees == "yes" else agrees
    yield Verdict(claim, where, theirs_in_words, ours_in_words, verdict)


def _nats(estimate: Estimate | None) -> str:
    return f"{shown(estimate)} nats"


def _of_replace(share: Estimate | None) -> str:
    if share is None:
        return "not run"
    ends = "" if np.isnan(share.half) else f" ({share.mean - share.half:.0%} to {share.mean + share.half:.0%})"
    return f"{share.mean:.1%}{ends} of replace's rise"


def _growth(theirs: pd.DataFrame, evidence: Evidence) -> Iterator[Verdict]:
    pair, *ours = growth(theirs, evidence.paper)
    change = _grows(ours)
    where, claim = "KDE, fixed bandwidth: test loss", "Accumulate: the loss is bounded"
    verdict = "not run" if change is None else "open"
    if change is not None and change.leaves_out(0):
        verdict = "not borne out: it grows with ln t (defect 7)" if change.mean > 0 else "reproduced"
    yield Verdict(claim, where, f"{pair} from t = 50 to 100 ({GROWS})", f"a change of {shown(change)}", verdict)


def _grows(losses: Sequence[Estimate | None]) -> Estimate | None:
    middle, last = losses
    return both(Estimate.minus, last, middle)


def _cardinality(evidence: Evidence) -> Iterator[Verdict]:
    held = pd.read_csv(report_cardinality.CARDINALITY, dtype={"value": str})
    claims = ("Few real rows: synthetic rows help", "Many real rows: synthetic rows harm")
    if evidence.cardinality is None:
        for claim in claims:
            yield Verdict(claim, "Language model", "Gemma 2 2B", "not run", "not run")
        return
    rows = report_cardinality.pattern_rows(held, evidence.cardinality)
    for claim, (_, theirs_in_words, *ours, verdict) in zip(claims, rows, strict=True):
        agrees = "the pattern is reproduced" if verdict == "yes" else verdict
        yield Verdict(claim, "Language model, one epoch", theirs_in_words, ours[0], agrees)


def _abstract(theirs: pd.DataFrame, evidence: Evidence) -> str:
    run, without = theirs[theirs["z"].notna()], int((theirs["verdict"] == "no counterpart").sum())
    differ = run[run["verdict"] == "differs"]
    unexplained = int((differ["reason"] == UNEXPLAINED).sum())
    words = (
        "What happens to a generative model when generation after generation trains on data that earlier generations made? The paper compares "
        "three workflows: replace the data, accumulate them, or accumulate and train on a subsample of equal size. We run them again with code "
        f"of our own. Of its {len(theirs)} numbers on these workflows {len(run)} can be and were compared, and {len(run) - len(differ)} agree with ours; "
        f"{len(differ)} differ, {len(differ) - unexplained} of them for a known reason. {without} are of models that are not run here. "
    )
    found = rises(theirs, evidence)
    if found is None:
        return words + "No language model was run."
    replace = found.change("replace", found.ours)
    shares = {entry: found.share(entry, found.ours) for entry in ("accumulate", "accumulate-subsample")}
    if replace is not None and all(shares.values()):
        words += (
            f"In language models only patterns can be compared. Ours, a small character model fine-tuned from one checkpoint at every "
            f"iteration ({found.instance}), loses {shown(replace)} nats in {found.last} iterations of replace; accumulate loses "
            + ", accumulate-subsample ".join(
                f"{share.mean:.0%} of that" for share in shares.values() if share is not None
            )
            + ". "
        )
    growing = _grows(growth(theirs, evidence.paper)[1:])
    if growing is not None and growing.leaves_out(0) and growing.mean > 0:
        words += "One claim is not borne out: a kernel density estimate of fixed bandwidth that accumulates is not stable, its loss grows with ln t."
    return words.rstrip()
