"""Times to collapse of a discrete distribution: coalescence compared with the Markov chain of counts."""

import numpy as np
import pytest
from scipy.stats import binom, multinomial

from benchmark.tasks.discrete import Discrete
from paper.experiments import collapse_time
from tests.conftest import assert_mean


@pytest.mark.parametrize("n", [2, 5, 20])
def test_two_outcomes_as_the_linear_system_of_counts_has_it(n):
    """Absorption of the Wright-Fisher chain with transient states 1 … n - 1, started by a draw of n real examples."""
    inner = np.arange(1, n)
    transitions = binom.pmf(inner, n, inner[:, None] / n)
    times = np.linalg.solve(np.eye(n - 1) - transitions, np.ones(n - 1))
    assert collapse_time.exact(2, n) == pytest.approx(1 + binom.pmf(inner, n, 0.5) @ times, rel=1e-12)


def test_three_outcomes_as_the_linear_system_of_counts_has_it():
    n = 6
    states = [(i, j, n - i - j) for i in range(n + 1) for j in range(n + 1 - i)]
    alive = [s for s in states if max(s) < n]
    transitions = np.array([[multinomial.pmf(b, n, np.array(a) / n) for b in alive] for a in alive])
    times = np.linalg.solve(np.eye(len(alive)) - transitions, np.ones(len(alive)))
    begun = [multinomial.pmf(a, n, [1 / 3] * 3) for a in alive]
    assert collapse_time.exact(3, n) == pytest.approx(1 + begun @ times, rel=1e-12)


def test_large_n_tends_to_the_diffusion():
    """1.896 n for K = 10."""
    assert collapse_time.diffusion(10, 1) == pytest.approx(1.8965, abs=5e-5)
    assert collapse_time.exact(10, 2000) == pytest.approx(collapse_time.diffusion(10, 2000), rel=1e-3)


@pytest.mark.parametrize(("outcomes", "n"), [(2, 4), (10, 10)])
def test_the_loop_takes_as_long(outcomes, n):
    times = [collapse_time.time_to_collapse(Discrete(outcomes, n), seed) for seed in range(1000)]
    assert_mean(np.array(times), collapse_time.exact(outcomes, n))
