"""Strategies of an entry, each in a confined process of its own."""

from __future__ import annotations

import math
import sys
import tempfile
from pathlib import Path

from benchmark.core.strategy import Strategy
from benchmark.entries import snapshot
from benchmark.entries.entry import Entry
from benchmark.isolation.confined import Confined, Limits
from benchmark.isolation.harness_side import Clock, RemoteStrategy
from benchmark.isolation.sandbox import confined


class Remote:
    """Makes strategies of an entry that live in confined processes, one at a time.

    Leaving its `with` block ends the last of them. In track `blind` the loop asks for a new one at every iteration,
    which then is a new process with a new scratch folder: nothing outlives an iteration.

    Args:
        seconds_per_answer: for each call of a method, with all that it asks in between.
        seconds: for all calls of all runs.
    """

    def __init__(self, entry: Entry, limits: Limits, seconds_per_answer: float = 60, seconds: float = math.inf) -> None:
        self._entry = entry
        self._home = tempfile.TemporaryDirectory(prefix="thrive-entry-", ignore_cleanup_errors=True)
        self._copy = snapshot.copy(entry, Path(self._home.name))
        self._limits = limits
        self._seconds = seconds_per_answer
        self._clock = Clock(seconds)
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self.process: Confined | None = None

    def make(self) -> Strategy:
        """A new strategy in a new process; the one before is ended."""
        self.close()
        self._scratch = tempfile.TemporaryDirectory(prefix="thrive-scratch-", ignore_cleanup_errors=True)
        command = [sys.executable, "-m", "benchmark.isolation.strategy_side"]
        wheels = [self._entry.wheels] if self._entry.wheels.is_dir() else []
        readable = [self._copy.folder, *wheels, *self._entry.distributions]
        self.process = confined(command, readable, Path(self._scratch.name), self._limits)
        strategy = RemoteStrategy(self.process, self._seconds, self._clock)
        strategy.tell(
            {
                "folder": str(self._copy.folder),
                "hyperparameters": self._copy.card.hyperparameters,
                "wheels": str(wheels[0]) if wheels else None,
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
        self._home.cleanup()
