"""thrive score, board, figures and compare."""

import sys
import webbrowser
from functools import partial
from pathlib import Path

import click

from benchmark.errors import ThriveError
from thrive.group import ENTRY, OPTIONAL_PROFILE, root


def _ids(context: click.Context, option: click.Parameter, text: str | None) -> list[str]:
    """Ids of entries, separated by commas."""
    ids = [] if text is None else [id.strip() for id in text.split(",")]
    if not all(ids):
        raise click.BadParameter(f"found '{text}', expected entries, such as accumulate,my-idea.", context, option)
    return ids


@click.command()
@OPTIONAL_PROFILE
@click.option("-t", "--task", "tasks", multiple=True, help="Task-setting. Repeatable. Default: all of the profile.")
@click.option("--to", "folder", type=click.Path(path_type=Path),
              help="Folder to write. Default: leaderboard/ for the profile that params.yaml names, else (and with -t) results/PROFILE/board.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the board as JSON. leaderboard.schema.json is its schema.")
def score(profile: str | None, tasks: tuple[str, ...], folder: Path | None, as_json: bool) -> None:
    """Gather a profile's results of its task-settings into one folder, from which board and figures are made."""
    from benchmark.results.profile import gather_results, home_of_scores, own_home
    from benchmark.runs.project import Project

    project = Project.load(root(), profile)
    results = gather_results(project, tasks)
    folder = project.root / (folder or (own_home(project) if tasks else home_of_scores(project)))
    results.write(folder)
    click.echo(folder, err=True)
    if as_json:
        from leaderboard.board.project import board_of
        from thrive.console import print_faults

        print_faults(project.faults)
        click.echo(board_of(project, results).model_dump_json(indent=1))


@click.command()
@click.option("--at", "folder", type=click.Path(path_type=Path), help="Folder with scores. Default: leaderboard/.")
@click.option("--with", "own", multiple=True, shell_complete=ENTRY, metavar="ENTRY",
              help="Compute the cells of this entry alone and set it beside the committed scores of all others, in results/PROFILE/with. Repeatable.")  # fmt: skip
@click.option("-j", "--jobs", type=int, help="With --with: number of processes. Default: one for each core.")
@click.option(
    "--open",
    "show",
    is_flag=True,
    help="Open the page in a browser; it is built first only where it is older than its scores.",
)
def board(folder: Path | None, own: tuple[str, ...], jobs: int | None, show: bool) -> None:
    """Build the leaderboard in a folder with scores, as JSON, one HTML page, Markdown, CSV and LaTeX."""
    from benchmark.results.profile import BOARD
    from leaderboard.render.publish import is_current

    folder = folder or BOARD
    if own:
        page = _with_own(folder, own, jobs)
    else:
        page = root() / folder / "leaderboard.html"
        if not (show and is_current(page)):
            _build(folder)
    if show and not webbrowser.open(page.resolve().as_uri()):
        raise ThriveError(f"no browser found. Open it yourself: {page}")


def _with_own(folder: Path, ids: tuple[str, ...], jobs: int | None) -> Path:
    """Returns the page."""
    from leaderboard.board.committed import row_of, standing
    from leaderboard.render.own import own_board, write_own
    from thrive.console import Console, interruptible, processes

    home, ids = root(), tuple(dict.fromkeys(ids))
    with interruptible():
        found = own_board(home, ids, processes(jobs), folder, Console())
    for line in found.notes:
        click.secho(line, fg="yellow", err=True)
    for id in ids:
        place = row_of(found.board, id)
        assert place is not None, "it has scores"
        click.echo(f"{id}: {standing(*place)}\n")
    paths = write_own(home, found, ids)
    for path in paths:
        click.echo(path.relative_to(home), err=True)
    return next(path for path in paths if path.suffix == ".html")


def _build(folder: Path) -> None:
    from benchmark.runs.project import Project
    from leaderboard.render.markdown import table
    from leaderboard.render.publish import publish_board
    from thrive.console import left_out, print_faults

    project = Project.load(root())
    print_faults(project.faults)
    built, paths = publish_board(project, folder)
    for fault in built.faults:
        click.secho(fault, fg="yellow", err=True)
    for division in built.divisions:
        click.echo(f"{division.track}, {division.budget} budget\n{table(built, division.rows + built.references)}")
    for path in paths:
        click.echo(path, err=True)
    if project.faults:
        sys.exit(left_out(project.faults))


@click.command()
@click.option("--only", "names", multiple=True, help="Figure, such as fig2. Repeatable. Default: all but the variants.")
@click.option(
    "--entries",
    callback=_ids,
    shell_complete=ENTRY,
    help="Show these entries instead in the paper's figures: accumulate,my-idea.",
)
@click.option("--at", "folder", type=click.Path(path_type=Path),
              help="Folder with results. Default: paper/data; leaderboard/ for the board's own figures and with --entries.")  # fmt: skip
@click.option("--style", "look", type=click.Choice(["paper", "slides"]), default="paper", show_default=True,
              help="Sizes for print or for slides.")  # fmt: skip
@click.option("--to", "target", type=click.Path(path_type=Path),
              help="Folder to write. Default: paper/figures and leaderboard/figures; results/figures with --entries, --at or --style slides.")  # fmt: skip
def figures(names: tuple[str, ...], entries: list[str], folder: Path | None, look: str, target: Path | None) -> None:
    """Draw the figures of the paper and of the board, as PDF and PNG, each with its table as CSV."""
    from paper.plots.figures import draw_figures

    for path in draw_figures(root(), folder, target, names, entries, look, partial(click.echo, err=True)):
        click.echo(path, err=True)


@click.command()
@click.argument("a", shell_complete=ENTRY)
@click.argument("b", shell_complete=ENTRY)
@OPTIONAL_PROFILE
def compare(a: str, b: str, profile: str | None) -> None:
    """Compare two entries, A minus B, seed by seed: a table, and a picture in results/PROFILE/compare."""
    from benchmark.runs.project import Project
    from paper.plots.compare import compare_entries

    comparison = compare_entries(Project.load(root(), profile), a, b)
    click.echo(comparison.text)
    for line in comparison.notes:
        click.echo(line)
    for path in comparison.files:
        click.echo(path, err=True)
