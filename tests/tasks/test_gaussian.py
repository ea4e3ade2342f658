"""The Gaussian task-setting compared with naive computations and definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from benchmark.core.history import History, Span, Weighted, real_data_only
from benchmark.core.loop import run
from benchmark.core.requests import NEUTRAL, FitOptions, SampleRequest
from benchmark.core.streams import stream
from benchmark.core.task import Start
from benchmark.errors import ContractBroken
from benchmark.tasks.gaussian import Gaussian, statistic
from benchmark.tasks.normal import Normal, Truth
from tests.conftest import ENTRIES

RNG = np.random.default_rng(0)


def history_of(generations: int, n: int = 7, d: int = 3) -> History:
    history = History(RNG.standard_normal((n, d)))
    for g in range(1, generations):
        history.append(RNG.standard_normal((n + g, d)) + g)
    return history


def selections(generations: int) -> st.SearchStrategy:
    """Random weighted selections: whole generations and single rows, with repeats."""
    weight = st.floats(0.01, 100)
    spans = st.lists(st.tuples(st.integers(0, generations - 1), st.integers(1, generations), weight), max_size=3)
    rows = st.lists(st.tuples(st.integers(0, 6), weight), max_size=6)
    return st.tuples(spans, rows).filter(lambda found: any(a < b for a, b, _ in found[0]) or found[1])


def weighted(history: History, selection) -> Weighted:
    spans, rows = selection
    rows = sorted(rows)
    return Weighted(
        history,
        tuple(sorted(Span(a, b, w) for a, b, w in spans if a < b)),
        np.array([r for r, _ in rows], np.int64),
        np.array([w for _, w in rows]),
    )


def runs(horizon: int = 4) -> st.SearchStrategy:
    """A random weighted selection at every iteration of a run, while the history grows."""
    return st.tuples(*(selections(t) for t in range(1, horizon + 1)))


def training_sets(run, n: int = 7, d: int = 3):
    """The training sets of such a run, each as a task sees it."""
    history = History(RNG.standard_normal((n, d)))
    for t, selection in enumerate(run, start=1):
        yield weighted(history, selection)
        history.append(RNG.standard_normal((n + t, d)) + t)


@settings(max_examples=200, deadline=None)
@given(runs())
def test_statistics_are_those_of_the_listed_rows(run):
    """Statistics that continue earlier sums of whole generations equal a naive weighted mean and covariance."""
    for training_set in training_sets(run):
        total = statistic(training_set)
        rows, weights = training_set.expanded()
        x = training_set.history.examples[rows]
        mean = np.average(x, axis=0, weights=weights)
        scatter = (x - mean).T @ np.diag(weights) @ (x - mean)
        assert total.mass == pytest.approx(weights.sum())
        assert total.squared_mass == pytest.approx((weights**2).sum())
        np.testing.assert_allclose(total.mean, mean, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(total.scatter, scatter, rtol=1e-9, atol=1e-7)


@pytest.mark.parametrize("id", ["accumulate", "real-only", "replace"])
def test_a_generation_is_summed_once(id):
    """No row of a whole generation is summed twice, and the stored sums do not grow with t."""
    summed = []
    history = History(RNG.standard_normal((7, 2)))
    known = {}
    for t in range(1, 30):
        first, last = {"accumulate": (0, t), "real-only": (0, 1), "replace": (t - 1, t)}[id]
        chosen = Weighted(history, (Span(first, last, 1.0),))
        total = chosen.of_spans(known, lambda rows: summed.append(len(rows)) or rows.sum(0), np.add)[0]
        np.testing.assert_allclose(total, history.examples[history.starts[first] :][: 7 * (last - first)].sum(0))
        history.append(RNG.standard_normal((7, 2)))
        assert len(known) == 1
    assert sum(summed) == (7 if id == "real-only" else 7 * 29)


@pytest.mark.parametrize(("ddof", "ridge"), [(0, 1 / 3), (1.75, 0), (-2, 0.7), (1, 0.1)])
def test_ddof_and_ridge_enlarge_a_fit_by_a_third_at_most(ddof, ridge):
    rows = real_data_only(History(np.random.default_rng(0).standard_normal((7, 3))))
    plain, model = (
        Gaussian(3, 7).fit(rows, options, None) for options in (FitOptions(), FitOptions(ddof=ddof, ridge=ridge))
    )
    assert model.covariance.trace() <= plain.covariance.trace() * 4 / 3 * (1 + 1e-9)
    for more in ({"ddof": ddof + 1.1}, {"ridge": ridge + 0.4}):
        with pytest.raises(
            ContractBroken, match="together they multiply the covariance's trace by .* expected at most 4/3"
        ):
            Gaussian(3, 7).fit(rows, FitOptions(**{"ddof": ddof, "ridge": ridge} | more), None)


def test_negative_guidance_enlarges_a_fit_by_a_third_at_most():
    """Along every axis, whatever the repelling model; and makes it as small as it likes."""
    rng = np.random.default_rng(0)
    task = Gaussian(3, 7)
    model = Normal(np.zeros(3), np.diag([1.0, 2.0, 3.0]))
    for _ in range(20):
        root = rng.standard_normal((3, 3)) * 10 ** rng.uniform(-3, 1)
        moved = task.away(model, Normal(np.zeros(3), root @ root.T), rng.uniform(0, 100))
        assert moved.log_determinant <= model.log_determinant + 3 * np.log(4 / 3) + 1e-6
    small = task.away(model, Normal(np.zeros(3), np.diag([1e-9, 2.0, 30.0])), 1.0)
    np.testing.assert_allclose(small.covariance, np.diag([4 / 3, 2.0, 0.3]), atol=1e-9)


def test_ddof_divides_by_n_minus_ddof():
    history = history_of(1)
    model = Gaussian(3, 7).fit(Weighted(history, (Span(0, 1, 2.5),)), FitOptions(ddof=1), None)
    np.testing.assert_allclose(model.covariance, np.cov(history.examples.T), rtol=1e-12)


def test_test_loss_is_the_expected_negative_log_likelihood():
    """Compared with a mean over 400,000 draws from the truth, minus log |det A|, which makes truths of all scales comparable."""
    truth = Truth.drawn(2, RNG)
    covariance = truth.spread @ np.array([[1.5, 0.4], [0.4, 0.7]]) @ truth.spread.T
    model = Normal(truth.shift + truth.spread @ [0.5, -1.0], covariance)
    draws = truth.sample(400_000, RNG)
    losses = -multivariate_normal(model.mean, model.covariance).logpdf(draws) - np.log(np.linalg.det(truth.spread))
    error = losses.std() / np.sqrt(len(losses))
    assert abs(losses.mean() - Gaussian(2, 8).test_loss(model, truth)) < 4 * error


@pytest.mark.parametrize("d", [1, 2, 10])
def test_truths_are_drawn_by_seed_and_well_conditioned(d):
    """Their samples have the covariance A Aᵀ, whitening makes them N(0, I), and A has a condition number of at most 10."""
    truths = [Gaussian(d, 8).world(stream(seed, "world")) for seed in range(50)]
    assert len({truth.shift[0] for truth in truths}) == 50
    assert max(np.linalg.cond(truth.spread) for truth in truths) <= 10 * (1 + 1e-9)
    if d > 1:  # a multiple of I is far from the truth, so that knowing the family is no knowledge of the draw
        assert np.mean([np.linalg.cond(truth.spread) for truth in truths]) > 2
    x = truths[0].sample(100_000, RNG)
    np.testing.assert_allclose(np.cov(truths[0].whiten(x).T).reshape(d, d), np.eye(d), atol=5 * np.sqrt(2 / 100_000))
    assert truths[0].log_determinant == pytest.approx(np.linalg.slogdet(truths[0].spread)[1])


@pytest.mark.parametrize("id", ["replace", "accumulate", "accumulate-subsample", "real-only"])
def test_workflows_treat_every_truth_like_the_standard_one(id):
    """They are affine-equivariant: with the same noise, losses and diagnostics in the truth's coordinates are those under N(0, I)."""

    class Standard(Gaussian):
        def world(self, rng):
            return Truth(np.zeros(self.d), np.eye(self.d))

    entry = ENTRIES[id]
    one, other = (list(run(kind(3, 30), entry.make, entry.rules, 5, 20)) for kind in (Gaussian, Standard))
    for a, b in zip(one, other, strict=True):
        for name in ("test_loss", "mean_error", "trace_ratio", "log_determinant_ratio", "real_loss", "simplest_loss"):
            assert a[name] == pytest.approx(b[name], rel=1e-7), name


def test_test_loss_is_right_up_to_condition_number_1e9():
    """Compared with the closed form from the eigenvalues of which the covariance was built."""
    d = 20
    values = np.logspace(-9, 0, d)
    rotation = np.linalg.qr(RNG.standard_normal((d, d)))[0]
    mean = RNG.standard_normal(d) * 1e-3
    model = Normal(mean, (rotation * values) @ rotation.T)
    offset = (rotation.T @ mean) ** 2 / values
    expected = 0.5 * (d * np.log(2 * np.pi) + np.log(values).sum() + (1 / values).sum() + offset.sum())
    standard = Truth(np.zeros(d), np.eye(d))
    assert Gaussian(d, 100).test_loss(model, standard) == pytest.approx(expected, rel=1e-6)


def test_a_lost_direction_is_divergence_and_the_run_goes_on():
    """n ≤ d: the covariance is singular, the loss is infinite, and samples stay in the remaining span."""
    task = Gaussian(d=5, n=4)
    history = History(RNG.standard_normal((4, 5)))
    model = task.fit(Weighted(history, (Span(0, 1, 1.0),)), NEUTRAL, None)
    assert model.whitening is None
    truth = Truth.drawn(5, np.random.default_rng(0))
    assert task.test_loss(model, truth) == np.inf
    samples = task.sample(model, 100, SampleRequest(), np.random.default_rng(1)).examples
    assert np.linalg.matrix_rank(samples - model.mean, tol=1e-6) == 3
    start = Start(truth, None, truth, model, 0.0, 0.0)
    assert np.isfinite(task.diagnostics(model, samples, start, full=True)["wasserstein2_squared"])


def test_samples_have_the_covariance_times_temperature():
    covariance = np.array([[2.0, 0.6], [0.6, 0.5]])
    model = Normal(np.array([3.0, -1.0]), covariance)
    samples = Gaussian(2, 8).sample(model, 200_000, SampleRequest(temperature=0.25), np.random.default_rng(0)).examples
    np.testing.assert_allclose(np.cov(samples.T), 0.25 * covariance, atol=4 * 0.5 / np.sqrt(100_000))


def test_top_p_keeps_the_likeliest_share():
    """All samples lie within the ellipsoid of mass p, and are spread within it as the Gaussian is."""
    model = Normal(np.zeros(2), np.eye(2))
    samples = Gaussian(2, 8).sample(model, 50_000, SampleRequest(top_p=0.5), np.random.default_rng(0)).examples
    squared = (samples**2).sum(axis=1)
    assert squared.max() <= 2 * np.log(2) + 1e-9  # χ²_2 has distribution function 1 - exp(-x/2)
    inner = (1 - np.exp(-squared / 2) < 0.25).mean()
    assert abs(inner - 0.5) < 4 * 0.5 / np.sqrt(50_000)
