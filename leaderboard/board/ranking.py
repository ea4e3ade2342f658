"""Ranks by win rate, each with the ranks that seeds and instances leave open.

Would the order hold with other seeds, and on other instances like these? A difference of win rates is paired, run by run. Its interval
adds the spread between seeds and, where a task-setting has at least four ranked instances, the spread between instances, each with the
t quantile of its own number. With fewer instances the rank is conditional on them.

An entry from outside has seeds of its own: see `leaderboard.board.verification.wins`. The spread between those seeds is added alike.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from benchmark.results.scoring import Interval, Vector, t_quantile
from leaderboard.board.duels import Array, Wins
from leaderboard.board.inference import holm, p_values
from leaderboard.board.protocol import RESAMPLED

LEAST = 1
"""Duel of all that there are: the least standard deviation of a win rate between seeds or instances. It is a count, and few may agree by chance."""
Order = tuple[bool, float, float]  # see `leaderboard.board.duels.Wins.order`
AT_ONCE = 200_000  # tests, for memory: a board of 10,000 entries has 50 million
EQUAL = 1e-9  # win rates that differ by less are the same


class RankInterval(NamedTuple):
    """1 + the entries with a higher win rate, and the ranks that the tests leave open."""

    rank: int
    low: int
    high: int


def win_rate(wins: Wins) -> Interval:
    """The mean over task-settings with its interval of 95 %, within 0 and 1; no ends (NaN) for one seed."""
    errors, freedom = _terms({task: rates[None] for task, rates in wins.rates.items()}, [wins], wins.opponents)
    centre, low, high = _interval(wins.centre, errors, freedom, len(wins.rates))
    return Interval(centre, np.maximum(low, 0.0), np.minimum(high, 1.0))


def difference(a: Wins, b: Wins) -> Interval:
    """The win rate of one entry minus that of another, paired run by run, with its interval of 95 %; no ends (NaN) for one seed."""
    apart = {task: (rates - b.rates[task])[None] for task, rates in a.rates.items()}
    terms = [_terms(apart, [a], a.opponents), _secret(apart, [b])]
    errors, freedom = (np.concatenate(part) for part in zip(*terms, strict=True))
    return _interval(a.centre - b.centre, errors, freedom, len(a.rates))


def _interval(centre: float, errors: Array, freedom: Array, tasks: int) -> Interval:
    """Half-widths of independent errors add up in squares; no ends (NaN) where an error has no degree of freedom."""
    if (freedom < 1).any():
        return Interval(centre, np.nan, np.nan)
    half = float(np.sqrt(np.sum((t_quantile(freedom) * errors) ** 2))) / tasks
    return Interval(centre, centre - half, centre + half)


def rank_intervals(entries: Mapping[str, Wins]) -> dict[str, RankInterval]:
    """Each entry's rank, with an interval that holds its true rank in 95 % of boards, or more.

    The family of an entry's interval are the N - 1 tests that it is part of, corrected by Holm's method.

    Args:
        entries: all with win rates on the same task-settings.

    Source:
        Mogstad, Romano, Shaikh and Wilhelm, Inference for ranks (2024), section 3: marginal confidence sets.
    """
    orders = [entry.order for entry in entries.values()]
    found = p_value_table(list(entries.values()))
    return {
        id: _rank_interval(orders[i], np.delete(found[i], i), orders[:i] + orders[i + 1 :])
        for i, id in enumerate(entries)
    }


def _rank_interval(own: Order, found: Vector, others: list[Order]) -> RankInterval:
    sure = holm(found)
    return RankInterval(
        rank=1 + sum(other < own for other in others),
        low=1 + sum(other < own and significant for other, significant in zip(others, sure, strict=True)),
        high=1
        + len(others)
        - sum(other > own and significant for other, significant in zip(others, sure, strict=True)),
    )


def beside(entries: Mapping[str, Wins], base: Wins) -> dict[str, str]:
    """Each entry beside the division's base workflow, in words; corrected by Holm's method for there being many."""
    found = holm(_against(base, list(entries.values())))
    said = {}
    for (id, own), significant in zip(entries.items(), found, strict=True):
        said[id] = "not separable" if not significant else "better" if own.order < base.order else "worse"
    return said


def p_value_table(entries: list[Wins]) -> Array:
    """Of the tests of every entry against every other, shape (entries, entries).

    0 where one of the two diverged, which is known to be worse; 1 where both did. A board of 500 has 125,000 tests.
    """
    diverged = np.array([entry.diverged for entry in entries], bool)
    found = np.where(diverged[:, None] == diverged, 1.0, 0.0)
    finite = np.flatnonzero(~diverged)
    first, second = (finite[k] for k in np.triu_indices(len(finite), 1))
    if len(first):
        found[first, second] = found[second, first] = _p_values([entries[k] for k in finite], len(finite) - 1)
    return found


def _against(base: Wins, entries: list[Wins]) -> Vector:
    """Of the tests of an entry against others: a row of `p_value_table`."""
    diverged = np.array([entry.diverged for entry in entries], bool)
    found = np.where(diverged == base.diverged, 1.0, 0.0)
    finite = np.flatnonzero(~diverged)
    if len(finite) and not base.diverged:
        found[finite] = _p_values([base, *(entries[k] for k in finite)], 1)
    return found


def _p_values(entries: list[Wins], firsts: int) -> Vector:
    """Of the first so many entries with all that come after each, in the order of `np.triu_indices`."""
    tables = {task: np.array([entry.rates[task] for entry in entries]) for task in entries[0].rates}
    found, parts = [], []
    for i, entry in enumerate(entries[:firsts]):
        apart = {task: table[i] - table[i + 1 :] for task, table in tables.items()}
        errors, freedom = _terms(apart, entries[i + 1 :], entry.opponents)
        own_errors, own_freedom = (
            np.broadcast_to(part, (len(part), errors.shape[1])) for part in _secret(apart, [entry])
        )
        centres = np.asarray(sum(values.mean(axis=(1, 2)) for values in apart.values()))
        parts.append((centres, np.concatenate([errors, own_errors]), np.concatenate([freedom, own_freedom])))
        if i == firsts - 1 or sum(len(centres) for centres, *_ in parts) >= AT_ONCE:
            centres, errors, freedom = (np.concatenate(part, axis=-1) for part in zip(*parts, strict=True))
            found.append(p_values(np.where(np.abs(centres) < EQUAL, 0.0, centres), errors, freedom))
            parts = []
    return np.concatenate(found)


def _terms(values: Mapping[str, Array], entries: list[Wins], opponents: Mapping[str, int]) -> tuple[Array, Array]:
    """Standard errors of means over task-settings, times their number, with degrees of freedom; both of shape (terms, tests).

    Args:
        values: by task-setting, win rates or differences of them, shape (tests, instances, seeds).
        entries: one for each test, whose secret seeds count.
    """
    found = []
    for task, rates in values.items():
        samples = [rates.mean(axis=1)] + [rates.mean(axis=2)] * (rates.shape[1] >= RESAMPLED)
        found += [_error(sample, opponents[task]) for sample in samples]
    errors, freedom = (np.array(part) for part in zip(*found, strict=True))
    secret_errors, secret_freedom = _secret(values, entries)
    return np.concatenate([errors, secret_errors]), np.concatenate([freedom, secret_freedom])


def _secret(tasks: Mapping[str, Array], entries: list[Wins]) -> tuple[Array, Array]:
    """The errors of the entries' secret seeds: a term for each task-setting, which is 0 for entries without."""
    shape = len(tasks), len(entries)
    errors, freedom = np.zeros(shape), np.full(shape, np.inf)
    for k, task in enumerate(tasks):
        for i, entry in enumerate(entries):
            if task in entry.secret:
                [errors[k, i]], [freedom[k, i]] = _error(entry.secret[task].mean(axis=0)[None], entry.opponents[task])
    return errors, freedom


def _error(sample: Array, opponents: int) -> tuple[Vector, Vector]:
    """Of the means of samples, shape (tests, n), with their degrees of freedom."""
    tests, n = sample.shape
    if n < 2:
        return np.zeros(tests), np.zeros(tests)
    spread = np.maximum(sample.std(axis=1, ddof=1), LEAST / opponents)
    return spread / np.sqrt(n), np.full(tests, n - 1.0)
