"""Runs and boards as tables: `benchmark.run` and `benchmark.board`."""

import numpy as np
import pytest

import benchmark
from benchmark.core.loop import run
from benchmark.errors import BadEntry, BadParams, TrackBroken
from benchmark.tasks.gaussian import Gaussian
from leaderboard.board.committed import read_board
from tests.conftest import Fixed, entry

INSTANCE = {"task": "gaussian", "d": 2, "n": 20}


def test_a_run_is_that_of_the_loop():
    table = benchmark.run("accumulate", INSTANCE, seeds=[3, 5], horizon=4)
    one = entry("accumulate")
    expected = [
        record["test_loss"] for seed in (3, 5) for record in run(Gaussian(d=2, n=20), one.make, one.rules, seed, 4)
    ]
    np.testing.assert_array_equal(table["test_loss"], expected)
    assert set(zip(table["task"], table["instance"], table["entry"], strict=True)) == {
        ("gaussian", "d=2 n=20", "accumulate")
    }
    np.testing.assert_allclose(table["excess"], table["test_loss"] - table["real_loss"])


def test_a_class_needs_no_folder():
    class Everything(Fixed):
        pass

    by_class = benchmark.run(Everything, INSTANCE, 2, horizon=4, budget="growing")
    by_id = benchmark.run("accumulate", INSTANCE, 2, horizon=4)
    np.testing.assert_array_equal(by_class["test_loss"], by_id["test_loss"])
    assert set(by_class["entry"]) == {"Everything"}
    by_object = benchmark.run(Everything, Gaussian(d=2, n=20), 2, horizon=4, budget="growing")
    np.testing.assert_array_equal(by_class["test_loss"], by_object["test_loss"])


def test_what_cannot_be_run_is_refused():
    class Peeks(Fixed):
        answer = staticmethod(lambda context, pool: pool.real().all())

    with pytest.raises(TrackBroken):
        benchmark.run(Peeks, INSTANCE, 1, horizon=2)
    with pytest.raises(BadEntry, match="no entry 'acumulate'. Did you mean 'accumulate'"):
        benchmark.run("acumulate", INSTANCE)
    with pytest.raises(BadParams, match="no task-setting 'gausian'. Did you mean 'gaussian'"):
        benchmark.run("accumulate", {"task": "gausian"})
    with pytest.raises(BadParams, match="gaussian: n: "):
        benchmark.run("accumulate", {"task": "gaussian", "d": 2, "n": 1})
    with pytest.raises(AttributeError, match="module 'benchmark' has no attribute 'boards'"):
        _ = benchmark.boards


def test_the_board_is_that_of_the_file(root):
    table = benchmark.board()
    board = read_board(root / "leaderboard" / "leaderboard.json")
    rows = {row.entry: row for division in board.divisions for row in division.rows}
    ranks = table.dropna(subset="rank").set_index("entry")["rank"]
    assert ranks.to_dict() == {id: row.rank for id, row in rows.items() if row.rank is not None}
    assert {"win_rate", "gaussian_score", "cost"} <= set(table)
