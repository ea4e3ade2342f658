"""`thrive check`: the whole contract on one entry, on small instances, in seconds.

Each check is a function of the evidence that yields the faults it finds. Evidence is collected by running the entry in
confined processes (`benchmark.conformance.experiments`); nothing of the entry runs here.

In those processes the harness and the entry share one interpreter, and Python keeps no secrets within one. Two comparisons
find tampering: the entry must select the same when what it must not see is changed, and the harness, given the entry's
answers without its code, must get the same records. `CANNOT_SEE` says what they leave open; `thrive verify` keeps harness and
entry in two processes.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal, NamedTuple

from benchmark.conformance.evidence import Evidence, Outcome
from benchmark.conformance.experiments import replay
from benchmark.entries.entry import Entry
from benchmark.errors import BadEntry
from benchmark.isolation.confined import Limits
from benchmark.messages import one_line
from benchmark.tasks import TASKS, small

INSTANCES = tuple(name for task in TASKS for name in small(task))
"""Names of the small instances, which `benchmark.conformance.toy_tasks` makes: that takes longer to import."""
LIMITS = Limits(cpu_seconds=60, wall_seconds=300, memory_bytes=4 << 30)
SECONDS = 10.0
"""For one run of an entry, which on these instances takes milliseconds."""
CANNOT_SEE = (
    "Tampering with the harness is detected only if it changes what the entry selects or what the harness records on these small "
    "instances with one seed. thrive verify runs harness and entry in two processes."
)
"""What a pass does not say."""


class Finding(NamedTuple):
    """The outcome of one check."""

    verdict: Literal["pass", "FAIL", "note", "skip"]
    check: str
    text: str


Faults = Iterator[str]


@dataclass(frozen=True)
class Check:
    """One part of the contract.

    Attributes:
        holds: what is true of an entry that passes.
        faults: where it is not true; the first is shown.
        way_out: what an author can do, where the fault does not say it itself.
    """

    name: str
    holds: str
    faults: Callable[[Evidence], Faults]
    way_out: str = ""


def _card(evidence: Evidence) -> Faults:
    try:
        evidence.entry.must_be_readable()
    except BadEntry as error:
        yield str(error)


def _ended(kind: str, evidence: Evidence) -> Faults:
    """Runs that ended with an error of this kind."""
    for task, outcome in evidence.plain.items():
        if outcome["kind"] == kind:
            yield f"{task}: {outcome['error']}"


def _runs(evidence: Evidence) -> Faults:
    yield from _ended("runs", evidence)
    if not evidence.finished:
        yield f"refused on every task-setting: {evidence.plain[INSTANCES[0]]['error']}"


def _rules(evidence: Evidence) -> Faults:
    card = evidence.entry.card
    for fault in _ended("rules", evidence):
        yield f"{fault.rstrip('.')}. The card says track {card.track} and budget {card.budget}"


def _noticed(check: str, evidence: Evidence) -> Faults:
    for task, outcome in evidence.plain.items():
        for name, text in outcome["noticed"]:
            if name == check:
                yield f"{task}: {text}"


def _deterministic(evidence: Evidence) -> Faults:
    for task, outcome in evidence.finished.items():
        other = evidence.ask("experiment", "another", task=task)
        yield from _if_differs(f"{task}: two processes with one seed differ", outcome, other, records=True)


def _isolated(evidence: Evidence) -> Faults:
    for task, outcome in evidence.finished.items():
        again = evidence.ask("twice", task=task)
        yield from _if_differs(f"{task}: a second run in the same process differs", outcome, again, records=True)
        if not evidence.entry.rules.sees_generations:
            yield from _apart(task, outcome, evidence)


def _apart(task: str, outcome: Outcome, evidence: Evidence) -> Faults:
    """Every iteration by itself; the first was in a new process anyway."""
    for t in sorted({answer["t"] for answer in outcome["answers"]} - {1}):
        alone = evidence.ask("apart", task=task, answers=outcome["answers"], t=t)
        then = [answer for answer in outcome["answers"] if answer["t"] == t]
        yield from _if_differs(f"{task}: in a process of its own, it differs", {**outcome, "answers": then}, alone)


def _unmoved(what: str, evidence: Evidence, but: str = "", **variation: Any) -> Faults:
    """Runs with a variation that must not matter, on all instances but one."""
    for task, outcome in evidence.finished.items():
        if task == but:
            continue
        other = evidence.ask("experiment", task=task, **variation)
        yield from _if_differs(f"{task}: {what} changes what it selects", outcome, other)


def _if_differs(what: str, one: Outcome, other: Outcome, records: bool = False) -> Faults:
    """Where the second run first differs from the first, which had no error."""
    for a, b in zip_longest(one["answers"], other["answers"]):
        if _compared(a) != _compared(b):
            where = a or b
            how = f" There {other['error']}" if other["error"] else ""
            yield f"{what}, first in {where['method']}() at iteration {where['t']}.{how}"
            return
    if other["error"] or (records and one["records"] != other["records"]):
        yield f"{what}: {other['error'] or 'the records are others'}."


def _compared(answer: dict[str, Any] | None) -> object:
    """What must be alike in two runs; how rows are held need not be."""
    return answer and (answer["t"], answer["method"], answer["answer"])


def _relabelled(evidence: Evidence) -> Faults:
    if not evidence.entry.rules.sees_generations:
        yield from _unmoved("permuting which rows are real and how old they are", evidence, disguise="relabelled")


NOT_REPLAYED = re.compile(r"'(log_likelihood_rows|verifier_rows)': \d+, ")
"""Counts of what an entry only asked for, which no answer holds."""


def _replayed(evidence: Evidence) -> Faults:
    """The harness's own records, from the answers alone, beside those of the process in which the entry ran."""
    for task, outcome in evidence.finished.items():
        try:
            ours = replay(evidence.entry.rules, task, outcome["answers"])
        except (
            Exception
        ) as error:  # answers that the harness refuses, or that are none: they come from the entry's process
            yield f"{task}: the harness refuses the same answers: {one_line(str(error)) or type(error).__name__}"
            continue
        theirs = outcome["records"]
        if [NOT_REPLAYED.sub("", record) for record in ours] != [NOT_REPLAYED.sub("", record) for record in theirs]:
            yield f"{task}: the harness, given the same answers, gets other records"


def _listed(evidence: Evidence) -> Faults:
    """But for a singular fit, where rounding decides, which differs where whole generations are summed row by row."""
    yield from _unmoved("holding lazy rows as ids", evidence, but="singular", disguise="listed")


CHECKS = (
    Check("card", "card.yaml says what it must, and no link leads out of the folder", _card),
    Check("loads", "strategy.py has one strategy, and the card's hyperparameters fit it", partial(_ended, "loads")),
    Check("limits", "a run ends in seconds and stays below 4 GiB", partial(_ended, "limits"),
          "On these instances, of 24 rows and 4 iterations, it takes others milliseconds."),
    Check("runs", "no method raises an error, and a task-setting has what is asked for", _runs),
    Check("answers", "ids, weights and knobs are such as the contract allows", partial(_ended, "answers"),
          "What a method may answer: benchmark/core/strategy.py."),
    Check("rules", "nothing exceeds track and budget", _rules, "What they allow: benchmark/core/rules.py."),
    Check("read-only", "examples are not changed in place", partial(_noticed, "read-only"),
          "Work on what a view's methods give: they are copies."),
    Check("global-randomness", "the global random state of numpy and Python is left alone",
          partial(_noticed, "global-randomness"), "Draw from context.rng only."),
    Check("deterministic", "two processes with one seed agree", _deterministic,
          "Draw from context.rng only; use no clock, no hash() and no order of a set."),
    Check("isolated", "nothing survives a run, nor in track blind an iteration", _isolated,
          "Keep nothing in modules, classes or files; in track blind an object lives for one iteration."),
    Check("renamed", "no row is selected by the value of its id",
          partial(_unmoved, "renaming ids, each in its place,", disguise="renamed"),
          "Ids are drawn anew at every iteration: select by features, by log-likelihoods, or by context.rng among the "
          "places of `pool.ids` (a list of lazy rows comes in the order of ids)."),
    Check("row-order", "lazy rows and the same rows as ids come to the same",
          _listed,
          "Weights, features and log-likelihoods of rows come in the order in which numpy lists the rows."),
    Check("hidden-labels", "in track blind, age and provenance change nothing", _relabelled,
          "Use a view's methods only: its attributes are the harness's."),
    Check("test-data", "test data change nothing", partial(_unmoved, "spoiling the test data", poison=True),
          "Use a view's methods only: the task and its test data are the harness's."),
    Check("records", "the harness gets the same records from the answers alone", _replayed,
          "The entry changes the harness in its process: leave loop, tasks and limits alone."),
)  # fmt: skip
"""In the order in which they are made. Each fault belongs to one of them."""


def check(folder: Path, seconds: float = SECONDS, limits: Limits = LIMITS) -> Iterator[Finding]:
    """All checks in order, then what is no fault and worth knowing.

    After a fault the other checks are skipped: most compare runs, which must be sound and alike to begin with.

    Args:
        folder: the entry's.
        seconds: for each run.
    """
    with Evidence(Entry(folder.resolve()), INSTANCES, seconds, limits) as evidence:
        failed = None
        for one in CHECKS:
            if failed:
                yield Finding("skip", one.name, f"until '{failed}' passes")
                continue
            fault = next(one.faults(evidence), None)
            if fault is None:
                yield Finding("pass", one.name, one.holds)
            else:
                failed = one.name
                yield Finding("FAIL", one.name, _sentences(_short(fault, evidence), one.way_out))
        if failed != "card":
            yield from _notes(evidence)


def _short(text: str, evidence: Evidence) -> str:
    """A text in one plain line, with paths relative to the entry's folder. The text may be the entry's own."""
    return one_line(text.replace(f"{evidence.entry.folder}/", ""), 1000)


def _sentences(*texts: str) -> str:
    return " ".join(text if text.endswith((".", "?")) else f"{text}." for text in texts if text)


def _notes(evidence: Evidence) -> Iterator[Finding]:
    for task, outcome in evidence.plain.items():
        if outcome["kind"] == "refused":
            yield Finding(
                "note",
                task,
                f"refused, so a board that ranks it will show a dash: {_short(outcome['error'], evidence)}",
            )
    if unfinished := evidence.entry.card.unfinished():
        yield Finding("note", "card", f"still to fill in: {', '.join(unfinished)}")
    if lines := evidence.printed.strip().splitlines():
        yield Finding("note", "prints", f"{lines[0][:100]!r} and so on: nobody will see it in a sweep.")
    if evidence.warning:
        yield Finding("note", "sandbox", evidence.warning)
