"""Synthetic data sets: the paper's four, which are scikit-learn's with the paper's noise, and one whose shape is drawn by seed."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.core.history import Examples

if TYPE_CHECKING:
    from numpy.random import Generator


def _random_state(rng: "Generator") -> np.random.RandomState:
    """NumPy's older generator, which scikit-learn needs, seeded by ours."""
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


def _curves(coefficients: Examples, count: int, rng: "Generator") -> Examples:
    """Points near a random closed curve, which nobody can know beforehand: Σ_k c_k / (5k)·(cos kθ, sin kθ) for k = 1, 2, 3, with noise of 0.05.

    Args:
        coefficients: c, shape (3, 2): the numbers that are the centres for blobs.
    """
    angle = rng.uniform(0, 2 * np.pi, (count, 1))
    k = np.arange(1, 4)
    x, y = coefficients.T / (5 * k)
    points = np.column_stack([np.cos(angle * k) @ x, np.sin(angle * k) @ y])
    return points + 0.05 * rng.standard_normal(points.shape)


DATA_SETS: dict[str, Callable[[Examples, int, "Generator"], Examples]] = {
    "blobs": _blobs,
    "circles": _circles,
    "curves": _curves,
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
"""For data sets of several components: points on the components, without noise, and the component of each point."""
