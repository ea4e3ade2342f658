"""A strategy's rows and weights, checked and in canonical order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.core.history import NO_ROWS, NO_WEIGHTS, Span, Weighted
from benchmark.core.pool import Pool
from benchmark.core.requests import LEAST_WEIGHT, TrainingSet, Weights
from benchmark.core.rows import Ids, Rows
from benchmark.errors import ContractBroken


def canonical(pool: Pool, answer: TrainingSet | Rows | Ids) -> Weighted:
    """A strategy's answer, checked and in canonical order.

    Raises:
        ContractBroken: no rows, unknown ids, rows of another view, or weights that are negative, not
            finite, all zero, or not as many as the rows.
    """
    if isinstance(answer, Rows) and answer.names is pool.names and answer.whole is not None:  # for its speed
        return Weighted(pool.names.history, (Span(*answer.whole, 1.0),))
    parts = answer.parts if isinstance(answer, TrainingSet) else ((answer, 1.0),)
    spans: list[Span] = []
    single: list[tuple[NDArray[np.int64], Weights]] = []
    for rows, weight in parts:
        rows = _named(pool, rows)
        weight = _checked(weight, rows)
        if isinstance(weight, float):
            spans += [Span(*chunk, weight) for chunk in rows.chunks if isinstance(chunk, tuple) and weight > 0]
            single += [(chunk, weight) for chunk in rows.chunks if not isinstance(chunk, tuple)]
        else:
            single.append((rows.listed(), weight))
    rows_in_order, weights = _in_order(single)
    largest = max([span.weight for span in spans] + [weights.max(initial=0.0)])
    if not largest > 0:
        raise ContractBroken(f"no row of weight above 0 (pool: {len(pool)} rows): a model needs at least 1.")
    least = min([span.weight for span in spans] + [weights.min(initial=np.inf)])
    if largest != 1 or least < LEAST_WEIGHT:  # only proportions matter, and no task shall underflow
        spans = [
            Span(first, last, weight / largest) for first, last, weight in spans if weight >= LEAST_WEIGHT * largest
        ]
        counts = weights >= LEAST_WEIGHT * largest
        rows_in_order, weights = rows_in_order[counts], weights[counts] / largest
    return Weighted(pool.names.history, tuple(sorted(spans)), rows_in_order, weights)


def _in_order(single: list[tuple[NDArray[np.int64], Weights]]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Single rows, increasing, and their weights; those of weight 0 left out."""
    if not single:
        return NO_ROWS, NO_WEIGHTS
    rows = np.concatenate([rows for rows, _ in single])
    if all(isinstance(weight, float) and weight == 1 for _, weight in single):  # the common case, for its speed
        return np.sort(rows), np.ones(len(rows))
    weights = np.concatenate([np.broadcast_to(weight, len(rows)) for rows, weight in single])
    order = np.lexsort((weights, rows))
    order = order[weights[order] > 0]
    return rows[order], weights[order]


def _named(pool: Pool, rows: Rows | Ids) -> Rows:
    if isinstance(rows, Rows):
        if rows.names is not pool.names:
            raise ContractBroken("rows of another view: return rows of the view that this call was given.")
        return rows
    if rows is None or isinstance(rows, Pool):
        found = "nothing" if rows is None else "a view"
        raise ContractBroken(f"returned {found}: return rows, such as pool.all(), an array of ids, or a TrainingSet.")
    try:
        ids = np.asarray(rows)
    except (TypeError, ValueError, OverflowError):  # (ids, weights), say
        kind = type(rows).__name__
        raise ContractBroken(
            f"returned a {kind} that is no array of ids: weights go into TrainingSet(rows, weights)."
        ) from None
    return pool.rows(ids)


def numbers_of(weights: object) -> NDArray[np.float64]:
    """Weights as an array.

    Raises:
        ContractBroken: they are no numbers.
    """
    try:
        return np.asarray(weights, float)
    except (TypeError, ValueError, OverflowError) as error:
        kind = type(weights).__name__
        raise ContractBroken(f"weights of type {kind}: give one number, or one for each row.") from error


def _checked(weights: Weights, rows: Rows) -> Weights:
    array = numbers_of(weights)
    allowed = np.isfinite(array) & (array >= 0)
    if not allowed.all():
        raise ContractBroken(
            f"a weight is {array[~allowed][0]}, negative or not finite: weights must be finite numbers of at least 0."
        )
    if array.ndim == 0:
        return float(array)
    if array.shape != (len(rows),):
        raise ContractBroken(
            f"weights of shape {array.shape} for {len(rows)} rows: give one number, or one for each row."
        )
    return array
