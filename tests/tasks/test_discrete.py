"""The discrete task-setting compared with naive counts and with the theory of genetic drift."""

import numpy as np
import pytest
from hypothesis import given, settings

from benchmark.core.history import History, Span, Weighted
from benchmark.core.loop import run, start_of
from benchmark.core.requests import NEUTRAL, SampleRequest
from benchmark.tasks.discrete import Discrete
from tests.conftest import assert_mean, entry, measure
from tests.tasks.test_gaussian import selections, weighted

SEEDS = 2000
TASK = Discrete(outcomes=5, n=12)
H0 = 1 - 1 / TASK.outcomes
"""Of the truth, which is before iteration 1."""
T = np.arange(1, 8)


def history(generations: int) -> History:
    rng = np.random.default_rng(0)
    found = History(rng.integers(TASK.outcomes, size=7))
    for g in range(1, generations):
        found.append(rng.integers(TASK.outcomes, size=7 + g))
    return found


def test_replace_loses_variety_at_the_known_rate():
    """Two of n examples have one parent with probability 1/n: E H_t = (1 - 1/n)^t H_0, the first fit being t = 1."""
    assert_mean(measure(TASK, "replace", SEEDS, 7, "gini"), (1 - 1 / TASK.n) ** T * H0)


def test_accumulate_keeps_the_known_share_of_variety():
    """A generation is a t-th of the pool: E H_t = Π_{k≤t} (1 - 1/(nk²)) H_0."""
    assert_mean(measure(TASK, "accumulate", SEEDS, 7, "gini"), np.cumprod(1 - 1 / (TASK.n * T**2)) * H0)


@pytest.mark.parametrize("id", ["real-only", "replace", "accumulate", "accumulate-subsample", "anchor-0.5"])
def test_value_blind_strategies_conserve_the_probabilities(id):
    """E p_t = 1/K for every outcome and t, if rows are chosen without regard to their values."""

    class Watching(Discrete):
        def diagnostics(self, model, generation, start, *, full):
            return {"p": model}

    assert_mean(measure(Watching(5, 12), id, 1000, 4, "p"), 1 / 5)


@settings(max_examples=200, deadline=None)
@given(selections(4))
def test_weighted_fits_are_naive_frequencies(selection):
    training_set = weighted(history(4), selection)
    rows, weights = training_set.expanded()
    naive = [weights[training_set.history.examples[rows] == k].sum() / weights.sum() for k in range(TASK.outcomes)]
    np.testing.assert_allclose(TASK.fit(training_set, NEUTRAL, None), naive, rtol=1e-12, atol=1e-12)


def test_counts_of_whole_generations_are_continued():
    """The counts continue those of the last training set."""
    grown = history(1)
    for t in range(1, 9):
        counts = TASK.weighted_counts(Weighted(grown, (Span(0, t, 1.0),)))
        np.testing.assert_array_equal(counts, np.bincount(grown.examples, minlength=TASK.outcomes))
        assert list(grown.memo["counts"]) == [(0, t)]
        grown.append(np.random.default_rng(t).integers(TASK.outcomes, size=12))


def test_a_lost_outcome_is_divergence_and_the_run_goes_on():
    """Under replace it never comes back, so support only shrinks; the diagnostics stay finite."""
    replace = entry("replace")
    records = list(run(TASK, replace.make, replace.rules, 0, 40))
    support = np.array([r["support"] for r in records])
    lost = support < TASK.outcomes
    assert lost.any()
    assert (np.diff(support) <= 0).all()
    assert [r["status"] for r in records] == ["diverged" if gone else "ok" for gone in lost]
    assert np.isfinite([[r["entropy"], r["gini"]] for r in records]).all()


def test_test_loss_is_the_mean_over_outcomes():
    p = np.array([0.1, 0.2, 0.3, 0.25, 0.15])
    assert TASK.test_loss(p, None) == pytest.approx(-TASK.log_likelihood(p, np.arange(5), False).mean())
    assert TASK.test_loss(np.full(5, 0.2), None) == pytest.approx(TASK.simplest_loss(None, None))
    assert TASK.test_loss(np.array([0.0, 0.25, 0.25, 0.25, 0.25]), None) == np.inf


@pytest.mark.parametrize("temperature", [1.0, 0.5, 2.0])
def test_samples_follow_the_model_at_a_temperature(temperature):
    """Probabilities are p^(1/τ), normalized; an outcome of probability 0 is never drawn. Within four standard errors of each share."""
    p = np.array([0.1, 0.0, 0.4, 0.5, 0.0])
    expected = p ** (1 / temperature) / (p ** (1 / temperature)).sum()
    count = 200_000
    drawn = TASK.sample(p, count, SampleRequest(temperature=temperature), np.random.default_rng(0)).examples
    shares = np.bincount(drawn, minlength=5) / count
    assert (np.abs(shares - expected) <= 4 * np.sqrt(expected * (1 - expected) / count)).all()


def test_features_tell_outcomes_apart_and_nothing_else():
    """One point for each outcome, and the points are linearly independent."""
    points = TASK.features(np.arange(5), np.random.default_rng(0))
    assert np.linalg.matrix_rank(points) == 5
    np.testing.assert_array_equal(TASK.features(np.array([3, 1, 3]), np.random.default_rng(0)), points[[3, 1, 3]])


def test_a_verifier_with_many_real_rows_knows_the_likelihood_ratio():
    """The share of an outcome among 20,000 has a relative standard error of √(4/20,000) = 0.014."""
    model = np.array([0.5, 0.2, 0.1, 0.1, 0.1])
    held_back = start_of(Discrete(5, 20_000), 0).real
    found = TASK.log_ratio(held_back, model, np.arange(5))
    np.testing.assert_allclose(found, np.log(0.2 / model), atol=4 * 0.0142)
    assert np.isfinite(TASK.log_ratio(np.array([0]), model, np.arange(5))).all()


@pytest.mark.parametrize("id", ["anchored-resampling", "verifier-filter-1", "fresh-data-0.5", "detector-resampling"])
def test_strategies_of_every_kind_run_on_it(id):
    assert measure(Discrete(4, 40), id, 2, 4, "support").min() >= 1


def test_one_outcome_is_refused():
    with pytest.raises(ValueError, match="outcomes: found 1, expected 2 or more"):
        Discrete(1, 10)
