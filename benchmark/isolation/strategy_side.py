"""What runs in a confined process: one strategy, which sees the pool through messages.

Neither examples, nor seeds, nor test data, nor the truth are here: rows are numbers of a view, and whatever else a
strategy asks for is answered by the harness, which owns it. `benchmark.isolation.harness_side` is the other end.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark import errors
from benchmark.core.canonical import numbers_of
from benchmark.core.requests import FitOptions, SampleRequest, TrainingSet
from benchmark.core.rows import draw
from benchmark.core.rules import Budget, Role, Rules, Track
from benchmark.core.strategy import Context, Spec, Strategy
from benchmark.entries.loading import error_line, load
from benchmark.errors import ContractBroken
from benchmark.messages import Line, take_the_line

Answer = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Selection:
    """Rows of views, as the harness will find them: what `Rows` is outside."""

    line: Line
    parts: tuple[dict[str, Any], ...]
    size: int

    __array_ufunc__ = None

    def __add__(self, other: Selection) -> Selection:
        if not isinstance(other, Selection):
            raise ContractBroken("`+` joins rows of one view at one iteration: see `Pool.rows` for ids.")
        return Selection(self.line, self.parts + other.parts, self.size + other.size)

    def __len__(self) -> int:
        return self.size

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(_asked(self.line, "ids of", rows=self.parts), dtype or np.int64)


class View:
    """The same surface as `benchmark.core.pool.Pool` and its kinds."""

    def __init__(self, line: Line, own: Callable[[], np.random.Generator], number: int, size: int) -> None:
        self._line = line
        self._own = own  # the context's generator, drawn when asked for
        self._number = number
        self._size = size

    def __len__(self) -> int:
        return self._size

    def all(self) -> Selection:
        return self._selection("all", None, self._size)

    def sample(self, count: int, rng: np.random.Generator) -> Selection:
        numbers = draw(len(self), count, rng, self._own())
        return self.all() if numbers is None else self._selection("drawn", numbers, count)

    def rows(self, ids: Any) -> Selection:
        numbers = _ids(ids)
        self._ask("rows", numbers)  # refused here, where the strategy can see it, if they are not of this view
        return self._selection("ids", numbers, len(numbers))

    def first(self, count: int) -> Selection:
        self._ask("first", count)
        return self._selection("first", count, count)

    def _selection(self, how: str, what: Any, size: int) -> Selection:
        return Selection(self._line, ({"view": self._number, how: what},), size)

    @cached_property
    def ids(self) -> NDArray[np.int64]:
        return np.array(self._ask("ids"))

    def generation(self) -> NDArray[np.int64]:
        return np.array(self._ask("generation"))

    def is_real(self) -> NDArray[np.bool_]:
        return np.array(self._ask("is_real"))

    def features(self, rows: Any = None) -> NDArray[np.float64]:
        return np.array(self._ask("features", _plain_rows(rows)))

    def log_likelihood(self, rows: Any = None, under: str = "current", per_token: bool = False) -> NDArray[np.float64]:
        return np.array(self._ask("log_likelihood", _plain_rows(rows), under, per_token))

    def verifier_scores(self, per_row: float, rows: Any = None) -> NDArray[np.float64]:
        return np.array(self._ask("verifier_scores", per_row, _plain_rows(rows)))

    def real(self) -> View:
        return View(self._line, self._own, *self._ask("real"))

    def latest(self) -> View:
        return View(self._line, self._own, *self._ask("latest"))

    def generations(self, first: int, last: int) -> View:
        return View(self._line, self._own, *self._ask("generations", first, last))

    def _ask(self, method: str, *arguments: Any) -> Any:
        return _asked(self._line, method, view=self._number, arguments=arguments)


def _asked(line: Line, what: str, **more: Any) -> Any:
    """The harness's answer to a question; its refusal is raised as it would be outside."""
    line.send({"ask": what, **more})
    reply = line.receive()
    if "refused" in reply:
        raise getattr(errors, reply["refused"])(reply["text"])
    return reply["answer"]


def _plain_rows(rows: Any) -> Any:
    """Rows, as a message holds them."""
    return {"rows": rows.parts} if isinstance(rows, Selection) else rows if rows is None else _ids(rows)


def _ids(ids: Any) -> NDArray[Any]:
    """Ids as an array of numbers; whether there are such rows, the harness says."""
    array = np.asarray(ids)
    if array.dtype.kind not in "iufb":
        raise ContractBroken(f"ids of shape {array.shape} and type {array.dtype}: expected a 1-D array of integers.")
    return array.astype({"i": np.int64, "u": np.int64, "f": np.float64, "b": np.bool_}[array.dtype.kind])


def _weights(weights: Any) -> Any:
    """One number, or an array of them."""
    array = numbers_of(weights)
    return float(array) if array.ndim == 0 else array


def _plain(answer: Any) -> Any:
    """What a method of a strategy returned, as a message holds it."""
    if isinstance(answer, TrainingSet):
        return {"parts": [[_plain(rows), _weights(weights)] for rows, weights in answer.parts]}
    if isinstance(answer, FitOptions):
        options = {f.name: getattr(answer, f.name) for f in fields(answer)}
        negative = options["negative"] and [_plain(options["negative"][0]), options["negative"][1]]
        return {"options": options | {"negative": negative}}
    if isinstance(answer, SampleRequest):
        return {"request": asdict(answer)}
    if isinstance(answer, Selection):
        return {"rows": answer.parts}
    if isinstance(answer, View):
        return {"nothing": "a view"}
    return {"nothing": "nothing"} if answer is None else {"array": _ids(answer)}


class Worker:
    """The strategy, and the context of the iteration that it is in."""

    def __init__(self, line: Line, folder: str, hyperparameters: dict[str, Any], wheels: str | None = None) -> None:
        self._line = line
        if wheels is not None:
            sys.path.append(wheels)  # last, so that nothing in it takes the place of a locked version
        self._strategy: Strategy = load(Path(folder))(**hyperparameters)
        self._context: Context | None = None

    def setup(self, spec: dict[str, Any]) -> None:
        rules = Rules(Track(spec.pop("track")), Budget(spec.pop("budget")), Role(spec.pop("role")))
        self._strategy.setup(Spec(**spec, rules=rules))

    def call(self, method: str, context: dict[str, Any], view: list[int] | None) -> Any:
        """What the strategy's method returns."""
        now = self._context_of(**context)
        given = [] if view is None else [View(self._line, self._own_rng, *view)]
        return _plain(getattr(self._strategy, method)(now, *given))

    def _context_of(self, t: int, n: int, rng: dict[str, Any]) -> Context:
        if self._context is None or self._context.t != t:
            self._context = Context(t, n, partial(_generator, rng), self._buy)  # type: ignore[arg-type]
        return self._context

    def _own_rng(self) -> np.random.Generator:
        assert self._context is not None
        return self._context.rng

    def _buy(self, count: int) -> View:
        return View(self._line, self._own_rng, *_asked(self._line, "buy_real", count=count))


def _generator(state: dict[str, Any]) -> np.random.Generator:
    bits = np.random.PCG64()
    bits.state = state  # type: ignore[assignment]
    return np.random.Generator(bits)


def _answered(act: Callable[..., Any], arguments: dict[str, Any]) -> Answer:
    try:
        return {"done": act(**arguments)}
    except errors.ThriveError as error:
        return {"raised": type(error).__name__, "text": str(error)}
    except Exception as error:  # a stranger's code may raise anything
        return {"raised": "StrategyFailed", "text": error_line(error)}


def main() -> None:
    """Answers until the harness hangs up."""
    line = take_the_line()
    first = line.receive()
    sys.path[:] = [path for path in sys.path if path]
    begun = _answered(lambda **given: Worker(line, **given), first)
    worker = begun.get("done")
    line.send(begun if worker is None else {"done": None})
    while True:
        message = line.receive()
        answer = _answered(getattr(worker, message.pop("do")), message)
        try:
            line.send(answer)
        except TypeError as error:  # a knob that is neither a number nor a word
            line.send({"raised": "ContractBroken", "text": f"the strategy returned what no knob takes: {error}."})


if __name__ == "__main__":
    try:
        main()
    except EOFError:
        sys.exit()
