"""thrive list, new, check and install."""

import subprocess
import sys
from pathlib import Path

import click

from thrive.group import ENTRY, root


@click.command("list")
def list_command() -> None:
    """List the entries and the profiles."""
    from benchmark.runs.project import Project
    from thrive.console import print_faults

    project = Project.load(root())
    for entry in project.readable.values():
        card = entry.card
        role = " (reference line)" if card.role == "reference" else ""
        click.echo(f"{entry.id:24} {card.track}, {card.budget}{role}: {card.description}")
    for name, profile in project.params.profiles.items():
        chosen = " (chosen by params.yaml)" if name == project.profile else ""
        click.echo(f"profile {name}{chosen}: {profile.about}")
    print_faults(project.faults)
    if project.faults:
        sys.exit(1)


@click.command()
@click.argument("id")
@click.option("--from", "origin", shell_complete=ENTRY, default="accumulate", show_default=True, help="Entry to copy.")
def new(id: str, origin: str) -> None:
    """Write submissions/ID: a copy of an entry, which runs as it is and is yours to change."""
    from benchmark.entries import scaffold

    home = root()
    scaffold.create(home, id, origin, _git_user(home))
    click.echo(f"submissions/{id} is a copy of {origin}: change strategy.py, fill in card.yaml, then", err=True)
    for words in (f"check submissions/{id}", f"run --only -s {id} -t gaussian --seeds 0:5", f"run --profile quick -s {id} -s {origin}",
                  f"compare {id} {origin} --profile quick"):  # fmt: skip
        click.echo(f"  thrive {words}")


def _git_user(home: Path) -> str | None:
    try:
        done = subprocess.run(["git", "config", "user.name"], cwd=home, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip() or None


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
def check(path: Path) -> None:
    """Check the whole contract on one entry, given by its folder or its id, on small instances. Takes seconds.

    Tampering with the harness is detected only if it changes what the entry selects or what the harness records on these instances.
    """
    from benchmark.conformance.check import CANNOT_SEE, check
    from benchmark.entries import catalogue

    if not path.is_dir():
        [entry] = catalogue.named(catalogue.find(root()), [str(path)])
        path = entry.folder
    click.echo(path)
    failed = False
    for verdict, name, text in check(path):
        failed |= verdict == "FAIL"
        click.echo(f"  {verdict:5} {name:18} {text}")
    click.echo(CANNOT_SEE)
    sys.exit(failed)


@click.command()
@click.argument("id", metavar="ENTRY", shell_complete=ENTRY)
def install(id: str) -> None:
    """Install the wheels that an entry's requirements.txt asks for into environments/ENTRY, where only this entry's sandbox sees them."""
    from benchmark.entries import catalogue

    [entry] = catalogue.named(catalogue.find(root()), [id])
    for line in entry.install() or ["nothing is required"]:
        click.echo(line)
