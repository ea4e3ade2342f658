"""What a strategy is: the closed action space, and nothing else.

A strategy decides which rows train the next model and with which weights, how the model is sampled, and a few
dimensionless knobs. The harness owns data, fitting, sampling and evaluation; rows are opaque ids that it draws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from benchmark.core.history import NO_ROWS, NO_WEIGHTS, Span, Weighted
from benchmark.core.pool import Candidates, Ids, Pool, Rows
from benchmark.core.rules import Rules
from benchmark.errors import ContractBroken

if TYPE_CHECKING:
    from numpy.random import Generator

Weights = float | NDArray[np.float64]

TINY, HUGE = 1e-6, 1e6
"""Other knobs are within these, so that no product of them is 0 or infinite."""
TEMPERATURES = 0.1, 10.0
LEAST_TOP_P = 0.5
"""A sample is a sample within these: colder ones fall on one spot and hotter ones leave the data, which tells rows apart by age."""
LEAST_WEIGHT = 1e-12
"""Of the largest: a smaller weight counts as 0."""


def _differing(given: object, neutral: object) -> set[str]:
    if given is neutral:
        return set()
    return {name for name, value in vars(given).items() if value != getattr(neutral, name)}


def _require(holds: bool, name: str, found: object, expected: str) -> None:
    if not holds:
        shown = repr(found) if not isinstance(found, int) or abs(found) < 10**20 else "a whole number beyond 10²⁰"
        raise ContractBroken(f"{name} is {shown[:200]}: expected {expected}.")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def _is_within(value: object, least: float, most: float) -> bool:
    """Whether it is a number, and none outside of these."""
    return _is_number(value) and bool(least <= value <= most)  # type: ignore[operator]


def _is_pair(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 2


class TrainingSet:
    """Rows, and the weight of each: `+` joins two.

    Args:
        rows: what `pool.all()` or `pool.sample()` gave, or an array of ids; an id may stand twice.
        weights: one number for all, or one for each row, in the order in which the rows are listed, which is that of their
            features and log-likelihoods; finite, not negative, not all zero. Only their proportions matter, and what is
            below 10⁻¹² of the largest counts as 0.
    """

    def __init__(self, rows: Rows | Ids, weights: Weights = 1.0) -> None:
        self.parts: tuple[tuple[Rows | Ids, Weights], ...] = ((rows, weights),)

    def __add__(self, other: TrainingSet) -> TrainingSet:
        if not isinstance(other, TrainingSet):
            raise ContractBroken(
                f"TrainingSet + {type(other).__name__}: wrap the rows first, TrainingSet(rows, weights)."
            )
        both = TrainingSet.__new__(TrainingSet)
        both.parts = self.parts + other.parts
        return both


@dataclass(frozen=True)
class SampleRequest:
    """How the model is sampled.

    Attributes:
        count: candidates to draw, at least n; None for n.
        temperature: τ > 0. Gaussian: Σ → τΣ. KDE: h² → τh², with τ·bandwidth_factor² at least 0.1 (a bandwidth_rule counts as the
            factor that it comes to), for less hands back the rows of the training set. Text: softmax temperature.
        top_p: keep the likeliest share p of the model's mass (text: of the next token's).
        preserve_variance: KDE only: shrink samples so that the kernel adds no variance.
    """

    count: int | None = None
    temperature: float = 1.0
    top_p: float = 1.0
    preserve_variance: bool = False

    def __post_init__(self) -> None:
        _require(self.count is None or (_is_within(self.count, 1, np.inf) and isinstance(self.count, (int, np.integer))),
                 "SampleRequest.count", self.count, "None or a whole number of at least 1")  # fmt: skip
        _require(
            _is_within(self.temperature, *TEMPERATURES),
            "SampleRequest.temperature",
            self.temperature,
            f"a number from {TEMPERATURES[0]} to {TEMPERATURES[1]}",
        )
        _require(
            _is_within(self.top_p, LEAST_TOP_P, 1),
            "SampleRequest.top_p",
            self.top_p,
            f"a share from {LEAST_TOP_P} to 1",
        )
        _require(isinstance(self.preserve_variance, (bool, np.bool_)), "SampleRequest.preserve_variance", self.preserve_variance,
                 "True or False")  # fmt: skip

    def asks_for(self) -> set[str]:
        """Names of the knobs that are not neutral; the count is no knob."""
        return _differing(self, NEUTRAL_REQUEST) - {"count"}


@dataclass(frozen=True)
class FitOptions:
    """How the next model is fitted; the defaults are neutral.

    Attributes:
        ddof: Gaussian: the covariance divides by n - ddof.
        bandwidth_rule: KDE: how the bandwidth follows from the number of rows; None for the instance's.
        bandwidth_factor: KDE: multiplies the bandwidth.
        ridge: Gaussian: adds ridge·(tr Σ / d)·I to Σ. Text: weight decay of the optimizer.
        token_loss_clip: text: mask tokens that the model already gives more than this probability.
        blend: ("previous" or "first", weight): (1 - weight) of this model and weight of that one; no effect at
            iteration 1. Gaussian: an average of parameters. KDE: a mixture. Text: an average of network weights.
            Weight at most 0.5; "first" in track `labelled` as much as the cap on real mass allows, in `assisted` at most 2/t
            too. Track `blind` has no "first".
        negative: (training set, weight γ): model + γ·(model - one also trained on those rows, which count as training
            rows). Gaussian: in mean and log-covariance. Text: in network weights.
    """

    ddof: float = 0.0
    bandwidth_rule: Literal["scott", "silverman"] | None = None
    bandwidth_factor: float = 1.0
    ridge: float = 0.0
    token_loss_clip: float | None = None
    blend: tuple[Literal["previous", "first"], float] | None = None
    negative: tuple[TrainingSet, float] | None = None

    def __post_init__(self) -> None:
        _require(self.bandwidth_rule in (None, "scott", "silverman"), "FitOptions.bandwidth_rule", self.bandwidth_rule,
                 "'scott', 'silverman' or None")  # fmt: skip
        _require(_is_within(self.bandwidth_factor, TINY, HUGE), "FitOptions.bandwidth_factor", self.bandwidth_factor,
                 "a number above 0")  # fmt: skip
        _require(_is_within(self.ridge, 0, HUGE), "FitOptions.ridge", self.ridge, "a number of at least 0")
        _require(_is_within(self.ddof, -HUGE, HUGE), "FitOptions.ddof", self.ddof, "a finite number")
        _require(self.token_loss_clip is None or _is_within(self.token_loss_clip, TINY, 1), "FitOptions.token_loss_clip",
                 self.token_loss_clip, "a probability above 0, or None")  # fmt: skip
        _require(self.blend is None or (_is_pair(self.blend) and self.blend[0] in ("previous", "first") and _is_within(self.blend[1], 0, 1)),
                 "FitOptions.blend", self.blend, "('previous' or 'first', weight of 0 to 1), or None")  # fmt: skip
        _require(self.negative is None or (_is_pair(self.negative) and _is_within(self.negative[1], 0, HUGE)), "FitOptions.negative",
                 self.negative, "(training set, weight of at least 0), or None")  # fmt: skip

    def asks_for(self) -> set[str]:
        """Names of the knobs that are not neutral."""
        return _differing(self, NEUTRAL)


@dataclass(frozen=True)
class Spec:
    """What a strategy learns before the run: no task name, no horizon, nothing of the test set.

    Attributes:
        kind: "vectors" or "text".
        n: rows of generation 0, and of every generation unless the strategy asks for more.
        dimension: number of features; None for text.
        rules: track and budget.
    """

    kind: Literal["vectors", "text"]
    n: int
    dimension: int | None
    rules: Rules


@dataclass(frozen=True)
class Context:
    """Where the run stands, and what is for sale.

    Attributes:
        t: the model-fitting iteration, from 1.
        n: rows of generation 0.
    """

    t: int
    n: int
    _draw_rng: Callable[[], Generator]
    _buy: Callable[[int], Pool]

    @cached_property
    def rng(self) -> Generator:
        """A random stream of the strategy's own, new at every iteration."""
        return self._draw_rng()  # drawn when asked for: most strategies never do

    def buy_real(self, count: int) -> Pool:
        """A view of `count` fresh real rows, at most as many as one training set may have. Track `assisted` only.

        They can be used at once, and are in the pool from the next iteration on. To be asked in `training_set`.
        """
        return self._buy(count)


class Strategy:
    """A data strategy. Hyperparameters of the card arrive as arguments of `__init__`.

    Under track `blind` every iteration gets a new object, so that attributes carry nothing from one to the next.
    """

    def setup(self, spec: Spec) -> None:
        """Called once, before anything else."""

    def training_set(self, context: Context, pool: Pool) -> TrainingSet | Rows | Ids:
        """Which rows of the pool train the next model, with which weights: the one method that is required."""
        raise ContractBroken(f"{type(self).__name__} must define training_set(context, pool).")

    def sample_request(self, context: Context) -> SampleRequest:
        """How the model is sampled."""
        return NEUTRAL_REQUEST

    def keep(self, context: Context, candidates: Candidates) -> Rows | Ids:
        """Which candidates enter the pool, n at least: the first n."""
        return candidates.first(min(context.n, len(candidates)))

    def fit_options(self, context: Context) -> FitOptions:
        """How the next model is fitted."""
        return NEUTRAL


NEUTRAL = FitOptions()
NEUTRAL_REQUEST = SampleRequest()


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
