"""How often the right class is found where it is known: simulated repetitions of 100 seeds to T = 100.

    python -m benchmark.forecast.known_answers

writes leaderboard/forecast/known_answers.csv, in three minutes on one core.
"""

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from benchmark.forecast import simulations
from benchmark.forecast.choice import CANNOT_TELL, choose
from benchmark.forecast.covariance import Matrix
from benchmark.forecast.laws import CONSTANT, EXPONENTIAL, KINDS, LINEAR, LOGARITHMIC, SATURATING
from benchmark.runs.machine import cores
from benchmark.runs.pool_of_workers import all_of

TABLE = Path("leaderboard/forecast/known_answers.csv")
SEEDS = HORIZON = 100
Rng = np.random.Generator


class Known(NamedTuple):
    """A curve whose class is known.

    Attributes:
        what: the curve in words.
        kind: its class.
        reason: why.
        repetitions: of the whole experiment.
        losses: draws one repetition, seeds × iterations.
        is_shown: whether 100 seeds show it. Where they do not, the answer should be "cannot tell".
    """

    what: str
    kind: str
    reason: str
    repetitions: int
    losses: Callable[[Rng], Matrix]
    is_shown: bool = True


def _gaussian(rng: Rng, what: str, **numbers: Any) -> Matrix:
    found: Matrix = getattr(simulations.gaussian(rng, seeds=SEEDS, horizon=HORIZON, **numbers), what)
    return found


def _fresh(rng: Rng) -> Matrix:
    """Each iteration fits fresh real data: independent first iterations of as many runs."""
    runs = simulations.gaussian(rng, seeds=SEEDS * HORIZON, d=3, n=100, horizon=1, accumulate=False)
    return runs.loss.reshape(SEEDS, HORIZON)


SIZE: dict[str, Any] = {"seeds": SEEDS, "horizon": HORIZON}
KNOWN = (
    Known("Gaussian d=10 n=100, accumulate: test loss", SATURATING, "Σ 1/k² ends at π²/6", 100,
          partial(_gaussian, what="loss", d=10, n=100, accumulate=True)),
    Known("Gaussian d=10 n=100, accumulate-subsample: test loss", SATURATING, "n·E μ² ends at π²/2 - 2", 60,
          partial(simulations.accumulate_subsample, d=10, n=100, **SIZE)),
    Known("Gaussian d=10 n=316, replace: test loss", EXPONENTIAL, "E tr Σ⁻¹ grows as (n/(n-d-2))^t", 100,
          partial(_gaussian, what="loss", d=10, n=316, accumulate=False)),
    Known("Gaussian d=10 n=1000, replace: error of the mean", LINEAR, "E μ² = 1 - (1-1/n)^t is t/n for t ≪ n", 100,
          partial(_gaussian, what="mean_error", d=10, n=1000, accumulate=False)),
    Known("KDE moons h=0.5 n=100, accumulate: test loss", LOGARITHMIC, "the variance is Σ0 + h²·(1 + 1/2 + … + 1/t)", 60,
          partial(simulations.kernel_loss, n=100, bandwidth=0.5, **SIZE)),
    Known("KDE in 1-D h=0.5 n=1000, accumulate: variance", LOGARITHMIC, "Σ0 + h²·(1 + 1/2 + … + 1/t)", 60,
          partial(simulations.kernel_trace, n=1000, bandwidth=0.5, **SIZE)),
    Known("KDE in 1-D h=t^(-1/5) n=1000, accumulate: variance", SATURATING, "Σ h_k²/k is finite", 60,
          partial(simulations.kernel_trace, n=1000, bandwidth=1.0, power=1 / 5, **SIZE)),
    Known("Gaussian d=3 n=100, fresh real data at each iteration: test loss", CONSTANT, "every fit is a first one", 100, _fresh),
    Known("Gaussian d=1 n=100, accumulate: test loss", SATURATING, "as above, but its rise is within the noise of 100 seeds", 100,
          partial(_gaussian, what="loss", d=1, n=100, accumulate=True), is_shown=False),
)  # fmt: skip
"""The closed forms are those of `paper.theory`."""


def classes(known: Known, repetitions: int) -> "Counter[str]":
    """How often each class is the answer."""
    rngs = (np.random.default_rng([KNOWN.index(known), i]) for i in range(repetitions))
    return Counter(choose(known.losses(rng)).kind for rng in rngs)


def row(known: Known) -> dict[str, Any]:
    """Of the table: counts of each answer, and the share of right ones with its interval of 95 % (Wilson)."""
    found = classes(known, known.repetitions)
    right = found[known.kind]
    low, high = binomtest(right, known.repetitions).proportion_ci(method="wilson")
    return {
        "curve": known.what,
        "class": known.kind,
        "because": known.reason,
        "repetitions": known.repetitions,
        "right": right / known.repetitions,
        "right_low": low,
        "right_high": high,
        **{kind: found[kind] for kind in (*KINDS, CANNOT_TELL)},
        "wrong": known.repetitions - right - found[CANNOT_TELL],
        "shown_by_100_seeds": known.is_shown,
    }


def main() -> None:
    """Write the table."""
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    found = all_of(row, [(known,) for known in KNOWN], cores())
    pd.DataFrame(found).to_csv(TABLE, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
