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
from benchmark.results.gather import Results
from benchmark.runs.form import Verdicts
from leaderboard.board import build, verdicts
from leaderboard.board.duels import FIELD, Wins, win_rates
from leaderboard.board.inference import holm
from leaderboard.board.ranking import beside, p_value_table, rank_intervals, win_rate
from leaderboard.board.standing import Standing, difference, p_value
from tests.leaderboard.test_board import REPLACE, rows_of, some_results, with_task
from tests.results.test_scoring import frame


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


def wins(*by_task: np.ndarray, opponents: int = 30, life: float = 1.0, secret: np.ndarray | None = None) -> Wins:
    """Win rates of shape (instances, seeds) on each task-setting."""
    rates = {f"task{k}": np.atleast_2d(np.asarray(values, float)) for k, values in enumerate(by_task)}
    return Wins(
        rates, dict.fromkeys(rates, opponents), dict.fromkeys(rates, life), {} if secret is None else {"task0": secret}
    )


def test_entries_far_apart_have_their_ranks_and_equal_ones_share_them_all():
    noise = 0.01 * np.random.default_rng(0).normal(size=(5, 10))
    apart = rank_intervals({name: wins(0.2 * k + noise * k) for k, name in enumerate("cba")})
    assert apart == {"a": (1, 1, 1), "b": (2, 2, 2), "c": (3, 3, 3)}
    assert rank_intervals({name: wins(noise) for name in "abc"}) == dict.fromkeys("abc", (1, 1, 3))


def test_on_one_instance_the_test_is_the_paired_t_test():
    rng = np.random.default_rng(0)
    a, b = rng.uniform(size=9), rng.uniform(size=9)
    assert p_value_table([wins(a), wins(b)])[0, 1] == pytest.approx(stats.ttest_rel(a, b).pvalue)


def test_the_spread_between_four_instances_counts_and_between_three_does_not():
    """Seeds agree to a hair, instances do not: with four an order is not shown, with three it is conditional on them."""
    rng = np.random.default_rng(0)
    jitter = 0.02 * rng.normal(size=(4, 40))
    a = np.array([[0.9], [0.2], [0.9], [0.2]]) + jitter
    b = np.full((4, 40), 0.5)
    assert rank_intervals({"a": wins(a), "b": wins(b)})["a"] == (1, 1, 2)
    assert rank_intervals({"a": wins(a[:3]), "b": wins(b[:3])})["a"] == (1, 1, 1)


def test_the_interval_of_a_win_rate_adds_half_widths_in_squares():
    """Two task-settings: one of 5 instances and 40 seeds, one of 1 instance and 3 seeds, each term with its own t quantile."""
    rng = np.random.default_rng(0)
    a, b = 0.5 + 0.1 * rng.normal(size=(5, 40)), 0.5 + 0.1 * rng.normal(size=(1, 3))
    samples = [a.mean(axis=0), a.mean(axis=1), b[0]]
    halves = [stats.t.ppf(0.975, len(s) - 1) * s.std(ddof=1) / np.sqrt(len(s)) for s in samples]
    found = win_rate(wins(a, b, opponents=1000))
    assert found.centre == pytest.approx((a.mean() + b.mean()) / 2)
    assert found.high - found.centre == pytest.approx(np.sqrt(np.sum(np.square(halves))) / 2)
    assert np.isnan(win_rate(wins(np.array([0.5]))).low)
    assert win_rate(wins(np.array([0.99, 0.9, 1.0]))).high == 1


def test_three_seeds_that_agree_on_one_duel_show_nothing():
    """Whole duels: no spread at all would make any difference certain."""
    a, b = np.full(3, 11 / 30), np.full(3, 10 / 30)
    assert rank_intervals({"a": wins(a), "b": wins(b)})["a"] == (1, 1, 2)
    assert rank_intervals({"a": wins(np.full(40, 11 / 30)), "b": wins(np.full(40, 10 / 30))})["a"] == (1, 1, 1)


def test_secret_seeds_add_their_own_spread():
    rng = np.random.default_rng(0)
    public = 0.6 + 0.01 * rng.normal(size=(1, 40))
    steady, wild = (np.array([[0.6 - x, 0.6 + x, 0.6 - x, 0.6 + x]]) for x in (0.01, 0.3))
    other = wins(0.5 + 0.01 * rng.normal(size=(1, 40)))
    assert rank_intervals({"e": wins(public, secret=steady), "o": other})["e"] == (1, 1, 1)
    assert rank_intervals({"e": wins(public, secret=wild), "o": other})["e"] == (1, 1, 2)
    assert rank_intervals({"o": other, "e": wins(public, secret=wild)})["o"] == (2, 1, 2)


def test_the_correction_is_holms():
    """p = 0.02 for a against b rejects in a family of two tests, since 2 × 0.02 < 0.05, and not in a family of three: 3 × 0.02 > 0.05."""
    values = np.random.default_rng(1).normal(size=12)
    values = (values - values.mean()) / values.std(ddof=1) * np.sqrt(12)  # a mean's error of 1
    a, b = wins(values - stats.t.isf(0.01, 11), opponents=1000), wins(np.zeros(12), opponents=1000)
    assert p_value_table([a, b])[0, 1] == pytest.approx(0.02)
    assert rank_intervals({"a": a, "b": b})["a"] == (2, 2, 2)
    assert rank_intervals({"a": a, "b": b, "c": a})["a"] == (2, 2, 3)
    assert rank_intervals({"a": a, "b": b, "c": a, "d": a})["a"] == (2, 1, 4)


# Duels.


def test_win_rates_are_those_of_a_loop_over_duels():
    rng = np.random.default_rng(0)
    losses = rng.integers(0, 4, size=(5, 2, 3)).astype(float)
    losses[0, 0, 0] = losses[1, 0, 0] = losses[2, 0, 0] = np.inf
    life = np.ones(losses.shape)
    life[:3, 0, 0] = [0.5, 0.5, 0.7]
    found = win_rates(losses, life, losses[1:], life[1:])
    for e, i, s in np.ndindex(losses.shape):
        own = losses[e, i, s], -life[e, i, s]
        theirs = [(losses[f, i, s], -life[f, i, s]) for f in range(1, 5)]
        by_hand = np.mean([0.5 if own == other else float(own < other) for other in theirs])
        assert found[e, i, s] == by_hand


def test_equal_losses_in_another_order_of_summation_tie():
    a = np.full((1, 1, 1), 0.1 + 0.2)
    assert win_rates(a, np.ones((1, 1, 1)), np.full((1, 1, 1), 0.3), np.ones((1, 1, 1))) == 0.5


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
    finite, early, late = wins(np.full(3, 0.1)), wins(np.full(3, 0.2), life=0.2), wins(np.full(3, 0.3), life=0.9)
    assert rank_intervals({"e": early, "f": finite, "l": late}) == {"e": (3, 2, 3), "f": (1, 1, 1), "l": (2, 2, 3)}
    assert beside({"e": early, "f": finite}, late) == {"e": "not separable", "f": "better"}
    assert beside({"e": early}, finite) == {"e": "worse"}


def test_one_seed_separates_nothing():
    assert rank_intervals({"a": wins(np.ones(1)), "b": wins(np.zeros(1))}) == {"a": (1, 1, 2), "b": (2, 1, 2)}


# Verdicts.

BOUNDS = Verdicts(collapses=0.5, degrades=0.1, error=0.05)


def said(tests: int = 1, **by_seed: float | list[float]) -> str:
    """On one instance where replace's excess is 10 and s is 2; four seeds that agree but for a millionth."""
    nearly = 1 + 1e-6 * np.array([1.0, -1, 1, -1])
    found = {"excess": 1.0, "late": 0.0} | by_seed
    excess, late = (np.asarray(found[name]) * nearly for name in ("excess", "late"))
    return verdicts.verdict(verdicts.evidence(excess, 10 * nearly, late, 2.0, BOUNDS), BOUNDS, tests)


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({}, "stable"),
        ({"excess": np.inf}, "collapses"),
        ({"excess": [1.0, 1, 1, np.inf]}, "collapses"),
        ({"excess": 5.1}, "collapses"),
        ({"excess": 4.9}, "stable"),
        ({"excess": [4.0, 6, 4, 6]}, "open"),
        ({"excess": -1.0, "late": 9.0}, "thrives"),
        ({"excess": [-1.0, 1, -1, 1]}, "stable"),
        ({"late": 0.41}, "degrades"),  # the last half adds .205, bound .1 × 2
        ({"late": 0.39}, "stable"),
        ({"late": [0.3, 0.5, 0.3, 0.5]}, "open"),
    ],
)
def test_a_verdict_is_the_first_that_is_shown(facts, word):
    assert said(**facts) == word


def test_one_seed_shows_nothing_but_divergence():
    one = verdicts.evidence(np.array([9.0]), np.array([10.0]), np.array([0.0]), 2.0, BOUNDS)
    assert verdicts.verdict(one, BOUNDS, 1) == "open"


def test_more_verdicts_at_once_need_more_evidence():
    """The interval of the drift ends below the bound by a t quantile of 3 degrees of freedom at 5 %, and not at 5 % / 11."""
    drift = [0.30, 0.32, 0.34, 0.36]
    assert (said(late=drift), said(tests=11, late=drift)) == ("stable", "open")


def test_the_verdict_of_a_task_setting_rests_on_the_mean_over_its_instances():
    up, down = (np.array([1.0, 1, 1, 1]) * x for x in (9.9, 0.1))
    ones = [verdicts.evidence(e, np.full(4, 10.0), np.zeros(4), 2.0, BOUNDS) for e in (up, down)]
    assert [verdicts.verdict(one, BOUNDS, 1) for one in ones] == ["collapses", "stable"]
    whole = verdicts.mean(ones)
    np.testing.assert_allclose(whole.excess, (ones[0].excess + ones[1].excess) / 2)
    assert verdicts.verdict(whole, BOUNDS, 1) == "stable"


@pytest.fixture(scope="module")
def cards(root):
    from benchmark.entries.catalogue import find

    return {entry.id: entry.card for entry in find(root).values()}


def test_the_base_workflow_may_be_in_another_division(cards):
    """accumulate-subsample is blind; anchor-0.5 is labelled, a whole nat below it."""
    noise = 0.05 * np.random.default_rng(0).normal(size=12)
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


def by_entry(board, *names):
    return {row.entry: [getattr(row, name) for name in names] for row in rows_of(board).values()}


FOUR = {"replace": REPLACE, "anchor-0.5": [[1, 1, 1.2], [1, 1, 1.3]], "anchor-0.1": [[1, 2, 2], [1, 2, 2.1]],
        "self-correction": [[1, 1, 1], [1, 1, 1.1]]}  # fmt: skip


def test_fifty_clones_of_another_entry_move_no_row(cards):
    """Win rates, the share avoided, verdicts and the order stay; who is above the clones keeps their rank."""
    shown = ("win_rate", "slope_win_rate", "avoided", "verdict", "score", "tasks")
    before = build.build_board(some_results(FOUR), cards)
    clones = {f"clone-{k:02d}": FOUR["anchor-0.5"] for k in range(50)}
    more = cards | {id: cards["anchor-0.5"].model_copy(update={"id": id}) for id in clones}
    after = build.build_board(some_results(FOUR | clones), more)
    old, new = by_entry(before, *shown), by_entry(after, *shown)
    unranked = {"rank": None, "rank_interval": None, "slope_rank": None, "slope_rank_interval": None}
    for found in (old, new):
        for values in found.values():
            values[-1] = [part.model_copy(update=unranked) for part in values[-1]]
    assert {id: new[id] for id in old} == old
    order = [row.entry for row in after.divisions[0].rows if row.entry in old]
    assert order == [row.entry for row in before.divisions[0].rows] == ["self-correction", "anchor-0.5", "anchor-0.1"]
    ranks = {id: rank for id, (rank,) in by_entry(after, "rank").items()}
    assert (ranks["self-correction"], ranks["anchor-0.5"], ranks["clone-07"], ranks["anchor-0.1"]) == (1, 2, 2, 53)


def test_the_field_are_the_projects_own_entries(cards, root):
    from benchmark.entries.catalogue import find

    own = {id for id, entry in find(root).items() if not entry.outside}
    assert set(FIELD) <= own
    assert list(FIELD) == sorted(FIELD)


def test_an_entry_without_all_task_settings_keeps_its_place_where_it_has_them(cards):
    two = some_results(FOUR)
    kde = scoring.per_seed(frame({id: losses for id, losses in FOUR.items() if id != "anchor-0.5"}).assign(task="kde"))
    about = with_task(two, "kde", refused={"anchor-0.5": "no such knob"})
    rows = rows_of(build.build_board(Results(pd.concat([two.scores, kde]), two.curves, about), cards))
    assert (rows["anchor-0.5"].rank, [(part.task, part.rank) for part in rows["anchor-0.5"].tasks]) == (
        None,
        [("gaussian", 2)],
    )
    assert [(p.task, p.rank) for p in rows["anchor-0.1"].tasks] == [("gaussian", 3), ("kde", 2)]
    assert rows["anchor-0.1"].rank == 2


def test_what_is_avoided_is_a_ratio_of_medians():
    """replace's excess is 2, of three seeds with one outlier; real loss is 1."""
    from leaderboard.board.task_scores import _avoided

    def runs(*final):
        return pd.DataFrame({"instance": "i", "final": final, "real_loss": 1.0, "diverged_at": np.nan})

    replace = runs(3.0, 3.0, 99.0)
    assert _avoided(runs(1.5, 1.5, 1.5), replace) == 0.75
    assert _avoided(runs(4.0, 4.0, 4.0), replace) == 0
    assert _avoided(runs(-9.0, -9.0, -9.0), replace) == 2
    assert _avoided(runs(1.0, 1.0, 1.0), runs(0.5, 0.5, 0.5)) is None
    assert _avoided(runs(np.inf, np.inf, 1.0), replace) == 0


def test_an_unranked_instance_that_few_entries_run_makes_nobody_incomplete(cards):
    """As with a variant of an instance that is shown for the paper's workflows alone, on fewer seeds."""
    found = some_results(FOUR)
    [shown] = found.about.tasks["gaussian"].instances
    about = with_task(found, "gaussian", instances=[shown, shown.model_copy(update={"name": "few", "ranked": False})])
    few = found.scores[(found.scores["entry"] == "replace") & (found.scores["seed"] == 0)].assign(instance="few")
    with_few = dataclasses.replace(found, about=about, scores=pd.concat([found.scores, few], ignore_index=True))
    names = ("rank", "missing", "win_rate", "verdict")
    assert by_entry(build.build_board(with_few, cards), *names) == by_entry(build.build_board(found, cards), *names)
