"""What a long computation says while it runs, to whoever started it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from benchmark.runs.cell_process import Failure, Finished
from benchmark.runs.cells import Cell

Report = Callable[[Cell, Finished | Failure], None]
"""Takes a cell that is over, and what came of it."""


class Progress:
    """Hears how a computation goes. This one keeps silent; derive from it to show something."""

    def say(self, line: str) -> None:
        """Takes a line of text."""

    @contextmanager
    def computing(self, cells: Sequence[Cell]) -> Iterator[Report]:
        """Surrounds the computation of some cells; gives what takes each of them when it is finished."""
        yield lambda cell, outcome: None


SILENT = Progress()
