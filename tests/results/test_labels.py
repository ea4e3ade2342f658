"""Shared by board, figures and report: titles, the order of verdicts, and how intervals are written."""

import numpy as np
import pytest
from scipy import stats

from benchmark.results import labels
from benchmark.results.scoring import half_width
from benchmark.tasks import TASKS
from leaderboard.board.schema import Estimate


def test_every_task_setting_has_a_title():
    assert all(labels.task_title(name)[0].isupper() for name in TASKS)
    assert labels.task_title("pretraining") == "pretraining"


def test_the_worst_verdict_is_the_first_in_the_order():
    assert labels.worst(["thrives", "degrades", "stable"]) == "degrades"
    assert labels.worst([]) is None


@pytest.mark.parametrize(
    ("centre", "low", "above"), [(None, None, True), (1.0, 0.1, True), (1.0, 0.0, False), (1.0, None, False)]
)
def test_an_interval_is_above_zero_where_its_lower_end_is(centre, low, above):
    assert labels.above_zero(centre, low) is above


def test_a_number_without_an_interval_has_no_brackets():
    assert labels.with_interval(1.234, 1, 1.5, "{:.2f}".format) == "1.23 [1.00, 1.50]"
    assert labels.with_interval(1.234, np.nan, np.nan, "{:.2f}".format) == "1.23"


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(centre=1.234, low=1, high=1.5), "1.23 [1.00, 1.50]"),
        (Estimate(centre=-0.001, low=None, high=None), "0.00"),
        (Estimate(centre=None, low=None, high=None), "+inf"),
    ],
)
def test_an_estimate_of_the_board_has_two_decimals_and_no_negative_zero(estimate, text):
    assert str(estimate) == text


def test_the_half_width_is_that_of_the_t_interval_and_of_the_normal_one():
    assert half_width(2.0, 9) == pytest.approx(stats.t.interval(0.95, 9, 0, 2)[1])
    assert half_width(2.0, np.inf) == pytest.approx(stats.norm.interval(0.95, 0, 2)[1])
