"""The collapse profile: eight things that "model collapse" has been said to mean, measured on every run.

A strategy may avoid one and not the other, so none of them enters the score. Each is a number that is positive where
the model has become worse in that sense, with the formula beside it; the board says of how many instances the interval
over seeds lies above zero.

Source: Schaeffer et al., Position: Model collapse does not mean what you think (2025), arXiv 2503.03150, section 2.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Vector = NDArray[np.float64]

DEFINITIONS = {
    "catastrophe": "test loss at T minus that of the simplest model (Gaussian: N(x, I) around one real example; KDE: one "
    "Gaussian fitted to the real data; text: the base checkpoint), nats; where a fit to the real data alone is better than that",
    "increase": "test loss at T minus that at t = 1, nats",
    "divergence": "exponent of growth: slope of log excess against log t over the last half, where the excess is positive throughout",
    "scaling": "exponent of excess against n, log against log, plus 1: above 0 where more data help less than the 1/n of a "
    "model that was fitted once; over the instances that differ in n alone",
    "variance": "what is lost of it between t = 1 and T (Gaussian: log det of Σ; KDE: log trace of the generation's covariance; "
    "text: log share of distinct bigrams)",
    "entanglement": "modes that run into one another, at T minus at t = 1 (KDE: share of the generation whose nearest test point of "
    "another component is less than twice as far as the nearest of all; text: share of the test questions that no example asks)",
    "tails": "what is lost of real tails between t = 1 and T (Gaussian: mass outside the ball that holds .99 of the truth; KDE: "
    "recall by nearest neighbours; text: test loss on the tenth of the test texts that is rarest, gained)",
    "hallucination": "what is not real, at T minus at t = 1 (Gaussian: mass outside the ball that holds .999 of the truth; KDE: 1 - "
    "precision by nearest neighbours; text: loss of the generation under the fit to the real data, nats per token)",
}
"""Each with what is measured. Positive is worse."""


class Change(NamedTuple):
    """A quantity of the records and the sign with which its change from t = 1 to T counts; `log`: of its logarithm."""

    quantity: str
    sign: int
    log: bool = False


CHANGES = {
    "variance": [Change("log_determinant_ratio", -1), Change("covariance_trace", -1, log=True), Change("distinct_2", -1, log=True)],
    "entanglement": [Change("entanglement", 1), Change("question_recall", -1)],
    "tails": [Change("tail_mass", -1), Change("recall", -1), Change("rare_loss", 1)],
    "hallucination": [Change("outside_mass", 1), Change("precision", -1), Change("reference_surprise", 1)],
}  # fmt: skip
"""By definition: the first of these quantities that a task-setting records."""


def of_run(run: pd.DataFrame) -> dict[str, float]:
    """The profile of one run, from its records in order of t; without what its task-setting does not record, and without scaling."""
    t, loss = run["t"].to_numpy(float), run["test_loss"].to_numpy(float)
    simplest, real_loss = run["simplest_loss"].iloc[0], run["real_loss"].min()
    with np.errstate(all="ignore"):
        profile = {
            "catastrophe": float(loss[-1] - simplest) if real_loss < simplest else np.nan,
            "increase": float(loss[-1] - loss[0]),
            "divergence": _exponent(t, loss - real_loss),
        }
        for definition, changes in CHANGES.items():
            found = [_change(run[change.quantity], change) for change in changes if change.quantity in run]
            if found:
                profile[definition] = found[0]
    return profile


def _change(values: "pd.Series[float]", change: Change) -> float:
    first, last = float(values.iloc[0]), float(values.iloc[-1])
    return change.sign * float(np.log(last / first) if change.log else last - first)


def _exponent(t: Vector, excess: Vector) -> float:
    """NaN where the excess is not positive and finite throughout the last half."""
    late = t > t[-1] / 2
    if late.sum() < 2 or not ((excess[late] > 0) & np.isfinite(excess[late])).all():
        return float("nan")
    return slope(np.log(t[late]), np.log(excess[late]))


def slope(x: Vector, y: Vector) -> float:
    """Of the least-squares line.

    From the first y, so that a flat line has slope 0; and summed by numpy, for BLAS rounds as its memory happens to lie.
    """
    centred = x - x.mean()
    return float((centred * (y - y[0])).sum() / (centred**2).sum())


def scaling(excess: "pd.DataFrame") -> Vector:
    """1 + the slope of log mean excess against log n, as jackknife values whose mean and spread give its interval.

    Args:
        excess: nats, seeds × n.

    Returns:
        One value a seed, NaN where a mean excess is not positive and finite, or for fewer than three n or two seeds.

    Source:
        Tukey, Bias and confidence in not-quite large samples (1958).
    """
    values, n = excess.to_numpy(float), excess.columns.to_numpy(float)
    seeds = len(values)
    if len(n) < 3 or seeds < 2:
        return np.full(seeds, np.nan)
    with np.errstate(all="ignore"):
        without = (values.sum(axis=0) - values) / (seeds - 1)
        means = np.log(np.vstack([values.mean(axis=0), without]))
    if not np.isfinite(means).all():
        return np.full(seeds, np.nan)
    whole, *others = [1 + slope(np.log(n), mean) for mean in means]
    return seeds * whole - (seeds - 1) * np.array(others)
