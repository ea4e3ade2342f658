"""Kernel density estimation on four synthetic data sets, with a Gaussian kernel.

Source: Kazdan et al., Collapse or Thrive? (ICML 2025), section 3. Data sets: scikit-learn's, with the paper's noise.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Interval
from numpy.typing import NDArray

from benchmark.core.history import Examples, History, Weighted, real_data_only
from benchmark.core.requests import NEUTRAL_REQUEST
from benchmark.core.task import Sampled, Start
from benchmark.errors import ContractBroken

if TYPE_CHECKING:
    from numpy.random import Generator

    from benchmark.core.requests import FitOptions, SampleRequest

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Rule = Literal["scott", "silverman"]
Blocks = list[tuple[Matrix, Vector]]
"""Rows at which kernels stand, a few at a time: what exponents are a product with, shape (d + 2, rows), and the weights."""

HELD_OUT = 500
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
LEAST_NOISE = 0.1
"""Of a sample's variance around its row, relative to the neutral h²."""
NEAR = 0.1
"""In neutral bandwidths: a row that is nearer to a real one may be its copy."""
NEUTRAL_ROWS = 2000
NEIGHBOURS = 5


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


@dataclass(frozen=True)
class KDE:
    """An instance: data set, bandwidth (a number, or a rule for the number of rows), n examples a generation."""

    kind: ClassVar[Literal["vectors", "text"]] = "vectors"
    unit: ClassVar[str] = "nats per example"
    knobs: ClassVar[frozenset[str]] = frozenset(
        {"bandwidth_rule", "bandwidth_factor", "temperature", "preserve_variance", "blend"}
    )
    seeds_per_cell: ClassVar[int] = 10
    files: ClassVar[dict[str, Path]] = {}

    data: Literal["blobs", "circles", "moons", "swiss_roll"]
    bandwidth: Annotated[float, Interval(ge=1e-4, le=1e4)] | Rule
    n: Annotated[int, Interval(ge=2, le=10**7)]  # diagnostics need a neighbour
    sampler_temperature: Annotated[float, Interval(ge=0.01, le=100)] = 1.0
    """Which the instance's sampler adds to everyone's."""
    blobs_share_centres: bool = True
    """False as published: held-out blobs then come from other centres than the training blobs."""
    densities: Literal["exact", "scikit-learn"] = "exact"
    """`scikit-learn` as published: the test loss is then wrong far from the data (see `_score_samples`). It changes nothing else."""

    @property
    def name(self) -> str:
        sampler = "" if self.sampler_temperature == 1 else f" τ={self.sampler_temperature}"
        published = "" if self.blobs_share_centres else " as published"
        densities = "" if self.densities == "exact" else f" densities={self.densities}"
        return f"{self.data} h={self.bandwidth} n={self.n}{sampler}{published}{densities}"

    @property
    def dimension(self) -> int:
        return 3 if self.data == "swiss_roll" else 2

    def world(self, rng: "Generator") -> Examples:
        """Two sets of three cluster centres, shape (2, 3, 2), uniform in [-10, 10]²: only blobs use them."""
        return rng.uniform(-10, 10, (2, 3, 2))

    def real_data(self, world: Examples, count: int, rng: "Generator", skip: int = 0) -> Examples:
        """Shape (count, dimension)."""
        return DATA_SETS[self.data](world[0], count, rng)

    def held_back(self, world: Examples, count: int, rng: "Generator") -> Examples:
        return self.real_data(world, count, rng)

    def held_out(self, world: Examples, rng: "Generator") -> Examples:
        """500 points, shape (500, dimension)."""
        return DATA_SETS[self.data](world[0 if self.blobs_share_centres else 1], HELD_OUT, rng)

    def fit(self, training_set: Weighted, options: "FitOptions", draw_rng: Callable[[], "Generator"]) -> KernelDensity:
        bandwidth = neutral = self._by(self.bandwidth, training_set)
        if options.bandwidth_rule is not None:
            bandwidth = self._by(options.bandwidth_rule, training_set)
        bandwidth *= options.bandwidth_factor
        return KernelDensity(training_set, bandwidth, bandwidth / neutral)

    def _by(self, rule: float | Rule, training_set: Weighted) -> float:
        return rule if isinstance(rule, (int, float)) else RULES[rule](training_set, self.dimension)

    def test_loss(self, model: KernelDensity, test: Examples) -> float:
        """Mean of -log p(x) over the test points, in nats per example."""
        log_density = model.log_density_at_test if self.densities == "exact" else partial(_score_samples, model)
        return -float(log_density(test).mean())

    def simplest_loss(self, real: Examples, test: Examples) -> float:
        """Of one Gaussian, fitted to the real data by maximum likelihood."""
        from scipy.stats import multivariate_normal

        normal = multivariate_normal(real.mean(axis=0), np.cov(real.T, ddof=0), allow_singular=True)
        return -float(normal.logpdf(test).mean())

    def sample(self, model: KernelDensity, count: int, request: "SampleRequest", rng: "Generator") -> Sampled:
        """Rows of the training set plus N(0, τh²I); shape (count, dimension).

        Raises:
            ContractBroken: so little noise that rows of the training set come back, real ones too, as synthetic.
        """
        parts = model.parts
        for _, part in parts:
            _refuse_copies(request.temperature * part.factor**2)
        if len(parts) == 1:
            return Sampled(self._sample_of(model, count, request, rng), {})
        shares = np.array([share for share, _ in parts])
        part_of = rng.choice(len(parts), count, p=shares / shares.sum())
        examples = np.empty((count, self.dimension))
        for k, (_, part) in enumerate(parts):
            examples[part_of == k] = self._sample_of(part, int((part_of == k).sum()), request, rng)
        return Sampled(examples, {})

    def _sample_of(self, part: KernelDensity, count: int, request: "SampleRequest", rng: "Generator") -> Examples:
        temperature = request.temperature * self.sampler_temperature
        rows = _draw_rows(part.training_set, count, rng)
        noise = rng.standard_normal((count, self.dimension))
        noise *= np.sqrt(temperature) * part.bandwidth
        examples: Examples = part.training_set.history.examples[rows] + noise
        return _shrunk(examples, part, temperature) if request.preserve_variance else examples

    def features(self, examples: Examples, rng: "Generator") -> Matrix:
        """The examples, turned, scaled by e^±1 and shifted: "two moons" is no shortcut there."""
        turned = np.linalg.qr(rng.standard_normal((self.dimension, self.dimension)))[0]
        scale, offset = np.exp(rng.uniform(-1, 1)), 10 * rng.standard_normal(self.dimension)
        return np.asarray(scale * examples @ turned + offset)

    def log_likelihood(self, model: KernelDensity, examples: Examples, per_token: bool) -> Vector:
        """An example is one token."""
        return model.log_density(examples)

    def log_ratio(self, held_back: Examples, model: KernelDensity, examples: Examples) -> Vector:
        """By kernels of the model's bandwidth on the held-back examples."""
        real = KernelDensity(real_data_only(History(held_back)), model.bandwidth)
        return real.log_density(examples) - model.log_density(examples)

    def blend(self, model: KernelDensity, other: KernelDensity, weight: float) -> KernelDensity:
        """A mixture; parts with next to no share are left out, so that a long chain of blends stays short."""
        parts = [(weight * share, part) for share, part in other.parts]
        others = tuple((share, replace(part, others=())) for share, part in parts if share > LEAST_SHARE)
        return replace(model, others=others)

    def away(self, model: KernelDensity, other: KernelDensity, weight: float) -> KernelDensity:
        raise NotImplementedError("a difference of densities is no density: `knobs` has no 'negative'")

    def diagnostics(self, model: KernelDensity, generation: Examples, start: Start, *, full: bool) -> dict[str, float]:
        """Bandwidth, covariance trace of the generation and share of it that copies real rows; with `full` more of its neighbours.

        That is entropy, precision, recall and entanglement, and how far real rows are.
        """
        centred = generation - generation.mean(axis=0)
        cheap = {
            "bandwidth": model.bandwidth,
            "covariance_trace": float(np.vdot(centred, centred)) / len(generation),
            "copied_share": _share_near(self._real_rows(start)[0], generation, NEAR * start.model.bandwidth),
        }
        return cheap | (self._full_diagnostics(generation, start) if full else {})

    def _full_diagnostics(self, generation: Examples, start: Start) -> dict[str, float]:
        to_real = self._real_rows(start)[0].query(generation)[0]
        return {
            "nearest_real": float(np.median(to_real)) / start.model.bandwidth,
            "repeated_share": 1 - len(np.unique(generation, axis=0)) / len(generation),
            **_neighbour_diagnostics(generation, start.test),
            **self._entanglement(generation, start),
        }

    def refuse_copies(self, generation: Examples, start: Start) -> None:
        """Refuse rows within a tenth of the neutral bandwidth of a real row, where they are too many for chance.

        By five standard deviations they are more than the neutral sampler has at iteration 1, and more than those that are as near to as
        many held-out real rows, which rows that only lie where real ones are dense are too.
        """
        from scipy.stats import binom, norm

        tree, neutral = self._real_rows(start)
        n, distance = len(generation), NEAR * start.model.bandwidth
        copied = _share_near(tree, generation, distance)
        if copied <= neutral:
            return
        most = float(binom.isf(norm.sf(5), n, neutral)) / n
        m = min(len(start.real), len(start.test))
        among, held_out = (_share_near(_tree(rows[:m]), generation, distance) for rows in (start.real, start.test))
        if copied > most and among - held_out > 5 * np.sqrt(2 * max(held_out, 1 / n) / n):
            raise ContractBroken(
                f"{copied:.3g} of the rows are within {NEAR} bandwidths of a real row: expected at most {most:.3g}, for more "
                "are real rows under a synthetic label."
            )

    def _real_rows(self, start: Start) -> tuple[Any, float]:
        """A tree of generation 0, and the share of the neutral sampler's rows that are near one of them, three errors up."""
        known = start.model.training_set.history.memo
        if "real rows" not in known:
            tree, rng = _tree(start.real), np.random.default_rng(0)
            neutral = self._sample_of(start.model, NEUTRAL_ROWS, NEUTRAL_REQUEST, rng)
            share = _share_near(tree, neutral, NEAR * start.model.bandwidth)
            known["real rows"] = tree, share + 3 * np.sqrt(max(share, 1 / NEUTRAL_ROWS) / NEUTRAL_ROWS)
        found: tuple[Any, float] = known["real rows"]
        return found

    def _entanglement(self, generation: Examples, start: Start) -> dict[str, float]:
        """The share of the generation that lies between modes.

        That is: the nearest test point of another component is less than twice as far as the nearest of all.
        """
        from scipy.spatial import cKDTree

        if self.data not in COMPONENTS:
            return {}
        places, labels = COMPONENTS[self.data](start.world[0 if self.blobs_share_centres else 1])
        of_test = labels[cKDTree(places).query(start.test)[1]]
        apart = np.sort([cKDTree(start.test[of_test == c]).query(generation)[0] for c in np.unique(of_test)], axis=0)
        return {"entanglement": float((apart[1] < 2 * apart[0]).mean())}

    def show(self, generation: Examples) -> list[str]:
        return []


def _tree(rows: Examples) -> Any:
    from scipy.spatial import cKDTree

    return cKDTree(rows)


def _share_near(tree: Any, rows: Examples, distance: float) -> float:
    """The share of rows that are nearer than this to a point of the tree."""
    return float(np.isfinite(tree.query(rows, distance_upper_bound=distance)[0]).mean())


def _refuse_copies(noise: float) -> None:
    if noise < LEAST_NOISE * (1 - 1e-9):  # the factor is a quotient
        raise ContractBroken(
            f"temperature·bandwidth_factor² is {noise:g}: expected at least {LEAST_NOISE}, for less hands back training rows."
        )


def _score_samples(model: KernelDensity, points: Examples) -> Vector:
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


def _random_state(rng: "Generator") -> np.random.RandomState:
    """scikit-learn draws from NumPy's older generator."""
    return np.random.RandomState(rng.integers(2**32))


def _blobs(centres: Examples, count: int, rng: "Generator") -> Examples:
    from sklearn.datasets import make_blobs

    points: Examples = make_blobs(count, centers=centres, cluster_std=1.0, random_state=_random_state(rng))[0]
    return points


def _circles(centres: Examples, count: int, rng: "Generator") -> Examples:
    from sklearn.datasets import make_circles

    points: Examples = make_circles(count, noise=0.05, factor=0.8, random_state=_random_state(rng))[0]
    return points


def _moons(centres: Examples, count: int, rng: "Generator") -> Examples:
    from sklearn.datasets import make_moons

    points: Examples = make_moons(count, noise=0.05, random_state=_random_state(rng))[0]
    return points


def _swiss_roll(centres: Examples, count: int, rng: "Generator") -> Examples:
    from sklearn.datasets import make_swiss_roll

    points: Examples = make_swiss_roll(count, noise=0.05, random_state=_random_state(rng))[0]
    return points


DATA_SETS: dict[str, Callable[[Examples, int, "Generator"], Examples]] = {
    "blobs": _blobs,
    "circles": _circles,
    "moons": _moons,
    "swiss_roll": _swiss_roll,
}


def _arcs(make: Callable[..., Any], **shape: float) -> tuple[Examples, NDArray[np.int64]]:
    points, labels = make(200, shuffle=False, **shape)
    return points, labels


def _of_blobs(centres: Examples) -> tuple[Examples, NDArray[np.int64]]:
    return centres, np.arange(len(centres))


def _of_circles(centres: Examples) -> tuple[Examples, NDArray[np.int64]]:
    from sklearn.datasets import make_circles

    return _arcs(make_circles, factor=0.8)


def _of_moons(centres: Examples) -> tuple[Examples, NDArray[np.int64]]:
    from sklearn.datasets import make_moons

    return _arcs(make_moons)


COMPONENTS: dict[str, Callable[[Examples], tuple[Examples, NDArray[np.int64]]]] = {
    "blobs": _of_blobs,
    "circles": _of_circles,
    "moons": _of_moons,
}
"""Places without noise on each component of a data set that has several, and which component each is of."""


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


def _draw_rows(training_set: Weighted, count: int, rng: "Generator") -> NDArray[np.int64]:
    """Rows with probability proportional to their weights, without listing the pool."""
    target = rng.random(count) * training_set.mass
    rows = np.empty(count, np.int64)
    done = 0.0
    for start, stop, weight in training_set.ranges():
        inside = target >= done
        rows[inside] = np.minimum(start + ((target[inside] - done) / weight).astype(np.int64), stop - 1)
        done += (stop - start) * weight
    if len(training_set.rows):
        inside = target >= done
        place = np.searchsorted(np.cumsum(training_set.weights), target[inside] - done, side="right")
        rows[inside] = training_set.rows[np.minimum(place, len(training_set.rows) - 1)]
    return rows


def _shrunk(examples: Examples, model: KernelDensity, temperature: float) -> Examples:
    """Shrink towards the mean, per coordinate, by √(s² / (s² + τh²)), s² the training set's variance.

    Source: Silverman and Young, The bootstrap: to smooth or not to smooth? (1987), section 2.
    """
    rows, weights = model.training_set.expanded()
    data = model.training_set.history.examples[rows]
    mean = np.average(data, axis=0, weights=weights)
    variance = np.average((data - mean) ** 2, axis=0, weights=weights)
    shrunk: Examples = mean + (examples - mean) * np.sqrt(variance / (variance + temperature * model.bandwidth**2))
    return shrunk


def _neighbour_diagnostics(generation: Examples, test: Examples) -> dict[str, float]:
    """Entropy of the generation, and its precision and recall against the test points, by nearest neighbours.

    Source: Kozachenko and Leonenko (1987) for the entropy, first neighbour; Kynkäänniemi et al., Improved precision and
    recall metric for assessing generative models (2019), eqs. 1-3, five neighbours.
    """
    from scipy.spatial import cKDTree
    from scipy.spatial.distance import cdist
    from scipy.special import digamma, gammaln

    n, d = generation.shape
    k = min(NEIGHBOURS, n - 1)
    own = np.asarray(cKDTree(generation).query(generation, k + 1)[0])  # the first neighbour of a point is itself
    own = own if k else np.full((1, 2), np.nan)  # one row has no neighbour: neither entropy nor recall
    radius_of_test = np.asarray(cKDTree(test).query(test, NEIGHBOURS + 1)[0])[:, -1]
    squared_distances = cdist(generation, test, "sqeuclidean")
    log_ball = d / 2 * np.log(np.pi) - gammaln(d / 2 + 1)
    nearest = np.maximum(own[:, 1], np.finfo(float).tiny)
    return {
        "entropy": float(digamma(n) - digamma(1) + log_ball + d * np.log(nearest).mean()),
        "precision": float((squared_distances <= radius_of_test**2).any(axis=1).mean()),
        "recall": float((squared_distances <= own[:, -1:] ** 2).any(axis=0).mean()),
    }
