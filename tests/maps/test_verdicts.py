"""Where the excess falls below a threshold, with its interval."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.results.scoring import Interval
from maps.verdicts import OPEN, SAFE, UNSAFE, boundary, crossing, over_seeds, verdict


@pytest.mark.parametrize(("interval", "word"), [((0.05, 0.01, 0.1), SAFE), ((0.1, 0.05, 0.15), OPEN), ((0.2, 0.11, 0.3), UNSAFE), ((np.inf,) * 3, UNSAFE)])  # fmt: skip
def test_a_verdict_needs_the_whole_interval_on_one_side(interval, word):
    assert verdict(Interval(*interval), 0.1) == word


@given(
    st.lists(st.integers(0, 64), min_size=2, max_size=20, unique=True),
    st.floats(0.2, 50),
    st.floats(0.01, 0.19),
)
def test_known_excess_puts_the_boundary_between_the_shares_around_its_root(shares, steepness, threshold):
    """Excess a·(1 - x) without noise falls below θ at 1 - θ/a: linear, so that the crossing is exact where it is bracketed."""
    shares = [share / 64 for share in sorted({*shares, 64})]
    root = 1 - threshold / steepness
    found = boundary(shares, [Interval(*[steepness * (1 - share)] * 3) for share in shares], threshold)
    assert found.high == min(share for share in shares if steepness * (1 - share) <= threshold)
    if found.low == found.low:
        assert found.low < root <= found.high + 1e-12
        assert found.least == pytest.approx(root)
    else:
        assert found.least == shares[0]


def test_a_share_that_is_unsafe_again_hides_all_smaller_ones():
    """What counts is the share from which on every larger one is safe."""
    low, high = Interval(0.05, 0.04, 0.06), Interval(0.2, 0.19, 0.21)
    assert boundary([0.0, 0.25, 0.5, 0.75, 1.0], [low, low, high, low, low], 0.1)[1:] == (0.5, 0.75)


def test_no_share_is_safe_if_the_largest_is_not():
    found = boundary([0.0, 1.0], [Interval(2, 2, 2), Interval(1, 1, 1)], 0.1)
    assert np.isnan(found.least)
    assert np.isnan(found.high)
    assert found.low == 1.0


def test_a_diverged_share_is_crossed_in_the_middle():
    assert crossing([0.0, 0.5, 1.0], [np.inf, 0.05, 0.0], 0.1) == 0.25


def test_the_interval_holds_the_true_boundary():
    """The mean excess 0.4 (1 - x)², threshold 0.1, so that the boundary is at 0.5; noise of a seed's own, shared by its shares, and of each run.

    `low` is shown to be unsafe and `high` to be safe at 95 % two-sided, so each is wrong in 2.5 % of surveys where one share decides it, and the
    interval may miss in 5 % of 400 surveys: 20, standard deviation 4.4. Several shares near the boundary, each with a test of its own, may double that.
    """
    rng = np.random.default_rng(0)
    shares = np.arange(0, 33) / 32
    missed = 0
    for _ in range(400):
        noise = rng.normal(0, 0.03, (10, 1)) + rng.normal(0, 0.02, (10, 33))
        excess = 0.4 * (1 - shares) ** 2 + noise * (1 - shares)
        found = boundary(list(shares), [over_seeds(column) for column in excess.T], 0.1)
        missed += not (found.low < 0.5 <= found.high)
    assert missed <= 40
