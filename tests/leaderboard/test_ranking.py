"""Rank intervals, verdicts, and the intervals behind them."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmark.results import scoring
from benchmark.results.about import AsRun
from benchmark.results.scoring import Interval
from leaderboard.board import build
from leaderboard.board.ranking import Standing, beside, difference, holm, p_value, rank_intervals, verdict
from tests.leaderboard.test_board import REPLACE, rows_of, some_results, with_task


def standing(*by_task: np.ndarray, life: float = 1.0) -> Standing:
    scores = {f"task{k}": pd.Series(values) for k, values in enumerate(by_task)}
    return Standing(scores, {task: pd.Series(life, index=values.index) for task, values in scores.items()})


def test_pseudo_values_are_the_jackknife_of_the_mean_score():
    """Compared with a loop that leaves out one seed at a time, from scores and from the scale. The mean is the plain mean."""
    rng = np.random.default_rng(0)
    change, damage = rng.lognormal(size=6), rng.lognormal(size=6)
    plain = np.arcsinh(change / damage.mean())
    loop = [np.mean(np.arcsinh(np.delete(change, i) / np.delete(damage, i).mean())) for i in range(6)]
    found = scoring.pseudo_values(change, damage.mean(), (damage.sum() - damage) / 5)
    np.testing.assert_allclose(found, plain.mean() - 5 * (loop - np.mean(loop)))
    assert found.mean() == pytest.approx(plain.mean())


def test_with_a_known_scale_pseudo_values_are_the_scores():
    change = np.array([1.0, -2.0, 30.0])
    np.testing.assert_allclose(scoring.pseudo_values(change, 2, np.full(3, 2.0)), np.arcsinh(change / 2))


def test_on_one_task_setting_the_test_is_the_paired_t_test():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=9), rng.normal(0.7, size=9)
    assert p_value(standing(a), standing(b)) == pytest.approx(stats.ttest_rel(a, b).pvalue)


@given(st.integers(0, 10_000), st.floats(-0.5, 0.5))
def test_a_test_rejects_where_the_pooled_interval_leaves_out_zero(seed, shift):
    """Task-settings of 3, 20 and 40 seeds."""
    rng = np.random.default_rng(seed)
    a, b = ([rng.normal(mean, 0.3, size=n) for n in (3, 20, 40)] for mean in (shift, 0))
    interval = scoring.pooled(list(difference(standing(*a), standing(*b)).values()))
    assert (p_value(standing(*a), standing(*b)) < 0.05) == (interval.low > 0 or interval.high < 0)


def test_entries_far_apart_have_their_ranks_and_equal_ones_share_them_all():
    noise = np.random.default_rng(0).normal(size=10)
    apart = rank_intervals({name: standing(noise + 10 * k + 0.1 * noise[::-1] * k) for k, name in enumerate("abc")})
    assert apart == {"a": (1, 1, 1), "b": (2, 2, 2), "c": (3, 3, 3)}
    assert rank_intervals({name: standing(noise) for name in "abc"}) == dict.fromkeys("abc", (1, 1, 3))


def test_the_correction_is_holms():
    """p = 0.02 for a against b rejects in a family of two tests, since 2 × 0.02 < 0.05, and not in a family of three: 3 × 0.02 > 0.05."""
    values = np.random.default_rng(1).normal(size=12)
    values = (values - values.mean()) / values.std(ddof=1) * np.sqrt(12)  # a mean's error of 1
    a, b = standing(values + stats.t.isf(0.01, 11)), standing(np.zeros(12))
    assert p_value(a, b) == pytest.approx(0.02)
    assert rank_intervals({"a": a, "b": b})["a"] == (2, 2, 2)
    assert rank_intervals({"a": a, "b": b, "c": a})["a"] == (2, 2, 3)
    assert rank_intervals({"a": a, "b": b, "c": a, "d": a})["a"] == (2, 1, 4)


# p-values of ten t tests, and which of them R's p.adjust(method = "holm") leaves below .05 (tests of statsmodels.stats.multitest).
OF_R = [0.838541367553, 0.642193923795, 0.680845947633, 0.967833824309, 0.71626938238, 0.177096952723, 5.23656777208e-5, 0.0202732688798,
        0.00028140506198, 0.0149877310796]  # fmt: skip


@pytest.mark.parametrize(
    ("p_values", "rejected"),
    [
        (OF_R, [6, 8]),
        ([0.01, 0.04, 0.03, 0.005], [0, 3]),  # .03 > .05 / 2 ends it, so that .04 ≤ .05 / 1 counts for nothing
        ([0.02, 0.02, 0.001], [0, 1, 2]),
        ([0.03, 0.03], []),
        ([0.04], [0]),
        ([], []),
    ],
)
def test_holm_rejects_in_ascending_order_until_one_test_does_not(p_values, rejected):
    assert [k for k, rejects in enumerate(holm(np.array(p_values))) if rejects] == rejected


@given(st.lists(st.floats(0, 0.1), min_size=1, max_size=12))
def test_holm_rejects_where_the_adjusted_p_value_is_at_most_5_percent(p_values):
    """The adjusted p-value is the largest of (n + 1 - k) times the k-th smallest, over the tests up to this one."""
    n, ascending = len(p_values), sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted = {
        i: max((n - k) * p_values[j] for k, j in enumerate(ascending[: place + 1])) for place, i in enumerate(ascending)
    }
    sure = {i: p for i, p in adjusted.items() if abs(p - 0.05) > 1e-9}
    found = holm(np.array(p_values))
    assert {i: found[i] for i in sure} == {i: p < 0.05 for i, p in sure.items()}


def test_divergence_is_last_and_the_later_the_better():
    finite, early, late = (
        standing(np.zeros(3)),
        standing(np.full(3, np.inf), life=0.2),
        standing(np.full(3, np.inf), life=0.9),
    )
    assert rank_intervals({"e": early, "f": finite, "l": late}) == {"e": (3, 3, 3), "f": (1, 1, 1), "l": (2, 2, 2)}
    assert beside({"e": early, "f": finite}, late) == {"e": "worse", "f": "better"}


def test_one_seed_separates_nothing():
    assert rank_intervals({"a": standing(np.zeros(1)), "b": standing(np.ones(1))}) == {"a": (1, 1, 2), "b": (2, 1, 2)}


BETWEEN = Interval(0, -1, 1)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, "stable"),
        ({"finite": False, "excess": Interval(-9, -9.1, -8.9)}, "collapses"),
        ({"excess": Interval(5, 4, 6)}, "collapses"),
        ({"excess": Interval(4.9, 4, 6)}, "stable"),
        ({"excess": Interval(-2, -3, -1), "late_slope": Interval(2, 1, 3), "drift": 9.0}, "thrives"),
        ({"late_slope": Interval(2, 1, 3), "drift": 0.21}, "degrades"),
        ({"late_slope": Interval(2, 1, 3), "drift": 0.19}, "stable"),
        ({"late_slope": BETWEEN, "drift": 9.0}, "stable"),
    ],
)
def test_a_verdict_is_the_first_that_fits(facts, said):
    """replace's excess is 10, s is 2."""
    neutral = {"finite": True, "excess": BETWEEN, "of_replace": 10.0, "late_slope": BETWEEN, "drift": 0.0, "scale": 2.0}
    assert verdict(**neutral | facts) == said


@pytest.fixture(scope="module")
def cards(root):
    from benchmark.entries.catalogue import find

    return {entry.id: entry.card for entry in find(root).values()}


def test_the_base_workflow_may_be_in_another_division(cards):
    """accumulate-subsample is blind; anchor-0.5 is labelled, a whole nat below it."""
    noise = 0.05 * np.random.default_rng(0).normal(size=6)
    board = build.build_board(some_results({
        "replace": [[1, 2 + x, 3 + x] for x in noise], "accumulate-subsample": [[1, 1.5, 2 + x] for x in noise[::-1]],
        "anchor-0.5": [[1, 1, 1 - x] for x in noise],
    }), cards)  # fmt: skip
    rows = rows_of(board)
    assert (rows["anchor-0.5"].beside_base, rows["accumulate-subsample"].beside_base) == ("better", None)
    assert rows["anchor-0.5"].above_base.centre == pytest.approx(
        rows["anchor-0.5"].score.centre - rows["accumulate-subsample"].score.centre, rel=1e-5
    )


def test_a_run_that_diverged_on_the_way_scores_infinity(cards):
    rows = rows_of(
        build.build_board(some_results({"replace": REPLACE, "anchor-0.5": [[1, np.inf, 1], [1, 1, 1]]}), cards)
    )
    assert rows["anchor-0.5"].score.centre is None
    assert (rows["anchor-0.5"].survival, rows["anchor-0.5"].verdict) == (0.5, "collapses")


def test_scores_of_a_card_that_has_changed_are_stale(cards):
    """After a change of track an entry would be ranked in a division in which it never ran."""
    as_run = {"anchor-0.5": {"digest": "d", "version": "1.0.0", "track": "blind", "budget": "fixed"}}
    found = some_results({"replace": REPLACE, "anchor-0.5": [[1, 1, 1], [1, 1, 1.1]]}, as_run=as_run)
    row = rows_of(build.build_board(found, cards))["anchor-0.5"]
    assert (row.rank, row.score, row.digest) == (None, None, "d")
    assert row.missing == [
        "stale: it ran with track blind, its card now says labelled; "
        "thrive run --profile p -s anchor-0.5, thrive score --profile p, then thrive board"
    ]
    as_run["anchor-0.5"]["track"] = "labelled"
    found = dataclasses.replace(
        found, about=with_task(found, "gaussian", as_run={"anchor-0.5": AsRun(**as_run["anchor-0.5"])})
    )
    assert rows_of(build.build_board(found, cards))["anchor-0.5"].rank == 1


def test_cost_is_in_rows_that_replace_handles(cards):
    found = some_results({"replace": REPLACE, "anchor-0.5": REPLACE})
    found = dataclasses.replace(found, scores=found.scores.assign(
        training_rows=lambda f: f["training_rows"].where(f["entry"] == "replace", 90)
    ))  # fmt: skip
    usage = rows_of(build.build_board(found, cards))["anchor-0.5"].usage
    assert (usage.training_rows, usage.candidates, usage.real_rows, usage.cost) == (90, 30, 0, 2)
