"""What the board says of two entries: how their losses compare, and whether they are the same.

A card only names the entries that it is compared with (`compare_with`). The sentence is computed from the scores, so that it
cannot contradict them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from benchmark.entries.card import Card
from benchmark.results.labels import task_title, with_interval
from benchmark.results.scoring import Interval, life_of
from leaderboard.board.inference import holm
from leaderboard.board.standing import Standing, difference, p_value

METRICS = {"pseudo_score": "score", "pseudo_slope_score": "slope score"}
Identical = dict[tuple[str, str], dict[str, list[str]]]
"""Two entries, to task-settings, to instances."""

LOSSES = ("final", "slope")
"""What the board publishes of a run's losses: two entries that agree in one of them to the bit are the same row twice."""


@dataclass(frozen=True)
class Comparison:
    """One paired test: the score of an entry minus that of another, on one task-setting or one instance of it.

    Attributes:
        instance: None for the mean over the ranked instances.
        difference: below 0 is better; unknown where both diverged.
    """

    other: str
    metric: str
    task: str
    instance: str | None
    p_value: float
    difference: Interval
    better: bool


Scores = dict[str, dict[tuple[str, str], pd.DataFrame]]
"""By entry, task-setting and instance: score and slope score by seed, and the share of the run before the first loss that is not finite."""


def by_instance(runs: pd.DataFrame) -> Scores:
    """Scores of runs on ranked instances, see `benchmark.results.scoring.scored`."""
    table = (
        runs[["task", "instance", "entry", "seed", *METRICS]]
        .assign(life=life_of(runs))
        .sort_values("seed", kind="stable")
    )
    found: Scores = {}
    for (entry, task, instance), part in table.groupby(["entry", "task", "instance"], sort=False):
        found.setdefault(str(entry), {})[str(task), str(instance)] = part.set_index("seed")[[*METRICS, "life"]]
    return found


def observed(id: str, others: Iterable[str], scores: Scores) -> str | None:
    """What the scores show of an entry beside others, in sentences; None where they have no ranked instance in common.

    Words hold at a family-wise error of 5 % (Holm) over all tests of this entry: both metrics, every ranked instance, every task-setting.
    """
    tests = [test for other in others if other != id for test in _comparisons(id, other, scores)]
    if not tests:
        return None
    said = [
        ("better" if test.better else "worse") if significant else "not separable"
        for test, significant in zip(tests, holm(np.array([test.p_value for test in tests])), strict=True)
    ]
    pairs = list(zip(tests, said, strict=True))
    sentences = []
    for other, metric in dict.fromkeys((test.other, test.metric) for test in tests):
        mine = [(test, word) for test, word in pairs if (test.other, test.metric) == (other, metric)]
        tasks = dict.fromkeys(test.task for test, _ in mine)
        parts = [_of_task(task, [(test, word) for test, word in mine if test.task == task]) for task in tasks]
        sentences.append(f"{METRICS[metric].capitalize()} against {other}: {'; '.join(parts)}.")
    return " ".join(sentences)


def _of_task(task: str, tests: list[tuple[Comparison, str]]) -> str:
    """ "KDE worse by 0.38 [0.30, 0.46] (worse on all 5 instances)"."""
    [(whole, word)] = [(test, word) for test, word in tests if test.instance is None]
    on = [(test.instance or "", word) for test, word in tests if test.instance is not None]
    text = f"{task_title(task)} {word}{_size(whole.difference, word)}"
    return f"{text} ({_instances(on)})" if on else text


def _size(interval: Interval, word: str) -> str:
    if np.isnan(interval.centre):
        return {"better": ", as it diverged later", "worse": ", as it diverged earlier"}.get(word, ", as both diverged")
    if np.isinf(interval.centre):
        return ", as runs diverged"
    sign = -1 if word == "better" else 1
    low, high = sorted((sign * interval.low, sign * interval.high))
    joint = ", difference" if word == "not separable" else " by"
    size = with_interval(sign * interval.centre, low, high, _number)
    return f"{joint} {size}{', from one seed' * bool(np.isnan(low))}"


def _number(value: float) -> str:
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.2g}"


def _instances(said: list[tuple[str, str]]) -> str:
    words = dict.fromkeys(word for _, word in said)
    if len(words) == 1:
        return f"{said[0][1]} on all {len(said)} instances"
    return "; ".join(f"{word} on {', '.join(name for name, own in said if own == word)}" for word in words)


def _comparisons(id: str, other: str, scores: Scores) -> Iterator[Comparison]:
    own, theirs = scores.get(id, {}), scores.get(other, {})
    shared = [where for where in own if where in theirs and own[where].index.equals(theirs[where].index)]
    for metric in METRICS:
        for task in dict.fromkeys(task for task, _ in shared):
            on = [where for where in shared if where[0] == task]
            yield _test(other, metric, task, None, _mean(own, on), _mean(theirs, on))
            if len(on) > 1:
                for where in on:
                    yield _test(other, metric, task, where[1], own[where], theirs[where])


def _mean(scores: Mapping[tuple[str, str], pd.DataFrame], on: list[tuple[str, str]]) -> pd.DataFrame:
    return pd.concat([scores[where] for where in on]).groupby("seed").mean()


def _test(other: str, metric: str, task: str, instance: str | None, a: pd.DataFrame, b: pd.DataFrame) -> Comparison:
    own, theirs = (Standing({task: part[metric]}, {task: part["life"]}) for part in (a, b))
    found = difference(own, theirs)[task]
    return Comparison(other, metric, task, instance, p_value(own, theirs), found, own.order < theirs.order)


def identical(runs: pd.DataFrame) -> Identical:
    """Pairs of entries whose losses at T, or slopes, agree to the bit in every seed: by task-setting, the instances."""
    found: Identical = {}
    for (task, instance), of_instance in runs.groupby(["task", "instance"], sort=False):
        by_entry = {str(entry): own.sort_values("seed") for entry, own in of_instance.groupby("entry")}
        pairs = {pair for loss in LOSSES for pair in _equal(by_entry, loss)}
        for pair in sorted(pairs):
            found.setdefault(pair, {}).setdefault(str(task), []).append(str(instance))
    return found


def _equal(by_entry: Mapping[str, pd.DataFrame], loss: str) -> Iterator[tuple[str, str]]:
    alike: dict[bytes, list[str]] = {}
    for id, runs in by_entry.items():
        if loss != "slope" or runs[loss].any():  # any two losses that never move have slope 0
            alike.setdefault(_bytes(runs, loss), []).append(id)
    for ids in alike.values():
        yield from combinations(ids, 2)


def _bytes(runs: pd.DataFrame, loss: str) -> bytes:
    """Of one entry by seed. Every diverged run has the loss +inf: where no run has another, its diagnostics count as well."""
    columns = ["seed", loss]
    if not np.isfinite(runs[loss]).any():
        columns += ["diverged_at", *(str(name) for name in runs if str(name).startswith("collapse_"))]
    return bytes((runs[columns].to_numpy(float) + 0.0).tobytes())  # plus 0: no "-0.0"


def unsupported(cards: Mapping[str, Card], runs: pd.DataFrame, same: Identical) -> list[str]:
    """One line for each thing that cards say, or fail to say, against the scores.

    Args:
        cards: of the entries that the runs are of.
        runs: of ranked instances.
        same: what `identical` finds among them.
    """
    return [*_undeclared(cards, same), *_not_the_same(cards, runs, same), *_not_compared(cards, runs)]


def _undeclared(cards: Mapping[str, Card], same: Identical) -> Iterator[str]:
    for (a, b), by_task in same.items():
        for task, instances in by_task.items():
            if cards[a].same_as.get(task) != b and cards[b].same_as.get(task) != a:
                yield (
                    f"'{a}' and '{b}' have identical losses on {task} {', '.join(instances)}, and neither card says so. "
                    f"Change one of them, or write same_as: {{{task}: {b}}} in the card.yaml of '{a}'."
                )


def _not_the_same(cards: Mapping[str, Card], runs: pd.DataFrame, same: Identical) -> Iterator[str]:
    """Where a card says `same_as` and the scores differ, on any ranked instance of the task-setting."""
    for id, card in cards.items():
        for task, other in card.same_as.items():
            of_task = runs[runs["task"] == task]
            both = set(of_task.loc[of_task["entry"] == id, "instance"])
            equal = same.get((min(id, other), max(id, other)), {}).get(task, [])
            if both and set(equal) != both:
                differs = ", ".join(sorted(both - set(equal)))
                yield f"{id}/card.yaml: same_as: {task}: found '{other}', whose losses differ on {differs}. Remove the key."


def _not_compared(cards: Mapping[str, Card], runs: pd.DataFrame) -> Iterator[str]:
    """Where a card names an entry that shares no ranked instance with its own."""
    instances = {entry: set(zip(own["task"], own["instance"], strict=True)) for entry, own in runs.groupby("entry")}
    for id, card in cards.items():
        for other in card.compare_with:
            if id in instances and (other == id or not instances[id] & instances.get(other, set())):
                yield (
                    f"{id}/card.yaml: compare_with: found '{other}', which shares no ranked instance with it on this board. "
                    f"Name another entry: see thrive list."
                )
