"""The simulation behind leaderboard/statistics.md, small: intervals hold the truth about as often as they say."""

import numpy as np
import pytest

from leaderboard import coverage


@pytest.fixture(scope="module")
def runs():
    return coverage.population(400)


def test_intervals_that_know_of_the_scales_error_hold_the_truth_more_often(runs):
    """At 10 seeds, 200 boards of 7 entries whose errors go together: one standard error is at most √(.05·.95/200) = 1.5 %."""
    truth = {id: float(coverage.scores(runs, id)[0].mean()) for id in coverage.ENTRIES}
    drawn = coverage.boards(runs, 10, 200)
    ours, known = (
        coverage.coverage(runs, lambda board, id, k=k: coverage.scores(board, id)[k], truth, drawn) for k in (1, 0)
    )
    assert abs(ours - 0.95) < 4 * 0.015
    assert known < ours
    assert coverage.rank_coverage(truth, drawn[:40]) > 0.95


def test_a_truth_that_is_elsewhere_is_missed(runs):
    """Else nothing here could fail."""
    drawn = coverage.boards(runs, 30, 20)
    far = {id: float(coverage.scores(runs, id)[0].mean()) + 5 for id in coverage.ENTRIES}
    assert coverage.coverage(runs, lambda board, id: coverage.scores(board, id)[1], far, drawn) < 0.2
    backwards = {id: float(k) for k, id in enumerate(sorted(far, key=far.get, reverse=True))}
    assert coverage.rank_coverage(backwards, drawn) < 0.7
    assert np.isfinite(list(far.values())).all()
