"""Laws that whole runs obey. Tolerances are four of the seeds' own standard errors."""

import numpy as np
import pytest
from scipy.special import digamma

from benchmark.core.loop import run
from benchmark.core.requests import SampleRequest, TrainingSet
from benchmark.core.rules import Budget, Role, Rules, Track
from benchmark.core.strategy import Strategy
from benchmark.tasks.gaussian import Gaussian
from benchmark.tasks.kde import KDE
from paper import theory
from tests.conftest import assert_mean, measure

SEEDS = 2000


def second_moment(record):
    """Second moment of a 1-D fit about the truth. Its expectation stays 1 if rows are chosen without regard to their values."""
    return record["marginal_variance"] + record["marginal_mean"] ** 2


@pytest.mark.parametrize(
    "id", ["real-only", "replace", "accumulate", "accumulate-subsample", "anchor-0.1", "anchor-0.5"]
)
def test_value_blind_strategies_conserve_the_second_moment(id):
    """E[Σ_t] + E[(μ_t - μ0)(μ_t - μ0)ᵀ] = Σ0: the whole harness in one line."""
    assert_mean(measure(Gaussian(d=1, n=20), id, SEEDS, 8, second_moment), 1)


def test_weighted_fits_conserve_the_second_moment():
    """The same for random weights that do not depend on values."""

    class Random(Strategy):
        def training_set(self, context, pool):
            if context.t == 1:
                return pool.all()
            rows = pool.sample(10, context.rng)
            return TrainingSet(pool.all(), 0.3) + TrainingSet(rows, context.rng.random(len(rows)))

    rules = Rules(Track.BLIND, Budget.GROWING)
    task = Gaussian(d=1, n=20)
    values = [[second_moment(r) for r in run(task, Random, rules, seed, 5)] for seed in range(SEEDS)]
    assert_mean(np.array(values), 1)


def test_replace_shrinks_variance_at_the_known_rate():
    """Fitting n points by maximum likelihood keeps 1 - 1/n of the variance on average, so E s²_t = (1 - 1/n)^t, and what
    the variance loses the mean's error gains."""
    n, t = 10, np.arange(1, 9)
    task = Gaussian(d=2, n=n)
    assert theory.trace_ratio("replace", n, 8) == pytest.approx((1 - 1 / n) ** t)
    assert_mean(measure(task, "replace", SEEDS, 8, "trace_ratio"), theory.trace_ratio("replace", n, 8))
    assert_mean(measure(task, "replace", SEEDS, 8, "mean_error"), 2 * theory.moments("replace", n, 8)[0])


def test_replace_loses_log_determinant_at_the_known_rate():
    """E log det Σ_t = t[Σ_{i≤d} ψ((n-i)/2) + d log(2/n)]."""
    n, d = 12, 3
    assert_mean(measure(Gaussian(d, n), "replace", SEEDS, 6, "log_determinant_ratio"), theory.log_determinant(d, n, 6))


def test_temperature_shifts_log_variance_at_the_known_rate():
    """Replace, d = 1: E log s²_t = (t-1) log τ + t[ψ((n-1)/2) - log(n/2)]."""
    n, tau, t = 12, 0.8, np.arange(1, 7)

    class Cool(Strategy):
        def training_set(self, context, pool):
            return pool.latest().all()

        def sample_request(self, context):
            return SampleRequest(temperature=tau)

    rules = Rules(Track.LABELLED, role=Role.REFERENCE)
    found = [[r["log_determinant_ratio"] for r in run(Gaussian(1, n), Cool, rules, s, 6)] for s in range(SEEDS)]
    assert_mean(np.array(found), (t - 1) * np.log(tau) + t * (digamma((n - 1) / 2) - np.log(n / 2)))


@pytest.mark.parametrize(("d", "n", "horizon", "expected"), [(1, 50, 20, 2.6428), (3, 60, 10, 5.9836)])
def test_replace_has_the_known_expected_test_loss(d, n, horizon, expected):
    """E NLL_t = ½[d log 2π + E log det_t + d·r^t + (d/n) Σ_{k≤t} r^k], r = n/(n-d-2)."""
    r, t = n / (n - d - 2), horizon
    log_det = theory.log_determinant(d, n, t)[-1]
    known = 0.5 * (d * np.log(2 * np.pi) + log_det + d * r**t + d / n * sum(r**k for k in range(1, t + 1)))
    assert known == pytest.approx(expected, abs=5e-5)
    assert_mean(measure(Gaussian(d, n), "replace", SEEDS, horizon)[:, -1], known)


def test_accumulate_keeps_the_known_share_of_variance():
    """E s²_t = Π_{k≤t} (1 - 1/(nk²)), and E μ²_t is the rest."""
    n, t = 5, np.arange(1, 11)
    task = Gaussian(d=2, n=n)
    assert theory.trace_ratio("accumulate", n, 10) == pytest.approx(np.cumprod(1 - 1 / (n * t**2)))
    assert_mean(measure(task, "accumulate", SEEDS, 10, "trace_ratio"), theory.trace_ratio("accumulate", n, 10))
    assert_mean(measure(task, "accumulate", SEEDS, 10, "mean_error"), 2 * theory.moments("accumulate", n, 10)[0])


@pytest.mark.parametrize("id", ["replace", "accumulate"])
def test_the_recursion_of_covariances_knows_the_closed_forms(id):
    """One recursion serves all workflows. Two of them have products as closed forms, which the recursion does not use."""
    assert 1 - theory.moments(id, 7, 50)[0] == pytest.approx(theory.trace_ratio(id, 7, 50), rel=1e-12)


def test_accumulate_subsample_follows_its_recursion():
    expected = theory.moments("accumulate-subsample", 20, 30)[0]
    assert expected[[1, 9, 29]] == pytest.approx([0.0859, 0.1261, 0.1342], abs=5e-5)
    found = measure(Gaussian(d=2, n=20), "accumulate-subsample", SEEDS, 30, "mean_error")
    assert_mean(found / 2, expected)


@pytest.mark.parametrize(("id", "expected"), [("anchor-0.5", 0.0968), ("anchor-0.1", 0.2510)])
def test_anchor_has_the_known_error_of_the_mean(id, expected):
    """Stratified mixtures: m_j points of mass w_j; published value at n = 20, t = 30, rounded to four digits."""
    found = measure(Gaussian(d=2, n=20), id, SEEDS, 30, "mean_error")[:, -1] / 2
    error = found.std(ddof=1) / np.sqrt(SEEDS)
    assert abs(found.mean() - expected) < 4 * error + 5e-5


@pytest.mark.parametrize(("id", "growth"), [
    ("replace", lambda t: t),
    ("accumulate", lambda t: np.cumsum(1 / t)),
    ("accumulate-subsample", lambda t: np.cumsum(1 / t)),
])  # fmt: skip
def test_kde_widens_at_the_known_rate(id, growth):
    """Second moment of generation t about the origin: Σ0 + h²t for replace, Σ0 + h²H_t if data accumulate."""
    h, horizon, seeds = 0.5, 8, 500
    task = KDE("moons", h, 20)
    found, real = [], []

    class Watching(KDE):
        def diagnostics(self, model, generation, test, *, full):
            return {"moment": float((generation**2).sum(axis=1).mean())}

        def real_data(self, world, count, rng):
            examples = super().real_data(world, count, rng)
            real.append(float((examples**2).sum(axis=1).mean()))
            return examples

    found = measure(Watching(task.data, h, 20), id, seeds, horizon, "moment")
    t = np.arange(1, horizon + 1)
    assert_mean(found - np.array(real)[:, None], task.dimension * h**2 * growth(t))


@pytest.mark.parametrize("id", ["replace", "accumulate", "accumulate-subsample"])
def test_a_kde_generation_spreads_at_the_known_rate(id):
    """The variance about its own mean follows from that of the real data, whatever their distribution: moons are not independent draws."""
    h, n, horizon, seeds = 0.5, 20, 8, 500
    real = []

    class Watching(KDE):
        def real_data(self, world, count, rng):
            examples = super().real_data(world, count, rng)
            real.append(examples.var(axis=0).sum())
            return examples

    task = Watching("moons", h, n)
    found = measure(task, id, seeds, horizon, "covariance_trace")
    added = task.dimension * h**2
    known = [theory.covariance_trace(id, n, horizon, (1 - 1 / n) * (v + added), added) for v in real]
    assert_mean(found - np.array(known), 0)


def test_shrunk_samples_keep_the_variance():
    """Silverman and Young's correction: the covariance stays Σ0 in expectation, per coordinate."""

    class Shrunk(Strategy):
        def training_set(self, context, pool):
            return pool.latest().all()

        def sample_request(self, context):
            return SampleRequest(preserve_variance=True)

    class Watching(KDE):
        def diagnostics(self, model, generation, test, *, full):
            rows = model.training_set.history.examples[model.training_set.expanded()[0]]
            return {"ratio": float(generation.var(axis=0).sum() / rows.var(axis=0).sum())}

    rules = Rules(Track.LABELLED, role=Role.REFERENCE)
    task = Watching("moons", 0.7, 200)
    ratios = np.array([[r["ratio"] for r in run(task, Shrunk, rules, seed, 3)] for seed in range(300)])
    assert_mean(ratios, 1 - 1 / 200)  # n resampled points keep 1 - 1/n of a variance
