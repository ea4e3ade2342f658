"""What an entry does in confined processes (`benchmark.conformance.experiments`), run when a check asks for it."""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmark.entries import environment, requirements
from benchmark.entries.entry import Entry
from benchmark.errors import BadEntry, Stopped
from benchmark.isolation.confined import Confined, Limits
from benchmark.isolation.sandbox import confined

Outcome = Mapping[str, Any]


class Evidence:
    """What an entry did, run when a check asks for it. Every run is in a process of its own.

    Attributes:
        entry: under check.
    """

    def __init__(self, entry: Entry, tasks: Sequence[str], seconds: float, limits: Limits) -> None:
        self.entry = entry
        self._tasks = tasks
        self._seconds = seconds
        self._limits = limits
        self._processes = ExitStack()
        self._started: dict[str, Confined] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._processes.close()

    @cached_property
    def plain(self) -> dict[str, Outcome]:
        """The outcome by task-setting of running the entry as in a sweep, up to the first that ends with an error."""
        outcomes = {}
        for task in self._tasks:
            outcomes[task] = self.ask("experiment", task=task)
            if outcomes[task]["kind"] not in ("", "refused"):
                break
        return outcomes

    @property
    def finished(self) -> dict[str, Outcome]:
        """The outcomes of `plain` that the entry did not refuse."""
        return {task: outcome for task, outcome in self.plain.items() if outcome["kind"] != "refused"}

    def ask(self, experiment: str, place: str = "one", **arguments: Any) -> Outcome:
        """An experiment's outcome. Places are processes that have begun apart, so with other hashes of strings."""
        try:
            outcome: Outcome = self._at(place).ask([experiment, arguments])
        except (Stopped, BadEntry) as error:
            self._started.pop(place, None)
            kind = "loads" if isinstance(error, BadEntry) else "limits"
            return {"answers": [], "records": [], "noticed": [], "kind": kind, "error": str(error)}
        return outcome

    def _at(self, place: str) -> Confined:
        if place not in self._started:
            scratch = Path(self._processes.enter_context(tempfile.TemporaryDirectory()))
            command = [
                sys.executable,
                "-m",
                "benchmark.conformance.experiments",
                str(self.entry.folder),
                str(self._seconds),
            ]
            lock = self.entry.folder.parents[1] / requirements.LOCK
            readable = [*environment.of_the_harness(), *self.entry.sources, *self.entry.distributions]
            readable += [lock] if lock.is_file() else []
            process = confined(command, readable, scratch, self._limits)
            self._started[place] = self._processes.enter_context(process)
        return self._started[place]

    @property
    def printed(self) -> str:
        """What it printed until now."""
        return "".join(process.printed for process in self._started.values())

    @property
    def warning(self) -> str | None:
        """What the platform does not hold, as a sentence."""
        return next((process.warning for process in self._started.values()), None)
