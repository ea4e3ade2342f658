"""One's own vectors: what a file must be, and that the task-settings on it are those of the paper."""

import shutil
from dataclasses import fields

import numpy as np
import pytest

from benchmark.core.history import History, real_data_only
from benchmark.core.loop import run, start_of
from benchmark.core.requests import NEUTRAL
from benchmark.errors import BadParams, PinMismatch, ThriveError
from benchmark.results.profile import Scope, run_profile
from benchmark.runs import pins
from benchmark.runs.params import task_of
from benchmark.runs.project import Project
from benchmark.tasks.own_gaussian import OwnGaussian
from benchmark.tasks.own_kde import OwnKDE
from benchmark.tasks.own_vectors import vectors
from tests.conftest import entry, tiny_profile


@pytest.fixture
def rows() -> np.ndarray:
    return np.random.default_rng(0).normal([1, -2], [0.5, 3], (120, 2))


@pytest.fixture
def file(tmp_path, rows) -> str:
    np.save(tmp_path / "mine.npy", rows)
    return str(tmp_path / "mine.npy")


def test_a_table_and_an_array_are_the_same_rows(tmp_path, rows, file):
    lines = ["name,height,width", *(f"x,{a!r},{b!r}" for a, b in rows.tolist())]
    (tmp_path / "mine.csv").write_text("\n".join(lines))
    np.testing.assert_array_equal(vectors(tmp_path / "mine.csv", "height width"), rows)
    np.testing.assert_array_equal(vectors(tmp_path / "mine.csv", "width")[:, 0], rows[:, 1])
    assert OwnKDE(file=str(tmp_path / "mine.csv"), columns="width", bandwidth=0.5, n=20).dimension == 1


@pytest.mark.parametrize(
    ("name", "content", "columns", "why"),
    [
        ("a.csv", "a,b\n1,2\n3,\n", "", "b, row 2: found nan"),
        ("a.csv", "a,b\n1,2\n3,inf\n", "", "b, row 2: found inf"),
        ("a.csv", "a,b\n1,x\n3,4\n", "", "b: found (object|str), expected numbers in every row"),
        ("a.csv", "a,b\n1,2\n3,4\n", "a c", "found no 'c', expected some of a, b"),
        ("a.csv", "a,b\n1,2\n1,4\n", "", "a: all cells are 1. Leave the column out"),
        ("a.csv", "", "", "no CSV file that can be read"),
        ("a.csv", "a,b\n", "", "(no rows|expected numbers)"),
        ("a.csv", b"\xff\xfe\x00", "", "no CSV file that can be read"),
        ("a.npy", "a,b\n1,2\n", "", "no NumPy array that can be read"),
        ("a.npy", np.zeros(3), "", r"found float64 of shape \(3,\), expected numbers of shape \(rows, columns\)"),
        ("a.npy", np.array([["a"]]), "", "found <U1 of shape"),
        ("a.npy", np.array([[{}]], object), "", "no NumPy array that can be read"),
        ("a.npy", np.ones((3, 2)), "x", "an array, whose columns have no names"),
        ("a.txt", "1 2", "", "expected .csv or .npy"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused(tmp_path, name, content, columns, why):
    path = tmp_path / name
    if isinstance(content, np.ndarray):
        np.save(path, content, allow_pickle=True)
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ThriveError, match=why):
        vectors(path, columns)


def test_a_file_that_is_missing_or_too_short_is_an_obstacle(tmp_path, file):
    assert OwnGaussian(file=file, n=80).obstacle is None
    assert "n: found 81, expected at most 80" in OwnGaussian(file=file, n=81).obstacle
    assert "no such file" in OwnKDE(file=str(tmp_path / "none.csv"), bandwidth=1.0, n=8).obstacle
    both = np.random.default_rng(0).normal(size=(60, 1)) @ np.ones((1, 2))
    np.save(tmp_path / "line.npy", both)
    assert "linearly dependent" in OwnGaussian(file=str(tmp_path / "line.npy"), n=20).obstacle
    with pytest.raises(
        BadParams, match=r"own_kde: file: found 'a\\nb.csv', expected a name without control characters"
    ):
        task_of("own_kde", {"file": "a\nb.csv", "bandwidth": 1.0, "n": 8})
    with pytest.raises(BadParams, match="no task-setting 'own-kde'. Did you mean 'own_kde'"):
        task_of("own-kde", {})


@pytest.mark.parametrize(
    "make", [lambda file: OwnKDE(file=file, bandwidth=0.7, n=50), lambda file: OwnGaussian(file=file, n=50)]
)
def test_real_and_test_rows_are_rows_of_the_file_and_not_the_same(make, file, rows):
    task = make(file)
    assert {"d", "data"}.isdisjoint(field.name for field in fields(task))
    world = task.world(np.random.default_rng(3))
    real = task.real_data(world, 50, np.random.default_rng(4))
    more = task.real_data(world, 20, np.random.default_rng(4), skip=50)
    everything = [tuple(row) for row in np.concatenate([real, more, world.test])]
    assert len(set(everything)) == 50 + 20 + 40
    assert set(everything) <= {tuple(row) for row in rows}
    assert {tuple(row) for row in task.held_back(world, 10, np.random.default_rng(4))} <= {
        tuple(r) for r in world.train[70:]
    }
    with pytest.raises(ThriveError, match="81 real rows asked for, and the file has 80"):
        task.real_data(world, 31, np.random.default_rng(4), skip=50)


def test_the_loss_of_a_gaussian_is_that_of_held_out_rows(file):
    """As scipy has it, of the maximum-likelihood fit."""
    from scipy.stats import multivariate_normal

    task = OwnGaussian(file=file, n=50)
    start = start_of(task, 0)
    model = multivariate_normal(start.real.mean(axis=0), np.cov(start.real.T, ddof=0))
    assert start.loss == pytest.approx(-model.logpdf(start.test.rows).mean())
    spot = task.fit(
        real_data_only(History(np.repeat(start.real[:1], 50, axis=0))), NEUTRAL, lambda: np.random.default_rng(0)
    )
    assert task.test_loss(spot, start.test) == np.inf


def test_replace_loses_the_spread_of_a_file_and_accumulate_less(file):
    for make in (lambda: OwnGaussian(file=file, n=30), lambda: OwnKDE(file=file, bandwidth=0.7, n=30)):
        found = entry("replace"), entry("accumulate")
        last = [
            np.mean([list(run(make(), e.make, e.rules, seed, 20))[-1]["test_loss"] for seed in range(6)]) for e in found
        ]
        assert last[1] < last[0]


def test_a_profile_runs_on_a_pinned_file_whose_content_counts_in_the_key(tmp_path, root, rows):
    (tmp_path / "own").mkdir()
    file = tmp_path / "own" / "mine.npy"
    np.save(file, rows)
    suites = (
        f"own_gaussian: {{horizon: 3, seeds: 2, instances: [{{file: {file}, n: 20, seconds: 0.01}}]}}",
        f"own_kde: {{horizon: 3, seeds: 2, instances: [{{file: {file}, bandwidth: 0.7, n: 20, seconds: 0.01}}]}}",
    )
    pin = "pins:\n  mine:\n    folder: own\n    source: measured by myself\n"
    (tmp_path / "params.yaml").write_text(tiny_profile(*suites).replace("pins: {}\n", pin))
    pins.write(tmp_path, "mine")
    for id in ("replace", "accumulate"):
        shutil.copytree(root / "baselines" / id, tmp_path / "baselines" / id)
    scope = Scope(Project.load(tmp_path))
    done = run_profile(scope, 1)
    assert not done.failures
    assert len(done.plan.to_do) == 4
    before = {cell.key for cells in scope.cells.values() for cell in cells}
    np.save(file, rows + 1)
    vectors.cache_clear()
    with pytest.raises(PinMismatch, match="mine.npy"):
        Scope(Project.load(tmp_path)).cells  # noqa: B018
    pins.write(tmp_path, "mine")
    after = {cell.key for cells in Scope(Project.load(tmp_path)).cells.values() for cell in cells}
    assert not before & after
