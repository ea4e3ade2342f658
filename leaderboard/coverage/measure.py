"""How often a method's intervals, ranks and words are right, over boards drawn from a population.

Boards are independent, but the entries of one board are not. So the Monte-Carlo error of a share comes from the spread between boards.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.results.scoring import Interval
from leaderboard.coverage.populations import Population
from leaderboard.coverage.runs import Array, Division, Method, Runs

LOWEST, HIGHEST = 0.93, 0.98
"""The coverage required of a 95 % interval."""

TIED = 1e-9  # true values closer than this are tied: sums of the same numbers in another order differ by less


@dataclass(frozen=True)
class Share:
    """A share of right answers.

    Attributes:
        hits: 1 if right, 0 if wrong, NaN if a board has no such answer; shape (boards, answers).
        keys: the subject of each answer, such as an entry.
    """

    hits: Array
    keys: tuple[str, ...]

    @property
    def mean(self) -> float:
        return float(np.nanmean(self.hits))

    @property
    def error(self) -> float:
        """Twice the Monte-Carlo standard error; 3 / boards if all or none are right (the rule of three)."""
        by_board = np.nanmean(self.hits, axis=1)
        if by_board.min() == by_board.max() in (0.0, 1.0):
            return 3 / len(by_board)
        return float(2 * by_board.std(ddof=1) / np.sqrt(len(by_board)))

    @property
    def worst(self) -> tuple[str, float]:
        """The key that is right least often, with its share. With many keys and few boards it is low also by chance."""
        by_key = np.nanmean(self.hits, axis=0)
        return self.keys[int(by_key.argmin())], float(by_key.min())

    @property
    def below(self) -> int:
        """The number of keys that are right in less than 93 % of boards, by more than two Monte-Carlo standard errors."""
        by_key, boards = np.nanmean(self.hits, axis=0), len(self.hits)
        return int((by_key + 2 * np.sqrt(LOWEST * (1 - LOWEST) / boards) < LOWEST).sum())

    def of(self, keys: Sequence[str]) -> "Share":
        """The share for some of the keys."""
        return Share(self.hits[:, [self.keys.index(key) for key in keys]], tuple(keys))

    @property
    def all_right(self) -> float:
        """The share of boards on which every answer is right."""
        return float(np.mean(np.nanmin(self.hits, axis=1)))

    @property
    def remark(self) -> str:
        if self.mean < LOWEST:
            return "below 93 %"
        return "above 98 %" if self.mean > HIGHEST else ""

    def __str__(self) -> str:
        return f"{100 * self.mean:.1f} ± {100 * self.error:.1f} %"


def drawn(population: Population, boards: int, seed: int = 0) -> Iterator[Runs]:
    """Boards drawn by a generator of their own, so that two methods see the same boards."""
    rng = np.random.default_rng(seed)
    return (population.draw(rng) for _ in range(boards))


def intervals(
    method: Method, population: Population, boards: int, quantities: Iterable[str] | None = None
) -> dict[str, Share]:
    """Coverage by quantity: the share of intervals that contain the method's estimate from the whole population."""
    truth = method.centres(population.whole())
    hits: dict[str, list[list[bool]]] = {}
    for runs in drawn(population, boards):
        for quantity, found in method.intervals(runs).items():
            if quantities is None or quantity in quantities:
                hits.setdefault(quantity, []).append(
                    [_holds(found[key], truth[quantity][key]) for key in truth[quantity]]
                )
    return {quantity: Share(np.array(rows, float), tuple(truth[quantity])) for quantity, rows in hits.items()}


def _holds(interval: Interval, truth: float) -> bool:
    """Whether an interval contains the truth, up to rounding: an interval of width 0 contains its own centre."""
    slack = TIED * (1 + abs(truth))
    return interval.low - slack <= truth <= interval.high + slack


def true_order(method: Method, population: Population) -> Mapping[str, float]:
    """By entry, ascending; equal where tied."""
    return population.groups or method.order(population.whole())


def ranks(method: Method, population: Population, boards: int) -> Share:
    """Coverage of rank intervals. One is right if it contains every rank that its entry may have; tied entries may have the same ranks."""
    order = true_order(method, population)
    rows: list[list[bool]] = []
    keys: tuple[str, ...] = ()
    for runs in drawn(population, boards):
        found = method.ranks(runs)
        answers = {
            id: found[d.name][id][0] <= low and high <= found[d.name][id][1]
            for d in runs.divisions
            for id, (low, high) in true_ranks(d, order).items()
        }
        rows.append(list(answers.values()))
        keys = tuple(answers)
    return Share(np.array(rows, float), keys)


def true_ranks(division: Division, order: Mapping[str, float]) -> dict[str, tuple[int, int]]:
    """The lowest and the highest rank of each entry: 1 + the number of better entries, and N - the number of worse ones."""
    values = {id: order[id] for id in division.entries}
    return {
        id: (
            1 + sum(other < own - TIED for other in values.values()),
            len(values) - sum(other > own + TIED for other in values.values()),
        )
        for id, own in values.items()
    }


@dataclass(frozen=True)
class Words:
    """How often the words "better" and "worse", compared with a base, are right.

    Attributes:
        true: words that are right or say neither. A board on which all are right has no family-wise error.
        found: of the entries that differ from the base, those whose word says so, in the right direction; None if no entry differs.
    """

    true: Share
    found: Share | None


def words(method: Method, population: Population, boards: int) -> Words:
    order = true_order(method, population)
    said, true = [], []
    keys: tuple[str, ...] = ()
    for runs in drawn(population, boards):
        found = {(d, id): word for d in runs.divisions for id, word in method.words(runs)[d.name].items()}
        said.append([{"better": -1, "worse": 1}.get(word, 0) for word in found.values()])
        true.append([_sign(order[id] - order[d.base]) for d, id in found])
        keys = tuple(f"{id} in {d.name}" for d, id in found)
    words, truth = np.array(said), np.array(true)
    power = Share(np.where(truth == 0, np.nan, words == truth), keys)
    return Words(Share(np.where(words == 0, 1.0, words == truth), keys), power if truth.any() else None)


def _sign(difference: float) -> int:
    return 0 if abs(difference) <= TIED else int(np.sign(difference))


@dataclass(frozen=True)
class Verdicts:
    """Of verdicts on the committed runs, and how they fare on drawn boards.

    Attributes:
        said: the verdicts on the committed runs.
        contradicted: of those that are not open, whether a board gives another verdict that is not open either.
        opened: whether a board leaves them open.
    """

    said: Mapping[str, str]
    contradicted: Share
    opened: Share


def verdicts(method: Method, population: Population, committed: Runs, boards: int) -> Verdicts:
    """Of boards that are drawn from a population, beside those of the committed runs."""
    said = method.verdicts(committed)
    given = {key: word for key, word in said.items() if word != "open"}
    drawn_words = [method.verdicts(runs) for runs in drawn(population, boards)]
    opened = np.array([[found[key] == "open" for key in given] for found in drawn_words], float)
    other = np.array([[found[key] != word for key, word in given.items()] for found in drawn_words], float)
    return Verdicts(said, Share(other - opened, tuple(given)), Share(opened, tuple(given)))
