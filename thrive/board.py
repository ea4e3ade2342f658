"""thrive score, board, figures and compare."""

import sys
import webbrowser
from functools import partial
from pathlib import Path

import click

from benchmark.errors import ThriveError
from thrive.group import OPTIONAL_PROFILE, root


@click.command()
@OPTIONAL_PROFILE
@click.option("--to", "folder", type=click.Path(path_type=Path),
              help="Folder; without it, leaderboard/ for the profile that params.yaml names, else results/PROFILE/board.")  # fmt: skip
@click.option(
    "--json", "as_json", is_flag=True, help="Print the scores as JSON, which leaderboard.schema.json describes."
)
def score(profile: str | None, folder: Path | None, as_json: bool) -> None:
    """Gather a profile's results of all task-settings into one folder, which board and figures are made from."""
    from benchmark.results.profile import gather_results, home_of_scores
    from benchmark.runs.project import Project

    project = Project.load(root(), profile)
    results = gather_results(project)
    folder = project.root / (folder or home_of_scores(project))
    results.write(folder)
    click.echo(folder, err=True)
    if as_json:
        from leaderboard.board.project import board_of
        from thrive.console import print_faults

        print_faults(project.faults)
        click.echo(board_of(project, results).model_dump_json(indent=1))


@click.command()
@click.option("--at", "folder", type=click.Path(path_type=Path), help="Folder with scores; without it, leaderboard/.")
@click.option("--open", "show", is_flag=True, help="Open the page in a browser.")
def board(folder: Path | None, show: bool) -> None:
    """Build the leaderboard from the scores in a folder, there: JSON, one page of HTML, Markdown, CSV, LaTeX."""
    from benchmark.results.profile import BOARD
    from benchmark.runs.project import Project
    from leaderboard.render.markdown import table
    from leaderboard.render.publish import publish_board
    from thrive.console import left_out, print_faults

    project = Project.load(root())
    print_faults(project.faults)
    folder = folder or BOARD
    built, paths = publish_board(project, folder)
    for fault in built.faults:
        click.secho(fault, fg="yellow", err=True)
    for division in built.divisions:
        click.echo(f"{division.track}, {division.budget} budget\n{table(built, division.rows + built.references)}")
    for path in paths:
        click.echo(path, err=True)
    if project.faults:
        sys.exit(left_out(project.faults))
    page = project.root / folder / "leaderboard.html"
    if show and not webbrowser.open(page.resolve().as_uri()):
        raise ThriveError(f"no browser was found. Open it yourself: {page}")


@click.command()
@click.option("--only", "names", multiple=True, help="Figure, such as fig2. Repeatable.")
@click.option("--entries", help="Show these entries in the paper's figures instead: accumulate,my-idea.")
@click.option("--at", "folder", type=click.Path(path_type=Path),
              help="Folder with results; without it, paper/data, and leaderboard/ for the board's own figures and for --entries.")  # fmt: skip
@click.option("--style", "look", type=click.Choice(["paper", "slides"]), default="paper", show_default=True)
@click.option("--to", "target", type=click.Path(path_type=Path),
              help="Folder to write; without it, figures/ beside the results, or results/figures with --entries, --at or --style slides.")  # fmt: skip
def figures(names: tuple[str, ...], entries: str | None, folder: Path | None, look: str, target: Path | None) -> None:
    """Draw the paper's figures and the board's, as PDF and PNG, each with its table as CSV."""
    from paper.plots.figures import draw_figures

    ids = [] if entries is None else [id.strip() for id in entries.split(",")]
    if not all(ids):
        raise click.BadParameter(
            f"found '{entries}', expected entries, such as accumulate,my-idea.", param_hint="--entries"
        )
    own = not (ids or folder or look != "paper")
    target = target or (None if own else Path("results", "figures"))
    for path in draw_figures(root(), folder, target, names, ids, look, partial(click.echo, err=True)):
        click.echo(path, err=True)


@click.command()
@click.argument("a")
@click.argument("b")
@OPTIONAL_PROFILE
def compare(a: str, b: str, profile: str | None) -> None:
    """Compare two entries, A minus B, seed by seed: a table, and a picture in results/PROFILE/compare."""
    from benchmark.results import paired
    from benchmark.results.profile import BOARD
    from benchmark.runs.project import Project
    from paper.plots.compare import write

    project = Project.load(root(), profile)
    for id in (a, b):
        project.entry(id)
    scores = paired.load(project.root, BOARD, project.profile, project.task_settings())
    rows = paired.compare(scores, a, b)
    click.echo(paired.text(rows, a, b))
    for line in paired.notes(scores, a, b):
        click.echo(line)
    for path in write(rows, a, b, project.results / "compare"):
        click.echo(path, err=True)
