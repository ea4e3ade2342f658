"""What a strategy answered, as plain data in the harness's row numbers, and back.

The sandbox has a form of its own (`benchmark.isolation.strategy_side`): a confined process knows no row numbers, so that it names rows by
their views. Here an answer is written after the harness has found its rows, and can be given again where no view is.
"""

from functools import reduce
from operator import add
from typing import Any

import numpy as np

from benchmark.conformance.disguise import Disguise
from benchmark.core.history import Span, Weighted
from benchmark.core.pool import Candidates, Pool
from benchmark.core.requests import FitOptions, TrainingSet
from benchmark.core.rows import Names, Rows

Answer = dict[str, Any]


def held_rows(chosen: Weighted, view: Pool, disguise: Disguise) -> Answer:
    """A selection that was made in disguise, in the harness's row numbers: whole generations, and single rows with their weights."""
    rows = chosen.rows
    if not isinstance(view, Candidates):
        rows = disguise.rows(rows, view.names.size)
    order = np.lexsort((chosen.weights, rows))
    spans = [list(span) for span in chosen.spans]
    return {"spans": spans, "rows": rows[order].tolist(), "weights": chosen.weights[order].tolist()}


def row_by_row(held: Answer, view: Pool) -> Answer:
    """The same selection, row by row: what compares with that of another run, however either holds its rows."""
    spans = tuple(Span(*span) for span in held["spans"])
    chosen = Weighted(view.names.history, spans, np.array(held["rows"], np.int64), np.array(held["weights"], float))
    rows, weights = chosen.expanded()
    order = np.lexsort((weights, rows))
    return {"rows": rows[order].tolist(), "weights": weights[order].tolist()}


def rebuilt_rows(held: Answer, names: Names) -> TrainingSet:
    """A selection from its plain form."""
    parts = [TrainingSet(Rows(names, ((first, last),)), weight) for first, last, weight in held["spans"]]
    if held["rows"]:
        rows = np.array(held["rows"], np.int64)
        parts.append(TrainingSet(Rows(names, (rows,)), np.array(held["weights"], float)))
    return reduce(add, parts)


def rebuilt_options(held: Answer, names: Names) -> FitOptions:
    """Fit options from their plain form."""
    negative, blend = held["negative"], held["blend"]
    return FitOptions(
        **{
            **held,
            "negative": negative and (rebuilt_rows(negative[0], names), negative[1]),
            "blend": blend and tuple(blend),
        }
    )
