"""thrive fetch, status, import and carry."""

import json
import sys
from pathlib import Path

import click

from thrive.group import OPTIONAL_PROFILE, root


@click.command()
@click.option(
    "--pin",
    "names",
    multiple=True,
    metavar="NAME",
    help="Compute the sha256 of the files of this pin and write them to params.yaml. Repeatable.",
)
def fetch(names: tuple[str, ...]) -> None:
    """Check every pinned data set and checkpoint against its sha256."""
    from benchmark.runs import pins
    from benchmark.runs.params import load

    home = root()
    for name in names:
        click.echo(f"{name}: digests of {pins.write(home, name)} files written to params.yaml.")
    if names:
        return
    for line in pins.check_all(home, load(home)):
        click.echo(line)


@click.command("status")
@OPTIONAL_PROFILE
def status_command(profile: str | None) -> None:
    """Show which cells of a profile are finished, failed, to do and stale, by task-setting and entry."""
    from benchmark.messages import one_line
    from benchmark.runs.project import Project
    from benchmark.runs.status import status
    from thrive.console import print_faults

    project = Project.load(root(), profile)
    found = status(project)
    click.echo(f"{'task-setting':20} {'entry':28} finished  failed   to do   stale  CPU seconds to do (estimated)")
    for line in found.lines:
        counts = f"{line.finished:8} {line.failed:7} {line.to_do:7} {line.stale:7}"
        click.echo(f"{line.task_setting:20} {line.entry:28} {counts} {line.seconds:10.0f}")
    finished, to_do = sum(line.finished for line in found.lines), sum(line.to_do for line in found.lines)
    seconds = sum(line.seconds for line in found.lines)
    click.echo(f"profile {project.profile}: {finished} cells finished, {to_do} to do, about {seconds:.0f} CPU seconds.")
    for cell, why in found.failures.items():
        click.echo(f"failed: {cell}: {one_line(why)}")
    for (horizon, other), count in found.anew.items():
        click.echo(f"{count} cells to T = {horizon} are finished to T = {other}: they start anew. A cell keeps the losses of its runs, and not "
                   "the models and generations that they would go on from.")  # fmt: skip
    if found.stale:
        click.echo(
            f"stale: {len(found.stale)} files in {project.cells} are of other code, numbers or entries. Nothing reads them."
        )
    print_faults(project.faults)


@click.command("import")
@click.argument("folder", type=click.Path(path_type=Path))
def import_command(folder: Path) -> None:
    """Take over finished cells that another machine computed, from its folder cells or a copy of it.

    Each file's checksum and key are checked. A cell of other code, numbers or entries is left where it is.
    """
    from benchmark.runs import merge

    found = merge.merge(root(), folder)
    for line in found.spoiled:
        click.echo(f"spoiled: {line}", err=True)
    click.echo(f"{found.new} cells taken over, {found.known} were here, {len(found.stale)} are of other code, numbers or entries, "
               f"{len(found.spoiled)} are not what was written.")  # fmt: skip
    sys.exit(bool(found.spoiled))


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
