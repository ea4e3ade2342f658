"""thrive run."""

import math
import re
import sys
from typing import TYPE_CHECKING

import click

from thrive.group import ENTRY, OPTIONAL_PROFILE, root

if TYPE_CHECKING:
    from pydantic import JsonValue

    from benchmark.results.profile import ProfileRun, Scope

MOST_SEEDS_AT_ONCE = 10_000
MOST_VARIANTS = 100


@click.command()
@OPTIONAL_PROFILE
@click.option("-t", "--task", "tasks", multiple=True, help="Task-setting. Repeatable. Default: all of the profile.")
@click.option(
    "-s",
    "--entry",
    "ids",
    multiple=True,
    shell_complete=ENTRY,
    help="Entry to run besides the profile's own. Repeatable.",
)
@click.option(
    "--only",
    is_flag=True,
    help="Run only the entries of -s, and show them in scores beside their division's base workflow and its first entry. "
    "The profile's results stay as they are; those of the trial are in results/PROFILE/trials.",
)
@click.option(
    "--seeds", help="Run these seeds, such as 0:10, and print a summary. The profile's results stay as they are."
)
@click.option(
    "--horizon",
    type=click.IntRange(2, 100_000),
    help="Run to this iteration T instead of the profile's: a shorter trial.",
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="NAME=V1,V2",
    help="Run the one entry of -s with each of these values of a hyperparameter, side by side. Repeatable: every combination is run. Implies --only.",
)
@click.option("-j", "--jobs", type=int, help="Number of processes. Default: one for each core.")
@click.option("--parallel", default="loky", show_default=True, metavar="loky|dask://HOST:PORT",
              help="Compute on this machine, or by the workers of a Dask scheduler (docs/scaling.md).")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only list finished and missing cells, with the estimated time.")
def run(
    profile: str | None, tasks: tuple[str, ...], ids: tuple[str, ...], only: bool, seeds: str | None, horizon: int | None,
    changes: tuple[str, ...], jobs: int | None, parallel: str, dry_run: bool,
) -> None:  # fmt: skip
    """Run a profile: compute its missing cells and write its results.

    After an interruption, run it again: it continues where it stopped.
    """
    from benchmark.results.profile import Scope, run_profile
    from benchmark.runs.project import Project
    from thrive.console import Console, interruptible, print_faults, processes

    if parallel != "loky" and not re.fullmatch(r"(dask|tcp|tls)://[^\s/]+:[0-9]{1,5}", parallel):
        raise click.BadParameter(f"found '{parallel}', expected loky or dask://HOST:PORT.", param_hint="--parallel")
    project = Project.load(root(), profile)
    running = processes(jobs)
    if only and not ids:
        raise click.UsageError("--only runs the entries named by -s: name one with -s.")
    if changes and len(set(ids)) != 1:
        raise click.UsageError("--set changes the hyperparameters of one entry: name one with -s.")
    scope = Scope(project, tasks, ids, only or bool(changes), _range(seeds), horizon, _values(changes))
    _ = scope.entries  # raises an error if an entry does not exist
    print_faults(scope.faults)
    if dry_run:
        _print_plan(scope, running)
    else:
        with interruptible():
            outcome = run_profile(scope, running, Console(), parallel)
        _print_outcome(scope, outcome)


def _print_plan(scope: "Scope", processes: int) -> None:
    from benchmark.results.profile import in_words
    from benchmark.runs.cells import Store

    plan = scope.plan(Store(scope.project.cells))
    click.echo(in_words(scope, plan, processes), err=True)
    for cell in plan.to_do:
        click.echo(f"to do     {plan.estimates.of(cell):7.1f} s  {cell}")
    for cell in plan.done:
        click.echo(f"finished  {0:7.1f} s  {cell}")


def _print_outcome(scope: "Scope", outcome: "ProfileRun") -> None:
    from thrive.console import has_blocks, left_out

    alike: dict[tuple[str, str], list[str]] = {}
    for failure in outcome.failures:
        alike.setdefault((failure.error, failure.details), []).append(str(failure.cell))
    for (error, details), cells in alike.items():
        more = f" and {len(cells) - 1} more" * (len(cells) > 1)
        click.echo(f"\n{cells[0]}{more}\n  {error}\n{details}", err=True)
    for summary in outcome.summaries:
        click.echo(summary)
    for trial in outcome.trials:
        click.echo(trial.text(has_blocks(sys.stdout)))
    if outcome.trials:
        click.echo(f"kept: {scope.trial_folder.relative_to(scope.project.root)}", err=True)
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


def _values(changes: tuple[str, ...]) -> "dict[str, list[JsonValue]]":
    """Hyperparameters to their values, which are written as in YAML."""
    from benchmark.strict_yaml import value

    found: dict[str, list[JsonValue]] = {}
    for text in changes:
        name, equals, values = text.partition("=")
        if not (equals and name and name not in found):
            raise click.BadParameter(f"found '{text}', expected NAME=V1,V2, each name once.", param_hint="--set")
        found[name] = [value(one) for one in values.split(",")]
    if math.prod(map(len, found.values())) > MOST_VARIANTS:
        raise click.BadParameter(f"more than {MOST_VARIANTS} combinations.", param_hint="--set")
    return found
