"""What the commands share: how errors are printed, the clone to work in, and an option."""

import errno
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import click

from benchmark.errors import ThriveError

Completion = Callable[[click.Context, click.Parameter, str], list[str]]


def _entries(_: click.Context, __: click.Parameter, begin: str) -> list[str]:
    """Ids of entries that begin so, after the last comma, for a shell to complete."""
    before, comma, begin = begin.rpartition(",")
    found = {path.parent.name for kind in ("baselines", "submissions") for path in root().glob(f"{kind}/*/card.yaml")}
    return [f"{before}{comma}{id}" for id in sorted(found) if id.startswith(begin)]


def _profiles(_: click.Context, __: click.Parameter, begin: str) -> list[str]:
    from benchmark.runs.params import load

    return [name for name in load(root()).profiles if name.startswith(begin)]


def complete(names: Completion) -> Completion:
    """What a shell is told at the tab key; nothing where the clone cannot be read."""

    def quietly(context: click.Context, parameter: click.Parameter, begin: str) -> list[str]:
        try:
            return names(context, parameter, begin)
        except (ThriveError, OSError):
            return []

    return quietly


ENTRY, PROFILE = complete(_entries), complete(_profiles)
OPTIONAL_PROFILE = click.option(
    "--profile", shell_complete=PROFILE, help="Profile of params.yaml. Default: the one that params.yaml names."
)

INTERRUPTED = "Interrupted. What is finished is kept: the same command goes on from there."


class Thrive(click.Group):
    """Prints an error that a user can fix as a message, without a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # before or after the part that is `interruptible`, or of a command that has none
            click.echo(f"\n{INTERRUPTED}", err=True)
            sys.exit(128 + signal.SIGINT)
        except ThriveError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader of our output has ended; click handles that
                raise
            raise click.ClickException(_describe(error)) from error


def _describe(error: OSError) -> str:
    """A refusal by the operating system in words: a full or read-only disk, a file in the place of a folder, no permission."""
    where = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
    hint = {
        errno.ENOSPC: " Free some space and repeat the command: finished work is kept.",
        errno.EROFS: " Use a clone on a writable disk.",
        errno.EACCES: " Give yourself permission to read and write it, and repeat the command.",
    }
    return f"{where}{error.strerror or error}.{hint.get(error.errno or 0, '')}"


def root() -> Path:
    """The clone: the current folder or the nearest one above it that has a params.yaml.

    Raises:
        ThriveError: no such folder exists.
    """
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "params.yaml").is_file():
            return folder
    raise ThriveError(f"{Path.cwd()}: no params.yaml here or above. Run thrive inside a clone of Thrive.")
