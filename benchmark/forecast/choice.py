"""Which law a curve follows: the one that predicts its later half from its earlier half, or "cannot tell".

Each law is fitted to the iterations t ≤ T/2 and predicts the others. Laws are compared in pairs, on the same seeds. With r_A the error of
law A's prediction and d = (B's prediction) - (A's), both in standard errors of the mean over seeds:

- A lies significantly off in the direction of B where Σ r_A·d is significantly above 0;
- A predicts significantly worse than B where Σ r_A² - Σ r_B² is significantly above 0.

A law is rejected where it predicts significantly worse than another, or lies significantly off towards another that does not lie
significantly off towards it. Standard errors are the jackknife's over seeds, so that they hold the error of both fits and of both halves
with all dependence between iterations. Each test is one-sided with the level ERROR divided by the number of other laws, so that the
law that a curve follows is rejected in at most ERROR of the cases.

Where the laws that are left are of one class, this is the class; where a constant is among them, it is constant, since no drift is shown;
else two laws predict equally well, and the answer is
"cannot tell".

Sources: Chong and Hendry, Econometric evaluation of linear macro-economic models (1986), for the first test (forecast encompassing);
Diebold and Mariano, Comparing predictive accuracy (1995), for the second.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from benchmark.errors import ThriveError
from benchmark.forecast.covariance import MODEL_ERROR, Matrix, Vector, jackknife_error, whitener, without_each
from benchmark.forecast.laws import CONSTANT, KINDS, LAWS, SIMPLER, Law, fit

CANNOT_TELL = "cannot tell"
ERROR = 0.05
LEAST_ITERATIONS = 10
LEAST_SEEDS = 5
FLAT = 1e-9  # relative: losses that differ by less are the same


class NoLaw(ThriveError):
    """A curve that no law can be fitted to. The message says what is missing."""


@dataclass(frozen=True)
class Choice:
    """The class of a curve.

    Attributes:
        kind: one of `benchmark.forecast.laws.KINDS`, or "cannot tell".
        law: the law of this class that predicts best; None: cannot tell.
        left: the laws that are not rejected, best first.
        errors: by law, the mean squared error of its prediction, in squared standard errors.
    """

    kind: str
    law: Law | None
    left: tuple[str, ...]
    errors: dict[str, float]


def check(losses: Matrix, what: str = "the curve") -> None:
    """Raises NoLaw where losses, seeds × iterations, have no law."""
    seeds, iterations = losses.shape
    if iterations < LEAST_ITERATIONS:
        raise NoLaw(
            f"{what}: found T = {iterations} iterations, expected {LEAST_ITERATIONS} or more: a law is chosen by how it predicts the "
            "later half from the earlier. Raise `horizon` in params.yaml and run it again."
        )
    if seeds < LEAST_SEEDS:
        raise NoLaw(
            f"{what}: found {seeds} seeds, expected {LEAST_SEEDS} or more: what two laws differ by is judged by how seeds differ. "
            "Raise `seeds` in params.yaml and run it again."
        )
    infinite = ~np.isfinite(losses)
    if infinite.any():
        first = int(infinite.any(axis=0).argmax()) + 1
        raise NoLaw(
            f"{what}: diverges: {int(infinite.any(axis=1).sum())} of {seeds} runs have a loss that is not finite, the first at t = {first}. "
            f"A mean that is infinite follows no law; the curve before that has one: --at {first - 1}."
        )


def choose(losses: Matrix, what: str = "the curve") -> Choice:
    """The class of a curve.

    Args:
        losses: seeds × iterations t = 1 … T.

    Raises:
        NoLaw: too few seeds or iterations, or a loss that is not finite.
    """
    check(losses, what)
    if is_flat(losses):
        return Choice(CONSTANT, LAWS[CONSTANT], (CONSTANT,), {CONSTANT: 0.0})
    residuals, predictions, weights = _halves(losses)
    off = (weights * (predictions[None] - predictions[:, None]) * residuals[:, None]).mean(
        axis=3
    )  # [A, B, mean and jackknife]
    worse = off - off.swapaxes(0, 1)  # Σ r_A² - Σ r_B², since r_B = r_A - d
    quantile = stdtrit(len(losses) - 1, 1 - ERROR / (len(LAWS) - 1))
    is_off = _ratio(off) > quantile
    rejected: list[bool] = np.any((_ratio(worse) > quantile) | (is_off & ~is_off.T), axis=1).tolist()
    errors = dict(zip(LAWS, (weights * residuals[:, 0] ** 2).mean(axis=1).tolist(), strict=True))
    left = sorted((name for name, gone in zip(LAWS, rejected, strict=True) if not gone), key=errors.__getitem__)
    kind = _class_of({LAWS[name].kind for name in left})
    law = next((LAWS[name] for name in left if LAWS[name].kind == kind), None)
    return Choice(kind, law, tuple(left), errors)


def is_flat(losses: Matrix) -> bool:
    """Whether every run has the same loss at all iterations."""
    return bool(np.ptp(losses, axis=1).max() <= FLAT * np.abs(losses).max())


def scale_of(losses: Matrix) -> float:
    """The largest change of the mean since t = 1 within the earlier half, in nats: the unit in which predictions are judged."""
    mean = losses.mean(axis=0)
    changes = np.abs(mean - mean[0])
    return float(changes[: max(len(mean) // 2, 2)].max() or changes.max())


def judged(losses: Matrix, mean: Vector, scale: float) -> NDArray[np.float64]:
    """asinh of the change since t = 1 over the scale, as the board's scores: linear near 0, logarithmic where a loss explodes."""
    return np.asarray(np.arcsinh((losses - mean[0]) / scale))


def _halves(losses: Matrix) -> tuple[NDArray[np.float64], NDArray[np.float64], Vector]:
    """Errors and predictions of the later half by law, for the mean and its jackknife, and the weights of its iterations."""
    t = np.arange(1.0, losses.shape[1] + 1)
    early = t <= t[-1] / 2
    means, scale = without_each(losses), scale_of(losses)
    whiten = whitener(losses[:, early])
    fits = [fit(law, t[early], whiten, means[:, early]) for law in LAWS.values()]
    predictions = np.stack([judged(found.at(t[~early]), means[0], scale) for found in fits])
    actual = judged(means[:, ~early], means[0], scale)
    weights = 1 / (jackknife_error(actual) ** 2 + (MODEL_ERROR * actual[0]) ** 2 + FLAT**2)
    return actual - predictions, predictions, weights


def _ratio(values: NDArray[np.float64]) -> Matrix:
    """t of each pair."""
    error = jackknife_error(np.moveaxis(values, 2, 0))
    return np.asarray(values[:, :, 0] / np.maximum(error, np.finfo(float).tiny))


def _class_of(kinds: set[str]) -> str:
    simplest = [one for one in KINDS if one in kinds and all(one == k or (one, k) in SIMPLER for k in kinds)]
    return simplest[0] if simplest else CANNOT_TELL
