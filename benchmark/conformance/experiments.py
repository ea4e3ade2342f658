"""Runs an entry on small instances and reports what it selected: the confined end of `benchmark.conformance.check`.

Each experiment is made in a process of its own, forked from one that has never run the entry's code.
"""

import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import Any

from benchmark.conformance.disguise import DISGUISES, poisoned
from benchmark.conformance.plain_answers import Answer
from benchmark.conformance.toy_tasks import INSTANCES, TASK_SETTINGS
from benchmark.conformance.watching import Log, Replayed, Watched
from benchmark.core.loop import run
from benchmark.core.pool import Pool
from benchmark.core.rows import Rows
from benchmark.core.rules import Budget, Rules
from benchmark.core.strategy import Context, Strategy
from benchmark.core.task import Task
from benchmark.entries.entry import Entry
from benchmark.errors import BadEntry, BudgetExceeded, ContractBroken, ThriveError, TrackBroken, Unsupported
from benchmark.messages import take_the_line
from benchmark.runs.process import in_a_process_of_its_own
from benchmark.runs.time_limit import TimedOut, time_limit

HORIZON = 4
SEED = 0
GRACE = 2.0
"""Seconds for which an entry may ignore that its time is over."""
Outcome = dict[str, Any]


KINDS: tuple[tuple[type[BaseException], str], ...] = (
    (Unsupported, "refused"),
    (TimedOut, "limits"),
    (MemoryError, "limits"),
    (TrackBroken, "rules"),
    (BudgetExceeded, "rules"),
    (ContractBroken, "answers"),
    (BadEntry, "loads"),
    (BaseException, "runs"),
)
"""Which check an error belongs to: the first that fits."""


def replay(rules: Rules, task: str, answers: list[Answer]) -> list[str]:
    """The records that the harness gets from an entry's answers, without its code."""
    return [repr(record) for record in run(INSTANCES[task], lambda: Replayed(answers), rules, SEED, HORIZON)]


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
    """The outcome of a run: answers, records, what was noticed, and the error that ended it, if any."""
    records: list[str] = []
    kind, error = "", ""
    try:
        with time_limit(seconds, f"gave no answer in the {seconds:g} s that a run has"):
            records += (repr(record) for record in run(task, make, entry.rules, SEED, horizon))
    except BaseException as raised:  # a stranger's code may raise anything
        kind = next(kind for type_, kind in KINDS if isinstance(raised, type_))
        error = error_line(raised, log.where, entry.folder)
    return {"answers": log.answers, "records": records, "noticed": log.noticed, "kind": kind, "error": error}


def error_line(error: BaseException, where: str, folder: Path) -> str:
    """An error in one line: which call, what it says, and the line of the entry that it came from."""
    if isinstance(error, BadEntry):
        return str(error)
    message = str(error).removeprefix(f"{where}: ")  # the loop names the call too
    if not isinstance(error, (ThriveError, TimedOut)):
        message = f"raised {type(error).__name__}" + (f": {message}" if message else "")
    lines = [frame for frame in _frames(error) if Path(frame.filename).is_relative_to(folder)]
    place = f" ({lines[-1].filename}:{lines[-1].lineno}: {lines[-1].line})" if lines else ""
    return f"{where}: {message}{place}"


def _frames(error: BaseException | None) -> list[traceback.FrameSummary]:
    """The frames of an error and of its causes."""
    return [] if error is None else [*traceback.extract_tb(error.__traceback__), *_frames(error.__cause__)]


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
    """Import what a task-setting imports while it runs, so that no fork needs to."""
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
