"""The laws that a curve of test losses may follow, and their fits: generalised least squares on the mean over seeds.

A law is a + b·x(t; c). For a given rate c, a and b are linear in the losses, so that c is searched on a grid and refined, for the mean
over seeds and for all means without one seed at once; the reported fit is `scipy.optimize.least_squares` from there.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from benchmark.forecast.covariance import Matrix, Vector

POINTS = 48  # of a grid of rates
SLOWEST_POWER = 1 / 3
"""A power t^-c with a smaller c is not told from ln t at any T that is run. The closed forms know none: 1 for the Gaussian's accumulate,
2/(d + 4) for a bandwidth by the size of the pool, which is 1/3 in the plane."""


@dataclass(frozen=True)
class Law:
    """One law.

    Attributes:
        name: its own.
        kind: the class that it belongs to.
        formula: in words of t.
        shape: x(t; c) with the last fitted iteration as third argument; None: the constant law.
        rates: the range of c by the last fitted iteration; None: no rate.
        whole: fitted to the whole curve. The others are fitted to its later half, which is nearer to what they forecast.
        grows: only b > 0.
    """

    name: str
    kind: str
    formula: str
    shape: Callable[[Vector, Vector, float], Matrix] | None = None
    rates: Callable[[float], tuple[float, float]] | None = None
    whole: bool = False
    grows: bool = False

    def grid(self, last: float) -> Vector:
        """Rates to search; one that does not matter for a law without."""
        return np.geomspace(*self.rates(last), POINTS) if self.rates else np.ones(1)

    def design(self, t: Vector, rates: Vector, last: float) -> NDArray[np.float64]:
        """Columns 1 and x(t; c) by rate: rates × iterations × 1 or 2."""
        ones = np.ones((len(rates), len(t)))
        columns = [ones] if self.shape is None else [ones, ones * self.shape(t, rates[:, None], last)]
        return np.stack(columns, axis=2)


CONSTANT, SATURATING, LOGARITHMIC, LINEAR, EXPONENTIAL = KINDS = (
    "constant",
    "saturating",
    "logarithmic",
    "linear",
    "exponential",
)
"""Classes of laws."""

LAWS = {
    law.name: law
    for law in (
        Law("constant", CONSTANT, "a"),
        Law("saturating exponential", SATURATING, "a - b·exp(-c·t)", lambda t, c, last: -np.exp(-c * t), lambda last: (2 / last, 3), whole=True),
        Law("saturating power", SATURATING, "a - b·t^(-c)", lambda t, c, last: -(t**-c), lambda last: (SLOWEST_POWER, 4), whole=True),
        Law("logarithmic", LOGARITHMIC, "a + b·ln t", lambda t, c, last: np.log(t)),
        Law("linear", LINEAR, "a + b·t", lambda t, c, last: t),
        Law("exponential", EXPONENTIAL, "a + b·exp(c·t)", lambda t, c, last: np.exp(c * (t - last)), lambda last: (0.5 / last, 3), grows=True),
    )
}  # fmt: skip
"""All laws by name. A saturating exponential has done most of its way within what was fitted (c·T ≥ 2), else it is a line."""

SIMPLER = {(CONSTANT, kind) for kind in KINDS[1:]}
"""(special case, class that contains it): where both predict equally well, the special case is said."""


@dataclass(frozen=True)
class Fit:
    """A law fitted to several curves at once.

    Attributes:
        coefficients: a and b, curves × 1 or 2.
        rates: c, one a curve.
        last: the last fitted iteration.
    """

    law: Law
    coefficients: Matrix
    rates: Vector
    last: float

    def at(self, t: Vector) -> Matrix:
        """The law's values, curves × iterations."""
        with np.errstate(over="ignore", invalid="ignore"):
            values = self.law.design(t, self.rates, self.last) @ self.coefficients[:, :, None]
        return np.asarray(np.nan_to_num(values[:, :, 0], nan=np.inf, posinf=np.inf, neginf=-np.inf))


def fit(law: Law, t: Vector, whiten: Matrix, means: Matrix) -> Fit:
    """By generalised least squares.

    Args:
        whiten: see `benchmark.forecast.covariance.whitener`.
        means: curves × iterations.
    """
    last = float(t[-1])
    rates = law.grid(last)
    designs = whiten @ law.design(t, rates, last)
    losses = means @ whiten.T
    q, r = np.linalg.qr(designs)
    along = np.einsum("gtp,rt->grp", q, losses)
    squares = (losses**2).sum(axis=1) - (along**2).sum(axis=2)  # rates × curves
    if law.grows:
        squares = np.where(along[:, :, 1] * r[:, None, 1, 1] > 0, squares, np.inf)
    best = _refined(np.log(rates), squares)
    solved = _solved(whiten @ law.design(t, best, last), losses)
    if law.grows:  # a curve that only falls has no exponential growth: b = 0
        flat = _solved(whiten @ LAWS[CONSTANT].design(t, best, last), losses)
        falls = solved[:, 1] <= 0
        solved = np.where(falls[:, None], np.column_stack([flat[:, 0], 0 * flat[:, 0]]), solved)
    return Fit(law, solved, best, last)


def _solved(designs: NDArray[np.float64], losses: Matrix) -> Matrix:
    """Least-squares coefficients of each curve on its own design."""
    q, r = np.linalg.qr(designs)
    found: Matrix = np.linalg.solve(r, np.einsum("rtp,rt->rp", q, losses)[:, :, None])[:, :, 0]
    return found


def _refined(grid: Vector, squares: Matrix) -> Vector:
    """The rate of each curve with the least sum of squares: the lowest point of a parabola through the best of the grid and its neighbours."""
    best = squares.argmin(axis=0)
    inner = np.clip(best, 1, max(len(grid) - 2, 1))
    if len(grid) < 3:
        return np.asarray(np.exp(grid[best]))
    curve = np.arange(squares.shape[1])
    below, at, above = (squares[inner + k, curve] for k in (-1, 0, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        shift = 0.5 * (below - above) / (below - 2 * at + above)
    fits = (inner == best) & np.isfinite(shift)
    step = grid[1] - grid[0]
    return np.asarray(np.exp(grid[best] + np.where(fits, np.clip(shift, -1, 1), 0) * step))


def polished(found: Fit, t: Vector, whiten: Matrix, mean: Vector) -> Fit:
    """The fit of one curve by `scipy.optimize.least_squares`, from the first curve of a fit, with its rate within the law's range."""
    law, last = found.law, found.last
    start = found.coefficients[0]
    if law.rates is None or not np.isfinite(start).all():
        return Fit(law, start[None], found.rates[:1], last)
    low, high = np.log(law.rates(last))
    scale = np.abs(mean).max()

    def residuals(x: Vector) -> Vector:
        values = law.design(t, np.exp(x[-1:]), last)[0] @ (x[:-1] * scale)
        return np.asarray(whiten @ (values - mean))

    unbounded = [-np.inf] * len(start)
    bounds = [*unbounded, low], [*(-b for b in unbounded), high]
    if law.grows:
        bounds[0][1] = 0.0
    first = np.append(start / scale, np.clip(np.log(found.rates[0]), low + 1e-9, high - 1e-9))
    x = least_squares(residuals, np.clip(first, *bounds), bounds=bounds, x_scale="jac").x
    return Fit(law, x[None, :-1] * scale, np.exp(x[-1:]), last)
