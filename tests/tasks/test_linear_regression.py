"""Linear regression compared with least squares by NumPy, and with closed forms for whole runs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.core.history import History, Span, Weighted
from benchmark.core.loop import run, start_of
from benchmark.core.requests import NEUTRAL, FitOptions, SampleRequest
from benchmark.core.rules import Role, Rules, Track
from benchmark.core.strategy import Strategy
from benchmark.tasks.linear_regression import LinearRegression, second_moments
from tests.conftest import assert_mean, measure
from tests.tasks.test_gaussian import selections, weighted

SEEDS = 2000
TASK = LinearRegression(d=3, n=20, noise_variance=0.5)
FIRST = TASK.noise_variance * TASK.d / (TASK.n - TASK.d - 1)
"""b = σ²d/(n - d - 1): the expected squared error of one least-squares fit, σ² E tr (XᵀX)⁻¹ of an inverse Wishart matrix."""
T = np.arange(1, 6)


def history(generations: int, task: LinearRegression = TASK, seed: int = 0) -> History:
    """Real labels, and further labels on the same design."""
    rng = np.random.default_rng(seed)
    world = task.world(rng)
    found = History(task.real_data(world, task.n, rng))
    for _ in range(generations - 1):
        found.append(task.real_data(world, task.n, rng))
    return found


def test_replace_adds_one_error_a_generation():
    """Every generation is labelled by the last fit, and its own fit adds an error of b: E‖w_t - w*‖² = b·t."""
    assert_mean(measure(TASK, "replace", SEEDS, 5, "mse"), FIRST * T)


def test_accumulate_adds_ever_less():
    """On one design the fit of t stacked generations is w_t = w_{t-1} + (one fit's error)/t: b·Σ_{i≤t} 1/i²."""
    assert_mean(measure(TASK, "accumulate", SEEDS, 5, "mse"), FIRST * np.cumsum(1 / T**2))


def test_real_data_alone_keep_their_first_error():
    found = measure(TASK, "real-only", 20, 4, "mse")
    assert (found == found[:, :1]).all()


def naive_subsample(rng: np.random.Generator, horizon: int) -> np.ndarray:
    """A naive accumulate-subsample: ‖w_t - w*‖² at t = 1 … T."""
    d, n, sigma = TASK.d, TASK.n, np.sqrt(TASK.noise_variance)
    truth, x = rng.standard_normal(d), rng.standard_normal((n, d))
    xs, ys, found = x, x @ truth + sigma * rng.standard_normal(n), []
    for _ in range(horizon):
        chosen = rng.permutation(len(xs))[:n]
        w = np.linalg.pinv(xs[chosen]) @ ys[chosen]
        found.append(((w - truth) ** 2).sum())
        xs, ys = np.vstack([xs, x]), np.concatenate([ys, x @ w + sigma * rng.standard_normal(n)])
    return np.array(found)


def test_accumulate_subsample_agrees_with_a_naive_simulation():
    """Two independent means, within four standard errors of their difference."""
    rng = np.random.default_rng(0)
    naive = np.array([naive_subsample(rng, 5) for _ in range(SEEDS)])
    ours = measure(TASK, "accumulate-subsample", SEEDS, 5, "mse")
    error = np.sqrt((naive.var(axis=0, ddof=1) + ours.var(axis=0, ddof=1)) / SEEDS)
    assert (np.abs(naive.mean(axis=0) - ours.mean(axis=0)) < 4 * error).all()


@settings(max_examples=200, deadline=None)
@given(selections(4), st.floats(0, 2))
def test_weighted_fits_are_naive_least_squares(selection, ridge):
    """On rows times √weight and additional ridge rows √(ridge·tr G/d)·I; of several solutions, the shortest w."""
    training_set = weighted(history(4), selection)
    rows, weights = training_set.expanded()
    examples = training_set.history.examples[rows] * np.sqrt(weights)[:, None]
    x, y = examples[:, :-1], examples[:, -1]
    if ridge:
        x = np.vstack([x, np.sqrt(ridge * (x**2).sum() / TASK.d) * np.eye(TASK.d)])
        y = np.concatenate([y, np.zeros(TASK.d)])
    expected, _, _, values = np.linalg.lstsq(x, y, rcond=1e-6)
    relative = values / values[0]
    if not ((relative > 1e-7) & (relative < 1e-4)).any():  # normal equations square this
        found = TASK.fit(training_set, FitOptions(ridge=ridge), None).coefficients
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_sums_of_whole_generations_are_continued():
    """They give the same as listed rows, and a generation is summed once."""
    grown = history(1)
    rng = np.random.default_rng(1)
    for t in range(1, 12):
        chosen = Weighted(grown, (Span(0, t, 0.5),))
        rows = grown.examples
        np.testing.assert_allclose(second_moments(chosen), 0.5 * rows.T @ rows, rtol=1e-12)
        assert list(grown.memo["second moments"]) == [(0, t)]
        grown.append(rng.standard_normal((TASK.n, TASK.d + 1)))


@pytest.mark.parametrize("d", [1, 2, 5])
def test_rows_that_span_no_direction_give_the_shortest_coefficients(d):
    """One row many times, with different weights: G has rank 1 up to rounding."""
    task = LinearRegression(d, 12, 1.0)
    found = history(1, task, seed=d)
    row = found.examples[4]
    chosen = Weighted(found, (), np.full(7, 4), np.linspace(0.3, 1, 7))
    expected = row[:-1] * row[-1] / (row[:-1] @ row[:-1])
    np.testing.assert_allclose(task.fit(chosen, NEUTRAL, None).coefficients, expected, rtol=1e-9, atol=1e-12)


def test_every_generation_is_labels_on_one_design():
    """Both real and synthetic rows. Beyond n rows the design begins again."""

    class Asks(Strategy):
        def training_set(self, context, pool):
            return pool.latest().all()

        def sample_request(self, context):
            return SampleRequest(count=context.n + 5)

        def keep(self, context, candidates):
            return candidates.all()

    seen = []

    class Watching(LinearRegression):
        def diagnostics(self, model, generation, start, *, full):
            seen.append((start.world.design, start.real, generation))
            return {}

    list(run(Watching(3, 20, 0.5), Asks, Rules(Track.LABELLED, role=Role.REFERENCE), 0, 1))
    design, real, generation = seen[0]
    np.testing.assert_array_equal(real[:, :-1], design)
    np.testing.assert_array_equal(generation[:, :-1], np.vstack([design, design[:5]]))


def test_bought_rows_go_on_where_the_last_ones_ended():
    world = TASK.world(np.random.default_rng(0))
    rows = TASK.real_data(world, 7, np.random.default_rng(1), skip=TASK.n + 16)
    np.testing.assert_array_equal(rows[:, :-1], world.design[[16, 17, 18, 19, 0, 1, 2]])


def test_test_loss_is_the_expected_negative_log_likelihood():
    """Compared with 400,000 real examples with fresh x."""
    start = start_of(TASK, 3)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400_000, TASK.d))
    y = x @ start.world.coefficients + np.sqrt(TASK.noise_variance) * rng.standard_normal(len(x))
    losses = -TASK.log_likelihood(start.model, np.column_stack([x, y]), False)
    assert abs(losses.mean() - start.loss) < 4 * losses.std() / np.sqrt(len(losses))
    squared = (x @ (start.model.coefficients - start.world.coefficients)) ** 2
    mse = TASK.diagnostics(start.model, start.real, start, full=True)["mse"]
    assert abs(squared.mean() - mse) < 4 * squared.std() / np.sqrt(len(squared))
    at_zero = -TASK.log_likelihood(start.model._replace(coefficients=np.zeros(TASK.d)), np.column_stack([x, y]), False)
    assert abs(at_zero.mean() - start.simplest_loss) < 4 * at_zero.std() / np.sqrt(len(x))


def test_temperature_multiplies_the_noise():
    task = LinearRegression(2, 100_000, 0.5)
    start = start_of(task, 0)
    rows = task.sample(start.model, task.n, SampleRequest(temperature=0.25), np.random.default_rng(0)).examples
    noise = rows[:, -1] - rows[:, :-1] @ start.model.coefficients
    assert abs(noise.var() / (0.25 * 0.5) - 1) < 4 * np.sqrt(2 / task.n)


def test_knobs_move_the_coefficients():
    model = start_of(TASK, 0).model
    other = model._replace(coefficients=model.coefficients + np.array([4.0, 0.0, 0.0]))
    moved = (TASK.blend(model, other, 0.25), TASK.away(model, other, 0.25))
    for found, by in zip(moved, (1.0, -1.0), strict=True):
        np.testing.assert_allclose(found.coefficients, model.coefficients + np.array([by, 0, 0]))


def test_a_verifier_with_many_real_rows_knows_the_likelihood_ratio():
    """Up to the verifier's own error: from 20,000 labels on a design of 20 rows, ‖ŵ - w*‖² is about σ²/1,000."""
    start = start_of(TASK, 0)
    held_back = TASK.held_back(start.world, 20_000, np.random.default_rng(1))
    model = start.model._replace(coefficients=start.world.coefficients + 1)
    truth = start.model._replace(coefficients=start.world.coefficients)
    exact = TASK.log_likelihood(truth, start.real, False) - TASK.log_likelihood(model, start.real, False)
    np.testing.assert_allclose(TASK.log_ratio(held_back, model, start.real), exact, atol=0.2)


@pytest.mark.parametrize("id", ["anchored-resampling", "verifier-filter-1", "fresh-data-0.5", "detector-resampling"])
def test_strategies_of_every_kind_run_on_it(id):
    found = measure(TASK, id, 2, 4)
    assert np.isfinite(found).all()


@pytest.mark.parametrize(("numbers", "complaint"), [
    ({"d": 10, "n": 10}, "n: found 10, expected more than d = 10 rows"),
    ({"d": 0, "n": 10}, "expected more than d = 0 rows, which is 1 or more"),
    ({"d": 1, "n": 10, "noise_variance": 0.0}, "noise_variance: found 0.0, expected a number above 0"),
])  # fmt: skip
def test_instances_without_a_unique_fit_are_refused(numbers, complaint):
    with pytest.raises(ValueError, match=complaint):
        LinearRegression(**{"noise_variance": 1.0} | numbers)
