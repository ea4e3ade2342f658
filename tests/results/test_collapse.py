"""The collapse profile: each measure on cases with a known value."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist
from scipy.special import digamma

from benchmark.conformance.toy_tasks import INSTANCES
from benchmark.core.loop import run, start_of
from benchmark.results import collapse
from benchmark.tasks.gaussian import Gaussian
from benchmark.tasks.kde import COMPONENTS, KDE
from tests.conftest import assert_mean, entry

RNG = np.random.default_rng(0)


def profile(task, id, seed, horizon):
    found = entry(id)
    return collapse.of_run(pd.DataFrame(run(task, found.make, found.rules, seed, horizon)))


def run_of(losses, real=1.0, simplest=5.0, **quantities):
    frame = pd.DataFrame(
        {"t": np.arange(1, len(losses) + 1), "test_loss": losses, "real_loss": real, "simplest_loss": simplest}
    )
    return frame.assign(**quantities)


def test_loss_is_compared_with_the_simplest_model_and_with_the_first():
    found = collapse.of_run(run_of([2.0, 3.0, 7.0, 6.0]))
    assert (found["catastrophe"], found["increase"]) == (1.0, 4.0)


@pytest.mark.parametrize("exponent", [-0.5, 0, 1, 2.5])
def test_divergence_is_the_exponent_of_growth(exponent):
    t = np.arange(1, 41)
    assert collapse.of_run(run_of(1 + 0.3 * t**exponent))["divergence"] == pytest.approx(exponent)


def test_no_catastrophe_is_defined_if_the_real_data_are_no_better_than_the_simplest_model():
    assert np.isnan(collapse.of_run(run_of([6.0, 7.0], real=5.5))["catastrophe"])


def test_without_excess_divergence_is_undefined():
    assert np.isnan(collapse.of_run(run_of([2.0, 0.5, 0.9, 2.0, 1.0, 1.2]))["divergence"])


def test_a_diverged_run_collapses_catastrophically():
    assert collapse.of_run(run_of([2.0, 3.0, np.inf, np.inf]))["catastrophe"] == np.inf


def test_changes_count_from_the_first_iteration_and_worse_is_positive():
    found = collapse.of_run(run_of(
        [1.0, 2.0, 3.0], covariance_trace=[4.0, np.nan, 1.0], recall=[0.9, np.nan, 0.2], precision=[0.9, np.nan, 1.0]
    ))  # fmt: skip
    assert found["variance"] == pytest.approx(np.log(4))
    assert (found["tails"], found["hallucination"]) == (pytest.approx(0.7), pytest.approx(-0.1))
    assert "entanglement" not in found


def excess(exponent, seeds=8, noise=0.0):
    n = np.array([10.0, 32, 100, 316])
    return pd.DataFrame(3 * n**exponent * np.exp(noise * RNG.normal(size=(seeds, 4))), columns=n)


def test_scaling_counts_from_one_over_n():
    for exponent in (-1, -0.5, 0):
        np.testing.assert_allclose(collapse.scaling(excess(exponent)), 1 + exponent, atol=1e-9)
    assert np.isnan(collapse.scaling(-excess(-1))).all()
    assert np.isnan(collapse.scaling(excess(-1).iloc[:, :2])).all()


def test_the_spread_of_jackknife_values_is_that_of_the_exponent():
    """Compared with the standard deviation of the estimate over many draws of the seeds."""
    drawn = [collapse.scaling(excess(-1, 30, 0.2)) for _ in range(300)]
    claimed = np.mean([values.std(ddof=1) / np.sqrt(30) for values in drawn])
    assert claimed == pytest.approx(np.std([values.mean() for values in drawn]), rel=0.15)


def test_replace_loses_log_determinant_at_the_known_rate():
    """E log det Σ_t is linear in t: it changes by Σ_{i≤d} ψ((n-i)/2) + d·log(2/n) at each iteration."""
    d, n, horizon, seeds = 2, 12, 6, 300
    rate = sum(digamma((n - i) / 2) for i in range(1, d + 1)) + d * np.log(2 / n)
    found = np.array([profile(Gaussian(d, n), "replace", seed, horizon)["variance"] for seed in range(seeds)])
    assert_mean(found, -(horizon - 1) * rate)


@pytest.mark.parametrize("data", ["blobs", "circles", "moons"])
def test_rows_halfway_to_another_component_are_entangled_and_real_ones_are_not(data):
    """Except for the circles, whose radii differ by four times the noise, so that a few points are between them."""
    task = KDE(data, 0.1, 500)
    start = start_of(task, 0)
    places, labels = COMPONENTS[data](start.world[0])
    first, second = places[labels == 0], places[labels == 1]
    halfway = (first + second[cdist(first, second).argmin(axis=1)]) / 2
    halfway = halfway + 1e-3 * RNG.normal(size=(500, *halfway.shape[1:])) if data == "blobs" else halfway
    real, between = (task.diagnostics(start.model, p, start, full=True)["entanglement"] for p in (start.real, halfway))
    assert real < 0.2 < 0.5 < between


def test_one_component_is_not_entangled_with_itself():
    start = start_of(KDE("swiss_roll", 0.5, 50), 0)
    assert "entanglement" not in KDE("swiss_roll", 0.5, 50).diagnostics(start.model, start.real, start, full=True)


def test_the_simplest_model_is_worse_than_a_fit_and_better_than_nothing():
    """On 200 examples. The Gaussian's simplest model is d/2 nats above the truth in expectation."""
    for task in (Gaussian(3, 200), KDE("moons", 0.1, 200)):
        start = start_of(task, 0)
        assert start.loss < start.simplest_loss < np.inf
    losses = np.array([start_of(Gaussian(3, 200), seed).simplest_loss for seed in range(50)])
    assert_mean(losses, 1.5 * (np.log(2 * np.pi) + 1) + 1.5)


@pytest.mark.parametrize("task", ["gaussian", "kde"])
def test_each_definition_is_measured(task):
    """Except entanglement for a Gaussian, which has one mode."""
    found = profile(INSTANCES[task], "accumulate", 0, 5)
    missing = {"scaling"} | ({"entanglement"} if task == "gaussian" else set())
    assert set(found) == set(collapse.DEFINITIONS) - missing
