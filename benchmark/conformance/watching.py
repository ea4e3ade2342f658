"""Strategies that stand between the loop and an entry: one that notes what the entry answers, and one that answers the same again."""

import random
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from benchmark.conformance.disguise import Disguise
from benchmark.conformance.plain_answers import Answer, held_rows, rebuilt_options, rebuilt_rows, row_by_row
from benchmark.core.canonical import canonical
from benchmark.core.pool import Candidates, Pool
from benchmark.core.requests import FitOptions, SampleRequest, TrainingSet
from benchmark.core.rows import Names
from benchmark.core.strategy import Context, Spec, Strategy


@dataclass
class Log:
    """What an entry did in one run.

    Attributes:
        answers: one for each call, as plain data, in the harness's row numbers: what was answered, and how its rows were held.
        noticed: name of a check, and what it found.
        where: the last call.
    """

    answers: list[Answer] = field(default_factory=list)
    noticed: list[tuple[str, str]] = field(default_factory=list)
    where: str = "loading"

    @contextmanager
    def watching(self, where: str, *views: Pool) -> Iterator[None]:
        """Note what changes meanwhile and must not."""
        self.where = where
        sizes, state = [view.names.history.size for view in views], _global_state()
        before = [_content(*pair) for pair in zip(views, sizes, strict=True)]
        imported = _libraries()
        yield
        if _global_state() != state and _libraries() == imported:  # scikit-learn draws numbers when it is imported
            self.noticed.append(("global-randomness", f"{where} used the global random state of numpy or Python"))
        if [_content(*pair) for pair in zip(views, sizes, strict=True)] != before:
            self.noticed.append(("read-only", f"{where} changed examples in place"))


def _content(view: Pool, size: int) -> object:
    """The first rows of a view: rows that the entry buys come behind them."""
    examples = view.names.history.examples[:size]
    return examples.tolist() if examples.dtype == object else examples.tobytes()  # NaN is not equal to itself


def _libraries() -> set[str]:
    """Modules in memory that were installed."""
    installed = sysconfig.get_path("purelib")
    return {
        name for name, module in list(sys.modules.items()) if str(getattr(module, "__file__", "")).startswith(installed)
    }


def _global_state() -> tuple[Any, ...]:
    numpys: Any = np.random.get_state()  # noqa: NPY002
    return numpys[1].tobytes(), numpys[2:], random.getstate()


class Watched(Strategy):
    """Stands between loop and strategy: notes all answers, and may show the strategy its pool in disguise."""

    def __init__(self, make: Callable[[], Strategy], log: Log, disguise: Disguise) -> None:
        with log.watching("loading"):
            self._inner = make()
        self._log = log
        self._disguise = disguise
        self._names: dict[Names, Names] = {}
        self._contexts: dict[int, Context] = {}

    def setup(self, spec: Spec) -> None:
        with self._log.watching("setup()"):
            self._inner.setup(spec)

    def training_set(self, context: Context, pool: Pool) -> TrainingSet:
        self._pool, self._seen = pool, self._in_disguise(pool)
        return self._selected("training_set", context, pool)

    def keep(self, context: Context, candidates: Candidates) -> TrainingSet:  # type: ignore[override]
        return self._selected("keep", context, candidates)

    def sample_request(self, context: Context) -> SampleRequest:
        request: SampleRequest = self._asked("sample_request", context)
        plain = dict(vars(request)) if isinstance(request, SampleRequest) else {}
        self._note(context, "sample_request", plain, plain)
        return request

    def fit_options(self, context: Context) -> FitOptions:
        options: FitOptions = self._asked("fit_options", context)
        if not isinstance(options, FitOptions):  # the loop says so
            return options
        answer, held = dict(vars(options)), dict(vars(options))
        if options.negative is not None:
            rows, weight = options.negative
            as_held = held_rows(canonical(self._seen, rows), self._pool, self._disguise)
            answer["negative"], held["negative"] = (row_by_row(as_held, self._pool), weight), (as_held, weight)
        self._note(context, "fit_options", answer, held)
        return rebuilt_options(held, self._pool.names)

    def _selected(self, method: str, context: Context, view: Pool) -> TrainingSet:
        seen = self._in_disguise(view)
        held = held_rows(canonical(seen, self._asked(method, context, seen)), view, self._disguise)
        self._note(context, method, row_by_row(held, view), held)
        return rebuilt_rows(held, view.names)

    def _asked(self, method: str, context: Context, *views: Pool) -> Any:
        with self._log.watching(f"{method}() at iteration {context.t}", *views):
            return getattr(self._inner, method)(self._context(context), *views)

    def _note(self, context: Context, method: str, answer: Answer, held: Answer) -> None:
        self._log.answers.append({"t": context.t, "method": method, "answer": answer, "held": held})

    def _in_disguise(self, view: Pool) -> Pool:
        if view.names not in self._names:
            self._names[view.names] = self._disguise.names(view.names)
        return self._disguise.view(view, self._names[view.names])

    def _context(self, context: Context) -> Context:
        """One for an iteration, so that its methods go on drawing from one stream."""
        if context.t not in self._contexts:
            bought = partial(self._bought, context)
            self._contexts = {context.t: Context(context.t, context.n, lambda: context.rng, bought)}
        return self._contexts[context.t]

    def _bought(self, context: Context, count: int) -> Pool:
        bought = context.buy_real(count)
        self._note(context, "buy_real", {"count": int(count)}, {"count": int(count)})
        return self._in_disguise(bought)


class Replayed(Strategy):
    """Answers what another run answered, and buys what it bought."""

    def __init__(self, answers: list[Answer]) -> None:
        self._answers = answers

    def training_set(self, context: Context, pool: Pool) -> TrainingSet:
        self._names = pool.names
        for purchase in self._all(context, "buy_real"):
            context.buy_real(purchase["count"])
        return rebuilt_rows(self._one(context, "training_set"), pool.names)

    def fit_options(self, context: Context) -> FitOptions:
        return rebuilt_options(self._one(context, "fit_options"), self._names)

    def sample_request(self, context: Context) -> SampleRequest:
        return SampleRequest(**self._one(context, "sample_request"))

    def keep(self, context: Context, candidates: Candidates) -> TrainingSet:  # type: ignore[override]
        return rebuilt_rows(self._one(context, "keep"), candidates.names)

    def _all(self, context: Context, method: str) -> list[Answer]:
        return [a["held"] for a in self._answers if (a["t"], a["method"]) == (context.t, method)]

    def _one(self, context: Context, method: str) -> Answer:
        return self._all(context, method)[0]
