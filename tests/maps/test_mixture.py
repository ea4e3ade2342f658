"""The mixture of real and synthetic rows: its special cases are baselines, and the Gaussian has a closed form."""

import numpy as np
import pytest

from benchmark.core.loop import run
from benchmark.entries.entry import Entry
from benchmark.entries.loading import load
from benchmark.tasks.gaussian import Gaussian
from benchmark.tasks.kde import KDE
from maps.theory import excess
from maps.variants import ENTRIES
from tests.conftest import entry

RULES = Entry(ENTRIES / "mixture").rules


def losses(task, real, synthetic, seed, horizon):
    mixture = load(ENTRIES / "mixture")
    return [record["test_loss"] for record in run(task, lambda: mixture(real, synthetic), RULES, seed, horizon)]


@pytest.mark.parametrize("task", [Gaussian(3, 40), KDE("moons", 0.5, 40)], ids=["gaussian", "kde"])
@pytest.mark.parametrize(("id", "real", "synthetic"), [("replace", 0, 1), ("anchor-0.5", 0.5, 0.5), ("synthetic-augmentation", 1, 1), ("real-only", 1, 0)])  # fmt: skip
def test_the_special_cases_are_baselines(task, id, real, synthetic):
    same = entry(id)
    expected = [record["test_loss"] for record in run(task, same.make, same.rules, 5, 6)]
    assert losses(task, real, synthetic, 5, 6) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("real", "synthetic", "temperature"), [(0.5, 0.5, 1.0), (0.25, 0.75, 0.8), (1.0, 1.0, 1.0), (0.7, 0.0, 1.0)])  # fmt: skip
def test_the_closed_form_of_the_excess(real, synthetic, temperature):
    """d = 2, n = 400, T = 12, 150 seeds: four standard errors, and what the expansion leaves out, of relative order d M with M below 5/n."""
    task = Gaussian(2, 400, temperature)
    found = np.array([losses(task, real, synthetic, seed, 12) for seed in range(150)])
    found -= found[:, :1]
    error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    expected = excess(2, 400, real, synthetic, temperature, 12)
    assert np.all(np.abs(found.mean(axis=0) - expected) <= 4 * error + 0.05 * np.abs(expected))


def test_the_limit_of_the_closed_form():
    """n times the mean's error tends to (1 + 2α(1-α)) / (α(2-α)), and the excess to d(d+3)/4 of it above one fit's."""
    n, alpha = 10**6, 0.3
    limit = (1 + 2 * alpha * (1 - alpha)) / (alpha * (2 - alpha))
    assert excess(4, n, alpha, 1 - alpha, 1.0, 100)[-1] == pytest.approx(4 * 7 / 4 * (limit - 1) / n, rel=1e-3)
