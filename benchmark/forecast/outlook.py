"""Where a curve is going: its law, a forecast with an interval, and how often such intervals held."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmark.errors import ThriveError
from benchmark.forecast.checks import GROUPS, calibration, law_forecast, quantile, with_intervals
from benchmark.forecast.choice import CANNOT_TELL, Choice, NoLaw, choose
from benchmark.forecast.covariance import Matrix, Vector
from benchmark.forecast.curves import Curve, curves
from benchmark.forecast.laws import LAWS
from benchmark.forecast.prediction import Followed, follow
from benchmark.forecast.tables import CHECKS_FILE
from benchmark.results.labels import with_interval
from benchmark.results.scoring import Interval, t_interval
from benchmark.runs.project import Project
from benchmark.strict_yaml import nearest

RATIOS = (2.0, 10.0)
"""Forecasts are checked at these multiples of T. Between them the widening is interpolated, and nothing is forecast beyond."""
STEPS = 60  # of a drawn forecast


class Held(NamedTuple):
    """How often intervals of a group of laws held, at a multiple of T.

    Attributes:
        share: of the checks on instances that were run to the end.
    """

    share: float
    checks: int


@dataclass(frozen=True)
class Outlook:
    """A curve and what is forecast of it.

    Attributes:
        until: T, the last iteration that is used.
        to: the iteration that is forecast.
        found: the law; None: cannot tell.
        t: iterations from T to `to`.
        centre: the law there, in nats; low and high: the ends of its interval.
        held: by multiple of T.
        passes: the first iteration whose excess is above a threshold, by the law and by the ends of its interval; infinite: not until `to`.
    """

    curve: Curve
    until: int
    to: int
    choice: Choice
    found: Followed | None
    t: Vector
    centre: Vector
    low: Vector
    high: Vector
    held: dict[float, Held]
    passes: Interval | None = None


def read_checks(root: Path) -> pd.DataFrame:
    """The committed checks of forecasts for which a law is claimed, with their intervals.

    Raises:
        ThriveError: there are none.
    """
    path = root / CHECKS_FILE
    if not path.is_file():
        raise ThriveError(f"{path}: no checks of forecasts. Make them: python -m benchmark.forecast.tables")
    return with_intervals(pd.read_csv(io.BytesIO(path.read_bytes())), ["law"])


def outlook(
    curve: Curve, to: int, checks: pd.DataFrame, until: int | None = None, excess: float | None = None
) -> Outlook:
    """What is forecast of a curve.

    Args:
        checks: see `read_checks`. Those of the curve's own instance do not count.
        until: use the iterations until this one; None: all.
        excess: a threshold in nats above training on the real data alone.

    Raises:
        NoLaw: too few seeds or iterations, a loss that is not finite, or a threshold within the noise.
        ThriveError: `to` is not ahead, or further ahead than any check.
    """
    until = curve.horizon if until is None else until
    losses = curve.until(until)
    if not until < to <= RATIOS[-1] * until:
        raise ThriveError(
            f"--to: found {to}, expected {until + 1} to {RATIOS[-1] * until:.0f}: {curve} has T = {until}, and no forecast was checked beyond "
            f"{RATIOS[-1]:.0f}T. To see further, raise `horizon` in params.yaml, and run it."
        )
    choice = choose(losses, str(curve))
    if excess is not None:
        _check_threshold(curve, losses, excess)
    t = np.unique(np.geomspace(until, to, STEPS).round())
    none = np.full(len(t), np.nan)
    if choice.law is None:
        return Outlook(curve, until, to, choice, None, t, none, none, none, {})
    found = follow(losses, choice)
    widening = _widening(checks, choice.kind, curve)
    centre, spread = law_forecast(found, t)
    half = spread * [widening(step / until) for step in t]
    ends = [found.in_nats(centre + sign * half) for sign in (-1, 1)]
    found_in_nats = found.in_nats(centre)
    passes = None if excess is None else _passes(curve, until, t, [found_in_nats, *ends], excess)
    return Outlook(
        curve, until, to, choice, found, t, found_in_nats, ends[0], ends[1], _held(checks, choice.kind, curve), passes
    )


class Wish(NamedTuple):
    """What is asked of an entry's curves; see `outlook`.

    Attributes:
        tasks: task-settings; none: all of the profile.
        instances: names; none: all.
    """

    to: int
    tasks: Sequence[str] = ()
    instances: Sequence[str] = ()
    until: int | None = None
    excess: float | None = None


class Outlooks(NamedTuple):
    """The forecasts of an entry, and why some of its curves have none."""

    outlooks: list[Outlook]
    refused: list[str]


def outlooks(project: Project, id: str, wish: Wish) -> Outlooks:
    """The forecasts of an entry on a profile, from its finished cells.

    Raises:
        BadEntry: there is no such entry.
        ThriveError: nothing is finished, an instance does not exist, or `to` is not ahead.
    """
    checks = read_checks(project.root)
    found = [curve for task in project.task_settings(wish.tasks) for curve in curves(project, task, [id])]
    if not found:
        raise ThriveError(
            f"profile '{project.profile}': no run of '{id}' is finished in {project.cells}. Run: thrive run --profile {project.profile} -s {id}"
        )
    names = [curve.instance for curve in found]
    for name in wish.instances:
        if name not in names:
            raise ThriveError(f"no finished run of '{id}' on an instance '{name}'.{nearest(name, names)}")
    made, refused = [], []
    for curve in found:
        if not wish.instances or curve.instance in wish.instances:
            try:
                made.append(outlook(curve, wish.to, checks, wish.until, wish.excess))
            except NoLaw as reason:
                refused.append(str(reason))
    return Outlooks(made, refused)


class _Widening:
    """q by multiple of T: as calibrated at the checked ones, and between them a power of the multiple."""

    def __init__(self, quantiles: dict[float, float]) -> None:
        self.quantiles = quantiles

    def __call__(self, ratio: float) -> float:
        near, far = (self.quantiles[one] for one in RATIOS)
        share = float(np.clip(math.log(max(ratio, 1) / RATIOS[0]) / math.log(RATIOS[1] / RATIOS[0]), 0, 1))
        return math.exp((1 - share) * math.log(near) + share * math.log(far)) if math.isfinite(near + far) else math.inf


def _widening(checks: pd.DataFrame, kind: str, curve: Curve) -> _Widening:
    return _Widening(
        {ratio: quantile(calibration(checks, kind, ratio, curve.task, curve.instance)) for ratio in RATIOS}
    )


def _held(checks: pd.DataFrame, kind: str, curve: Curve) -> dict[float, Held]:
    group = GROUPS.get(kind, kind)
    alike = checks[checks["kind"].map(lambda one: GROUPS.get(one, one)) == group]
    others = alike[(alike["task"] != curve.task) | (alike["instance"] != curve.instance)]
    found = {}
    for ratio in RATIOS:
        mine = others[others["to"] == ratio * others["T"]]["law_held"]
        found[ratio] = Held(float(mine.mean()), len(mine))
    return found


def _check_threshold(curve: Curve, losses: Matrix, excess: float) -> None:
    found = t_interval(losses[:, -1] - curve.real_loss.to_numpy(float))
    noise = found.high - found.centre
    if excess <= noise:
        raise NoLaw(
            f"{curve}: --excess: found {excess:g}, which is within the noise: {len(losses)} seeds know the mean excess at T to ± {noise:.2g} "
            "nats. Name a larger threshold, or run more seeds."
        )


def _passes(curve: Curve, until: int, t: Vector, paths: list[Vector], excess: float) -> Interval:
    """The first iteration above the threshold: by the law, by the upper end of its interval, and by the lower one."""
    bound = float(curve.real_loss.mean()) + excess
    seen = np.flatnonzero(curve.until(until).mean(axis=0) > bound)
    if len(seen):
        return Interval(*[float(seen[0] + 1)] * 3)
    first = [float(t[ahead[0]]) if len(ahead := np.flatnonzero(path > bound)) else math.inf for path in paths]
    return Interval(first[0], first[2], first[1])


def sentences(found: Outlook, unit: str = "nats") -> str:
    """What is forecast, for a console: a line that says it, and a line that says how far it can be trusted."""
    curve = found.curve
    now = f"now, at T = {found.until}: {curve.until(found.until)[:, -1].mean():.4g}"
    if found.found is None:
        values = {name: follow(curve.until(found.until), law=LAWS[name]) for name in found.choice.left}
        there = ", ".join(f"{name} {one.at(np.array([float(found.to)]))[0]:.4g}" for name, one in values.items())
        return (
            f"{curve.task} {curve.instance}: {CANNOT_TELL}: these laws predict the later half equally well, and say of t = {found.to}: "
            f"{there} {unit} ({now}).\n  To tell them apart, run more seeds or further."
        )
    law = found.found
    said = f"{curve.task} {curve.instance}: {law.law.kind}: {law.law.formula}, {_numbers(law)}"
    there = with_interval(float(found.centre[-1]), float(found.low[-1]), float(found.high[-1]), "{:.4g}".format)
    held = ", ".join(
        f"{one.share:.0%} of {one.checks} checks at {ratio:.0f}T" for ratio, one in found.held.items() if one.checks
    )
    group = GROUPS.get(law.law.kind, law.law.kind)
    return (
        f"{said}. At t = {found.to} the test loss is {there} {unit} ({now}){_threshold(found)}.\n"
        f"  Such intervals, of {group} laws, held in {held}, on other instances that were run to the end."
    )


def _threshold(found: Outlook) -> str:
    if found.passes is None:
        return ""
    centre, low, high = (f"{value:.0f}" if math.isfinite(value) else "later" for value in found.passes)
    if centre == low == "later":
        return f"; the threshold is not passed until t = {found.to}"
    return f"; the threshold is passed at t = {centre} [{low}, {high}]"


def _numbers(law: Followed) -> str:
    """The number that matters: asymptote, doubling time, or slope."""
    number = "{:.3g}".format
    if law.asymptote is not None:
        return f"ends at {with_interval(*law.asymptote, '{:.4g}'.format)}"
    if law.doubling_time is not None:
        return f"doubles every {with_interval(*law.doubling_time, number)} iterations"
    if "b" in law.parameters:
        return f"b = {with_interval(*law.parameters['b'], number)}"
    return f"a = {with_interval(*law.parameters['a'], '{:.4g}'.format)}"
