"""The density of a kernel density estimate: sums of kernels, exact even far from the data, and rules for the bandwidth."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmark.core.history import Examples, History, Weighted
from benchmark.tasks.arrays import Matrix, Vector

Blocks = list[tuple[Matrix, Vector]]
"""The rows under the kernels, in blocks: the right factor of the exponents' matrix product, shape (d + 2, rows), and the weights."""
ROWS_AT_ONCE = 128
"""Kernels are computed for this many rows at a time: at 500 points that takes half a megabyte, which stays in the cache."""
REACH = np.sqrt(80.0)
"""In bandwidths: a kernel farther away is less than e^-40 = 4e-18."""
LEAST_SHARE_IN_REACH = 1e-8
"""If a sum of kernels is above this share of the weights, the rows out of reach would add at most 4e-10 of it."""
LEAST_EXPONENT = -700.0
"""Lower exponents are raised to this one, because exp is ten times slower when it underflows (doubles end at e^-745)."""
PLAIN_SUM_IS_EXACT = 1e-280
"""With weights of at most 1, a sum of kernels above this has lost no digit to the raised exponents: e^-700 is 1e-304."""
LEAST_SHARE = 1e-9


@dataclass(frozen=True, eq=False)
class KernelDensity:
    """The mixture of N(x, bandwidth²·I) over the rows x of a training set, with their weights.

    A blended model is a mixture of such mixtures: `others` have the shares given, and this one has the rest.
    """

    training_set: Weighted
    bandwidth: float
    factor: float = 1.0  # bandwidth over the bandwidth that the instance gives these rows
    others: "tuple[tuple[float, KernelDensity], ...]" = ()
    _known: list[Any] = field(default_factory=list)  # a cache: test points, and this mixture's log density there

    @property
    def parts(self) -> "list[tuple[float, KernelDensity]]":
        """All mixtures with their shares. A share below 10⁻⁹ is left out."""
        own = 1 - sum(share for share, _ in self.others)
        return [(own, self), *self.others] if own > LEAST_SHARE else list(self.others)

    def log_density(self, points: Examples) -> Vector:
        """Shape (points,), in nats."""
        return _mixed([np.log(share) + part._own_log_density(points) for share, part in self.parts])

    def log_density_at_test(self, test: Examples) -> Vector:
        """The same at the test points, where what earlier iterations computed is reused."""
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
    """Log densities by scikit-learn's `KernelDensity` as the paper used it, with a tree whose leaves have 40 rows; shape (points,).

    With more rows than a leaf has, they are wrong far from the data, even at the default tolerances of 0. The tree adds and subtracts
    bounds of its nodes, and the rounding error of the largest bound exceeds a small density (scikit-learn issues 7492, 27186).
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
    """(Σw)² / Σw², which is the number of rows if all weigh the same (Kish 1965)."""
    squares = sum((stop - start) * weight**2 for start, stop, weight in training_set.ranges())
    return float(training_set.mass**2 / (squares + training_set.weights @ training_set.weights))


def _scott(training_set: Weighted, d: int) -> float:
    """N^(-1/(d+4)), not scaled by the data's spread, as in scikit-learn."""
    return float(_effective_size(training_set) ** (-1 / (d + 4)))


def _silverman(training_set: Weighted, d: int) -> float:
    """(N(d+2)/4)^(-1/(d+4)), not scaled by the data's spread, as in scikit-learn."""
    return float((_effective_size(training_set) * (d + 2) / 4) ** (-1 / (d + 4)))


RULES: dict[str, Callable[[Weighted, int], float]] = {"scott": _scott, "silverman": _silverman}


def _log_kernel_sums(model: KernelDensity, test: Examples) -> Vector:
    """log Σ_i w_i exp(-‖x - x_i‖² / 2h²) at each test point x, over the rows x_i of the training set itself.

    At a fixed bandwidth, the sums over whole generations continue those of the last iteration. A bandwidth that changes with the pool
    has no earlier sums to continue, and costs a pass over the whole pool.
    """
    chosen = model.training_set
    points = _points(chosen.history, model.bandwidth, test)
    whole = chosen.of_spans(points.known, points.log_kernel_sums, np.logaddexp)
    parts = [part + np.log(span.weight) for part, span in zip(whole, chosen.spans, strict=True)]
    if len(chosen.rows):
        parts.append(points.log_kernel_sums(chosen.history.examples[chosen.rows], chosen.weights))
    return functools.reduce(np.logaddexp, parts)


def _points(history: History, bandwidth: float, test: Examples) -> "_Points":
    """The test points at a bandwidth: those of the last iteration, if bandwidth and test points are the same."""
    last: _Points | None = history.memo.get("points")
    if last is None or last.test is not test or last.bandwidth != bandwidth:
        history.memo["points"] = last = _Points(test, bandwidth)
    return last


class _Points:
    """Points x at which kernels are summed.

    The exponents -‖x - x_i‖² / 2h² are a product of two matrices, (m, d+2) and (d+2, n). So all kernels together cost one matrix
    product, one vectorized exp and one product with the weights. Coordinates are taken from the middle of the points, so that
    cancellation stays small compared to h². Points and rows are sorted along the coordinate in which the points spread most: a
    block of rows then reaches only a slice of the points, and the kernels beyond it are not computed.
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
        """Coordinates from the middle, in bandwidths, shape (d, n)."""
        return np.asarray(np.subtract(examples.T, self._middle[:, None], order="C") / self.bandwidth)

    def log_kernel_sums(self, examples: Examples, weights: Vector | None = None) -> Vector:
        """log Σ_i w_i exp(-‖x - x_i‖² / 2h²) at each point x, shape (m,).

        A plain sum over the rows within reach is taken at points where no other row matters, a plain sum over all rows where it
        fits into a double, and elsewhere a sum shifted by the largest exponent.
        """
        y = self._scaled(examples)
        weights = np.ones(y.shape[1]) if weights is None else weights  # a product with ones sums faster than sum()
        apart = np.maximum(y.max(axis=1) - self._least, self._most - y.min(axis=1))  # at most, by coordinate
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
        """Sums over sorted rows: each block counts at the points within REACH of it along the main coordinate."""
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
