"""thrive fetch and carry."""

import importlib.util
import json

import click

from thrive.group import root


@click.command()
def fetch() -> None:
    """Check every pinned data set and checkpoint against its sha256."""
    from benchmark.runs import pins
    from benchmark.runs.params import load

    home = root()
    params = load(home)
    for name, pin in params.pins.items():
        if pin.package and importlib.util.find_spec(pin.package) is None:
            click.echo(f"{name}: not installed, and no profile's own instances need it. To have it: {pin.source}")
            continue
        pins.verify(home, params, [name])
        click.echo(f"{name}: {len(pin.files)} files in {pins.folder(home, name, pin)} are as pinned.")


@click.command()
@click.option("--from", "revision", help="Commit whose finished cells are to be kept, such as main.")
@click.option("-j", "--jobs", type=click.IntRange(1), help="Processes; without it, one for each core.")
@click.option(
    "--keys", is_flag=True, help="Print the key of every cell of this code as JSON, which another revision asks for."
)
def carry(revision: str | None, jobs: int | None, keys: bool) -> None:
    """Keep finished cells after a change of code that must not move a number.

    Computes at least 20 cells of each task-setting again, and 2 % where that is more. If all have the bits that they had, the others
    get their new keys; if one differs, nothing is changed.
    """
    from benchmark.runs import carry
    from benchmark.runs.machine import cores
    from thrive.console import Console

    if keys:
        click.echo(json.dumps(carry.keys(root())))
    elif revision is None:
        raise click.UsageError("name the commit that the finished cells are of: --from main.")
    else:
        count = carry.carry(root(), revision, jobs or cores(), Console())
        click.echo(f"{count} cells carried.")
