"""What a strategy asks for: training set, sampling, fitting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmark.core.rows import Ids, Rows
from benchmark.errors import ContractBroken

Weights = float | NDArray[np.float64]
TINY, HUGE = 1e-6, 1e6
NARROW, WIDE = 0.25, 4.0
LEAST_CLIP = 0.9
"""Range of the other knobs, so that no product of them is 0 or infinite."""
TEMPERATURES = 0.1, 10.0
LEAST_TOP_P = 0.5
"""Colder samples fall on one spot and hotter ones leave the data, either of which would tell rows apart by age."""
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
    """Whether it is a number within these bounds."""
    return _is_number(value) and bool(least <= value <= most)  # type: ignore[operator]


def _is_pair(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 2


class TrainingSet:
    """Rows with their weights. `+` joins two training sets.

    Args:
        rows: rows of the pool, such as `pool.all()` or `pool.sample()`, or an array of ids; ids may repeat.
        weights: one number for all rows, or one for each row in the order in which the rows are listed (the order of their
            features and log-likelihoods); finite, not negative, not all zero. Only proportions matter; a weight below
            10⁻¹² of the largest counts as 0.
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
            factor that it comes to), because less would return the rows of the training set. Text: softmax temperature.
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
        ddof: Gaussian: the covariance divides by n - ddof; at least -(2d + 2). It and ridge multiply the covariance's trace by 4/3 at
            most, but ddof = 1 is always allowed.
        bandwidth_rule: KDE: how the bandwidth follows from the number of rows; None for the instance's.
        bandwidth_factor: KDE: multiplies the bandwidth, by 1/4 to 4.
        ridge: Gaussian: adds ridge·(tr Σ / d)·I to Σ. Text: weight decay of the optimizer.
        token_loss_clip: text: mask tokens that the model already gives more than this probability, 0.9 or more.
        blend: ("previous" or "first", weight): (1 - weight) of this model and weight of that one; no effect at
            iteration 1. Gaussian: an average of parameters. KDE: a mixture. Text: an average of network weights.
            Weight at most 0.5; "first" in track `labelled` as much as the cap on real mass allows, in `assisted` at most 2/t
            too. Track `blind` has no "first".
        negative: (training set, weight γ): model + γ·(model - one also trained on those rows, which count as training
            rows). Gaussian: in mean and log-covariance, which grows by log 4/3 at most in any direction. Text: in network weights.
            Without ridge and ddof.
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
        _require(_is_within(self.bandwidth_factor, NARROW, WIDE), "FitOptions.bandwidth_factor", self.bandwidth_factor,
                 f"a number from {NARROW:g} to {WIDE:g}")  # fmt: skip
        _require(_is_within(self.ridge, 0, HUGE), "FitOptions.ridge", self.ridge, "a number of at least 0")
        _require(_is_within(self.ddof, -HUGE, HUGE), "FitOptions.ddof", self.ddof, "a finite number")
        _require(self.token_loss_clip is None or _is_within(self.token_loss_clip, LEAST_CLIP, 1), "FitOptions.token_loss_clip",
                 self.token_loss_clip, f"a probability from {LEAST_CLIP:g} to 1, or None")  # fmt: skip
        _require(self.blend is None or (_is_pair(self.blend) and self.blend[0] in ("previous", "first") and _is_within(self.blend[1], 0, 1)),
                 "FitOptions.blend", self.blend, "('previous' or 'first', weight of 0 to 1), or None")  # fmt: skip
        _require(self.negative is None or (_is_pair(self.negative) and _is_within(self.negative[1], 0, HUGE)), "FitOptions.negative",
                 self.negative, "(training set, weight of at least 0), or None")  # fmt: skip
        _require(self.negative is None or (self.ridge == 0 and self.ddof == 0), "FitOptions.negative",
                 f"given beside ridge {self.ridge} and ddof {self.ddof}", "it without them, for each of them may enlarge the fit")  # fmt: skip

    def asks_for(self) -> set[str]:
        """Names of the knobs that are not neutral."""
        return _differing(self, NEUTRAL)


NEUTRAL = FitOptions()
NEUTRAL_REQUEST = SampleRequest()
