"""What all commands share: the group that prints errors, the clone that they work in, and a common option."""

import errno
import os
from pathlib import Path

import click

from benchmark.errors import ThriveError

OPTIONAL_PROFILE = click.option("--profile", help="Profile of params.yaml; without it, the one that params.yaml names.")


class Thrive(click.Group):
    """Prints errors that a user can mend without a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ThriveError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # what reads our output has ended, which click knows
                raise
            raise click.ClickException(_of_the_system(error)) from error


def _of_the_system(error: OSError) -> str:
    """What the operating system refuses: a full or read-only disk, a file where a folder is expected, no permission."""
    where = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
    hint = {
        errno.ENOSPC: " Free some space and repeat the command: what is finished is kept.",
        errno.EROFS: " Run it in a clone on a disk that can be written to.",
        errno.EACCES: " Make it readable and writable for you, and repeat the command.",
    }
    return f"{where}{error.strerror or error}.{hint.get(error.errno or 0, '')}"


def root() -> Path:
    """The clone: the nearest folder upwards that has a params.yaml.

    Raises:
        ThriveError: there is none.
    """
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "params.yaml").is_file():
            return folder
    raise ThriveError(f"{Path.cwd()}: no params.yaml here or above. Run thrive inside a clone of Thrive.")
