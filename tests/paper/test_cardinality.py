"""Laws of the cardinality experiment, the grid of real and synthetic rows."""

import itertools
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import digamma, logsumexp

from benchmark.core.loop import start_of
from benchmark.core.requests import SampleRequest
from benchmark.core.streams import stream
from benchmark.errors import ThriveError
from benchmark.tasks.gaussian import Gaussian
from benchmark.tasks.kde import KDE
from benchmark.tasks.language_model import training
from benchmark.tasks.normal import Normal
from paper.experiments import cardinality
from paper.experiments.cardinality import Cell, Experiment
from tests.conftest import assert_mean
from tests.tasks import test_language_model

folder = test_language_model.folder  # the fixtures: a random network of a few thousand weights, and its task
tiny = test_language_model.task


def losses(experiment: Experiment, seed: int) -> dict[Cell, float]:
    return dict(cardinality.losses(experiment, seed, {}))


def grid(task, real=(4, 10), synthetic=(0, 6, 30), seeds=3, **others) -> Experiment:
    return Experiment("gaussian", task, real, synthetic, seeds, **others)


def test_without_synthetic_rows_it_is_the_plain_fit_on_the_first_real_rows():
    task = Gaussian(d=2, n=10)
    for seed in range(3):
        truth = task.world(stream(seed, "world"))
        real = task.real_data(truth, 10, stream(seed, "real data"))
        found = losses(grid(task), seed)
        for r in (4, 10):
            plain = Normal(real[:r].mean(axis=0), np.cov(real[:r].T, ddof=0))
            assert found[Cell("epochs", r, 0)] == pytest.approx(task.test_loss(plain, truth), rel=1e-9)


@dataclass(frozen=True)
class MeanError(Gaussian):
    """Its test loss is ‖μ - μ0‖² / d."""

    def test_loss(self, model, test):
        mean = test.seen_from(model).mean
        return float(mean @ mean) / self.d


@dataclass(frozen=True)
class TraceRatio(Gaussian):
    """Its test loss is tr Σ / tr Σ0."""

    def test_loss(self, model, test):
        return float(test.seen_from(model).covariance.trace()) / self.d


def mean_error(r: int, s: int, n: int) -> float:
    """E(μ - μ0)², d = 1, of r of n real rows and s rows from N(x̄, s²) fitted to all n, all of weight 1.

    Rows have variance 1. Two real ones have covariance 0, a real and a synthetic one 1/n, as x̄ has with each x_i, and
    two synthetic ones 1/n, the variance of x̄; r + s(1 - 1/n) + (2rs + s²)/n, over the square of r + s.
    """
    return (r + s * (1 - 1 / n) + (2 * r * s + s**2) / n) / (r + s) ** 2


@pytest.mark.parametrize(("task", "of_error"), [(MeanError, lambda e: e), (TraceRatio, lambda e: 1 - e)])
def test_mixtures_have_the_known_error_of_the_mean_and_conserve_the_second_moment(task, of_error):
    """Σ keeps what μ has not gained: E tr Σ / d = 1 - E(μ - μ0)²."""
    n = 10
    experiment = grid(task(d=3, n=n))
    found = [losses(experiment, seed) for seed in range(2000)]
    for cell in experiment.cells:
        assert_mean(np.array([of[cell] for of in found]), of_error(mean_error(cell.real, cell.synthetic, n)))


def test_real_rows_alone_have_the_known_expected_test_loss():
    """½[d log 2π + Σ_{i≤d} ψ((r-i)/2) + d log(2/r) + d·q + d·q/r], q = r/(r-d-2)."""
    d, r = 2, 12
    experiment = grid(Gaussian(d, n=20), real=(r,), synthetic=(0, 1))
    q = r / (r - d - 2)
    log_det = sum(digamma((r - i) / 2) for i in range(1, d + 1)) + d * np.log(2 / r)
    expected = 0.5 * (d * np.log(2 * np.pi) + log_det + d * q * (1 + 1 / r))
    assert_mean(np.array([losses(experiment, seed)[Cell("epochs", r, 0)] for seed in range(2000)]), expected)


def test_kernel_density_is_the_naive_mean_of_kernels():
    task, h = KDE("moons", 0.3, 10), 0.3
    start = start_of(task, 1)
    generation = task.sample(start.model, 30, SampleRequest(), stream(1, "sample", 1)).examples
    found = losses(grid(task, seeds=1), 1)
    for r, s in itertools.product((4, 10), (0, 6, 30)):
        rows = np.concatenate([start.real[:r], generation[:s]])
        squares = ((start.test[:, None] - rows) ** 2).sum(axis=2)
        log_density = logsumexp(-squares / (2 * h**2), axis=1) - np.log((r + s) * 2 * np.pi * h**2)
        assert found[Cell("epochs", r, s)] == pytest.approx(-log_density.mean(), rel=1e-10)


@pytest.fixture(scope="module")
def text(tiny):
    """A grid with the tiny network: its losses, and for every fit the steps, the rows and the task."""
    experiment = grid(replace(tiny, n=8), (2, 8), (0, 4), seeds=1, steps_of=6)
    fits, minimize, batches = [], training.minimize, training.batches
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "benchmark.tasks.language_model.task.batches",
            lambda rows, *others: fits.append(rows) or batches(rows, *others),
        )
        patch.setattr("benchmark.tasks.language_model.task.minimize", lambda network, data, rates, options, bfloat16: (
            fits.append(len(rates)), minimize(network, data, rates, options, bfloat16=bfloat16)))  # fmt: skip
        start_of.cache_clear()
        found = losses(experiment, 0)
    start_of.cache_clear()
    return experiment, found, list(zip(fits[::2], fits[1::2], strict=True))


def test_a_language_model_takes_more_steps_with_more_rows_or_those_of_one_set(text):
    """40 epochs in batches of 4 are ten steps for each row. A fit that is the same under both controls is trained once."""
    experiment, found, fits = text
    assert [steps for _, steps in fits] == [80, 20, 60, 120, 60, 60, 60]  # the first on all real rows, which is a cell
    assert [experiment.steps(cell) for cell in experiment.cells] == [0, 20, 60, 80, 120, 60, 60, 60, 60]
    assert found[Cell("steps", 2, 4)] == found[Cell("epochs", 2, 4)]
    assert len({*found.values()}) == len(found) - 1
    assert list(found) == experiment.cells


def test_a_language_model_trains_on_the_first_rows_of_both_kinds(text):
    experiment, _, fits = text
    task = experiment.task
    start = start_of(task, 0)
    generation = task.sample(start.model, 4, SampleRequest(), stream(0, "sample", 1)).examples
    wanted = [(8, 0), (2, 0), (2, 4), (8, 4), (2, 0), (8, 0), (8, 4)]
    for (rows, _), (r, s) in zip(fits, wanted, strict=True):
        assert rows == task.base.encode([*start.real[:r], *generation[:s]])


def test_the_untrained_model_is_in_the_table(text):
    experiment, found, _ = text
    task = experiment.task
    assert found[cardinality.UNTRAINED] == task.test_loss(task.base.network, task.held_out(None, stream(0, "test")))


def test_changes_are_paired_by_seed():
    experiment = grid(Gaussian(2, 10), real=(4,), synthetic=(0, 6))
    found = [losses(experiment, seed) for seed in range(3)]
    alone, both = (np.array([of[Cell("epochs", 4, s)] for of in found]) for s in (0, 6))
    row = cardinality.table(experiment, found).iloc[1]
    assert row["mean"] == pytest.approx(both.mean())
    assert row["sd"] == pytest.approx(both.std(ddof=1))
    assert row["change"] == pytest.approx((both - alone).mean())
    assert row["change_sd"] == pytest.approx((both - alone).std(ddof=1))


def test_the_table_does_not_depend_on_the_number_of_processes():
    experiments = (grid(Gaussian(2, 10)), Experiment("kde", KDE("moons", 0.3, 10), (4, 10), (0, 6), 2))
    tables = [cardinality.run(experiments, jobs).to_csv() for jobs in (1, 1, 2)]
    assert tables[0] == tables[1] == tables[2]


def test_an_interrupted_seed_continues_where_it_stopped(tmp_path, monkeypatch):
    experiment, kept = grid(Gaussian(2, 10)), tmp_path / "0.json"
    whole, computed = losses(experiment, 0), []

    def interrupted(*arguments):
        yield from itertools.islice(all_of(*arguments), 2)
        raise KeyboardInterrupt

    def watched(*arguments):
        for cell, loss in all_of(*arguments):
            computed.append(cell)
            yield cell, loss

    all_of = cardinality.losses
    monkeypatch.setattr(cardinality, "losses", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cardinality._compute(experiment, 0, kept)
    monkeypatch.setattr(cardinality, "losses", watched)
    assert cardinality._compute(experiment, 0, kept) == whole
    assert computed == experiment.cells[2:]
    assert cardinality._compute(experiment, 0, kept) == whole
    assert computed == experiment.cells[2:]


def test_a_failure_is_named_and_stops_nothing_else(monkeypatch):
    done = []

    def some_fail(experiment, seed, known):
        if seed == 1:
            raise ZeroDivisionError("by design")
        done.append(seed)
        return all_of(experiment, seed, known)

    all_of = cardinality.losses
    monkeypatch.setattr(cardinality, "losses", some_fail)
    with pytest.raises(ThriveError, match="gaussian d=2 n=10, seed 1:(.|\n)*by design(.|\n)*1 of 3 failed"):
        cardinality.run((grid(Gaussian(2, 10)),), 1)
    assert done == [0, 2]


def test_more_real_rows_than_there_are_is_refused():
    with pytest.raises(ValueError, match="found 11, expected at most n = 10"):
        grid(Gaussian(2, 10), real=(4, 11))


def test_the_committed_table_is_that_of_the_grid():
    """Every cell of every experiment is there, and the Gaussian's numbers are reproduced."""
    table = pd.read_csv(cardinality.TABLE)
    found = {task: part.set_index(["control", "real", "synthetic"]) for task, part in table.groupby("task")}
    for experiment in cardinality.EXPERIMENTS:
        mine = found[experiment.task_setting]
        assert list(mine.index) == experiment.cells
        assert set(mine["seeds"]) == {experiment.seeds}
        assert set(mine["instance"]) == {experiment.task.name}
    (gaussian,) = (e for e in cardinality.EXPERIMENTS if e.task_setting == "gaussian")
    again = cardinality.run((gaussian,), 1)
    np.testing.assert_allclose(found["gaussian"]["mean"], again["mean"], rtol=1e-5)


def test_the_key_of_finished_fits_follows_the_meaning_of_the_code(root, tmp_path):
    """Rewording and a finer grid leave it as it is; other optimizer steps, other rows or another sample change it."""
    file = Path("paper", "experiments", "cardinality.py")
    shutil.copytree(root / "benchmark", tmp_path / "benchmark", ignore=shutil.ignore_patterns("assets", "__pycache__"))
    (tmp_path / file).parent.mkdir(parents=True)
    for package in (file.parent, file.parents[1]):
        (tmp_path / package / "__init__.py").touch()
    text = (root / file).read_text()

    def key(old: str, new: str) -> str:
        assert old in text
        (tmp_path / file).write_text(text.replace(old, new))
        return cardinality.own_code.__wrapped__(tmp_path)

    before = key("", "")
    assert key('"""The first rows of generation 0', '"""Rows of generation 0') == before
    assert key("real=(16, 32,", "real=(16, 24, 32,") == before
    assert key("np.ceil(rows", "np.floor(rows") != before
    assert key("np.arange(real)", "1 + np.arange(real)") != before
    assert key('"sample", 1', '"sample", 2') != before
