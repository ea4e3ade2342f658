"""thrive run."""

import re
import sys
from typing import TYPE_CHECKING

import click

from thrive.group import OPTIONAL_PROFILE, root

if TYPE_CHECKING:
    from benchmark.results.profile import ProfileRun, Scope

MOST_SEEDS_AT_ONCE = 10_000
PROCESSES_PER_CORE = 4


@click.command()
@OPTIONAL_PROFILE
@click.option("-t", "--task", "tasks", multiple=True, help="Task-setting. Repeatable. Default: all of the profile.")
@click.option("-s", "--entry", "ids", multiple=True, help="Entry to run besides the profile's own. Repeatable.")
@click.option(
    "--only",
    is_flag=True,
    help="Run only the entries of -s and print a summary. The profile's results stay as they are.",
)
@click.option(
    "--seeds", help="Run these seeds, such as 0:10, and print a summary. The profile's results stay as they are."
)
@click.option("-j", "--jobs", type=int, help="Number of processes. Default: one for each core.")
@click.option("--parallel", default="loky", show_default=True, metavar="loky|dask://HOST:PORT",
              help="Compute on this machine, or by the workers of a Dask scheduler (docs/scaling.md).")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only list finished and missing cells, with the estimated time.")
def run(
    profile: str | None, tasks: tuple[str, ...], ids: tuple[str, ...], only: bool, seeds: str | None, jobs: int | None,
    parallel: str, dry_run: bool,
) -> None:  # fmt: skip
    """Run a profile: compute its missing cells and write its results.

    After an interruption, run it again: it continues where it stopped.
    """
    from benchmark.results.profile import Scope, run_profile
    from benchmark.runs.project import Project
    from thrive.console import Console, interruptible, print_faults

    if parallel != "loky" and not re.fullmatch(r"(dask|tcp|tls)://[^\s/]+:[0-9]{1,5}", parallel):
        raise click.BadParameter(f"found '{parallel}', expected loky or dask://HOST:PORT.", param_hint="--parallel")
    project = Project.load(root(), profile)
    processes = _processes(jobs)
    if only and not ids:
        raise click.UsageError("--only runs the entries named by -s: name one with -s.")
    scope = Scope(project, tasks, ids, only, _range(seeds))
    _ = scope.entries  # raises an error if an entry does not exist
    print_faults(scope.faults)
    if dry_run:
        _print_plan(scope, processes)
    else:
        with interruptible():
            outcome = run_profile(scope, processes, Console(), parallel)
        _print_outcome(scope, outcome)


def _print_plan(scope: "Scope", processes: int) -> None:
    from benchmark.results.profile import in_words
    from benchmark.runs.cells import Store

    plan = scope.plan(Store(scope.project.cells))
    click.echo(in_words(scope, plan, processes), err=True)
    for cell in plan.to_do:
        click.echo(f"to do     {cell.seconds:7.1f} s  {cell}")
    for cell in plan.done:
        click.echo(f"finished  {0:7.1f} s  {cell}")


def _print_outcome(scope: "Scope", outcome: "ProfileRun") -> None:
    from thrive.console import left_out

    for failure in outcome.failures:
        click.echo(f"\n{failure.cell}\n  {failure.error}\n{failure.details}", err=True)
    for summary in outcome.summaries:
        click.echo(summary)
    for refusals in outcome.refusals:
        click.echo(refusals, err=True)
    for task, reasons in outcome.gone.items():
        for id, reason in reasons.items():
            click.echo(f"results/{scope.project.profile}/{task} no longer holds '{id}': {reason}", err=True)
    if outcome.failures:
        count = f"{len(outcome.failures)} of {len(outcome.plan.to_do)} cells failed; the others are kept."
        sys.exit(f"{count} Mend what is named above: the same command computes what is missing.")
    if outcome.is_empty:
        sys.exit("Nothing was run: every entry refuses.")
    if scope.faults:
        sys.exit(f"{left_out(scope.faults)} The others are kept.")


def _range(seeds: str | None) -> range | None:
    if seeds is None:
        return None
    ends = re.fullmatch(r"([0-9]{1,12}):([0-9]{1,12})", seeds)
    wanted = range(*map(int, ends.groups())) if ends else range(0)
    if not 1 <= len(wanted) <= MOST_SEEDS_AT_ONCE:
        words = f"found '{seeds}', expected FIRST:END, such as 0:10, at most {MOST_SEEDS_AT_ONCE} seeds."
        raise click.BadParameter(words, param_hint="--seeds")
    return wanted


def _processes(jobs: int | None) -> int:
    from benchmark.runs.machine import cores as usable

    cores = usable()
    if jobs is None:
        return cores
    if not 1 <= jobs <= PROCESSES_PER_CORE * cores:
        words = f"found {jobs}, expected 1 to {PROCESSES_PER_CORE * cores}: there are {cores} cores for it."
        raise click.BadParameter(words, param_hint="-j")
    return jobs
