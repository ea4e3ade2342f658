"""Two entries, A minus B: differences paired by seed, their intervals, and what they say in words. Lower is better.

An interval is of one row alone: nothing is corrected for there being many.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.errors import ThriveError
from benchmark.results import gather as results
from benchmark.results.gather import Results
from benchmark.results.labels import with_interval
from benchmark.results.scoring import Interval, Vector, damage, pooled, scored, t_interval

QUANTITIES = {"final": "score", "slope": "slope_score"}
"""What is compared, in nats (text: per token) and nats per iteration, and its column in units of the board's score."""
UNKNOWN = Interval(np.nan, np.nan, np.nan)
ROUNDING = 1e-9  # relative: sums of the same numbers in another order differ by less


@dataclass(frozen=True)
class Row:
    """One difference.

    Attributes:
        quantity: final or slope.
        task: the task-setting; "all" for the mean of them.
        instance: None for the mean over the ranked instances.
        runs: pairs of runs that it rests on.
        nats: of the quantity; unknown (NaN) over all task-settings, whose units differ.
        score: in units of the board's score; unknown where the instance is not ranked.
        diverged: how many of these runs of A, and of B, are not finite.
        verdict: by score; by nats where there is none.
    """

    quantity: str
    task: str
    instance: str | None
    runs: int
    nats: Interval
    score: Interval
    diverged: tuple[int, int]
    verdict: str


@dataclass(frozen=True)
class Paired:
    """An instance: runs of A and B by seed (the seeds that both have), and whether the scores count."""

    task: str
    instance: str
    a: pd.DataFrame
    b: pd.DataFrame
    ranked: bool

    def differences(self, column: str) -> "pd.Series[float]":
        with np.errstate(invalid="ignore"):  # both diverged: no difference, NaN
            return self.a[column] - self.b[column]

    def diverged(self, quantity: str) -> tuple[int, int]:
        a, b = (int((~np.isfinite(runs[quantity])).sum()) for runs in (self.a, self.b))
        return a, b

    def same(self, quantity: str) -> bool:
        finite = self.diverged(quantity) == (0, 0)
        return finite and bool(np.allclose(self.a[quantity], self.b[quantity], rtol=ROUNDING, atol=0))


def load(root: Path, board: Path, profile: str, tasks: Iterable[str]) -> Results:
    """Results of a profile: of its own runs, or, where there are none, those that the committed board was made from.

    Raises:
        ThriveError: there are none.
    """
    folders = [root / "results" / profile / task for task in tasks]
    found = [results.read(folder) for folder in folders if (folder / "about.json").is_file()]
    if found:
        return results.merged(found)
    committed = results.read(root / board) if (root / board / "about.json").is_file() else None
    if committed is None or committed.about.profile != profile:
        raise ThriveError(f"profile '{profile}' has no results. Make them: thrive run --profile {profile} -s A -s B")
    return committed


def compare(found: Results, a: str, b: str) -> list[Row]:
    """Rows for every instance that both ran, for every task-setting, and for all of them.

    Raises:
        ThriveError: there are no results of one of the two, or none that both have.
    """
    for id in (a, b):
        _require(id, found)
    pairs = _pairs(found, a, b)
    if not pairs:
        raise ThriveError(f"'{a}' and '{b}' have no instance and seed in common: see thrive run.")
    return [row for quantity in QUANTITIES for row in _rows(pairs, quantity)]


def notes(found: Results, a: str, b: str) -> list[str]:
    """What the rows leave out: task-settings that an entry does not run on, and seeds that one of the two lacks."""
    paired = {(pair.task, pair.instance): len(pair.a) for pair in _pairs(found, a, b)}
    lines = []
    for task, about in found.about.tasks.items():
        refused = [f"{task}: {id} does not run there: {about.refused[id]}" for id in (a, b) if id in about.refused]
        counts = {i.name: paired.get((task, i.name), 0) for i in about.instances}
        planned = len(about.seeds)
        lacking = [f"{task} {name}: both ran {n} of {planned} seeds" for name, n in counts.items() if n < planned]
        lines += refused or lacking
    return lines


def _require(id: str, found: Results) -> None:
    known = set(found.scores["entry"])
    if id not in known:
        profile = found.about.profile
        raise ThriveError(
            f"profile '{profile}' has no results of '{id}', but of: {', '.join(sorted(known))}. "
            f"To make them: thrive run --profile {profile} -s {id}"
        )


def _pairs(found: Results, a: str, b: str) -> list[Paired]:
    numbers = {(task, i.name): i.ranked for task, about in found.about.tasks.items() for i in about.instances}
    pairs = []
    for (task, instance), ranked in numbers.items():
        runs = found.scores[(found.scores["task"] == task) & (found.scores["instance"] == instance)]
        by_seed = damage(runs)
        counts = bool(ranked and 0 < by_seed.mean() < np.inf)
        if counts:
            runs = scored(runs, by_seed)
        one, other = (runs[runs["entry"] == id].set_index("seed") for id in (a, b))
        both = one.index.intersection(other.index).sort_values()
        if len(both):
            pairs.append(Paired(task, instance, one.loc[both], other.loc[both], counts))
    return pairs


def _rows(pairs: list[Paired], quantity: str) -> list[Row]:
    rows, means = [], []
    for task in dict.fromkeys(pair.task for pair in pairs):
        mine = [pair for pair in pairs if pair.task == task]
        rows += [_row([pair], quantity, pair.instance) for pair in mine]
        ranked = [pair for pair in mine if pair.ranked]
        if ranked:
            means.append(_row(ranked, quantity, None))
            rows.append(means[-1])
    return [*rows, _over_all(means)] if len(means) > 1 else rows


def _row(pairs: list[Paired], quantity: str, instance: str | None) -> Row:
    """Of one instance, or of the mean over several."""
    nats = _mean(pairs, quantity)
    score = _mean(pairs, f"pseudo_{QUANTITIES[quantity]}") if all(pair.ranked for pair in pairs) else UNKNOWN
    counts = [pair.diverged(quantity) for pair in pairs]
    diverged = sum(a for a, _ in counts), sum(b for _, b in counts)
    runs = sum(len(pair.a) for pair in pairs)
    same = all(pair.same(quantity) for pair in pairs)
    said = "the same" if same else verdict(nats if score is UNKNOWN else score, diverged, runs)
    return Row(quantity, pairs[0].task, instance, runs, nats, score, diverged, said)


def _mean(pairs: list[Paired], column: str) -> Interval:
    by_seed = pd.concat([pair.differences(column) for pair in pairs], axis=1, join="inner")
    return interval(by_seed.mean(axis=1, skipna=False).to_numpy(float))


def _over_all(means: list[Row]) -> Row:
    """The plain mean of the task-settings, as on the board."""
    first = means[0]
    diverged = sum(row.diverged[0] for row in means), sum(row.diverged[1] for row in means)
    runs = sum(row.runs for row in means)
    score = pooled([row.score for row in means]) if diverged == (0, 0) else _infinite(diverged)
    said = "the same" if all(row.verdict == "the same" for row in means) else verdict(score, diverged, runs)
    return Row(first.quantity, "all", None, runs, UNKNOWN, score, diverged, said)


def interval(differences: Vector) -> Interval:
    """Mean and t interval; infinite, and never a mean of the others, where a run of A or of B diverged; unknown where both did."""
    if np.isfinite(differences).all():
        return t_interval(differences) if len(differences) else UNKNOWN
    return _infinite((int((~(differences < np.inf)).sum()), int((~(differences > -np.inf)).sum())))


def _infinite(diverged: tuple[int, int]) -> Interval:
    a, b = diverged
    return UNKNOWN if a and b else Interval(*[np.inf if a else -np.inf] * 3)


def verdict(difference: Interval, diverged: tuple[int, int], runs: int) -> str:
    """What a difference says, A against B."""
    a, b = diverged
    if a and b:
        return f"not separable: both diverge, in {a} and {b} of {runs} runs"
    if a or b:
        return f"higher: A diverges in {a} of {runs} runs" if a else f"lower: B diverges in {b} of {runs} runs"
    if np.isnan(difference.low):
        return "not separable: one seed"
    return "lower" if difference.high < 0 else "higher" if difference.low > 0 else "not separable"


def frame(rows: Iterable[Row]) -> pd.DataFrame:
    """The rows as a table of numbers."""
    flat = [
        {
            "quantity": row.quantity, "task": row.task, "instance": row.instance or "mean", "runs": row.runs,
            **{f"nats_{end}": value for end, value in row.nats._asdict().items()},
            **{f"score_{end}": value for end, value in row.score._asdict().items()},
            "diverged_a": row.diverged[0], "diverged_b": row.diverged[1], "verdict": row.verdict,
        }
        for row in rows
    ]  # fmt: skip
    return pd.DataFrame(flat)


def text(rows: list[Row], a: str, b: str) -> str:
    """The rows for a console."""
    parts = [f"A = {a}, B = {b}: A minus B, paired by seed, with 95 % t intervals. Lower is better."]
    for quantity in QUANTITIES:
        lines = [("", "", "pairs", "nats" if quantity == "final" else "nats/iteration", "score", "A is")]
        for row in rows:
            if row.quantity == quantity:
                lines.append(
                    (row.task, row.instance or "mean", str(row.runs), shown(row.nats), shown(row.score), row.verdict)
                )
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        body = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
        ]
        parts.append(
            "\n".join([f"\n{quantity} test loss" if quantity == "final" else f"\n{quantity} of test loss", *body])
        )
    return "\n".join(parts) + "\n"


def shown(found: Interval) -> str:
    """An interval in few characters; a dash where it is unknown."""
    if np.isnan(found.centre):
        return "–"
    if np.isinf(found.centre):
        return f"{found.centre:+.0f}"
    return with_interval(*found, "{:+.3g}".format)
