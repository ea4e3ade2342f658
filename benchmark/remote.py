"""A strategy in a confined process, for the loop like any other: questions and answers pass as plain messages.

The loop, the data and the truth stay on this side. What the process sends is checked like any answer of a
strategy; what it asks for is what `Pool` and `Context` would give, under the same track and budget.
"""

from __future__ import annotations

import functools
import operator
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmark import errors
from benchmark.entries import Entry
from benchmark.errors import BadMessage, ContractBroken, ThriveError
from benchmark.pool import Pool, Rows
from benchmark.sandbox import Confined, Limits, confined
from benchmark.strategy import Context, FitOptions, SampleRequest, Spec, Strategy, TrainingSet

ASKED_OF_A_VIEW = {"ids", "generation", "is_real", "features", "log_likelihood", "verifier_scores"}
VIEWS_OF_A_VIEW = {"real", "latest", "generations"}
CHECKED = {"rows", "first"}


class Remote:
    """Makes strategies of an entry that live in confined processes, one at a time.

    Leaving its `with` block ends the last of them. In track `blind` the loop asks for a new one at every iteration,
    which then is a new process with a new scratch folder: nothing outlives an iteration.
    """

    def __init__(self, entry: Entry, limits: Limits, seconds_per_answer: float = 60) -> None:
        self._entry = entry
        self._limits = limits
        self._seconds = seconds_per_answer
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self.process: Confined | None = None

    def make(self) -> Strategy:
        """A new strategy in a new process; the one before is ended."""
        self.close()
        self._scratch = tempfile.TemporaryDirectory(prefix="thrive-scratch-", ignore_cleanup_errors=True)
        command = [sys.executable, "-m", "benchmark.worker"]
        self.process = confined(command, self._entry.sources, Path(self._scratch.name), self._limits)
        strategy = RemoteStrategy(self.process, self._seconds)
        wheels = self._entry.wheels
        strategy.tell(
            {
                "folder": str(self._entry.folder.absolute()),
                "hyperparameters": self._entry.card.hyperparameters,
                "wheels": str(wheels) if wheels.is_dir() else None,
            }
        )
        return strategy

    def close(self) -> None:
        if self.process is not None:
            self.process.__exit__(None, None, None)
            self.process = None
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None

    def __enter__(self) -> Remote:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class RemoteStrategy(Strategy):
    """This end of one."""

    def __init__(self, process: Confined, seconds_per_answer: float) -> None:
        self._process = process
        self._seconds = seconds_per_answer
        self._context: Context | None = None
        self._views: list[Pool] = []

    def tell(self, message: dict[str, Any]) -> Any:
        """What comes of it, after answering what the process asks in between."""
        reply = self._ask(message)
        while "ask" in reply:
            reply = self._ask(self._reply(reply))
        if "raised" in reply:
            raise _error(reply["raised"])(str(reply.get("text"))[:2000])
        if "done" not in reply:
            raise BadMessage(f"the confined process sent {sorted(reply)[:3]}, expected 'done', 'ask' or 'raised'.")
        return reply["done"]

    def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        reply = self._process.ask(message, self._seconds)
        if not isinstance(reply, dict):
            raise BadMessage(f"the confined process sent {type(reply).__name__}, expected keys and values.")
        return reply

    def _reply(self, question: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"answer": self._answer(question)}
        except ContractBroken as refusal:
            return {"refused": type(refusal).__name__, "text": str(refusal)}
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as fault:
            raise BadMessage(f"the confined process asked what cannot be answered: {fault!r}"[:300]) from fault

    def _answer(self, question: dict[str, Any]) -> Any:
        asked = question["ask"]
        if asked == "buy_real" and self._context is not None:
            return self._shown(self._context.buy_real(question["count"]))
        if asked == "ids of":
            return np.asarray(self._rows(question["rows"]))
        view = self._views[question["view"]]
        arguments = [self._given(argument) for argument in question["arguments"]]
        if asked in ASKED_OF_A_VIEW:
            found = getattr(view, asked)
            return found if asked == "ids" else found(*arguments)
        if asked in VIEWS_OF_A_VIEW:
            return self._shown(getattr(view, asked)(*arguments))
        if asked in CHECKED:
            getattr(view, asked)(*arguments)
            return None
        raise ValueError(f"'{asked}'")

    def _shown(self, view: Pool) -> list[int]:
        """A view's number and size: all that the process needs to know of it."""
        self._views.append(view)
        return [len(self._views) - 1, len(view)]

    def _given(self, argument: Any) -> Any:
        return self._rows(argument["rows"]) if isinstance(argument, dict) else argument

    def _rows(self, parts: list[dict[str, Any]]) -> Rows:
        return functools.reduce(operator.add, [self._part(part) for part in parts])

    def _part(self, part: dict[str, Any]) -> Rows:
        view: Any = self._views[part["view"]]
        if "all" in part:
            rows: Rows = view.all()
        elif "first" in part:
            rows = view.first(part["first"])
        elif "ids" in part:
            rows = view.rows(part["ids"])
        else:
            numbers = part["drawn"]
            if len(set(numbers.tolist())) < len(numbers) or min(numbers) < 0 or max(numbers) >= len(view):
                raise ValueError("what was drawn is not different numbers of a view")
            rows = view.drawn(numbers)
        return rows

    def _call(self, method: str, context: Context, view: Pool | None = None) -> Any:
        if self._context is not context:
            self._context, self._views = context, []
        given = {"t": context.t, "n": context.n, "rng": context.rng.bit_generator.state}
        shown = None if view is None else self._shown(view)
        return self._read(self.tell({"do": "call", "method": method, "context": given, "view": shown}))

    def _read(self, answer: Any) -> Any:
        """What the strategy returned, as if it had returned it here."""
        try:
            return self._as_returned(answer)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as fault:
            raise BadMessage(f"the confined process sent an answer that cannot be read: {fault!r}"[:300]) from fault

    def _as_returned(self, answer: dict[str, Any]) -> Any:
        if "parts" in answer:
            sets = [TrainingSet(self._as_returned(rows), weights) for rows, weights in answer["parts"]]
            return functools.reduce(operator.add, sets)
        if "rows" in answer:
            return self._rows(answer["rows"])
        if "request" in answer:
            return SampleRequest(**answer["request"])
        if "options" in answer:
            return self._options(answer["options"])
        return answer.get("array")

    def _options(self, found: dict[str, Any]) -> FitOptions:
        if found["negative"] is not None:
            rows, weight = found["negative"]
            found = found | {"negative": (self._as_returned(rows), weight)}
        blend = found["blend"] and tuple(found["blend"])
        return FitOptions(**found | {"blend": blend})

    def setup(self, spec: Spec) -> None:
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


def _error(name: str) -> Callable[[str], ThriveError]:
    """The error of that name; a process may not raise what is not one of ours."""
    found = getattr(errors, str(name), None)
    return found if isinstance(found, type) and issubclass(found, ThriveError) else errors.StrategyFailed
