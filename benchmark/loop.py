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
from functools import lru_cache, partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import BudgetExceeded, ContractBroken
from benchmark.history import Examples, History, Weighted, real_data_only
from benchmark.pool import Candidates, Names, Pool
from benchmark.rules import Meter, Rules
from benchmark.strategy import NEUTRAL, Context, FitOptions, SampleRequest, Spec, Strategy, canonical
from benchmark.streams import stream
from benchmark.task import Task, refuse_unsupported

Record = dict[str, Any]
A = TypeVar("A")


def run(task: Task, make_strategy: Callable[[], Strategy], rules: Rules, seed: int, horizon: int) -> Iterator[Record]:
    """One record an iteration, as measured.

    Args:
        task: the instance.
        make_strategy: a new strategy object; called at every iteration under track `blind`.
        rules: track, budget and role, which the loop enforces.
        seed: of all randomness.
        horizon: T, the number of iterations.

    Raises:
        ContractBroken: the strategy's answer is not allowed; the message names the iteration.
        Unsupported: the strategy asks for what the task-setting does not have.
    """
    start = start_of(task, seed)
    history = History(start.real, room=(horizon + 1) * task.n)
    strategy = _set_up(make_strategy, task, rules)
    for t in range(1, horizon + 1):
        if t > 1 and not rules.sees_generations:
            strategy = _set_up(make_strategy, task, rules)
        meter = Meter()
        context = Context(t, task.n, partial(stream, seed, "strategy", t))
        chosen = _chosen(strategy, context, history, rules, seed, meter)
        options = _answer(strategy.fit_options(context), FitOptions, f"fit_options() at iteration {t}")
        refuse_unsupported(task, options.asks_for())
        same = chosen.is_first_generation and options == NEUTRAL
        model = start.model if same else task.fit(chosen, options, partial(stream, seed, "fit"))
        loss = start.loss if same else _loss(task, model, start.test)
        generation, notes = _generation(task, strategy, context, model, rules, seed, meter)
        yield {
            "seed": seed,
            "t": t,
            "test_loss": loss,
            "real_loss": start.loss,
            "status": "ok" if np.isfinite(loss) else "diverged",
            **vars(rules),
            **vars(meter),
            **notes,
            **task.diagnostics(model, generation, start.test, full=t == horizon or is_milestone(t)),
            "texts": task.show(generation),
        }
        history.append(generation)


class Start(NamedTuple):
    """What all strategies of a seed share: real data, test data, and the harness's own neutral fit on generation 0."""

    real: Examples
    test: Any
    model: Any
    loss: float  # L_real: excess is counted from here


@lru_cache(maxsize=1)  # for the language model, whose fit takes seconds
def start_of(task: Task, seed: int) -> Start:
    """The start of a seed's runs.

    The noise of fitting is one for all iterations of a seed, so that what differs between them is their data alone;
    a strategy that trains on exactly generation 0 then has this very model.
    """
    world = task.world(stream(seed, "world"))
    real = task.real_data(world, task.n, stream(seed, "real data"))
    test = task.held_out(world, stream(seed, "test data"))
    model = task.fit(real_data_only(History(real)), NEUTRAL, partial(stream, seed, "fit"))
    return Start(real, test, model, _loss(task, model, test))


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


def _chosen(strategy: Strategy, context: Context, history: History, rules: Rules, seed: int, meter: Meter) -> Weighted:
    pool = Pool(Names(history, seed, "pool", context.t), rules, 0, len(history))
    try:
        chosen = canonical(pool, strategy.training_set(context, pool))
    except ContractBroken as error:
        raise type(error)(f"training_set() at iteration {context.t}: {error}") from error
    meter.training_rows, meter.real_share = chosen.size, chosen.real_share
    _within("rows in the training set", meter.training_rows, rules.max_training_rows(context.n, context.t), context.t)
    _within("share of real rows in the training mass", meter.real_share, rules.max_real_share(context.t), context.t)
    return chosen


def _generation(
    task: Task, strategy: Strategy, context: Context, model: Any, rules: Rules, seed: int, meter: Meter
) -> tuple[Any, dict[str, float]]:
    """What enters the pool, and what is to be known of the sampling."""
    request = _answer(strategy.sample_request(context), SampleRequest, f"sample_request() at iteration {context.t}")
    refuse_unsupported(task, request.asks_for())
    meter.candidates = request.count or task.n
    _within("candidates", meter.candidates, rules.max_candidates(task.n), context.t)
    drawn = task.sample(model, meter.candidates, request, stream(seed, "sample", context.t))
    candidates = Candidates(Names(History(drawn.examples), seed, "candidates", context.t), rules, 0, 1)
    try:
        kept = _each_once(canonical(candidates, strategy.keep(context, candidates)))
    except ContractBroken as error:
        raise type(error)(f"keep() at iteration {context.t}: {error}") from error
    return (drawn.examples if kept is None else drawn.examples[kept]), drawn.diagnostics


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


def _answer(found: Any, expected: type[A], where: str) -> A:
    if not isinstance(found, expected):
        raise ContractBroken(f"{where} returned {type(found).__name__}: expected {expected.__name__}.")
    return found


def _within(what: str, found: float, most: float, t: int) -> None:
    if found > most * (1 + 1e-9):  # a share is a quotient of sums
        raise BudgetExceeded(f"iteration {t}: {what}: {found:g}, and the track and budget allow {most:g}.")
