"""Closed forms of the literature on whole runs, besides those of `tests/core/test_closed_forms.py`. Tolerances are the seeds' own errors."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from benchmark.core.loop import run
from benchmark.core.requests import TrainingSet
from benchmark.core.rules import Budget, Rules, Track
from benchmark.core.strategy import Strategy
from benchmark.tasks.discrete import Discrete
from benchmark.tasks.gaussian import Gaussian
from paper import theory
from paper.experiments.contamination import Contaminated
from tests.conftest import assert_mean, measure


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_the_spread_of_a_replaced_gaussian_falls_below_its_bound(share):
    """P(σ_t > share·σ0) ≤ e^(-t/4n) / share, for d = 1 (arXiv 2412.17646), within four standard errors."""
    n, seeds, horizon = 5, 150, 40
    spread = np.sqrt(measure(Gaussian(1, n), "replace", seeds, horizon, "marginal_variance"))
    found = (spread > share).mean(axis=0)
    bound = theory.spread_bound(n, np.arange(1.0, horizon + 1), share)
    assert (found <= bound + 4 * np.sqrt(found * (1 - found) / seeds)).all()
    assert bound[-1] < 0.3  # it says something


def test_outcomes_live_at_least_as_long_as_their_bound():
    """An outcome of expected count λ = n/K lives at t with probability at least 1 - e^(-λ/t) (arXiv 2412.17646)."""
    outcomes, n, horizon = 10, 20, 30
    alive = measure(Discrete(outcomes, n), "replace", 80, horizon, "support") / outcomes
    bound = theory.survival_bound(n / outcomes, np.arange(1.0, horizon + 1))
    error = alive.std(axis=0, ddof=1) / np.sqrt(len(alive))
    assert (alive.mean(axis=0) >= bound - 4 * error).all()
    assert (alive.mean(axis=0) <= 3 * bound).all()  # of the right order: a Poisson lineage lives with probability 2/t


def test_heterozygosity_is_lost_at_the_known_rate():
    """E Σp² = 1 - (1 - 1/n)^t (1 - S_0) (arXiv 2404.05090)."""
    outcomes, n, horizon = 6, 15, 20
    gini = measure(Discrete(outcomes, n), "replace", 120, horizon, "gini")
    assert_mean(1 - gini, theory.heterozygosity(n, np.arange(1.0, horizon + 1), 1 / outcomes))


@pytest.mark.parametrize("k", [0.1, 0.5, 1, 3, 20])
def test_the_golden_weight_is_best_in_the_long_run(k):
    """w*(k) = (√(k²+4k) - k)/2 (arXiv 2502.18049) minimizes the error that is left, for many rows."""
    synthetic = 20_000

    def left(weight: float) -> float:
        return float(theory.weighted_error(weight, round(k * synthetic), synthetic, 60)[-1])

    best = minimize_scalar(left, bounds=(0.01, 0.99), method="bounded").x
    assert theory.golden_weight(k) == pytest.approx(best, abs=2e-3)
    assert theory.golden_weight(1) == pytest.approx((np.sqrt(5) - 1) / 2)


@pytest.mark.parametrize("weight", [0.3, theory.golden_weight(0.5), 0.9])
def test_weighted_fresh_data_has_the_known_error(weight):
    """The recursion behind the golden weight, on whole runs: 10 fresh rows and 20 of the latest model."""

    class Weighted(Strategy):
        def training_set(self, context, pool):
            if context.t == 1:
                return pool.all()
            fresh, latest = context.buy_real(10), pool.latest()
            synthetic = context.rng.choice(latest.ids[~latest.is_real()], 20, replace=False)
            return TrainingSet(fresh.all(), weight / 10) + TrainingSet(synthetic, (1 - weight) / 20)

    rules = Rules(Track.ASSISTED, Budget.FIXED)
    found = [[r["mean_error"] for r in run(Gaussian(4, 30), Weighted, rules, seed, 8)] for seed in range(80)]
    assert_mean(np.array(found) / 4, theory.weighted_error(weight, 10, 20, 8))


@pytest.mark.parametrize("real", [4, 36])
def test_a_contaminated_pool_has_the_known_error(real):
    """The recursion of the figure `contamination`, on whole runs with 36 rows of the model at every iteration."""

    def make() -> Strategy:
        return Contaminated(real)

    rules = Rules(Track.ASSISTED, Budget.GROWING)
    found = [[r["mean_error"] for r in run(Gaussian(3, 36), make, rules, seed, 10)] for seed in range(60)]
    assert_mean(np.array(found) / 3, theory.contaminated_error(real, 36, 10))


@pytest.mark.parametrize(("real", "share"), [(4, 0.1), (12, 0.25), (36, 0.5), (108, 0.75)])
def test_the_rate_of_a_contaminated_pool_is_the_smaller_of_its_share_and_the_models(real, share):
    """The root of the error decays as t^-min(a, 1/2) (arXiv 2602.16065); at a = 1/2 with a factor √ln t, which is seen in the exponent."""
    errors = np.sqrt(theory.contaminated_error(real, 36, 20_000))
    rate = -np.log(errors[19_999] / errors[1_999]) / np.log(10)
    assert rate == pytest.approx(min(share, 0.5), abs=0.07 if share == 0.5 else 0.02)
