"""thrive forecast."""

import sys

import click

from thrive.group import OPTIONAL_PROFILE, root


@click.command()
@click.argument("id", metavar="ENTRY")
@click.option(
    "--to",
    type=click.IntRange(2),
    required=True,
    help="Iteration to forecast, at most ten times as far as the runs went.",
)
@OPTIONAL_PROFILE
@click.option("-t", "--task", "tasks", multiple=True, help="Task-setting. Repeatable. Default: all of the profile.")
@click.option(
    "-i", "--instance", "instances", multiple=True, help="Instance, such as 'd=1 n=100'. Repeatable. Default: all."
)
@click.option(
    "--at", "until", type=click.IntRange(2), help="Forecast from the iterations until this one. Default: all."
)
@click.option(
    "--excess", type=float, help="Also say when the loss passes that of the real data alone by this many nats."
)
def forecast(
    id: str,
    to: int,
    profile: str | None,
    tasks: tuple[str, ...],
    instances: tuple[str, ...],
    until: int | None,
    excess: float | None,
) -> None:
    """Say where the test loss of an entry is going: its law, a forecast with its interval, and how often such intervals held.

    Reads finished cells and runs nothing. Draws a picture for each task-setting in results/PROFILE/forecast. docs/forecast.md explains it.
    """
    from benchmark.forecast.outlook import Wish, sentences
    from benchmark.runs.project import Project
    from paper.plots.forecast import forecast_entry

    wish = Wish(to=to, tasks=tasks, instances=instances, until=until, excess=excess)
    found = forecast_entry(Project.load(root(), profile), id, wish)
    for outlook in found.outlooks:
        click.echo(sentences(outlook))
    for line in found.refused:
        click.echo(line)
    for path in found.files:
        click.echo(path, err=True)
    if not found.outlooks:
        sys.exit("No curve has a forecast.")
