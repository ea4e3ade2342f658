"""The paper's claims about language models, held against the committed curves of `benchmark/recipes/regime.csv`."""

import re

import numpy as np
import pandas as pd
import pytest

from benchmark.recipes import regime
from benchmark.runs.params import instances, load

RANKED, MATCHED, SCRATCH = "surnames n=1500", "surnames n=1500 matched steps", "surnames n=1500 from scratch"
SAMPLED, FEW = "surnames-sampled n=1500", "surnames n=500"
SEEDS = {RANKED: 5, MATCHED: 5, SCRATCH: 1, SAMPLED: 1, FEW: 1}


@pytest.fixture(scope="module")
def runs() -> pd.DataFrame:
    return pd.read_csv(regime.CURVES)


def of_seeds(runs: pd.DataFrame, instance: str, entry: str) -> np.ndarray:
    """Test losses, shape (seeds, T)."""
    of = runs[(runs["instance"] == instance) & (runs["entry"] == entry)]
    return of.pivot_table(index="seed", columns="t", values="test_loss").to_numpy()


def test_the_curves_are_of_the_ranked_instance(root) -> None:
    """Of the very numbers that the board ranks, at five seeds and T = 10."""
    params = load(root)
    board, measured = (instances(params, profile, "language_model")[0] for profile in ("standard", "regime"))
    assert board.task == measured.task
    assert board.name == RANKED
    assert board.ranked
    assert board.task.checkpoint != "none"


@pytest.mark.parametrize("instance", SEEDS)
def test_replace_rises_at_every_generation_and_on_every_seed(runs: pd.DataFrame, instance: str) -> None:
    losses = of_seeds(runs, instance, "replace")
    assert losses.shape == (SEEDS[instance], 10)
    assert np.all(np.diff(losses.mean(0)) > 0)
    assert np.all(losses[:, -1] > losses[:, 0])


@pytest.mark.parametrize("instance", [RANKED, MATCHED])
def test_accumulate_is_bounded(runs: pd.DataFrame, instance: str) -> None:
    """At most 15 % of replace's rise, and at most a quarter of its own after T/2; a bounded law b·Σ 1/t² gives 6 % and 16 %."""
    losses = of_seeds(runs, instance, "accumulate").mean(0)
    whole, late = losses[-1] - losses[0], losses[-1] - losses[4]
    replace = of_seeds(runs, instance, "replace").mean(0)
    assert whole <= 0.15 * (replace[-1] - replace[0])
    assert whole < 0 or late <= whole / 4


@pytest.mark.parametrize("instance", [RANKED, MATCHED])
def test_accumulate_subsample_lies_between(runs: pd.DataFrame, instance: str) -> None:
    replace, subsample, accumulate = (of_seeds(runs, instance, id)[:, -1] for id in ("replace", "accumulate-subsample", "accumulate"))  # fmt: skip
    assert accumulate.mean() < subsample.mean() < replace.mean()
    mean, low, high = regime.gap(runs, instance)
    assert mean == pytest.approx((subsample - accumulate).mean())
    assert 0 < low < high


def test_real_only_is_flat_and_samples_have_the_form(runs: pd.DataFrame) -> None:
    assert np.ptp(of_seeds(runs, RANKED, "real-only"), axis=1).max() == 0
    assert runs.loc[(runs["instance"] == RANKED) & (runs["t"] == 1), "rejection_rate"].max() < 0.2


def test_from_scratch_accumulate_hardly_rises(runs: pd.DataFrame) -> None:
    """By less than 5 % of what replace does, of which most comes late: it first falls."""
    curves = regime.means(runs, SCRATCH)
    assert regime.rise(curves["accumulate"]) < 0.05 * regime.rise(curves["replace"])
    assert curves["accumulate"].min() < curves["accumulate"].iloc[0]


def test_a_well_specified_model_does_the_same(runs: pd.DataFrame) -> None:
    """Where its own kind wrote the data, accumulate's share of replace's rise is what it is on real names: recursion, not misfit."""
    shares = [regime.rise(m["accumulate"]) / regime.rise(m["replace"]) for m in (regime.means(runs, RANKED), regime.means(runs, SAMPLED))]  # fmt: skip
    assert shares[0] == pytest.approx(shares[1], abs=0.02)
    assert regime.is_bounded(regime.means(runs, SAMPLED))


def test_a_third_of_the_tokens_leaves_the_regime(runs: pd.DataFrame) -> None:
    curves = regime.means(runs, FEW)
    assert regime.rise(curves["accumulate"]) > 0.15 * regime.rise(curves["replace"])
    assert not regime.is_bounded(curves)


def test_the_fit_is_converged() -> None:
    """The fit on real data alone is within 2 % of its smallest validation loss."""
    section = regime.TABLE.read_text().partition("## How far")[2].partition("\n## ")[0]
    above = dict(re.findall(r"^\| (surnames[^|]*?) \|.*\| ([0-9.]+)% \|$", section, re.M))
    assert RANKED in above
    assert all(float(percent) <= 2 for percent in above.values())


def test_a_bounded_law_is_bounded_and_a_logarithm_is_not() -> None:
    t = np.arange(1, 11)
    law = pd.DataFrame({"replace": 1.0 * t, "accumulate": np.cumsum(1 / t**2)}, index=t)
    assert regime.is_bounded(law)
    assert regime.late_rise(law["accumulate"]) / regime.rise(law["accumulate"]) == pytest.approx(0.16, abs=0.01)
    assert not regime.is_bounded(law.assign(accumulate=0.3 * np.log(t)))
    assert not regime.is_bounded(law.assign(accumulate=10 * law["accumulate"]))
    assert regime.is_bounded(law.assign(accumulate=-np.log(t)))
