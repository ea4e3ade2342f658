"""The command line, `thrive`: each command parses, calls the library and prints."""

import click

from thrive.board import board, compare, figures, score
from thrive.entry import check, install, list_command, new
from thrive.forecast import forecast
from thrive.group import Thrive
from thrive.maps import how_much, map_command, paths
from thrive.run import run
from thrive.show import show
from thrive.upkeep import carry, fetch, import_command, status_command
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
    show,
    forecast,
    verify,
    install,
    fetch,
    check,
    status_command,
    import_command,
    carry,
    map_command,
    how_much,
    paths,
):
    main.add_command(command)


if __name__ == "__main__":
    main()
