"""The reproduction report: every published number beside ours, and beside its closed form where there is one.

    python -m paper.report

writes `report.md`, `report.pdf` and the tables as `tables/*.tex`, from `data/` (see `paper.data`), `published.csv`,
`published_cardinality.csv` and `reasons.csv`. Numbers are computed from these; only the reasons why something differs are written by hand.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from benchmark.records import write_atomically
from benchmark.results import Results
from benchmark.scoring import CONFIDENCE
from paper import data, document, published, theory
from paper.document import Block, Heading, Paragraph, Picture, Table

HERE = Path(__file__).parent
REASONS = HERE / "reasons.csv"
CARDINALITY = HERE / "published_cardinality.csv"
TITLE = "Thrive: published numbers and ours"
WRITTEN_BY = "python -m paper.report"
GEMMA = {f"gemma-2-{size} HelpSteer2": f"Gemma 2 {size.upper()}" for size in ("2b", "9b", "27b")}
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


class Estimate(NamedTuple):
    """A mean of independent runs."""

    mean: float
    error: float  # standard error; NaN of one run
    seeds: int

    @property
    def half(self) -> float:
        """Half of the 95 % t interval."""
        return float(self.error * stdtrit(self.seeds - 1, (1 + CONFIDENCE) / 2)) if self.seeds > 1 else np.nan

    def minus(self, other: "Estimate") -> "Estimate":
        """As if independent: workflows share their seeds, so the interval is on the wide side."""
        return Estimate(self.mean - other.mean, float(np.hypot(self.error, other.error)), min(self.seeds, other.seeds))

    def over(self, other: "Estimate") -> "Estimate":
        """A ratio, its error to first order."""
        ratio = self.mean / other.mean
        return Estimate(
            ratio, float(np.hypot(self.error, ratio * other.error)) / abs(other.mean), min(self.seeds, other.seeds)
        )


@dataclass(frozen=True)
class Evidence:
    """All that the report is made from; None is what was not run."""

    paper: Results
    as_published: Results | None
    collapse_times: pd.DataFrame | None
    cardinality: pd.DataFrame | None
    plain_loop: pd.DataFrame | None

    @property
    def profiles(self) -> dict[str, Results]:
        return {"paper": self.paper} | ({"as-published": self.as_published} if self.as_published else {})

    def curves(self) -> pd.DataFrame:
        """Of the paper's profile, with what only others hold: instances as published, and times to collapse."""
        parts = [self.paper.curves]
        if self.as_published:
            known = set(self.paper.curves["instance"])
            parts.append(self.as_published.curves[~self.as_published.curves["instance"].isin(known)])
        if self.collapse_times is not None:
            times = self.collapse_times
            parts.append(pd.DataFrame({
                "task": "discrete", "instance": [f"K={k} n={n}" for k, n in zip(times["K"], times["n"], strict=True)], "entry": "replace",
                "quantity": "collapse_time", "t": 0, "seeds": times["seeds"], "mean": times["mean"], "sd": times["se"] * np.sqrt(times["seeds"]),
            }))  # fmt: skip
        return pd.concat(parts, ignore_index=True)


def load(folder: Path = data.DATA) -> Evidence:
    """What is there.

    Raises:
        ThriveError: not even the paper's profile.
    """
    as_published = folder / "as-published"
    return Evidence(
        data.read(folder), data.read(as_published) if as_published.is_dir() else None,
        *(_csv(folder / f"{name}.csv") for name in ("collapse_time", "cardinality", "plain_loop")),
    )  # fmt: skip


def _csv(path: Path) -> pd.DataFrame | None:
    return pd.read_csv(path) if path.is_file() else None


# Numbers


def compared(evidence: Evidence) -> pd.DataFrame:
    """`paper.published.compare`, with `closed` and `reason`."""
    table = published.compare(evidence.curves())
    exact = {} if evidence.collapse_times is None else {
        f"K={row.K} n={row.n}": row.exact for row in evidence.collapse_times.itertuples()
    }  # fmt: skip
    reasons = read_reasons()
    return table.assign(
        closed=[exact.get(row.instance, np.nan) if row.quantity == "collapse_time" else closed_form(row) for row in table.itertuples()],
        reason=[why(reasons, row) if row.verdict == "differs" else "" for row in table.itertuples()],
    )  # fmt: skip


def closed_form(row: Any) -> float:
    """The expectation of a published number; NaN where none is known."""
    numbers = {name: float(value) for name, value in re.findall(r"(\S+)=([\d.]+)(?= |$)", row.instance)}
    n = int(numbers.get("n", 0))
    if row.task == "gaussian":
        kept = _trace_ratio(row.entry, n)[row.t - 1]
        return float(kept if row.quantity == "trace_ratio" else numbers["d"] * (1 - kept))
    if row.task == "linear_regression" and row.entry in ("replace", "accumulate"):
        return float(theory.regression_error(row.entry, int(numbers["d"]), n, numbers["σ²"], row.t)[-1])
    return np.nan


@cache
def _trace_ratio(entry: str, n: int) -> theory.Vector:
    return theory.trace_ratio(entry, n, 100)


def read_reasons() -> pd.DataFrame:
    return pd.read_csv(REASONS, dtype=str, keep_default_na=False)


def why(reasons: pd.DataFrame, row: Any) -> str:
    """The first reason all of whose filled columns are the row's; t may list several iterations."""
    for reason in reasons.itertuples():
        fits = all(
            getattr(reason, key) in ("", str(getattr(row, key))) for key in ("task", "instance", "entry", "quantity")
        )
        if fits and (not reason.t or str(row.t) in reason.t.split()):
            return str(reason.reason)
    return "Not explained yet."


# The document


def blocks(evidence: Evidence, figures: Path) -> list[Block]:
    """The whole report.

    Raises:
        AssertionError: a published number stands nowhere, or twice.
    """
    numbers = compared(evidence)
    made = [
        *_summary(numbers, evidence),
        *_defects(numbers, evidence),
        *(block for part in PARTS for block in _part(part, numbers, evidence)),
        *_language_model(numbers, evidence),
        *_pretraining(numbers),
        *_cardinality(evidence),
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
                f"{_title(task)}, {instance}",
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


def _title(task: str) -> str:
    return {"kde": "KDE"}.get(task, task.replace("_", " ").capitalize())


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
    yield Paragraph(_about(part, evidence))
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


def _row(row: Any, closed: bool, letters: dict[str, str]) -> list[str]:
    verdict = {"agrees": "yes", "differs": f"no ({letters.get(row.reason)})"}.get(row.verdict, row.verdict)
    return [
        row.instance, row.entry, "–" if pd.isna(row.t) else str(row.t), padded(row.text), number(row.ours), interval(row.low, row.high),
        *([number(row.closed)] if closed else []), "–" if np.isnan(row.z) else f"{row.z:.1f}", verdict,
    ]  # fmt: skip


def padded(text: str) -> str:
    """A published number as it was given, with its leading zero."""
    return f"0{text}" if text.startswith(".") else text


def number(x: float) -> str:
    """Four digits; – where there is none."""
    if np.isnan(x):
        return "–"
    if np.isinf(x):
        return "∞"
    return np.format_float_positional(float(f"{x:.4g}"), trim="-") if abs(x) >= 1e-5 or x == 0 else f"{x:.1e}"


def interval(low: float, high: float) -> str:
    return "–" if np.isnan(low) else f"{number(low)} to {number(high)}"


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


def shown(estimate: Estimate | None) -> str:
    """ "21.2 (20.1 to 22.3)"."""
    if estimate is None:
        return "not run"
    half = estimate.half
    return number(estimate.mean) + (
        "" if np.isnan(half) else f" ({interval(estimate.mean - half, estimate.mean + half)})"
    )


# As published and corrected


def at(found: Results | None, task: str, instance: str, entry: str, quantity: str, t: int) -> Estimate | None:
    """One point of a curve; None where it was not run."""
    if found is None:
        return None
    c = found.curves
    rows = c[
        (c["task"] == task)
        & (c["instance"] == instance)
        & (c["entry"] == entry)
        & (c["quantity"] == quantity)
        & (c["t"] == t)
    ]
    if rows.empty:
        return None
    row = rows.iloc[0]
    return Estimate(float(row["mean"]), float(row["sd"]) / np.sqrt(int(row["seeds"])), int(row["seeds"]))


def _both(function: Callable[..., Estimate], *estimates: Estimate | None) -> Estimate | None:
    """The function of estimates that are all there."""
    return None if None in estimates else function(*estimates)


def _defects(numbers: pd.DataFrame, evidence: Evidence) -> Iterator[Block]:
    yield Heading("As published and corrected")
    yield Paragraph(
        "Where the published protocol has a defect, Thrive runs the corrected protocol and keeps the published one as a named switch of "
        "`params.yaml`, so that each can be seen to make the difference (`thrive run --profile as-published`)."
    )
    head = ["", "defect", "switch", "what is shown", "published", "ours, as published", "ours, corrected"]
    rows = [[str(k), *row] for k, row in enumerate(_defect_rows(numbers, evidence), 1)]
    yield Table("defects", head, "rpplrrr", rows)


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
    words = "Language model: one generator seed for 64 identical empty prompts, so that a generation is many copies of few samples (inferred from published learning curves)"
    yield [words, "`copies: 64`", "duplicate rate of generation 1", "–", *siblings(copies, "duplicate_rate", 1)]
    yield [
        words,
        "`copies: 64`",
        f"test loss, replace, t = {horizon or 'T'}",
        "–",
        *siblings(copies, "test_loss", horizon),
    ]
    yield ["Language model: the head of a sample is stripped as a set of characters, more at every generation", "`head_as_characters: true`",
           f"test loss, replace, t = {horizon or 'T'}", "–", *siblings(stripped, "test_loss", horizon)]  # fmt: skip


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
        untrained = _cell(own, "epochs", 0, 0)
        gains = [_both(Estimate.minus, untrained, _cell(own, control, few, 0)) for control in ("epochs", "steps")]
        ours = [f"{shown(gain)}, {few} rows" for gain in gains]
    return ["Cardinality: few rows are few optimizer steps, all in the warm-up, so that little data means untrained", "control `steps` of `python -m paper.cardinality`",
            "test loss of the untrained model minus that of the fewest real rows alone", text, *ours]  # fmt: skip


def _stable_defect(numbers: pd.DataFrame, paper: Results) -> list[str]:
    name = "moons h=0.1 n=1000"
    pair = [at(paper, "kde", name, "accumulate", "test_loss", t) for t in (100, 50)]
    growth = _both(Estimate.minus, *pair)
    texts = [_text(numbers, "kde", name, "accumulate", t) for t in (50, 100)]
    words = f"{padded(texts[0])} → {padded(texts[1])}"
    added = 2 * 0.1**2 * sum(1 / k for k in range(51, 101))
    return ["Accumulate of fixed bandwidth is called stable, while its second moment grows by h² per dimension and 1/t", "none: the late slope of the board",
            f"test loss, {name}, from t = 50 to 100", words, " → ".join("not run" if e is None else number(e.mean) for e in reversed(pair)),
            f"grows by {shown(growth)}; closed form: E‖x‖² grows by {number(added)}"]  # fmt: skip


# The language model


def _language_model(numbers: pd.DataFrame, evidence: Evidence) -> Iterator[Block]:
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
    return lambda loss, last: _both(Estimate.minus, loss(entry, last), loss(entry, 1))


def _apart(worse: str, better: str) -> Callable[..., Estimate | None]:
    return lambda loss, last: _both(Estimate.minus, loss(worse, last), loss(better, last))


def _share(entry: str) -> Callable[..., Estimate | None]:
    return lambda loss, last: _both(Estimate.over, _change(entry)(loss, last), _change("replace")(loss, last))


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


def _pretraining(numbers: pd.DataFrame) -> Iterator[Block]:
    rows = numbers[numbers["task"] == "pretraining"]
    yield Heading("Language model: pretraining")
    yield Paragraph(
        "Published only: Thrive has no pretraining task-setting, and no number of ours stands here. Cross-entropy on TinyStories, nats per token, one run each:"
    )
    yield _wide("pretraining", rows, lambda row: f"{row.instance.removesuffix(' TinyStories')} {row.entry}")


# Cardinality


def _cell(table: pd.DataFrame, control: str, real: int, synthetic: int) -> Estimate | None:
    rows = table[(table["control"] == control) & (table["real"] == real) & (table["synthetic"] == synthetic)]
    if rows.empty:
        return None
    row = rows.iloc[0]
    return Estimate(float(row["mean"]), float(row["sd"]) / np.sqrt(row["seeds"]), int(row["seeds"]))


def _cardinality(evidence: Evidence) -> Iterator[Block]:
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
        yield Paragraph(f"Ours, {_title(task)}, {instance}, {what}, {rows['seeds'].iloc[0]} seeds, test loss in nats:")
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
                    _title(task),
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
    main()
