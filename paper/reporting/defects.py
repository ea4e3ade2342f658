"""Section of the report: the defects of the published protocol, each with its switch and its effect on a number."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmark.results.document import Block, Heading, Paragraph, Table
from benchmark.results.gather import Results
from paper import published
from paper.reporting.cardinality import CARDINALITY, cell
from paper.reporting.evidence import SCIKIT_LEARN, Estimate, Evidence, at, both, paired, rows_of
from paper.reporting.kde import bounds
from paper.reporting.words import number, padded, shown


class Defect(NamedTuple):
    """A number with a defect and without it. Of several numbers for one defect, only the first has `words` and `switch`."""

    words: str
    switch: str
    what: str
    published: str
    as_published: str
    corrected: str
    difference: Estimate | None
    paired: bool = False
    makes: str = ""
    """Whether the defect makes a difference, if the interval of the difference does not decide that."""


def section(numbers: pd.DataFrame, evidence: Evidence) -> Iterator[Block]:
    yield Heading("As published and corrected")
    yield Paragraph(
        "Where the published protocol has a defect, Thrive runs the corrected protocol and keeps the published one as a named switch of "
        "`params.yaml` (`thrive run --profile as-published`). Difference: as published minus corrected, with its 95 % interval. Losses by seed are kept "
        "at t = 1, 2 and the last iteration; there all three numbers are of the seeds that both runs have, and the difference is paired. Elsewhere, marked (i), the two "
        "are treated as independent. A defect makes a difference if the interval does not contain 0; if it does, more seeds may show one."
    )
    named: list[list[str]] = []
    rows: list[list[str]] = []
    for defect in _defects(numbers, evidence):
        if defect.words:
            named.append([str(len(named) + 1), defect.words, defect.switch])
        difference = shown(defect.difference) + " (i)" * (defect.difference is not None and not defect.paired)
        number_of = str(len(named)) if defect.words else ""
        rows.append([number_of, *defect[2:6], difference, defect.makes or _makes(defect.difference)])
    yield Table("defects", ["", "defect", "switch"], "rpl", named)
    head = [
        "",
        "what is shown",
        "published",
        "ours, as published",
        "ours, corrected",
        "difference",
        "makes a difference",
    ]
    yield Table("defects-shown", head, "rpppppp", rows)


def _makes(difference: Estimate | None) -> str:
    if difference is None:
        return "not run"
    return "yes" if difference.leaves_out(0) else f"not shown by {difference.seeds} seeds"


def _defects(numbers: pd.DataFrame, evidence: Evidence) -> Iterator[Defect]:
    yield _blobs(numbers, evidence)
    yield from _text_defects(evidence.as_published)
    yield _untrained(evidence.cardinality)
    yield _density_figure(evidence.paper)
    yield _pooled(numbers, evidence.paper)
    yield _stable(numbers, evidence.paper)
    yield from _scikit_learn(numbers, evidence)


def _text(numbers: pd.DataFrame, instance: str, entry: str, t: int) -> str:
    """A published number of the KDE, as given; – if there is none."""
    found = numbers[
        (numbers["task"] == "kde")
        & (numbers["instance"] == instance)
        & (numbers["entry"] == entry)
        & (numbers["t"] == t)
    ]
    return padded(found["text"].iloc[0]) if len(found) else "–"


def _loss(
    found: Results | None,
    task: str,
    names: tuple[str, str],
    entry: str,
    t: int | None,
    words: str,
    switch: str,
    published: str,
) -> Defect:
    """The test loss of a run with a defect and without it, at iteration t (None: the last)."""
    about = None if found is None else found.about.tasks.get(task)
    horizon = 0 if about is None else about.horizon
    last = t in (None, horizon)
    what = f"test loss, {names[1]}, {entry}, t = {t or horizon or 'T'}"
    by_seed = paired(found, task, names, entry, "final" if last else {1: "first", 2: "second"}[t or horizon])
    if by_seed is not None:
        defect, corrected, difference = by_seed
        return Defect(words, switch, what, published, shown(defect), shown(corrected), difference, True)
    a, b = (at(found, task, name, entry, "test_loss", t or horizon) for name in names)
    return Defect(words, switch, what, published, shown(a), shown(b), both(Estimate.minus, a, b))


def _blobs(numbers: pd.DataFrame, evidence: Evidence) -> Defect:
    words = "Blobs: held-out points come from other random centres than the training points"
    name = "blobs h=1.0 n=1000"
    names, text = (f"{name} as published", name), _text(numbers, f"{name} as published", "replace", 1)
    return _loss(evidence.as_published, "kde", names, "replace", 1, words, "`blobs_share_centres: false`", text)


def _text_defects(old: Results | None) -> Iterator[Defect]:
    """The defects of the language model: each instance with a defect, compared with its sibling without it."""
    about = None if old is None else old.about.tasks.get("language_model")
    names = [] if about is None else [instance.name for instance in about.instances]

    def siblings(mark: str, missing: str) -> tuple[str, str]:
        defect = next((name for name in names if re.search(mark, name)), "")
        return (defect, re.sub(mark, "", defect)) if defect else ("", missing)

    copies = siblings(r" copies=\d+", "Language model")
    rates = [at(old, "language_model", name, "replace", "duplicate_rate", 1) for name in copies]
    words = "Language model: one generator seed for 64 identical empty prompts, so that a generation is many copies of few samples (inferred from learning curves)"
    what = f"duplicate rate of generation 1, {copies[1]}"
    yield Defect(words, "`copies: 64`", what, "–", shown(rates[0]), shown(rates[1]), both(Estimate.minus, *rates))
    yield _loss(old, "language_model", copies, "replace", None, "", "", "–")
    words = "Language model: the head of a sample is stripped as a set of characters, which removes more at every generation"
    yield _loss(
        old,
        "language_model",
        siblings(" stripped", "Language model with a head"),
        "replace",
        None,
        words,
        "`head_as_characters: true`",
        "–",
    )


def _untrained(table: pd.DataFrame | None) -> Defect:
    """Few rows mean few steps: the gain of training over the untrained model, with one epoch and with matched steps."""
    held = pd.read_csv(CARDINALITY, dtype={"value": str})
    least = held[held["synthetic"] == 0].sort_values("real").iloc[0]
    known = published.read()
    base = known[(known["instance"] == "gemma-2-2b HelpSteer2") & (known["entry"] == "untrained base")].iloc[0]
    text = f"{number(float(base['value']) - float(least['value']))} ({least['real']} rows)"
    epoch: Estimate | None = None
    steps: Estimate | None = None
    few: str | int = "the fewest"
    if table is not None:
        own = table[table["task"] == "language_model"]
        few = int(own[own["real"] > 0]["real"].min())
        untrained = cell(own, "epochs", 0, 0)
        epoch, steps = (both(Estimate.minus, untrained, cell(own, control, few, 0)) for control in ("epochs", "steps"))
    return Defect("Cardinality: few rows mean few optimizer steps, all in the warm-up, so that a model with little data is nearly untrained", "control `steps` of `python -m paper.experiments.cardinality`",
                  f"test loss of the untrained model minus that of {few} real rows alone", text, shown(epoch), shown(steps), both(Estimate.minus, epoch, steps))  # fmt: skip


def _density_figure(paper: Results) -> Defect:
    """One number drawn in two ways: as the variance and as its root."""
    variance = at(paper, "gaussian", "d=10 n=100", "replace", "marginal_variance", 50)
    root, difference = None, None
    if variance is not None:
        sd = float(np.sqrt(variance.mean))
        root = Estimate(sd, variance.error / (2 * sd), variance.seeds)
        difference = Estimate(variance.mean - sd, variance.error * abs(1 - 1 / (2 * sd)), variance.seeds)
    return Defect("Density figure: the variance is drawn as if it were the standard deviation", "`fig1-as-published` of `thrive figures`",
                  "width of the density that is drawn for the mean variance, d=10 n=100, replace, t = 50", "–", shown(variance), shown(root), difference)  # fmt: skip


def _pooled(numbers: pd.DataFrame, paper: Results) -> Defect:
    """One mean over bandwidths. The difference is between the two bandwidths whose losses are farthest apart."""
    single = {h: at(paper, "kde", f"moons h={h} n=10", "replace", "test_loss", 100) for h in ("0.1", "0.5", "1.0")}
    pooled = numbers[
        (numbers["instance"] == "moons h=0.1,0.5,1.0 n=10") & (numbers["entry"] == "replace") & (numbers["t"] == 100)
    ].iloc[0]
    known = sorted((e for e in single.values() if e is not None), key=lambda e: e.mean)
    difference = known[-1].minus(known[0]) if len(known) == len(single) else None
    ours = Estimate(pooled["ours"], pooled["error"], int(pooled["our_seeds"])) if difference else None
    return Defect("Main KDE figures: one mean over three bandwidths", "`fig2-pooled` of `thrive figures`",
                  f"test loss, moons n=10, replace, t = 100; corrected: h = {', '.join(single)}; difference: the highest of these minus the lowest",
                  padded(pooled["text"]), shown(ours), ", ".join("not run" if e is None else number(e.mean) for e in single.values()), difference)  # fmt: skip


GROWS = "moons h=0.1 n=1000"
"""The instance on which the growth of accumulate's loss at fixed bandwidth is shown."""


def growth(numbers: pd.DataFrame, paper: Results) -> tuple[str, Estimate | None, Estimate | None]:
    """Of accumulate's test loss from t = 50 to 100: the published numbers, and our losses at both."""
    published_pair = " → ".join(_text(numbers, GROWS, "accumulate", t) for t in (50, 100))
    middle, last = (at(paper, "kde", GROWS, "accumulate", "test_loss", t) for t in (50, 100))
    return published_pair, middle, last


def _stable(numbers: pd.DataFrame, paper: Results) -> Defect:
    name, switch = GROWS, "none: the late slope of the board"
    published_pair, middle, last = growth(numbers, paper)
    ours = "not run" if middle is None or last is None else f"{number(middle.mean)} → {number(last.mean)}"
    added = 2 * 0.1**2 * sum(1 / k for k in range(51, 101))  # d·h²·(H_100 - H_50)
    return Defect("Accumulate at fixed bandwidth is called stable, while its second moment grows by h²/t in each dimension at iteration t", switch,
                  f"test loss, {name}, accumulate, from t = 50 to 100; difference: the growth", published_pair, ours,
                  f"the same; closed form: E‖x‖² grows by {number(added)}", both(Estimate.minus, last, middle))  # fmt: skip


def _scikit_learn(numbers: pd.DataFrame, evidence: Evidence) -> Iterator[Defect]:
    words = "KDE: scikit-learn's tree gives wrong densities far from the data (scikit-learn issues 7492, 27186)"
    switch, old = "`densities: scikit-learn`", evidence.as_published
    swiss, blobs = "swiss_roll h=0.1 n=1000", "blobs h=1.0 n=1000 as published"
    for name, entry, t in (
        (swiss, "replace", None), (swiss, "accumulate-subsample", None), (swiss, "accumulate", 2), (swiss, "accumulate", None), (blobs, "replace", 1),
    ):  # fmt: skip
        text = _text(numbers, name, entry, t or 100)
        yield _loss(old, "kde", (name + SCIKIT_LEARN, name), entry, t, words, switch, text)
        words, switch = "", ""
    yield from _second_loop(numbers, evidence.plain_loop)
    yield _bound_broken(old)


def _second_loop(numbers: pd.DataFrame, plain: pd.DataFrame | None) -> Iterator[Defect]:
    """The first and the last loss of accumulate in the loop that shares no code with the benchmark, over more seeds."""
    if plain is None:
        return
    rows = plain[(plain["entry"] == "accumulate") & plain["t"].isin([plain["t"].min(), plain["t"].max()])]
    for row in rows_of(rows):
        losses = [
            Estimate(getattr(row, name), getattr(row, f"{name}_sd") / np.sqrt(row.seeds), row.seeds)
            for name in ("scikit_learn", "exact", "difference")
        ]
        what = f"test loss, {row.instance}, accumulate, t = {row.t}, by the second loop"
        text = _text(numbers, row.instance, "accumulate", row.t)
        yield Defect("", "", what, text, shown(losses[0]), shown(losses[1]), losses[2], True)


def _bound_broken(old: Results | None) -> Defect:
    """By how much accumulate exceeds its bound, which no density can do."""
    over = {row["instance"]: row["worst"] for row in bounds(None if old is None else old.curves)}
    worst = max((name for name in over if name.endswith(SCIKIT_LEARN)), key=over.__getitem__, default=None)
    what = "accumulate: the largest NLL(t₂) − NLL(t₁) − ln(t₂/t₁), which for a density is at most 0"
    if worst is None:
        return Defect("", "", what, "–", "not run", "not run", None)
    name = worst.removesuffix(SCIKIT_LEARN)
    difference = Estimate(over[worst] - over[name], np.nan, 1)
    makes = "yes: no density exceeds 0" if over[worst] > 0 >= over[name] else "no"
    return Defect("", "", f"{what}, {name}", "–", number(over[worst]), number(over[name]), difference, True, makes)
