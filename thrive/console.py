"""How commands print their progress and the entries that they leave out."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from benchmark.errors import BadEntry
from benchmark.runs.cell_process import Failure
from benchmark.runs.cells import Cell
from benchmark.runs.progress import Progress, Report


class Console(Progress):
    """Lines and a progress bar on standard error."""

    def say(self, line: str) -> None:
        click.echo(line, err=True)

    @contextmanager
    def computing(self, cells: Sequence[Cell]) -> Iterator[Report]:
        from tqdm import tqdm

        # Estimated now: a cell that a worker returns would read its entry's card again, which may have changed.
        seconds = {cell.key: cell.seconds for cell in cells}
        with tqdm(total=sum(seconds.values()) + 1e-6, file=sys.stderr, mininterval=1,
                  bar_format="{l_bar}{bar}| {n:.1f}/{total:.1f} s of estimated work, {elapsed} elapsed, {remaining} left {postfix}",
                  ) as bar:  # fmt: skip

            def report(cell: Cell, failure: Failure | None) -> None:
                if failure is not None:
                    bar.write(f"failed: {cell}: {failure.error}", file=sys.stderr)
                bar.set_postfix_str(str(cell), refresh=False)
                bar.update(seconds[cell.key])

            yield report


def print_faults(faults: list[BadEntry]) -> None:
    """Print which entries are left out, and why."""
    for fault in faults:
        click.echo(f"left out: {fault}", err=True)


def left_out(faults: list[BadEntry]) -> str:
    """The last line of a command that left entries out."""
    return f"Entries left out because they or their cards cannot be read: {len(faults)}."
