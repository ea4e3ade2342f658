"""Runs an entry on small instances and tells what it selected: the confined end of `benchmark.conformance.check`.

Each experiment is made in a process of its own, forked from one that has never run the entry's code.
"""

import os
import random
import signal
import sys
import sysconfig
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial, reduce
from itertools import count
from operator import add
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from benchmark.conformance.disguise import DISGUISES, Disguise, poisoned
from benchmark.conformance.toy_tasks import INSTANCES, TASK_SETTINGS
from benchmark.core.canonical import canonical
from benchmark.core.history import Span, Weighted
from benchmark.core.loop import run
from benchmark.core.pool import Candidates, Pool
from benchmark.core.requests import FitOptions, SampleRequest, TrainingSet
from benchmark.core.rows import Names, Rows
from benchmark.core.rules import Budget, Rules
from benchmark.core.strategy import Context, Spec, Strategy
from benchmark.core.task import Task
from benchmark.entries.entry import Entry
from benchmark.errors import BadEntry, BudgetExceeded, ContractBroken, ThriveError, TrackBroken, Unsupported
from benchmark.messages import take_the_line
from benchmark.runs.process import in_a_process_of_its_own

HORIZON = 4
SEED = 0
GRACE = 2.0
"""Seconds for which an entry may ignore that its time is over."""

Outcome = dict[str, Any]
Answer = dict[str, Any]


class TimeUp(BaseException):
    """Raised in the midst of the entry's code; no Exception, so that fewer catch it."""


KINDS: tuple[tuple[type[BaseException], str], ...] = (
    (Unsupported, "refused"),
    (TimeUp, "limits"),
    (MemoryError, "limits"),
    (TrackBroken, "rules"),
    (BudgetExceeded, "rules"),
    (ContractBroken, "answers"),
    (BadEntry, "loads"),
    (BaseException, "runs"),
)
"""Which check an error belongs to: the first that fits."""


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
    """Of the first rows: bought ones may come behind them."""
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
            as_held = self._held(canonical(self._seen, rows), self._pool)
            answer["negative"], held["negative"] = (_listed(as_held, self._pool), weight), (as_held, weight)
        self._note(context, "fit_options", answer, held)
        return rebuilt_options(held, self._pool.names)

    def _selected(self, method: str, context: Context, view: Pool) -> TrainingSet:
        seen = self._in_disguise(view)
        held = self._held(canonical(seen, self._asked(method, context, seen)), view)
        self._note(context, method, _listed(held, view), held)
        return rebuilt_rows(held, view.names)

    def _asked(self, method: str, context: Context, *views: Pool) -> Any:
        with self._log.watching(f"{method}() at iteration {context.t}", *views):
            return getattr(self._inner, method)(self._context(context), *views)

    def _note(self, context: Context, method: str, answer: Answer, held: Answer) -> None:
        self._log.answers.append({"t": context.t, "method": method, "answer": answer, "held": held})

    def _held(self, chosen: Weighted, view: Pool) -> Answer:
        """A selection in the harness's row numbers: whole generations, and single rows with their weights."""
        rows = chosen.rows
        if not isinstance(view, Candidates):
            rows = self._disguise.rows(rows, view.names.size)
        order = np.lexsort((chosen.weights, rows))
        spans = [list(span) for span in chosen.spans]
        return {"spans": spans, "rows": rows[order].tolist(), "weights": chosen.weights[order].tolist()}

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


def replay(rules: Rules, task: str, answers: list[Answer]) -> list[str]:
    """The records that the harness gets from an entry's answers, without its code."""
    return [repr(record) for record in run(INSTANCES[task], lambda: Replayed(answers), rules, SEED, HORIZON)]


def _listed(held: Answer, view: Pool) -> Answer:
    """The same selection, row by row: what compares with that of another run, however either holds its rows."""
    spans = tuple(Span(*span) for span in held["spans"])
    chosen = Weighted(view.names.history, spans, np.array(held["rows"], np.int64), np.array(held["weights"], float))
    rows, weights = chosen.expanded()
    order = np.lexsort((weights, rows))
    return {"rows": rows[order].tolist(), "weights": weights[order].tolist()}


def rebuilt_rows(held: Answer, names: Names) -> TrainingSet:
    """A selection from its plain form."""
    parts = [TrainingSet(Rows(names, ((first, last),)), weight) for first, last, weight in held["spans"]]
    if held["rows"]:
        rows = np.array(held["rows"], np.int64)
        parts.append(TrainingSet(Rows(names, (rows,)), np.array(held["weights"], float)))
    return reduce(add, parts)


def rebuilt_options(held: Answer, names: Names) -> FitOptions:
    """Fit options from their plain form."""
    negative, blend = held["negative"], held["blend"]
    return FitOptions(
        **{
            **held,
            "negative": negative and (rebuilt_rows(negative[0], names), negative[1]),
            "blend": blend and tuple(blend),
        }
    )


def experiment(entry: Entry, seconds: float, task: str, disguise: str = "none", poison: bool = False) -> Outcome:
    """One run in disguise, or with poisoned test data."""
    setting = TASK_SETTINGS[task]
    if setting in entry.card.not_for:
        return {"answers": [], "records": [], "noticed": [], "kind": "refused", "error": entry.card.not_for[setting]}
    log = Log()
    instance = poisoned(INSTANCES[task]) if poison else INSTANCES[task]
    return outcome(entry, instance, lambda: Watched(entry.make, log, DISGUISES[disguise]), log, HORIZON, seconds)


def twice(entry: Entry, seconds: float, task: str) -> Outcome:
    """The second of two runs in one process."""
    experiment(entry, seconds, task)
    return experiment(entry, seconds, task)


def apart(entry: Entry, seconds: float, task: str, answers: list[Answer], t: int) -> Outcome:
    """Iteration t in a process that has not seen the iterations before, which are replayed."""
    log, iterations = Log(), count(1)

    def make() -> Strategy:
        now = next(iterations)
        if now == t:
            return Watched(entry.make, log, DISGUISES["none"])
        return Replayed([answer for answer in answers if answer["t"] == now])

    return outcome(entry, INSTANCES[task], make, log, t, seconds)


class Neutral(Strategy):
    """Trains on all data."""

    def training_set(self, context: Context, pool: Pool) -> Rows:
        return pool.all()


EXPERIMENTS: dict[str, Callable[..., Outcome]] = {"experiment": experiment, "twice": twice, "apart": apart}


def outcome(entry: Entry, task: Task, make: Callable[[], Strategy], log: Log, horizon: int, seconds: float) -> Outcome:
    """What came of a run: answers, records, what was noticed, and the error that ended it, if any."""
    records: list[str] = []
    kind, error = "", ""
    try:
        with _at_most(seconds):
            records += (repr(record) for record in run(task, make, entry.rules, SEED, horizon))
    except BaseException as raised:  # a stranger's code may raise anything
        kind = next(kind for type_, kind in KINDS if isinstance(raised, type_))
        error = told(raised, log.where, entry.folder)
    return {"answers": log.answers, "records": records, "noticed": log.noticed, "kind": kind, "error": error}


def told(error: BaseException, where: str, folder: Path) -> str:
    """An error in one line: which call, what it says, and the line of the entry that it came from."""
    if isinstance(error, BadEntry):
        return str(error)
    message = str(error).removeprefix(f"{where}: ")  # the loop names the call too
    if not isinstance(error, (ThriveError, TimeUp)):
        message = f"raised {type(error).__name__}" + (f": {message}" if message else "")
    lines = [frame for frame in _frames(error) if Path(frame.filename).is_relative_to(folder)]
    place = f" ({lines[-1].filename}:{lines[-1].lineno}: {lines[-1].line})" if lines else ""
    return f"{where}: {message}{place}"


def _frames(error: BaseException | None) -> list[traceback.FrameSummary]:
    """Of an error and of what it was made from."""
    return [] if error is None else [*traceback.extract_tb(error.__traceback__), *_frames(error.__cause__)]


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    def ring(number: int, frame: FrameType | None) -> None:
        raise TimeUp(f"gave no answer in the {seconds:g} s that a run has")

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def apart_from_others(work: Callable[[], Outcome], seconds: float) -> Outcome:
    """The work's outcome in a process of its own, or how that ended without one."""
    ended = in_a_process_of_its_own(work, seconds, Path(tempfile.mkdtemp(dir=os.environ["HOME"])))
    if ended.answer is not None:
        return dict(ended.answer)
    late = f"it gave no answer in {seconds:g} s, and caught the error that told it to stop, or stopped the clock"
    error = late if ended.status is None else f"its process ended with status {ended.status}"
    return {"answers": [], "records": [], "noticed": [], "kind": "limits", "error": error}


@cache
def _warm_up(task: str) -> None:
    """What a task-setting imports on the way need not be imported by every fork."""
    list(run(INSTANCES[task], Neutral, Rules(budget=Budget.GROWING), SEED, 1))


def main(folder: str, seconds: str) -> None:
    """Answer questions until the line is closed."""
    line = take_the_line()
    entry, limit = Entry(Path(folder)), float(seconds)
    _ = entry.card
    while True:
        try:
            name, arguments = line.receive()
        except EOFError:
            return
        _warm_up(arguments["task"])
        work = partial(EXPERIMENTS[name], entry, limit, **arguments)
        runs = 2 if name == "twice" else 1  # an entry may stop the clock of its own process, and not this one
        line.send(apart_from_others(work, runs * limit + GRACE))


if __name__ == "__main__":
    main(*sys.argv[1:])
