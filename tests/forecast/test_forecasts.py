"""Forecasts and their checks."""

import math

import numpy as np
import pandas as pd
import pytest

from benchmark.errors import ThriveError
from benchmark.forecast.checks import FORECASTS, calibration, checked, coverage, quantile, with_intervals
from benchmark.forecast.choice import CANNOT_TELL, NoLaw
from benchmark.forecast.curves import Curve, curve_of
from benchmark.forecast.outlook import outlook, sentences
from benchmark.forecast.prediction import follow
from benchmark.forecast.tables import law_of
from paper.plots import forecast as picture

HORIZON, SEEDS = 100, 30
T = np.arange(1.0, HORIZON + 1)


def made(shape, k=0, noise=0.02, instance=None):
    """A curve of a known shape with dependent noise."""
    rng = np.random.default_rng([7, k])
    walk = noise * rng.standard_normal((SEEDS, HORIZON)).cumsum(axis=1) / np.sqrt(T)
    losses = 2 + shape + walk + noise * rng.standard_normal((SEEDS, HORIZON)) + rng.standard_normal((SEEDS, 1))
    return Curve("gaussian", instance or f"instance {k}", "an-entry", "digest", losses, pd.Series(losses[:, 0]))


@pytest.fixture(scope="module")
def checks() -> pd.DataFrame:
    """Of 30 logarithmic curves, each on an instance of its own."""
    return pd.DataFrame([row for k in range(30) for row in checked(made(0.3 * np.log(T), k), "standard")])


@pytest.fixture(scope="module")
def known(checks) -> pd.DataFrame:
    """As `read_checks` gives them."""
    return with_intervals(checks, ["law"])


@pytest.mark.parametrize("n", [19, 20, 39, 100])
def test_the_quantile_holds_for_a_further_value_with_its_probability(n):
    """Of n + 1 exchangeable residuals, one exceeds the quantile of the others in at most 5 % of cases (split conformal prediction)."""
    draws = np.random.default_rng(n).standard_exponential((4000, n + 1))
    held = np.mean([row[-1] <= quantile(row[:-1]) for row in draws])
    assert 0.95 - 4 * np.sqrt(0.05 * 0.95 / 4000) < held < 0.95 + 1 / (n + 1) + 4 * np.sqrt(0.05 * 0.95 / 4000)


def test_too_few_residuals_give_no_interval():
    assert quantile(np.ones(18)) == math.inf


def test_an_instance_is_not_calibrated_on_itself(checks):
    """Whatever is changed in its own checks, its interval stays."""
    claimed = checks[checks["law_name"].notna()]
    spoiled = claimed.copy()
    spoiled.loc[spoiled["instance"] == "instance 3", "actual"] += 1e6
    assert calibration(spoiled, "logarithmic", 2, "gaussian", "instance 3") == pytest.approx(
        calibration(claimed, "logarithmic", 2, "gaussian", "instance 3")
    )


def test_forecasts_of_logarithmic_curves_are_claimed_hold_and_beat_the_last_value(checks):
    table = coverage(checks)
    every = table[table["class"] == "all"].set_index(["T", "to"])
    assert every.loc[(50, 100), "claimed_share"] >= 0.9
    assert every.loc[(50, 100), "held"] >= 0.8  # 30 checks: 0.95 less four standard errors of 0.04
    assert every.loc[(50, 100), "score_law"] < every.loc[(50, 100), "score_last"]


def test_interval_scores_are_those_of_gneiting_and_raftery(checks):
    """Width + 40 times what the interval missed by."""
    found = with_intervals(checks)
    for name in FORECASTS:
        missed = ((found["actual"] - found[name]).abs() - found[f"{name}_half"]).clip(lower=0)
        assert found[f"{name}_score"].to_numpy() == pytest.approx((2 * found[f"{name}_half"] + 40 * missed).to_numpy())
        assert (found[f"{name}_held"] == (missed == 0)).all()


def test_a_forecast_begins_at_the_last_value_and_goes_the_way_of_the_law(known):
    curve = made(0.3 * np.log(T), 99)
    found = outlook(curve, 1000, known)
    assert found.centre[0] == pytest.approx(curve.losses[:, -1].mean())
    law = follow(curve.losses).at(np.array([100.0, 1000.0]))
    assert found.centre[-1] - found.centre[0] == pytest.approx(law[1] - law[0], rel=0.05)
    assert found.low[-1] < 2 + 0.3 * np.log(1000) + (curve.losses[:, 0].mean() - 2) < found.high[-1]
    words = sentences(found)
    assert "logarithmic" in words
    assert "checks at 2T" in words
    assert "checks at 10T" in words


def test_says_what_each_law_would_be_where_it_cannot_tell(known):
    found = outlook(made(0.3 * np.log(T), 5, noise=1.5), 200, known)
    assert found.choice.kind in (CANNOT_TELL, "constant")
    if found.found is None:
        assert "more seeds or further" in sentences(found)


@pytest.mark.parametrize("to", [100, 50, 1001])
def test_refuses_what_is_not_ahead_and_what_no_check_reached(known, to):
    with pytest.raises(ThriveError, match=f"--to: found {to}, expected 101 to 1000"):
        outlook(made(0.3 * np.log(T)), to, known)


def test_refuses_a_threshold_within_the_noise_and_says_when_another_is_passed(known):
    curve = made(0.3 * np.log(T), 99)
    with pytest.raises(NoLaw, match=r"within the noise: 30 seeds know the mean excess at T to ± .* run more seeds"):
        outlook(curve, 1000, known, excess=1e-4)
    passes = outlook(curve, 1000, known, excess=1.7).passes
    assert passes.low <= np.exp(1.7 / 0.3) <= passes.high
    assert outlook(curve, 1000, known, excess=0.5).passes.centre < 20


def test_refuses_seeds_that_do_not_pair():
    records = pd.DataFrame({"seed": [0, 0, 1], "t": [1, 2, 1], "test_loss": 1.0, "real_loss": 1.0})
    with pytest.raises(NoLaw, match="seeds do not pair: seed 1 has 1 iterations, others have up to 2"):
        curve_of(records, "gaussian", "d=1 n=10", "replace")


def test_a_curve_that_diverges_has_that_as_its_class():
    curve = made(np.where(T > 60, np.inf, 0.0))
    assert law_of(curve)["class"] == "diverges"
    assert {row["kind"] for row in checked(curve, "standard")} >= {"constant"}  # until then it did not


def test_a_picture_has_a_panel_for_each_curve_and_is_the_same_each_time(known, tmp_path):
    found = [outlook(made(0.3 * np.log(T), k), 1000, known) for k in (40, 41)]
    files = picture.write(found, tmp_path / "a"), picture.write(found, tmp_path / "b")
    assert [path.suffix for path in files[0]] == [".png", ".svg"]
    assert files[0][0].read_bytes() == files[1][0].read_bytes()
