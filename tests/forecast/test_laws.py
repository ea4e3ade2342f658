"""Laws of a curve: their fits, the choice between them, and the answers that are known."""

import numpy as np
import pytest

from benchmark.forecast import simulations
from benchmark.forecast.choice import CANNOT_TELL, ERROR, NoLaw, choose
from benchmark.forecast.covariance import shrunk, whitener, without_each
from benchmark.forecast.known_answers import KNOWN, classes
from benchmark.forecast.laws import EXPONENTIAL, LAWS, fit, polished
from benchmark.forecast.prediction import follow
from paper import theory
from tests.conftest import assert_mean

T = np.arange(1.0, 61)
EXACT = {
    "constant": 3 + 0 * T,
    "saturating exponential": 3 - 2 * np.exp(-0.1 * T),
    "saturating power": 3 - 2 / T,
    "logarithmic": 3 + 0.5 * np.log(T),
    "linear": 3 + 0.04 * T,
    "exponential": 3 + 0.1 * np.exp(0.06 * T),
}


def walks(rng, curve, seeds=40, step=0.03):
    """Runs about a curve: dependent (a random walk, a level of each run) and independent noise."""
    shape = (seeds, len(curve))
    noise = step * rng.standard_normal(shape).cumsum(axis=1) + step * rng.standard_normal(shape)
    return curve + noise + rng.standard_normal((seeds, 1))


@pytest.mark.parametrize("name", EXACT)
def test_a_fit_recovers_the_curve_of_its_law(name):
    """Without noise, exactly; and scipy's least squares, from there, stays there."""
    law, curve = LAWS[name], EXACT[name]
    found = fit(law, T, np.eye(len(T)), np.vstack([curve, curve + 1]))
    assert found.at(T) == pytest.approx(np.vstack([curve, curve + 1]), rel=2e-3)
    best = polished(found, T, np.eye(len(T)), curve)
    assert best.at(T)[0] == pytest.approx(curve, rel=1e-6)


@pytest.mark.parametrize("name", EXACT)
def test_the_fits_of_the_grid_are_those_of_scipy_on_noisy_curves(name):
    losses = walks(np.random.default_rng(2), EXACT[name])
    whiten = whitener(losses)
    found = fit(LAWS[name], T, whiten, without_each(losses))
    best = polished(found, T, whiten, losses.mean(axis=0))
    assert found.at(T)[0] == pytest.approx(best.at(T)[0], abs=0.02)


def test_covariance_of_fewer_seeds_than_iterations_is_shrunk_and_can_be_inverted():
    """Independent columns lose nearly all correlation; strong ones keep most. Variances stay."""
    rng = np.random.default_rng(0)
    independent = rng.standard_normal((20, 60))
    walk = independent.cumsum(axis=1)
    for losses in (independent, walk):
        assert np.diag(shrunk(losses)) == pytest.approx(losses.var(axis=0, ddof=1))
        assert np.linalg.eigvalsh(shrunk(losses)).min() > 0
    correlation = shrunk(independent)[~np.eye(60, dtype=bool)]
    assert np.abs(correlation).max() < 0.1
    assert shrunk(walk)[30, 31] > 0.5 * np.cov(walk, rowvar=False)[30, 31]


@pytest.mark.parametrize("name", EXACT)
def test_a_law_is_rejected_on_its_own_curve_no_oftener_than_stated(name):
    """ERROR of the cases, plus four standard errors of 40 repetitions; and where it is not, its class is said or none is."""
    rejected = wrong = 0
    for k in range(40):
        choice = choose(walks(np.random.default_rng([3, k]), EXACT[name]))
        rejected += name not in choice.left
        wrong += choice.kind not in (LAWS[name].kind, CANNOT_TELL)
    assert rejected <= 40 * (ERROR + 4 * np.sqrt(ERROR * (1 - ERROR) / 40))
    assert wrong <= rejected + 2


def test_noise_alone_is_constant_and_a_drift_within_it_is_not_told():
    rng = np.random.default_rng(5)
    assert choose(rng.standard_normal((50, 60))).kind == "constant"
    assert choose(walks(rng, EXACT["logarithmic"], step=0.6)).kind in ("constant", CANNOT_TELL)
    assert choose(np.ones((5, 20)) + rng.standard_normal((5, 1))).kind == "constant"


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        (np.zeros((20, 9)), "found T = 9 iterations, expected 10 or more"),
        (np.zeros((4, 50)), "found 4 seeds, expected 5 or more"),
        (np.where(np.arange(50) > 20, np.inf, 1.0) * np.ones((6, 1)), "6 of 6 runs .* the first at t = 22.*--at 21"),
    ],
)
def test_refuses_what_has_no_law(losses, words):
    with pytest.raises(NoLaw, match=words):
        choose(losses)


def test_says_which_laws_it_cannot_tell_apart():
    losses = walks(np.random.default_rng(8), EXACT["logarithmic"], step=0.1)
    assert choose(losses).kind == CANNOT_TELL
    with pytest.raises(NoLaw, match=r"cannot tell: .*logarithmic.* predict the later half equally well"):
        follow(losses)


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.what)
def test_known_classes_are_found(known):
    """The first repetition of those in the table."""
    found = classes(known, 1)
    assert found[known.kind] == 1 or not known.is_shown


def first_excess(losses, d):
    return losses[:, 0].mean() - d / 2 * (1 + np.log(2 * np.pi))


def test_accumulate_ends_near_the_known_share_of_the_first_excess_and_subsample_higher():
    """Accumulate rises by π²/6 - 1 = 0.645 of one fit's excess, to first order in d/n; accumulate-subsample by more.

    Σ 1/k² is no exact power of t, so that the asymptote of the law is higher by up to a tenth of the first excess.
    """
    rng, d = np.random.default_rng(11), 10
    curves = {
        "accumulate": simulations.gaussian(rng, seeds=100, d=d, n=100, horizon=100, accumulate=True).loss,
        "subsample": simulations.accumulate_subsample(rng, seeds=100, d=d, n=100, horizon=100),
    }
    rises = {}
    for name, losses in curves.items():
        law = follow(losses)
        rises[name] = (np.array(law.asymptote) - losses[:, 0].mean()) / first_excess(losses, d)
    _, low, high = rises["accumulate"]
    assert low - 0.1 < np.pi**2 / 6 - 1 < high
    assert rises["subsample"][1] > high


def test_replace_doubles_as_the_closed_form_says():
    """E tr Σ_t⁻¹ = d·(n/(n-d-2))^t, so that the loss doubles every ln 2 / ln(n/(n-d-2)) iterations in the end."""
    losses = simulations.gaussian(np.random.default_rng(1), seeds=400, d=10, n=316, horizon=100, accumulate=False).loss
    found = follow(losses)
    assert found.law.kind == EXPONENTIAL
    assert found.doubling_time.centre == pytest.approx(np.log(2) / np.log(316 / 304), rel=0.15)


def test_simulations_have_the_closed_forms_of_the_workflows():
    """Of the harness's own workflows: `tests/core/test_closed_forms.py` holds these against whole runs."""
    rng, n, horizon = np.random.default_rng(4), 20, 12
    for accumulate, id in ((False, "replace"), (True, "accumulate")):
        runs = simulations.gaussian(rng, seeds=4000, d=2, n=n, horizon=horizon, accumulate=accumulate)
        assert_mean(runs.mean_error, 2 * theory.moments(id, n, horizon)[0])
    t = np.arange(1, horizon + 1)
    harmonic = np.cumsum(1 / t)
    variance = simulations.kernel_trace(rng, seeds=4000, n=n, horizon=horizon, bandwidth=0.5)
    errors, squares = theory.moments("accumulate", n, horizon, noise=0.25)
    assert_mean(variance, squares + 0.25 - errors)
    assert squares == pytest.approx(1 + 0.25 * (harmonic - 1))


def test_the_simulation_with_rows_fits_them_as_the_one_with_statistics():
    """At t = 1 both are one fit to n real rows."""
    rng, n = np.random.default_rng(6), 30
    ours = simulations.accumulate_subsample(rng, seeds=3000, d=1, n=n, horizon=1)
    one = simulations.gaussian(rng, seeds=3000, d=1, n=n, horizon=1, accumulate=False).loss
    assert_mean(ours - one.mean(), 0, z=5)
