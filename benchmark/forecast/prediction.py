"""A chosen law with its numbers, and what it says of later iterations."""

import math
from dataclasses import dataclass

import numpy as np

from benchmark.forecast.choice import CANNOT_TELL, Choice, NoLaw, choose, is_flat, judged, scale_of
from benchmark.forecast.covariance import Matrix, Vector, jackknife_error, whitener, without_each
from benchmark.forecast.laws import EXPONENTIAL, SATURATING, Fit, Law, fit, polished
from benchmark.results.scoring import Interval, t_quantile


@dataclass(frozen=True)
class Followed:
    """The law that a curve follows.

    Attributes:
        parameters: by name (a, b, c), with t intervals of 95 % from the jackknife over seeds; that of a rate c is of its logarithm.
        asymptote: where a saturating curve ends, in nats.
        doubling_time: of the part of an exponential that grows, in iterations.
        whole: fits for the mean over seeds and for the means without one seed.
        mean: the curve, over seeds.
        scale: see `benchmark.forecast.choice.scale_of`.
        noise: standard error of the mean at T, in the units of `judged`.
    """

    law: Law
    parameters: dict[str, Interval]
    asymptote: Interval | None
    doubling_time: Interval | None
    whole: Fit
    mean: Vector
    scale: float
    noise: float

    @property
    def horizon(self) -> int:
        return len(self.mean)

    def at(self, t: Vector) -> Vector:
        """The law in nats."""
        return np.asarray(self.whole.at(t)[0])

    def forecast(self, t: Vector) -> tuple[Vector, Vector]:
        """The law at t and the standard error of its parameters there, both in the units of `judged`."""
        values = judged(self.whole.at(t), self.mean, self.scale)
        return np.asarray(values[0]), jackknife_error(values)

    def in_nats(self, value: Vector) -> Vector:
        """From the units of `judged`."""
        with np.errstate(over="ignore"):
            return np.asarray(self.mean[0] + self.scale * np.sinh(value))


def follow(losses: Matrix, choice: Choice | None = None, law: Law | None = None) -> Followed:
    """The numbers of the law that a curve follows.

    Args:
        losses: seeds × iterations t = 1 … T.
        choice: of these losses, if it was made before.
        law: this one, whatever was chosen.

    Raises:
        NoLaw: the seeds cannot tell two laws apart, or too little was run.
    """
    if law is None:
        choice = choice or choose(losses)
        if choice.law is None:
            raise NoLaw(f"{CANNOT_TELL}: {', '.join(choice.left) or 'no law'} predict the later half equally well.")
        law = choice.law
    t = np.arange(1.0, losses.shape[1] + 1)
    used = t <= t[-1] if law.whole else t > t[-1] / 2
    means = without_each(losses)
    if is_flat(losses):
        columns = law.design(t, np.ones(1), float(t[-1])).shape[2]
        found = Fit(law, means[:, :1] * np.eye(1, columns), np.ones(len(means)), float(t[-1]))
    else:
        whiten = whitener(losses[:, used])
        found = fit(law, t[used], whiten, means[:, used])
        best = polished(found, t[used], whiten, means[0, used])
        found = Fit(
            law,
            np.vstack([best.coefficients, found.coefficients[1:]]),
            np.append(best.rates, found.rates[1:]),
            found.last,
        )
    scale = scale_of(losses) or 1.0
    noise = float(jackknife_error(judged(means[:, -1:], means[0], scale))[0])
    freedom = len(losses) - 1
    parameters = _parameters(found, freedom)
    return Followed(
        law=law,
        parameters=parameters,
        asymptote=parameters["a"] if law.kind == SATURATING else None,
        doubling_time=_doubling(parameters["c"]) if law.kind == EXPONENTIAL else None,
        whole=found,
        mean=means[0],
        scale=scale,
        noise=noise,
    )


def _parameters(found: Fit, freedom: int) -> dict[str, Interval]:
    coefficients = found.coefficients
    if found.law.kind == EXPONENTIAL:  # b of exp(c·t), not of exp(c·(t - T))
        coefficients = coefficients * np.column_stack([np.ones(len(found.rates)), np.exp(-found.rates * found.last)])
    parameters = {name: _interval(values, freedom) for name, values in zip("ab", coefficients.T, strict=False)}
    if found.law.rates is not None:
        parameters["c"] = Interval(*np.exp(_interval(np.log(found.rates), freedom)).tolist())
    return parameters


def _interval(values: Vector, freedom: int) -> Interval:
    half = float(t_quantile(freedom) * jackknife_error(values))
    return Interval(float(values[0]), float(values[0]) - half, float(values[0]) + half)


def _doubling(rate: Interval) -> Interval:
    return Interval(*(math.log(2) / np.array([rate.centre, rate.high, rate.low])).tolist())
