"""The density of a kernel density estimate: sums of kernels, exact far from the data too, and rules for their bandwidth."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmark.core.history import Examples, History, Weighted
from benchmark.tasks.arrays import Matrix, Vector

Blocks = list[tuple[Matrix, Vector]]
"""Rows at which kernels stand, a few at a time: what exponents are a product with, shape (d + 2, rows), and the weights."""
ROWS_AT_ONCE = 128
"""Kernels are computed for this many rows at a time: half a megabyte at 500 points, which stays in the cache."""
REACH = np.sqrt(80.0)
"""In bandwidths: a kernel farther away is less than e^-40 = 4e-18."""
LEAST_SHARE_IN_REACH = 1e-8
"""A sum of kernels above this share of the weights lost at most 4e-10 of itself to rows out of reach."""
LEAST_EXPONENT = -700.0
"""Lower exponents count as this one, for exp is ten times slower where it underflows (doubles end at e^-745)."""
PLAIN_SUM_IS_EXACT = 1e-280
"""A sum of kernels above this, beside weights of at most 1, lost nothing: e^-700 is 1e-304."""
LEAST_SHARE = 1e-9


@dataclass(frozen=True, eq=False)
class KernelDensity:
    """The mixture of N(x, bandwidth²·I) over the rows x of a training set, with their weights.

    Where it was blended it is a mixture of such mixtures: `others` with their shares, and itself with what is left.
    """

    training_set: Weighted
    bandwidth: float
    factor: float = 1.0  # of the bandwidth that the instance gives these rows
    others: "tuple[tuple[float, KernelDensity], ...]" = ()
    _known: list[Any] = field(default_factory=list)  # test points, and its own log density there

    @property
    def parts(self) -> "list[tuple[float, KernelDensity]]":
        """All mixtures with their shares, which are at least 10⁻⁹."""
        own = 1 - sum(share for share, _ in self.others)
        return [(own, self), *self.others] if own > LEAST_SHARE else list(self.others)

    def log_density(self, points: Examples) -> Vector:
        """Shape (points,), in nats."""
        return _mixed([np.log(share) + part._own_log_density(points) for share, part in self.parts])

    def log_density_at_test(self, test: Examples) -> Vector:
        """The same, going on from what is known at these points."""
        return _mixed([np.log(share) + part._own_at_test(test) for share, part in self.parts])

    def _own_log_density(self, points: Examples) -> Vector:
        rows, weights = self.training_set.expanded()
        sums = _Points(points, self.bandwidth).log_kernel_sums(self.training_set.history.examples[rows], weights)
        return sums - self._log_normalizer(points)

    def _own_at_test(self, test: Examples) -> Vector:
        if not self._known or self._known[0] is not test:
            self._known[:] = test, _log_kernel_sums(self, test) - self._log_normalizer(test)
        values: Vector = self._known[1]
        return values

    def _log_normalizer(self, points: Examples) -> float:
        return float(np.log(self.training_set.mass) + points.shape[1] * np.log(np.sqrt(2 * np.pi) * self.bandwidth))


def _mixed(log_densities: list[Vector]) -> Vector:
    return functools.reduce(np.logaddexp, log_densities)


def score_samples(model: KernelDensity, points: Examples) -> Vector:
    """Log densities by scikit-learn's `KernelDensity` as the paper used it, with its tree and leaves of 40 rows; shape (points,).

    They are wrong far from the data where there are more rows than a leaf has, even at the default tolerances of 0: the tree adds and
    subtracts bounds of its nodes, and what rounding leaves of the largest drowns a small density (scikit-learn issues 7492, 27186).
    """
    from sklearn import neighbors

    parts = []
    for share, part in model.parts:
        rows, weights = part.training_set.expanded()
        tree = neighbors.KernelDensity(bandwidth=part.bandwidth)
        tree.fit(part.training_set.history.examples[rows], sample_weight=None if np.ptp(weights) == 0 else weights)
        parts.append(np.log(share) + tree.score_samples(points))
    return _mixed(parts)


def _effective_size(training_set: Weighted) -> float:
    """(Σw)² / Σw², which is the number of rows where all weigh the same (Kish 1965)."""
    squares = sum((stop - start) * weight**2 for start, stop, weight in training_set.ranges())
    return float(training_set.mass**2 / (squares + training_set.weights @ training_set.weights))


def _scott(training_set: Weighted, d: int) -> float:
    """N^(-1/(d+4)), unscaled by spread, as scikit-learn has it."""
    return float(_effective_size(training_set) ** (-1 / (d + 4)))


def _silverman(training_set: Weighted, d: int) -> float:
    """(N(d+2)/4)^(-1/(d+4)), unscaled by spread, as scikit-learn has it."""
    return float((_effective_size(training_set) * (d + 2) / 4) ** (-1 / (d + 4)))


RULES: dict[str, Callable[[Weighted, int], float]] = {"scott": _scott, "silverman": _silverman}


def _log_kernel_sums(model: KernelDensity, test: Examples) -> Vector:
    """log Σ_i w_i exp(-‖x - x_i‖² / 2h²) at each test point x, over the rows x_i of the training set itself.

    Whole generations at a fixed bandwidth go on from the last iteration's sums; a bandwidth that changes with the
    pool finds nothing to go on from and pays for the whole pool.
    """
    chosen = model.training_set
    points = _points(chosen.history, model.bandwidth, test)
    whole = chosen.of_spans(points.known, points.log_kernel_sums, np.logaddexp)
    parts = [part + np.log(span.weight) for part, span in zip(whole, chosen.spans, strict=True)]
    if len(chosen.rows):
        parts.append(points.log_kernel_sums(chosen.history.examples[chosen.rows], chosen.weights))
    return functools.reduce(np.logaddexp, parts)


def _points(history: History, bandwidth: float, test: Examples) -> "_Points":
    """The test points at a bandwidth: last time's, if it was the same."""
    last: _Points | None = history.memo.get("points")
    if last is None or last.test is not test or last.bandwidth != bandwidth:
        history.memo["points"] = last = _Points(test, bandwidth)
    return last


class _Points:
    """Points x at which kernels are summed.

    The exponents -‖x - x_i‖² / 2h² are a product of matrices (m, d+2) and (d+2, n), so that kernels cost one matrix
    product, one vectorized exp and one product with the weights. Lengths are taken from the middle of the points, so
    that cancellation stays small beside h². Points and rows are sorted along the coordinate in which the points spread
    most: a block of rows then reaches a slice of the points alone, and kernels beyond it are not computed.
    """

    def __init__(self, test: Examples, bandwidth: float) -> None:
        self.test = test
        self.bandwidth = bandwidth
        self.known: dict[tuple[int, int], Vector] = {}
        self._middle = test.mean(axis=0)
        self._main = int(np.ptp(test, axis=0).argmax())
        x = self._scaled(test)
        order = x[self._main].argsort()
        x = x[:, order]
        self._place = order.argsort()  # of each point among the sorted ones
        self._sorted = x[self._main]
        squares = np.einsum("ij,ij->j", x, x)
        self._left = np.vstack([x, -0.5 * squares, np.ones(x.shape[1])]).T.copy()
        self._farthest = np.sqrt(squares.max())
        self._least, self._most = x.min(axis=1), x.max(axis=1)

    def _scaled(self, examples: Examples) -> Matrix:
        """Shape (d, n), in bandwidths from the middle."""
        return np.asarray(np.subtract(examples.T, self._middle[:, None], order="C") / self.bandwidth)

    def log_kernel_sums(self, examples: Examples, weights: Vector | None = None) -> Vector:
        """log Σ_i w_i exp(-‖x - x_i‖² / 2h²) at each point x, shape (m,).

        Plain sums over the rows within reach where no others matter, plain sums over all rows where doubles can hold
        them, and elsewhere sums shifted by the largest exponent.
        """
        y = self._scaled(examples)
        weights = np.ones(y.shape[1]) if weights is None else weights  # a product with ones sums faster than sum()
        apart = np.maximum(y.max(axis=1) - self._least, self._most - y.min(axis=1))  # at most, in each coordinate
        leave_out = y.shape[1] > ROWS_AT_ONCE and apart[self._main] > 2 * REACH  # else most rows reach most points
        if leave_out:
            order = y[self._main].argsort()
            y, weights = y[:, order], weights[order]
        squares = np.einsum("ij,ij->j", y, y)
        rows = _blocks(np.vstack([y, np.ones(y.shape[1]), -0.5 * squares]), weights)
        may_underflow = (self._farthest + np.sqrt(squares.max())) ** 2 > -2 * LEAST_EXPONENT
        if leave_out:
            sums = self._sums_in_reach(rows, apart)
            doubtful = sums < LEAST_SHARE_IN_REACH * weights.sum()
            if doubtful.any():
                sums[doubtful] = _sums(self._left[doubtful], rows, may_underflow)
        else:
            sums = _sums(self._left, rows, may_underflow)
        far = sums < PLAIN_SUM_IS_EXACT * weights.max()
        log_sums = np.log(sums, where=~far, out=np.empty_like(sums))
        if far.any():
            left = self._left[far]
            log_sums[far] = functools.reduce(np.logaddexp, [_shifted_sums(left @ right, w) for right, w in rows])
        return np.asarray(log_sums[self._place])

    def _sums_in_reach(self, rows: Blocks, apart: Vector) -> Vector:
        """Of sorted rows, each block at the points that are no farther than REACH from it along the main coordinate."""
        sums = np.zeros(len(self._left))
        others = apart @ apart - apart[self._main] ** 2
        for right, weights in rows:
            first, last = right[self._main, [0, -1]]
            points = slice(*self._sorted.searchsorted([first - REACH, last + REACH]))
            may_underflow = others + (last - first + REACH) ** 2 > -2 * LEAST_EXPONENT
            sums[points] += _sums(self._left[points], [(right, weights)], may_underflow)
        return sums


def _blocks(right: Matrix, weights: Vector) -> Blocks:
    starts = range(0, len(weights), ROWS_AT_ONCE)
    return [(right[:, start : start + ROWS_AT_ONCE], weights[start : start + ROWS_AT_ONCE]) for start in starts]


def _sums(left: Matrix, rows: Blocks, may_underflow: bool) -> Vector:
    return np.asarray(sum(_exp(left @ right, may_underflow) @ weights for right, weights in rows))


def _shifted_sums(exponents: Matrix, weights: Vector) -> Vector:
    largest: Vector = exponents.max(axis=1)
    exponents -= largest[:, None]
    return largest + np.log(_exp(exponents, may_underflow=True) @ weights)


def _exp(exponents: Matrix, may_underflow: bool) -> Matrix:
    """In place."""
    if may_underflow:
        np.maximum(exponents, LEAST_EXPONENT, out=exponents)
    return np.asarray(np.exp(exponents, out=exponents))
