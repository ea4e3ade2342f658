"""thrive map, how-much and paths."""

from pathlib import Path

import click

from thrive.group import root

TASKS = click.option(
    "-t", "--task", "tasks", multiple=True, help="Task-setting. Repeatable. Default: all of maps/settings.yaml."
)
JOBS = click.option("-j", "--jobs", type=click.IntRange(1), default=1, show_default=True, help="Number of processes.")
DRY_RUN = click.option("--dry-run", is_flag=True, help="Only say what is finished and what the rest would cost.")


@click.command("map")
@TASKS
@JOBS
@DRY_RUN
def map_command(tasks: tuple[str, ...], jobs: int, dry_run: bool) -> None:
    """Measure where training on synthetic rows is safe: the excess by share of real rows, n, data, sampler temperature and ratio.

    Writes maps/data and the phase diagrams in maps/figures. What is swept is in maps/settings.yaml. After an interruption, run it again:
    it continues where it stopped.
    """
    from benchmark.runs.project import Project
    from maps.make import make_map, surveyors
    from thrive.console import Console, interruptible

    found = surveyors(Project.load(root()), tasks)
    for task, surveyor in found.items():
        click.echo(f"{task}: {surveyor.cost()}", err=True)
    if not dry_run:
        with interruptible():
            _print_paths(
                [path for task, surveyor in found.items() for path in make_map(surveyor, task, jobs, Console())]
            )


@click.command("how-much")
@click.option("--excess", type=click.FloatRange(0, min_open=True), required=True,
              help="The most that the test loss may exceed that of a fit on the real data, in nats (language model: per token).")  # fmt: skip
@click.option("-t", "--task", required=True, help="Task-setting.")
@click.option("-n", type=int, help="Rows of the real data and of each training set. Default: all that were measured.")
@click.option("--data", help="Data set. Default: all that were measured.")
@click.option("-d", type=int, help="Dimension of the Gaussian. Default: all that were measured.")
@click.option(
    "--temperature", "sampler_temperature", type=float, help="Temperature of the sampler. Default: 1, unbiased."
)
@click.option("--iterations", "t", type=int, help="Model-fitting iterations. Default: all that were measured.")
def how_much(excess: float, task: str, **chosen: int | float | str | None) -> None:
    """Say in a sentence the least share of real rows that keeps the excess below a threshold, from the map in maps/data.

    The map is not extrapolated: what was not measured is refused, with what to run.
    """
    from maps.answer import how_much as ask

    found = ask(root(), task, excess, {name: value for name, value in chosen.items() if value is not None})
    click.echo(f"{found.sentence}\n\n{found.table}")


@click.command()
@TASKS
@JOBS
@DRY_RUN
def paths(tasks: tuple[str, ...], jobs: int, dry_run: bool) -> None:
    """Run the same rows in other orders: what new real rows recover, how fast, and what they cannot.

    Writes maps/data/orders, maps/data/paths and maps/figures/paths. After an interruption, run it again: it continues where it stopped.
    """
    from benchmark.runs.project import Project
    from maps.make import experiments, make_paths
    from thrive.console import Console, interruptible

    found = experiments(Project.load(root()), tasks)
    for experiment in found.values():
        click.echo(experiment.cost(), err=True)
    if not dry_run:
        with interruptible():
            _print_paths([path for experiment in found.values() for path in make_paths(experiment, jobs, Console())])


def _print_paths(written: list[Path]) -> None:
    for path in written:
        click.echo(path, err=True)
