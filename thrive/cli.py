"""The command line, `thrive`: each command parses, calls the library and prints."""

import click

from thrive.board import board, compare, figures, score
from thrive.entry import check, install, list_command, new
from thrive.forecast import forecast
from thrive.group import Thrive
from thrive.run import run
from thrive.upkeep import carry, fetch, import_command, status
from thrive.verification import verify


@click.group(cls=Thrive, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="thrive-bench")
def main() -> None:
    """Thrive: the reference benchmark for model-collapse mitigation."""


for command in (
    list_command,
    new,
    run,
    score,
    board,
    figures,
    compare,
    forecast,
    verify,
    install,
    fetch,
    check,
    status,
    import_command,
    carry,
):
    main.add_command(command)


if __name__ == "__main__":
    main()
