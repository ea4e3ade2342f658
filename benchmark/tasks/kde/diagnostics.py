"""Diagnostics of a generation by nearest neighbours: entropy, precision, recall, and how near its rows are to real ones."""

from typing import Any

import numpy as np

from benchmark.core.history import Examples

NEIGHBOURS = 5


def tree_of(rows: Examples) -> Any:
    from scipy.spatial import cKDTree

    return cKDTree(rows)


def share_near(tree: Any, rows: Examples, distance: float) -> float:
    """The share of rows that are nearer than `distance` to a point of the tree."""
    return float(np.isfinite(tree.query(rows, distance_upper_bound=distance)[0]).mean())


def neighbour_diagnostics(generation: Examples, test: Examples) -> dict[str, float]:
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
