"""thrive show."""

import click

from thrive.group import ENTRY, root


@click.command()
@click.argument("id", metavar="ENTRY", shell_complete=ENTRY)
def show(id: str) -> None:
    """Show an entry: its card, and where it stands on the committed board."""
    from benchmark.results.profile import BOARD
    from benchmark.runs.project import Project
    from leaderboard.board.committed import read_board, row_of, standing

    project = Project.load(root())
    entry = project.entry(id)
    card = entry.card
    click.echo(f"{card.id} {card.version}: {card.description}")
    click.echo(
        f"{card.track}, {card.budget} budget; by {', '.join(card.authors)}; {card.licence}; in {entry.folder.relative_to(project.root)}"
    )
    for line in filter(None, (card.url, card.citation)):
        click.echo(line)
    values = ", ".join(f"{name} = {value}" for name, value in card.hyperparameters.items()) or "none"
    click.echo(
        f"hyperparameters: {values}; tuned on: {card.tuned_on}; configurations tried: {card.configurations_tried}\n"
    )
    found = row_of(read_board(project.root / BOARD / "leaderboard.json"), id)
    if found is None:
        click.echo(f"It is not on the committed board. To see it there: thrive board --with {id}")
        return
    click.echo(standing(*found))
    click.echo(f"\nits page, with curves: {BOARD}/leaderboard.html#entry-{id}")
