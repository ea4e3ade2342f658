"""thrive verify."""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from thrive.group import ENTRY, OPTIONAL_PROFILE, root


@click.command()
@click.argument("id", metavar="ENTRY", shell_complete=ENTRY)
@OPTIONAL_PROFILE
@click.option("-t", "--task", "tasks", multiple=True, help="Task-setting. Repeatable. Default: all of the profile.")
@click.option(
    "--seeds", type=click.IntRange(2, 1000), help="Number of secret seeds. Default: the number in params.yaml."
)
@click.option(
    "--fresh-instances", "fresh", is_flag=True,
    help="Also run instances that the salt draws from the ranges of params.yaml, and show how the results differ from those of the public ones.",
)  # fmt: skip
@click.option(
    "--to", "folder", type=click.Path(path_type=Path), help="Folder to write. Default: results/PROFILE/verified."
)
@click.option(
    "--salt",
    help="Repeat a written verification and compare every number. SALT is its salt, the 8 digits of the salt in its file's name, or its path. "
    "It is searched in --to, by default in results/*/verified and leaderboard/verified. Nothing is written.",
)
def verify(
    id: str,
    profile: str | None,
    tasks: tuple[str, ...],
    seeds: int | None,
    fresh: bool,
    folder: Path | None,
    salt: str | None,
) -> None:
    """Run an entry in a sandbox with secret seeds, and write the result.

    In track blind every iteration is a new process and takes half a second longer. Python isolation is no security
    boundary: docs/security.md says what bubblewrap protects and what it does not.
    """
    from benchmark.isolation import repeat
    from benchmark.isolation.verify import failures, verify_entry
    from benchmark.results import verified
    from benchmark.results.profile import require_writable
    from benchmark.runs.project import Project

    project = Project.load(root())
    entry = project.entry(id)
    tell = partial(click.echo, err=True)
    wanted = repeat.Options(profile, list(dict.fromkeys(tasks)) or None, seeds, fresh or None)
    if salt is None:
        project = project if profile is None else Project.load(project.root, profile)
        folder = folder or project.results / "verified"
        require_writable(folder)
        result = verify_entry(project, entry, tell, project.task_settings(wanted.tasks or ()), seeds, fresh)
        _print(result)
        click.echo(verified.write(result, folder), err=True)
        failed = failures(result)
    else:
        again = repeat.run_again(project, entry, salt, [folder] if folder else None, wanted, tell)
        result = again.result
        _print(result)
        failed = failures(result)
        if again.difference:
            changed = " The entry has changed since." * again.entry_has_changed
            failed.append(f"differs from {again.path}: {again.difference}{changed}")
        else:
            click.echo(f"same: every number is that of {again.path}")
    click.echo(f"salt: {result['salt']}")
    if failed:
        sys.exit("\n".join(failed))


def _print(result: dict[str, Any]) -> None:
    from benchmark.isolation.verify import table

    click.echo(table(result))
    click.echo(f"isolation: {result.get('isolation', 'none: no process was started')}")
    if result.get("warning"):
        click.secho(f"warning: {result['warning']}", fg="yellow", err=True)
