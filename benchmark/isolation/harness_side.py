"""A strategy in a confined process, for the loop like any other: questions and answers pass as plain messages.

The loop, the data and the truth stay on this side. What the process sends is held against its form
(`benchmark.isolation.answers`), then checked like any answer of a strategy; what it asks for is what `Pool` and `Context` would
give, under the same track and budget. Time, questions, views and rows are bounded: whatever it sends, this side ends too.
"""

from __future__ import annotations

import functools
import operator
import time
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any, TypeVar

import numpy as np

from benchmark import errors
from benchmark.core.pool import Candidates, Pool
from benchmark.core.requests import FitOptions, SampleRequest, TrainingSet
from benchmark.core.rows import Ids, Rows
from benchmark.core.rules import Rules
from benchmark.core.strategy import Context, Spec, Strategy
from benchmark.errors import BadMessage, BudgetExceeded, ContractBroken, Stopped, ThriveError
from benchmark.isolation import answers
from benchmark.isolation.confined import Confined
from benchmark.messages import one_line

A = TypeVar("A")
RAISED = {"BadEntry", "ContractBroken", "TrackBroken", "BudgetExceeded", "Unsupported"}
"""Errors that a strategy's process may raise by name; any other is one of the strategy's own."""
QUESTIONS = 10_000
"""Most that a strategy may ask in one iteration."""
VIEWS = 1_000
"""Most that it may have of one iteration: one for each generation, and then some."""


class Clock:
    """The seconds that an entry may take in all: in its own process, and here to answer what it asks."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._taken = 0.0

    @property
    def left(self) -> float:
        return self._seconds - self._taken

    def add(self, seconds: float) -> None:
        """Raises Stopped where there are none left."""
        self._taken += seconds
        if self.left <= 0:
            raise Stopped(f"the entry used up the {self._seconds:g} s that it has for all its runs here.")


class RemoteStrategy(Strategy):
    """This end of one."""

    def __init__(self, process: Confined, seconds_per_answer: float, clock: Clock) -> None:
        self._process = process
        self._seconds = seconds_per_answer
        self._clock = clock
        self._context: Context | None = None
        self._views: list[Pool] = []
        self._questions = 0
        self._rules = Rules()

    def tell(self, message: dict[str, Any]) -> Any:
        """Send a message, answer the questions that the process asks, and return its reply."""
        begun = time.monotonic()
        ends = begun + min(self._seconds, self._clock.left)
        try:
            reply = self._ask(message, ends)
            while "ask" in reply:
                reply = self._ask(self._reply(reply), ends)
        finally:
            self._clock.add(time.monotonic() - begun)
        if "raised" in reply:
            raise _error(answers.word(reply["raised"]))(answers.text(reply.get("text")) or "failed without a word.")
        return answers.table(reply, "done")["done"]

    def _ask(self, message: dict[str, Any], ends: float) -> dict[str, Any]:
        return answers.table(self._process.ask(message, max(0.0, ends - time.monotonic())))

    def _reply(self, question: dict[str, Any]) -> dict[str, Any]:
        self._questions += 1
        if self._questions > QUESTIONS:
            raise Stopped(f"the strategy asked more than {QUESTIONS:,} questions in one iteration.")
        try:
            return {"answer": self._answer(question)}
        except ContractBroken as refusal:
            return {"refused": type(refusal).__name__, "text": str(refusal)}

    def _answer(self, question: dict[str, Any]) -> Any:
        asked = answers.word(question["ask"])
        if asked == "buy_real" and self._context is not None:
            return self._shown(self._context.buy_real(answers.setting(question.get("count"))))
        if asked == "ids of":
            return np.asarray(self._rows(question.get("rows")))
        answer = self._answer_of(self._view(question), asked, answers.listed(question.get("arguments")))
        return self._shown(answer) if isinstance(answer, Pool) else answer

    def _answer_of(self, view: Pool, asked: str, arguments: list[Any]) -> Any:
        """The view's answer to a question; None where the question is only whether the view has these rows."""
        match asked, arguments:
            case "ids", []:
                return view.ids
            case "generation" | "is_real" | "real" | "latest", []:
                return getattr(view, asked)()
            case "generations", [first, last]:
                return view.generations(answers.whole(first), answers.whole(last))
            case "features", [rows]:
                return view.features(self._asked_about(rows))
            case "log_likelihood", [rows, under, per_token]:
                model: Any = answers.word(under)
                return view.log_likelihood(self._asked_about(rows), model, bool(answers.setting(per_token)))
            case "verifier_scores", [per_row, rows]:
                return view.verifier_scores(answers.number(per_row), self._asked_about(rows))
            case "rows", [ids]:
                self._part({"ids": ids}, view)
            case "first", [count]:
                self._part({"first": count}, view)
            case _:
                answers.expected(False, [asked, len(arguments)], "a question")
        return None

    def _view(self, part: dict[str, Any]) -> Pool:
        number = answers.whole(part.get("view"))
        answers.expected(0 <= number < len(self._views), number, f"a view's number below {len(self._views)}")
        return self._views[number]

    def _shown(self, view: Pool) -> list[int]:
        """A view's number and size: all that the process needs to know of it."""
        if len(self._views) >= VIEWS:
            raise Stopped(f"the strategy asked for more than {VIEWS:,} views in one iteration.")
        self._views.append(view)
        return [len(self._views) - 1, len(view)]

    def _asked_about(self, received: object) -> Any:
        """Rows that a question is about: those of a selection, ids, or all."""
        if received is None:
            return None
        if isinstance(received, dict):
            return self._rows(received.get("rows"))
        ids = answers.array(received)
        self._check_size(ids.size)
        return ids

    def _rows(self, received: object) -> Rows:
        rows: list[Rows] = []
        size = 0
        for part in answers.listed(received):
            rows.append(self._part(answers.table(part), self._view(part)))
            size += len(rows[-1])
            self._check_size(size)
        answers.expected(len(rows) > 0, received, "at least one part")
        answers.expected(all(part.names is rows[0].names for part in rows), "parts of two views", "of one alone")
        return Rows(rows[0].names, tuple(chunk for part in rows for chunk in part.chunks))

    def _check_size(self, size: int) -> None:
        """Refuse to list rows without end; the budget refuses far fewer in a training set."""
        pool, context = self._views[0], self._context
        assert context is not None
        most = 4 * max(pool.names.history.size, self._rules.max_training_rows(context.n, context.t))
        if size > most:
            raise BudgetExceeded(f"rows in one selection or question: {size:,}, and at most {most:,} are looked at.")

    def _part(self, part: dict[str, Any], view: Pool) -> Rows:
        if "all" in part:
            return view.all()
        if "first" in part and isinstance(view, Candidates):
            return view.first(answers.whole(part["first"]))
        if "ids" in part:
            return view.rows(answers.array(part["ids"]))
        return view.drawn(answers.different(part.get("drawn"), len(view)))

    def _call(self, method: str, context: Context, view: Pool | None = None) -> Any:
        if self._context is not context:
            self._context, self._views, self._questions = context, [], 0
        given = {"t": context.t, "n": context.n, "rng": context.rng.bit_generator.state}
        shown = None if view is None else self._shown(view)
        return self._as_returned(self.tell({"do": "call", "method": method, "context": given, "view": shown}))

    def _as_returned(self, received: object) -> Any:
        """What the strategy returned, as if it had returned it here."""
        answer = answers.table(received)
        if "request" in answer:
            return _made(SampleRequest, answers.settings(answer["request"], *_names(SampleRequest)))
        if "options" in answer:
            return self._options(answers.table(answer["options"]))
        return self._selection(answer)

    def _selection(self, answer: dict[str, Any]) -> TrainingSet | Rows | Ids | None:
        if "parts" in answer:
            sets = [self._weighted(*_pair(part)) for part in answers.listed(answer["parts"])]
            answers.expected(len(sets) > 0, answer, "at least one part")
            return functools.reduce(operator.add, sets)
        return self._rows_or_ids(answer)

    def _rows_or_ids(self, received: object) -> Rows | Ids | None:
        answer = answers.table(received)
        if "rows" in answer:
            return self._rows(answer["rows"])
        return answers.array(answer["array"]) if "array" in answer else None

    def _weighted(self, received: object, weights: object) -> TrainingSet:
        rows: Any = self._rows_or_ids(received)
        return TrainingSet(rows, answers.array(weights) if isinstance(weights, np.ndarray) else answers.number(weights))

    def _options(self, received: dict[str, Any]) -> FitOptions:
        plain = {name: value for name, value in received.items() if name not in ("blend", "negative")}
        options = answers.settings(plain, *_names(FitOptions))
        if received.get("blend") is not None:
            which, weight = _pair(received["blend"])
            options["blend"] = (answers.word(which), answers.number(weight))
        if received.get("negative") is not None:
            repelling, weight = _pair(received["negative"])
            options["negative"] = (self._selection(answers.table(repelling)), answers.number(weight))
        return _made(FitOptions, options)

    def setup(self, spec: Spec) -> None:
        self._rules = spec.rules
        plain = asdict(spec)
        self.tell({"do": "setup", "spec": {**plain.pop("rules"), **plain}})

    def training_set(self, context: Context, pool: Pool) -> Any:
        return self._call("training_set", context, pool)

    def fit_options(self, context: Context) -> Any:
        return self._call("fit_options", context)

    def sample_request(self, context: Context) -> Any:
        return self._call("sample_request", context)

    def keep(self, context: Context, candidates: Pool) -> Any:
        return self._call("keep", context, candidates)


def _names(kind: type) -> list[str]:
    return [field.name for field in fields(kind)]


def _made(kind: type[A], values: dict[str, Any]) -> A:
    try:
        return kind(**values)
    except TypeError as error:  # a word where a number is compared
        raise BadMessage(
            f"the confined process sent a {kind.__name__} of wrong kinds: {one_line(str(error))}"
        ) from error


def _pair(received: object) -> tuple[Any, Any]:
    pair = answers.listed(received, 2)
    answers.expected(len(pair) == 2, received, "two values")
    return pair[0], pair[1]


def _error(name: str) -> Callable[[str], ThriveError]:
    """The error of that name; a process may not raise what is not a strategy's to raise."""
    kind: Callable[[str], ThriveError] = getattr(errors, name) if name in RAISED else errors.StrategyFailed
    return kind
