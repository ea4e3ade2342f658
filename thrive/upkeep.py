"""thrive fetch and carry."""

import json

import click

from thrive.group import root


@click.command()
def fetch() -> None:
    """Check every pinned data set and checkpoint against its sha256."""
    from benchmark.runs import pins
    from benchmark.runs.params import load

    home = root()
    for line in pins.check_all(home, load(home)):
        click.echo(line)


@click.command()
@click.option("--from", "revision", help="Commit whose finished cells to keep, such as main.")
@click.option("-j", "--jobs", type=click.IntRange(1), help="Number of processes; without it, one for each core.")
@click.option(
    "--keys",
    is_flag=True,
    help="Only print the key of every cell under this code as JSON. Another revision asks for it.",
)
def carry(revision: str | None, jobs: int | None, keys: bool) -> None:
    """Keep finished cells after a change of code that moves no number.

    Computes a random sample of each task-setting's cells again: 2 %, but at least 20. If every one has the same bits as before, the
    others get their new keys. If one differs, nothing is changed.
    """
    from benchmark.runs import carry
    from benchmark.runs.machine import cores
    from thrive.console import Console

    if keys:
        click.echo(json.dumps(carry.keys(root())))
    elif revision is None:
        raise click.UsageError("name the commit whose finished cells to keep: --from main.")
    else:
        count = carry.carry(root(), revision, jobs or cores(), Console())
        click.echo(f"{count} cells carried.")
