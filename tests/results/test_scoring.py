"""Scores computed by hand, and how diverged and missing runs count."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.results import scoring


def frame(losses: dict[str, list[list[float]]], real: float = 1.0) -> pd.DataFrame:
    """Records of one instance from test losses by entry, seed and iteration."""
    rows = [
        {"task": "gaussian", "instance": "i", "entry": entry, "seed": seed, "t": t + 1, "test_loss": loss, "real_loss": real, "simplest_loss": 9.0,
         "status": "ok", "training_rows": 10, "candidates": 10, "fresh_real_rows": 0, "verifier_rows": 0, "texts": []}
        for entry, runs in losses.items() for seed, run in enumerate(runs) for t, loss in enumerate(run)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_final_slope_and_late_slope():
    runs = scoring.per_seed(frame({"a": [[1, 2, 3, 4, 4, 4, 4, 4]]}))
    run = runs.iloc[0]
    assert run["final"] == 4
    [slope], *_ = np.linalg.lstsq(np.arange(8.0)[:, None], np.array([0, 1, 2, 3, 3, 3, 3, 3.0]))
    assert run["slope"] == pytest.approx(slope)
    assert run["late_slope"] == pytest.approx(0)
    assert run["training_rows"] == 80


def test_score_is_asinh_of_excess_in_generations_of_damage():
    runs = scoring.per_seed(frame({"replace": [[1, 3, 9], [1, 5, 9]], "a": [[1, 1, 4], [1, 1, -2]]}))
    assert scoring.one_generation_of_damage(runs) == 3
    scored = scoring.scored(runs, scoring.damage(runs))
    scored = scored[scored["entry"] == "a"]
    np.testing.assert_allclose(scored["score"], np.arcsinh([1, -1]))
    np.testing.assert_allclose(scored["slope_score"], np.arcsinh([6 / 5 * 3 / 3, -6 / 5 * 3 / 3]))


def test_a_straight_loss_has_its_slope_and_a_flat_one_none():
    slopes = scoring.per_seed(frame({"rises": [[1, 1.5, 2, 2.5]], "flat": [[1, 1, 1, 1]]})).set_index("entry")["slope"]
    assert slopes["rises"] == 0.5
    assert slopes["flat"] == 0


@given(st.lists(st.floats(-10, 10), min_size=3, max_size=12), st.data())
def test_no_model_can_be_spoiled_to_make_a_better_slope(losses, data):
    """A slope grows with every loss of the run, so that it is the better, the better each of the models is."""
    spoiled = list(losses)
    which = data.draw(st.integers(1, len(losses) - 1))
    spoiled[which] += data.draw(st.floats(0.01, 1000))
    first = list(losses)
    first[0] += 1000  # the first counts in no slope
    slopes = scoring.per_seed(frame({"a": [losses], "first": [first], "spoiled": [spoiled]})).set_index("entry")[
        "slope"
    ]
    assert slopes["spoiled"] > slopes["a"] == slopes["first"]


def test_a_diverged_run_scores_infinity_and_is_never_averaged_into_something_finite():
    runs = scoring.per_seed(frame({"replace": [[1, 3, 9]], "a": [[1, np.inf, np.inf]], "b": [[1, 2, 2]]}))
    scored = scoring.scored(runs, scoring.damage(runs)).set_index("entry")
    assert scored.loc["a", "diverged_at"] == 2
    assert scored.loc["a", "score"] == scored.loc["a", "slope_score"] == np.inf
    assert scoring.t_interval(np.array([0.1, np.inf])).centre == np.inf
    assert scoring.pooled([scoring.Interval(1, 0, 2), scoring.Interval(np.inf, np.inf, np.inf)]).centre == np.inf


def test_t_interval_covers_at_its_nominal_rate():
    """Normal values, n = 5: 95 % of 4,000 intervals cover, within four standard errors (0.34 % each)."""
    rng = np.random.default_rng(0)
    intervals = [scoring.t_interval(rng.standard_normal(5)) for _ in range(4000)]
    covered = np.mean([i.low < 0 < i.high for i in intervals])
    assert abs(covered - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 4000)


@pytest.mark.parametrize(("seeds", "most"), [((100, 40, 3), 0.96), ((3, 3, 3), 0.99), ((100, 100, 100), 0.96)])
def test_pooled_interval_covers_at_least_at_its_nominal_rate(seeds, most):
    """Means of unequally many seeds: never below 95 %, within four standard errors, and not needlessly wide."""
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(4000):
        pooled = scoring.pooled([scoring.t_interval(rng.standard_normal(n)) for n in seeds])
        covered.append(pooled.low < 0 < pooled.high)
    error = np.sqrt(0.95 * 0.05 / 4000)
    assert 0.95 - 4 * error < np.mean(covered) < most + 4 * error


def test_pooled_of_equal_parts_is_the_plain_interval_over_root_k():
    parts = [scoring.t_interval(np.array([1.0, 2.0, 3.0, 4.0]) + shift) for shift in (0, 1, 2)]
    pooled = scoring.pooled(parts)
    assert pooled.centre == pytest.approx(3.5)
    assert pooled.high - pooled.low == pytest.approx((parts[0].high - parts[0].low) / np.sqrt(3))


def test_curves_are_means_with_a_band():
    rng = np.random.default_rng(0)
    values = rng.normal([0, 5, 10], size=(50, 3))
    curve = scoring.curves(frame({"a": values.tolist()}))
    loss = curve[curve["quantity"] == "test_loss"].set_index("t")
    np.testing.assert_allclose(loss["mean"], values.mean(axis=0))
    np.testing.assert_allclose(loss["first_seed"], values[0])
    error = values.std(axis=0, ddof=1) / np.sqrt(50)
    np.testing.assert_allclose(loss["high"] - loss["low"], 2 * 1.96 * error, rtol=0.15)


def test_curves_keep_divergence():
    curve = scoring.curves(frame({"a": [[1, np.inf], [1, 2]]}))
    loss = curve[curve["quantity"] == "test_loss"].set_index("t")
    assert loss.loc[2, "mean"] == np.inf
    assert loss.loc[1, "mean"] == 1
