"""The KDE task-setting compared with scikit-learn, brute force and definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import binom
from sklearn.datasets import make_swiss_roll
from sklearn.neighbors import KernelDensity as Sklearn

from benchmark.core.history import History, Span, Weighted, real_data_only
from benchmark.core.loop import start_of
from benchmark.core.requests import NEUTRAL, FitOptions, SampleRequest
from benchmark.core.streams import stream
from benchmark.tasks.kde import KDE, KernelDensity
from tests.conftest import measure
from tests.tasks.test_gaussian import history_of, runs, selections, training_sets, weighted

RNG = np.random.default_rng(0)


def brute_force(model: KernelDensity, test: np.ndarray) -> float:
    """Mean -log p, by a sum over all pairs."""
    rows, weights = model.training_set.expanded()
    x, h = model.training_set.history.examples[rows], model.bandwidth
    squared = ((test[:, None] - x) ** 2).sum(axis=2)
    log_kernel = -squared / (2 * h**2) - test.shape[1] / 2 * np.log(2 * np.pi * h**2)
    return float(-logsumexp(log_kernel, axis=1, b=weights / weights.sum()).mean())


@settings(max_examples=100, deadline=None)
@given(runs(), st.lists(st.sampled_from([0.02, 0.3]), min_size=4, max_size=4))
def test_test_loss_is_that_of_the_listed_rows(run, bandwidths):
    """Losses that continue earlier sums of whole generations, at one bandwidth or several, equal brute force."""
    test = RNG.standard_normal((20, 2))
    for training_set, bandwidth in zip(training_sets(run, d=2), bandwidths, strict=True):
        task = KDE("moons", bandwidth, 7)
        model = task.fit(training_set, NEUTRAL, None)
        assert task.test_loss(model, test) == pytest.approx(brute_force(model, test), rel=1e-10)


@pytest.mark.parametrize("data", ["blobs", "circles", "moons", "swiss_roll"])
@pytest.mark.parametrize("bandwidth", [0.1, 1.0, "scott", "silverman"])
def test_test_loss_is_that_of_scikit_learn(data, bandwidth):
    task = KDE(data, bandwidth, 60)
    world = task.world(stream(0, "world"))
    real, test = task.real_data(world, 60, stream(0, "real data")), task.held_out(world, stream(0, "test data"))
    expected = -Sklearn(bandwidth=bandwidth).fit(real).score(test) / len(test)
    model = task.fit(real_data_only(History(real)), NEUTRAL, None)
    assert task.test_loss(model, test) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("distance", [1, 30, 36, 37, 38, 39, 40, 1_000, 100_000])
def test_test_loss_is_right_far_from_all_data(distance):
    """From a distance of 37 to 39 bandwidths on, plain sums of kernels underflow; the loss is still exact."""
    h, test = 0.1, RNG.standard_normal((50, 2))
    history = History(RNG.standard_normal((30, 2)) * 0.1 + [distance * h, 0])
    model = KernelDensity(Weighted(history, (), np.arange(30), RNG.random(30) + 0.1), h)
    assert KDE("moons", h, 30).test_loss(model, test) == pytest.approx(brute_force(model, test), rel=1e-9)


def test_pools_larger_than_a_block_are_summed_whole():
    history = History(RNG.standard_normal((10_000, 2)))
    model = KernelDensity(real_data_only(history), 0.5)
    test = RNG.standard_normal((10, 2))
    assert KDE("moons", 0.5, 10_000).test_loss(model, test) == pytest.approx(brute_force(model, test), rel=1e-10)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["blobs", "moons", "swiss_roll"]),
    st.floats(-2, 2),
    st.integers(1, 700),
    st.sampled_from([0.0, 1.0, 1e4]),
    st.sampled_from([0, 12]),
    st.integers(0, 99),
)
def test_each_density_is_exact_whatever_kernels_are_left_out(data, log_bandwidth, size, offset, decades, seed):
    """Each log density, not only the mean, for rows in many blocks, with weights over 12 decades, near the points and far from them.

    Leaving out rows out of reach may change a sum by 4e-10 of it. Without the sums over all rows, points between clusters would
    be wrong by whole nats.
    """
    rng = np.random.default_rng(seed)
    task = KDE(data, 10**log_bandwidth, 7)
    world = task.world(rng)
    history = History(task.real_data(world, size, rng) + offset)
    model = KernelDensity(Weighted(history, (), np.arange(size), 10 ** (-decades * rng.random(size))), task.bandwidth)
    test = task.real_data(world, 60, rng)
    squared = ((test[:, None] - history.examples) ** 2).sum(axis=2) / task.bandwidth**2
    weights = model.training_set.weights / model.training_set.mass
    expected = logsumexp(-squared / 2, axis=1, b=weights) - task.dimension * np.log(np.sqrt(2 * np.pi) * task.bandwidth)
    np.testing.assert_allclose(model.log_density(test), expected, rtol=1e-9, atol=1e-9)


def test_a_rule_follows_the_number_of_rows_in_the_fit():
    """Scott N^(-1/(d+4)), Silverman (N(d+2)/4)^(-1/(d+4)); a weight counts by Kish's effective size."""
    history = history_of(3, n=50, d=2)
    size = 50 + 51 + 52
    task = KDE("moons", "scott", 50)
    assert task.fit(Weighted(history, (Span(0, 3, 7.0),)), NEUTRAL, None).bandwidth == pytest.approx(size ** (-1 / 6))
    assert task.fit(Weighted(history, (Span(0, 3, 7.0),)), FitOptions(bandwidth_rule="silverman", bandwidth_factor=2),
                    None).bandwidth == pytest.approx(2 * size ** (-1 / 6))  # fmt: skip
    uneven = Weighted(history, (Span(0, 1, 1.0),), np.array([60]), np.array([50.0]))
    assert task.fit(uneven, NEUTRAL, None).bandwidth == pytest.approx((100**2 / (50 + 50**2)) ** (-1 / 6))


@settings(max_examples=25, deadline=None)
@given(selections(4))
def test_rows_are_drawn_in_proportion_to_their_weights(selection):
    """Samples with a tiny bandwidth show from which row they come: counts are binomial, and none is beyond a tail of 1e-8."""
    history, count = history_of(4, d=2), 20_000
    training_set = weighted(history, selection)
    rows, weights = training_set.expanded()
    expected = np.minimum(np.bincount(rows, weights, minlength=history.starts[-1]) / weights.sum(), 1)
    model = KernelDensity(training_set, 1e-9)
    samples = KDE("moons", 1e-9, 7).sample(model, count, SampleRequest(), np.random.default_rng(3)).examples
    source = ((samples[:, None] - history.examples) ** 2).sum(axis=2).argmin(axis=1)
    found = np.bincount(source, minlength=len(expected))
    assert np.all(binom(count, expected).cdf(found) > 1e-8)
    assert np.all(binom(count, expected).sf(found - 1) > 1e-8)


def test_replace_is_the_plain_loop():
    """Mean losses of whole runs equal those of a dozen lines: resample the rows, add noise, sum all kernels."""
    h, n, horizon, seeds = 0.5, 50, 8, 300
    plain = []
    for seed in range(seeds):
        state = np.random.RandomState(seed)
        x, test = (
            make_swiss_roll(n, noise=0.05, random_state=state)[0],
            make_swiss_roll(500, noise=0.05, random_state=state)[0],
        )
        losses = []
        for _ in range(horizon):
            squared = ((test[:, None] - x) ** 2).sum(axis=2)
            losses.append(np.log(n) + 1.5 * np.log(2 * np.pi * h**2) - logsumexp(-squared / (2 * h**2), axis=1).mean())
            x = x[state.randint(0, n, n)] + h * state.randn(n, 3)
        plain.append(losses)
    ours = measure(KDE("swiss_roll", h, n), "replace", seeds, horizon)
    error = np.sqrt((np.var(plain, axis=0) + ours.var(axis=0)) / seeds)
    assert np.all(np.abs(ours.mean(axis=0) - np.mean(plain, axis=0)) < 4 * error)


def test_blobs_share_centres_unless_as_published():
    """Held-out blobs have the training centres. As published they have others, and the loss shows it (21 instead of 4)."""
    losses = {}
    for shared in (True, False):
        task = KDE("blobs", 1.0, 1000, blobs_share_centres=shared)
        found = []
        for seed in range(30):
            world = task.world(stream(seed, "world"))
            history = History(task.real_data(world, 1000, stream(seed, "real data")))
            model = task.fit(real_data_only(history), NEUTRAL, None)
            found.append(task.test_loss(model, task.held_out(world, stream(seed, "test data"))))
        losses[shared] = np.mean(found)
    assert losses[True] == pytest.approx(4.06, abs=0.1)
    assert losses[False] > 10


def test_diagnostics_distinguish_good_samples_from_bad():
    """Fresh real data have precision and recall near 1; one far cluster has neither; entropy of a unit square is 0."""
    task = KDE("moons", 0.1, 500)
    start = start_of(task, 0)
    model, real = start.model, start.real
    good = task.diagnostics(model, real, start, full=True)
    bad = task.diagnostics(model, real * 0.01 + 50, start, full=True)
    assert min(good["precision"], good["recall"]) > 0.9
    assert max(bad["precision"], bad["recall"]) == 0
    square = task.diagnostics(model, RNG.random((5000, 2)), start, full=True)
    assert square["entropy"] == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_diagnostics_survive_a_generation_of_one_row(rows):
    """Diagnostics that need neighbours are NaN if there are none; all others are numbers."""
    task = KDE("moons", 0.3, 12)
    start = start_of(task, 0)
    found = task.diagnostics(start.model, start.real[:rows] + 0.5, start, full=True)
    assert {name for name, value in found.items() if not np.isfinite(value)} == ({"entropy"} if rows == 1 else set())
    assert (found["recall"] == 0) == (rows == 1)
