"""How commands print their progress and the entries that they leave out."""

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn, TextIO

import click

from benchmark.errors import BadEntry
from benchmark.runs.cell_process import Failure, Finished
from benchmark.runs.cells import Cell
from benchmark.runs.estimates import Estimates, group_of
from benchmark.runs.progress import Progress, Report
from thrive.group import INTERRUPTED

PROCESSES_PER_CORE = 4
MOMENT, GRACE = 0.05, 5.0
"""Seconds: before a lost signal is sent again, and before a process that cannot end in order is ended."""


class Console(Progress):
    """Lines and a progress bar on standard error."""

    def say(self, line: str) -> None:
        click.echo(line, err=True)

    @contextmanager
    def computing(self, cells: Sequence[Cell]) -> Iterator[Report]:
        from tqdm import tqdm

        # Estimated now: a cell that a worker returns would read its entry's card again, which may have changed.
        known = {cell.key: cell for cell in cells}
        estimates, left = Estimates(), dict.fromkeys(map(group_of, cells), 0.0)
        for cell in cells:
            left[group_of(cell)] += cell.seconds
        with tqdm(total=sum(left.values()) + 1e-6, file=sys.stderr, mininterval=1,
                  bar_format="{l_bar}{bar}| {n:.1f}/{total:.1f} s of estimated work, {elapsed} elapsed, {remaining} left {postfix}",
                  ) as bar:  # fmt: skip

            def report(cell: Cell, outcome: Finished | Failure) -> None:
                cell = known[cell.key]
                left[group_of(cell)] -= cell.seconds
                took = estimates.of(cell)
                if isinstance(outcome, Failure):
                    bar.write(f"failed: {cell}: {outcome.error}", file=sys.stderr)
                else:
                    took = outcome.cpu_seconds
                    estimates.learn(cell, took)
                ahead = sum(seconds * estimates.factor(group) for group, seconds in left.items())
                bar.total = bar.n + took + ahead + 1e-6
                bar.set_postfix_str(str(cell), refresh=False)
                bar.update(took)

            yield report


@contextmanager
def interruptible() -> Iterator[None]:
    """End with a line and the status of the signal at Ctrl-C or SIGTERM, be there one or several: the first one interrupts.

    Then what was begun is put in order, for `GRACE` at most: an interrupt may come while a library holds a lock that it waits for
    next. The process does not end by way of Python's own end, where that happens too.
    """
    signals = (signal.SIGINT, signal.SIGTERM)
    asked: list[int] = []
    ending = threading.Lock()

    def stop(number: int, _: object) -> None:
        if not asked:
            asked.append(number)
            watch = threading.Timer(GRACE, end, (number,))
            watch.daemon = True
            watch.start()
            raise KeyboardInterrupt

    def end(number: int) -> NoReturn:
        ending.acquire()  # for good: of two that come here, one ends the process
        click.echo(f"\n{INTERRUPTED}", err=True)
        sys.stdout.flush()
        os._exit(128 + number)

    def again(lost: "sys.UnraisableHookArgs") -> None:
        """Where Python can only drop the exception, as in a callback at a fork, the signal is sent once more."""
        if isinstance(lost.exc_value, KeyboardInterrupt):
            threading.Timer(MOMENT, os.kill, (os.getpid(), asked.pop())).start()
        else:
            sys.__unraisablehook__(lost)

    before = {each: signal.signal(each, stop) for each in signals}
    sys.unraisablehook = again
    try:
        yield
    except BaseException:
        if not asked:
            raise
        for each in signals:  # what a library raises when it is interrupted in its own work is the same end
            signal.signal(each, signal.SIG_IGN)
        end(asked[0])
    sys.unraisablehook = sys.__unraisablehook__
    for each, handler in before.items():
        signal.signal(each, handler)


def processes(jobs: int | None) -> int:
    """How many to run: of -j, or one for each core."""
    from benchmark.runs.machine import cores as usable

    cores = usable()
    if jobs is None:
        return cores
    if not 1 <= jobs <= PROCESSES_PER_CORE * cores:
        words = f"found {jobs}, expected 1 to {PROCESSES_PER_CORE * cores}: there are {cores} cores for it."
        raise click.BadParameter(words, param_hint="-j")
    return jobs


def print_faults(faults: list[BadEntry]) -> None:
    """Print which entries are left out, and why."""
    for fault in faults:
        click.echo(f"left out: {fault}", err=True)


def has_blocks(stream: TextIO) -> bool:
    """Whether a terminal's encoding has the blocks of small curves."""
    from benchmark.results.trial import BLOCKS

    try:
        BLOCKS.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def left_out(faults: list[BadEntry]) -> str:
    """The last line of a command that left entries out."""
    return f"Entries left out because they or their cards cannot be read: {len(faults)}."
