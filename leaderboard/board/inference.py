"""Tests that rest on several independent samples of different sizes, and their correction for there being many."""

import numpy as np

from benchmark.results.scoring import CONFIDENCE, Vector

LEAST = -200.0  # of log p: beyond it, p is 0


def holm(p_values: Vector) -> list[bool]:
    """Which of these tests reject, at a family-wise error of 5 %: in ascending order, as long as the k-th of n has p ≤ 5 % / (n + 1 - k).

    Source: Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6 (1979).
    """
    ascending = np.argsort(p_values)
    too_large = p_values[ascending] > (1 - CONFIDENCE) / np.arange(len(p_values), 0, -1)
    rejected = np.zeros(len(p_values), bool)
    rejected[ascending] = ~np.logical_or.accumulate(too_large)
    return rejected.tolist()


def p_values(centres: Vector, errors: Vector, freedom: Vector) -> Vector:
    """Of the hypotheses that sums of independent terms are 0, two-sided.

    The smallest error at which the interval of the sum leaves out 0. Its half-width is √Σ (t·error)², t at each term's own degrees
    of freedom, as in `benchmark.results.scoring.pooled`; with one term, the test is the t test.

    Args:
        centres: the sums, shape (tests,).
        errors: standard errors, shape (terms, tests).
        freedom: degrees of freedom, of a shape that broadcasts to that of the errors.

    Returns:
        Shape (tests,): 1 where a sum is 0 or a term has no degree of freedom.
    """
    from scipy.optimize.elementwise import find_root
    from scipy.special import stdtr, stdtrit

    centres = np.abs(centres)
    errors, freedom = np.broadcast_arrays(errors, np.asarray(freedom, float))
    found = np.where((centres == 0) | (freedom < 1).any(axis=0), 1.0, 0.0)
    if len(errors) == 1:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(found == 1, 1.0, 2 * stdtr(freedom[0], -centres / errors[0]))

    def beyond(log_p: Vector, centre: Vector, *terms: Vector) -> Vector:
        error, own = np.array(terms[: len(errors)]), np.array(terms[len(errors) :])
        return np.asarray(np.sqrt(np.sum((stdtrit(own, np.exp(log_p) / 2) * error) ** 2, axis=0)) - centre)

    open_ = found == 0
    open_[open_] = beyond(np.full(int(open_.sum()), LEAST), centres[open_], *errors[:, open_], *freedom[:, open_]) > 0
    if open_.any():
        bracket = np.full(int(open_.sum()), LEAST), np.zeros(int(open_.sum()))
        root = find_root(beyond, bracket, args=(centres[open_], *errors[:, open_], *freedom[:, open_]))
        found[open_] = np.exp(root.x)
    return found
