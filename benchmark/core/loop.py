"""The loop: one run is a task instance, a strategy and a seed.

    generation 0 = n real examples
    for t = 1 … T:
        training set = what the strategy chooses of generations 0 … t-1
        model        = fitted to it
        test loss    = of the model on held-out real data
        generation t = sampled from the model

Iteration 1 sees real data only. There is one loop for all task-settings, and this is all of it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmark.core.canonical import canonical
from benchmark.core.history import History, Weighted, real_data_only
from benchmark.core.pool import Bought, Candidates, Pool
from benchmark.core.requests import NEUTRAL, FitOptions, SampleRequest
from benchmark.core.rows import Names
from benchmark.core.rules import CANDIDATES_PER_ROW, Meter, Rules
from benchmark.core.services import Services, Under, within
from benchmark.core.strategy import Context, Spec, Strategy
from benchmark.core.streams import Seed, stream
from benchmark.core.task import Start, Task, refuse_copies, refuse_unsupported
from benchmark.errors import ContractBroken

Record = dict[str, Any]
A = TypeVar("A")

UNDER: dict[str, Under] = {"previous": "current", "first": "first"}
"""What the model is called before the iteration with which a strategy blends."""


def run(
    task: Task,
    make_strategy: Callable[[], Strategy],
    rules: Rules,
    seed: Seed,
    horizon: int,
    start: Start | None = None,
) -> Iterator[Record]:
    """One record an iteration, as measured.

    Args:
        task: the instance.
        make_strategy: a new strategy object; called at every iteration under track `blind`.
        rules: track, budget and role, which the loop enforces.
        seed: of all randomness.
        horizon: T, the number of iterations.
        start: `start_of(task, seed)`, where it is at hand.

    Raises:
        ContractBroken: the strategy's answer is not allowed; the message names the iteration.
        Unsupported: the strategy asks for what the task-setting does not have.
    """
    start = start or start_of(task, seed)
    history = History(start.real, room=(horizon + 1) * task.n)
    real_losses = {NEUTRAL: start.loss}
    models: dict[Under, Any] = {}
    real_mass: dict[Under, float] = {}
    strategy = _set_up(make_strategy, task, rules)
    for t in range(1, horizon + 1):
        if t > 1 and not rules.sees_generations:
            strategy = _set_up(make_strategy, task, rules)
        meter = Meter()
        services = Services(task, start.world, history, rules, meter, seed, t, models, real_mass)
        names = Names(history, history.size, seed, "pool", t)
        pool = Pool(names, services, 0, len(history))
        context = Context(t, task.n, partial(getattr, services, "rng"), partial(_buy, services, names))
        chosen = _chosen(strategy, context, pool, services)
        with _named("fit_options", t):
            options = _answer(strategy.fit_options(context), FitOptions)
            refuse_unsupported(task, options.asks_for())
            repelling = _repelling(options, pool, services)
        _check_fits(chosen, options, repelling, services)
        _check_blend(options, services)
        same = chosen.is_first_generation and options == NEUTRAL
        with _named("fit_options", t):
            model = start.model if same else _fitted(chosen, options, repelling, services)
        loss = start.loss if same else _loss(task, model, start.test)
        with _named("fit_options", t):
            _fit_real_data_alone(task, options, seed, start, real_losses)
        models = {"current": model, "first": models.get("first", model)}
        real_mass = {"current": meter.real_mass, "first": real_mass.get("first", meter.real_mass)}
        services.models = models
        generation, notes = _generation(strategy, context, services)
        services.over = True
        with _named("keep", t):
            refuse_copies(task, generation, start)
        yield {
            "seed": int(seed),
            "t": t,
            "test_loss": loss,
            "real_loss": min(real_losses.values()),
            "simplest_loss": start.simplest_loss,
            "status": "ok" if np.isfinite(loss) else "diverged",
            **vars(rules),
            **vars(meter),
            **notes,
            **task.diagnostics(model, generation, start, full=t == horizon or is_milestone(t)),
            "texts": task.show(generation),
        }
        history.append(generation)


@lru_cache(maxsize=1)  # for the language model, whose fit takes seconds
def start_of(task: Task, seed: Seed) -> Start:
    """The start of a seed's runs.

    The noise of fitting is one for all iterations of a seed, so that what differs between them is their data alone;
    a strategy that trains on exactly generation 0 then has this very model.
    """
    world = task.world(stream(seed, "world"))
    real = task.real_data(world, task.n, stream(seed, "real data"))
    test = task.held_out(world, stream(seed, "test data"))
    model = task.fit(real_data_only(History(real)), NEUTRAL, partial(stream, seed, "fit"))
    return Start(world, real, test, model, _loss(task, model, test), task.simplest_loss(real, test))


def _fit_real_data_alone(
    task: Task, options: FitOptions, seed: Seed, start: Start, losses: dict[FitOptions, float]
) -> None:
    """Add the loss of a fit on the real data alone with the knobs of estimation of these options.

    A knob may suit the instance better than the neutral fit: a wider kernel where the bandwidth is too narrow. That is no mitigation of
    collapse, and excess is counted from the best of these losses, so that only what the data do is counted.

    Raises:
        ContractBroken: a knob that n rows cannot bear, however many the training set has.
    """
    knobs = replace(options, blend=None, negative=None)
    if knobs not in losses:
        model = task.fit(real_data_only(History(start.real)), knobs, partial(stream, seed, "fit"))
        losses[knobs] = _loss(task, model, start.test)


def _loss(task: Task, model: Any, test: Any) -> float:
    """The test loss; what is not a number is +inf, for a model without a likelihood has none."""
    loss = task.test_loss(model, test)
    return float("inf") if np.isnan(loss) else loss


def is_milestone(t: int) -> bool:
    """Whether costly diagnostics are taken at t = 1, 2, 5, 10, 20, 50, 100, …"""
    return t in (1, 2, 5) or (t % 10 == 0 and is_milestone(t // 10))


def _set_up(make_strategy: Callable[[], Strategy], task: Task, rules: Rules) -> Strategy:
    strategy = make_strategy()
    strategy.setup(Spec(task.kind, task.n, task.dimension, rules))
    return strategy


def _buy(services: Services, names: Names, count: int) -> Pool:
    before = services.history.size
    services.buy_real(count)
    return Bought(names, services, before, services.history.size)


@contextmanager
def _named(method: str, t: int) -> Iterator[None]:
    """What an answer breaks is told with the method that gave it, and when."""
    try:
        yield
    except ContractBroken as error:
        raise type(error)(f"{method}() at iteration {t}: {error}") from error


def _chosen(strategy: Strategy, context: Context, pool: Pool, services: Services) -> Weighted:
    with _named("training_set", context.t):
        chosen = canonical(pool, strategy.training_set(context, pool))
        services.meter.training_rows, services.meter.real_share = chosen.size, chosen.real_share
        _check_training_rows(services)
        _check_real_rows(chosen, services)
    return chosen


def _repelling(options: FitOptions, pool: Pool, services: Services) -> Weighted | None:
    """The training set of the model to be moved away from."""
    if options.negative is None:
        return None
    repelling = canonical(pool, options.negative[0])
    services.meter.training_rows += repelling.size
    _check_training_rows(services)
    return repelling


def _check_training_rows(services: Services) -> None:
    most = services.rules.max_training_rows(services.task.n, services.t)
    within("rows in the training set", services.meter.training_rows, most)


def _check_real_rows(chosen: Weighted, services: Services) -> None:
    """Mass alone is no cap: one heavy synthetic row, or a few, would leave a text model or a covariance what real rows make of it."""
    most = services.rules.max_real_share(services.task.n, services.t)
    if most < 1:
        within("share of real rows in the effective number of rows", chosen.real_share_of_rows, most)


def _check_fits(chosen: Weighted, options: FitOptions, repelling: Weighted | None, services: Services) -> None:
    """A fit of a few rows is void, or nearly: of text it is the checkpoint. Half of it and half of an older model would keep that model."""
    fits = [chosen] * (options.blend is not None or repelling is not None) + [repelling] * (repelling is not None)
    for fit in fits:
        if fit is not None and fit.effective_rows < services.task.n / 2:
            raise ContractBroken(
                f"fit_options() at iteration {services.t}: a fit that is blended or moved away from rests on {fit.effective_rows:g} "
                f"effective rows: expected at least n/2 = {services.task.n / 2:g} different ones."
            )


def _check_blend(options: FitOptions, services: Services) -> None:
    """Meter what the next model will rest on: its weight of an older model, and the share of its mass that is real.

    Real mass is (1 - w)·direct + w·(the older model's), direct the training set's share; with negative guidance of weight γ
    direct is 1 + γ times that, and above 1 where the model goes beyond the fit. What it moves away from takes no real row out.
    """
    rules, meter, t = services.rules, services.meter, services.t
    method = "training_set" if options.blend is None and options.negative is None else "fit_options"
    with _named(method, t):
        meter.real_mass = meter.real_share
        if options.negative is not None:
            meter.real_mass *= 1 + options.negative[1]
        if options.blend is not None:
            which, weight = options.blend
            within(f"weight of the {which} model in the blend", weight, rules.max_blend(which, t))
            if services.models:
                meter.real_mass = (1 - weight) * meter.real_mass + weight * services.real_mass[UNDER[which]]
        most = rules.max_real_share(services.task.n, t)
        if most < 1:
            within("share of real rows in the mass that the model rests on", meter.real_mass, most)


def _fitted(chosen: Weighted, options: FitOptions, repelling: Weighted | None, services: Services) -> Any:
    """The model of one iteration. At iteration 1 there is none to blend with."""
    task, draw_rng = services.task, partial(stream, services.seed, "fit")
    model = task.fit(chosen, options, draw_rng)
    if options.negative is not None and repelling is not None:
        model = task.away(model, task.fit(repelling, options, draw_rng), options.negative[1])
    if options.blend is not None and services.models:
        which, weight = options.blend
        model = task.blend(model, services.models[UNDER[which]], weight)
    return model


def _generation(strategy: Strategy, context: Context, services: Services) -> tuple[Any, dict[str, float]]:
    """What enters the pool, and what is to be known of the sampling."""
    task, rules, seed, t = services.task, services.rules, services.seed, services.t
    with _named("sample_request", t):
        request = _answer(strategy.sample_request(context), SampleRequest)
        services.meter.candidates = task.n if request.count is None else int(request.count)
        _at_least_n("candidates", services.meter.candidates, task.n)
        within("candidates", services.meter.candidates, rules.max_candidates(task.n, t))
        refuse_unsupported(task, request.asks_for())
        drawn = task.sample(services.models["current"], services.meter.candidates, request, stream(seed, "sample", t))
    services.candidates = drawn.examples
    candidates = Candidates(Names(History(drawn.examples), len(drawn.examples), seed, "candidates", t), services, 0, 1)
    with _named("keep", t):
        kept = _each_once(canonical(candidates, strategy.keep(context, candidates)))
        _check_kept(len(drawn.examples) if kept is None else len(kept), services)
    return (drawn.examples if kept is None else drawn.examples[kept]), drawn.diagnostics


def _at_least_n(what: str, found: int, n: int) -> None:
    """The world goes on whatever a strategy does: a starved pool would stay real."""
    if found < n:
        raise ContractBroken(f"{found} {what}: expected at least n = {n}, for every generation adds n synthetic rows.")


def _check_kept(count: int, services: Services) -> None:
    """Their number must not be a memory in track `blind`, nor fill the machine elsewhere."""
    n, rules = services.task.n, services.rules
    _at_least_n("rows", count, n)
    if not rules.sees_generations and count > n:
        raise ContractBroken(
            f"{count} rows: expected n = {n} in track 'blind', where their number would tell a later iteration something."
        )
    within("rows kept", count, max(CANDIDATES_PER_ROW * n, rules.max_training_rows(n, services.t + 1)))


def _each_once(kept: Weighted) -> NDArray[np.int64] | None:
    """The candidates that are kept; None for all."""
    if kept.is_first_generation:
        return None
    rows, weights = kept.expanded()
    if len(np.unique(rows)) < len(rows):
        raise ContractBroken(f"{len(rows)} rows, some of them twice: a candidate enters the pool once.")
    if (weights != weights[0]).any():
        raise ContractBroken("rows of different weight: weights belong in training_set().")
    return rows


def _answer(found: Any, expected: type[A]) -> A:
    if not isinstance(found, expected):
        raise ContractBroken(f"returned {type(found).__name__}: expected {expected.__name__}.")
    return found
