"""The command line: each command parses, calls the library and prints."""

import errno
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import webbrowser
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmark.errors import AllRefused, BadEntry, ThriveError

if TYPE_CHECKING:
    from benchmark.entries.entry import Entry

BOARD = Path("leaderboard")
OPTIONAL_PROFILE = click.option("--profile", help="Profile of params.yaml; without it, the one that params.yaml names.")


MOST_SEEDS_AT_ONCE = 10_000
PROCESSES_PER_CORE = 4


class Thrive(click.Group):
    """Prints errors that a user can mend without a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ThriveError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # what reads our output has ended, which click knows
                raise
            raise click.ClickException(_of_the_system(error)) from error


def _of_the_system(error: OSError) -> str:
    """What the operating system refuses: a full or read-only disk, a file where a folder is expected, no permission."""
    where = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
    hint = {
        errno.ENOSPC: " Free some space and repeat the command: what is finished is kept.",
        errno.EROFS: " Run it in a clone on a disk that can be written to.",
        errno.EACCES: " Make it readable and writable for you, and repeat the command.",
    }
    return f"{where}{error.strerror or error}.{hint.get(error.errno or 0, '')}"


@click.group(cls=Thrive, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="thrive-bench")
def main() -> None:
    """Thrive: the reference benchmark for model-collapse mitigation."""


def root() -> Path:
    """The clone: the nearest folder upwards that has a params.yaml.

    Raises:
        ThriveError: there is none.
    """
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "params.yaml").is_file():
            return folder
    raise ThriveError(f"{Path.cwd()}: no params.yaml here or above. Run thrive inside a clone of Thrive.")


@main.command("list")
def list_command() -> None:
    """List the entries, and the profiles with what they run."""
    from benchmark.entries import entry as entries
    from benchmark.runs import params

    good, faults = entries.sound(entries.find(root()))
    for entry in good.values():
        card = entry.card
        role = " (reference line)" if card.role == "reference" else ""
        click.echo(f"{entry.id:24} {card.track}, {card.budget}{role}: {card.description}")
    known = params.load(root())
    for name, profile in known.profiles.items():
        chosen = " (chosen by params.yaml)" if name == known.profile else ""
        click.echo(f"profile {name}{chosen}: {profile.about}")
    _report(faults)
    if faults:
        sys.exit(1)


def _report(faults: list[BadEntry]) -> None:
    """Entries that are left out, and why."""
    for fault in faults:
        click.echo(f"left out: {fault}", err=True)


@main.command()
@click.argument("id")
@click.option("--from", "origin", default="accumulate", show_default=True, help="Entry to begin with a copy of.")
def new(id: str, origin: str) -> None:
    """Write submissions/ID: an entry that already runs, for you to change."""
    from benchmark.entries import scaffold

    home = root()
    scaffold.create(home, id, origin, _git_user(home))
    click.echo(f"submissions/{id} is a copy of {origin}: change strategy.py, fill in card.yaml, then", err=True)
    for words in (f"check submissions/{id}", f"run --only -s {id} -t gaussian --seeds 0:5", f"run --profile quick -s {id} -s {origin}",
                  f"compare {id} {origin} --profile quick"):  # fmt: skip
        click.echo(f"  thrive {words}")


def _git_user(home: Path) -> str | None:
    try:
        asked = subprocess.run(["git", "config", "user.name"], cwd=home, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return asked.stdout.strip() or None


@main.command()
@OPTIONAL_PROFILE
@click.option("-t", "--task", "tasks", multiple=True, help="Task-setting; without it, all of the profile.")
@click.option("-s", "--entry", "ids", multiple=True, help="Entry: the profile's, and this one too. Repeatable.")
@click.option(
    "--only", is_flag=True, help="Run the entries of -s alone and print; the profile's results stay as they are."
)
@click.option("--seeds", help="Run these seeds instead of the profile's and print: 0:10.")
@click.option("-j", "--jobs", type=int, help="Processes; without it, one for each core.")
@click.option("--dry-run", is_flag=True, help="List the cells, finished or to do, with an estimate, and stop.")
def run(
    profile: str | None, tasks: tuple[str, ...], ids: tuple[str, ...], only: bool, seeds: str | None, jobs: int | None,
    dry_run: bool,
) -> None:  # fmt: skip
    """Run a profile: compute the cells that are not finished, and write its results.

    Interrupted, it goes on where it stopped.
    """
    from benchmark.entries import entry as entries
    from benchmark.results import gather as results
    from benchmark.runs import sweep
    from benchmark.runs.cells import Store
    from benchmark.runs.params import check_entries, load

    home = root()
    params = load(home)
    jobs = _processes(jobs)
    profile = params.profile if profile is None else profile
    known = entries.find(home)
    good, faults = entries.sound(known)
    if only and not ids:
        raise click.UsageError("--only runs the entries of -s: name one with -s.")
    if not only:
        check_entries(params, profile, known)
    chosen = entries.named(known, dict.fromkeys(ids) if only else sweep.entry_ids(params, profile, good, ids))
    faults = [] if only else faults
    _report(faults)
    wanted = sweep.task_settings(params, profile, tasks)
    cells = {t: sweep.cells(home, params, profile, t, chosen, _range(seeds)) for t in wanted}
    if not any(cells.values()):
        raise ThriveError(
            f"profile {profile}: nothing to run: every instance leaves out {', '.join(e.id for e in chosen)}."
        )
    if not dry_run:
        _require_writable(home / "cells", home / "results")
    store = Store(home / "cells")
    plan = sweep.plan(store, [cell for part in cells.values() for cell in part])
    click.echo(
        f"profile {profile}: {len(plan.done)} cells finished, {len(plan.to_do)} to do, "
        f"about {plan.seconds / jobs:.0f} s on {jobs} processes.",
        err=True,
    )
    if dry_run:
        for cell in plan.to_do:
            click.echo(f"to do     {cell.seconds:7.1f} s  {cell}")
        for cell in plan.done:
            click.echo(f"finished  {0:7.1f} s  {cell}")
        return
    failures = sweep.compute(home, store, plan.to_do, jobs) if plan.to_do else []
    for failure in failures:
        click.echo(f"\n{failure.cell}\n  {failure.error}\n{failure.details}", err=True)
    some_ran = False
    for task, part in cells.items():
        if not any(cell in store for cell in part):
            continue  # every instance leaves these entries out, or why they failed has been told
        try:
            if only or seeds:
                click.echo(results.summary(results.gather(store, part, profile)))
                gone = []
            else:
                gone = results.refresh(store, part, profile, home / "results" / profile / task)
        except AllRefused as refusals:
            click.echo(refusals, err=True)
        else:
            some_ran = True
            for id in gone:
                click.echo(
                    f"results/{profile}/{task} no longer holds '{id}': {_why_gone(id, known, good, chosen)}", err=True
                )
    if failures:
        sys.exit(f"{len(failures)} of {len(plan.to_do)} cells failed; the others are kept.")
    if not some_ran:
        sys.exit("Nothing was run: every entry refuses.")
    if faults:
        sys.exit(f"Left out, since they or their cards cannot be read: {len(faults)}. The others are kept.")


def _why_gone(id: str, known: Collection[str], good: Collection[str], chosen: "list[Entry]") -> str:
    if id not in known:
        return "this clone has no such entry any more."
    if id not in good:
        return "the entry or its card cannot be read, see: thrive list"
    if any(entry.id == id for entry in chosen):
        return "params.yaml leaves it out of every instance, by `without`."
    return f"its cells are kept: to have it there, add -s {id}"


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
    cores = os.cpu_count() or 1
    if jobs is None:
        return cores
    if not 1 <= jobs <= PROCESSES_PER_CORE * cores:
        words = f"found {jobs}, expected 1 to {PROCESSES_PER_CORE * cores}: this machine has {cores} cores."
        raise click.BadParameter(words, param_hint="-j")
    return jobs


def _require_writable(*folders: Path) -> None:
    """Before anything is computed: a full or read-only disk raises OSError here."""
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(1 << 16))
            file.flush()
            os.fsync(file.fileno())


@main.command()
@OPTIONAL_PROFILE
@click.option("--to", "folder", type=click.Path(path_type=Path),
              help="Folder; without it, leaderboard/ for the profile that params.yaml names, else results/PROFILE/board.")  # fmt: skip
@click.option(
    "--json", "as_json", is_flag=True, help="Print the scores as JSON, which leaderboard.schema.json describes."
)
def score(profile: str | None, folder: Path | None, as_json: bool) -> None:
    """Gather a profile's results of all task-settings into one folder, which board and figures are made from."""
    from benchmark.entries import entry as entries
    from benchmark.results import gather as results
    from benchmark.runs.params import load
    from benchmark.runs.sweep import task_settings

    home = root()
    params = load(home)
    profile = params.profile if profile is None else profile
    parts = [results.read(home / "results" / profile / task) for task in task_settings(params, profile, ())]
    folder = folder or (BOARD if profile == params.profile else Path("results", profile, "board"))
    found = results.merged(parts)
    found.write(home / folder)
    click.echo(home / folder, err=True)
    if as_json:
        from leaderboard.board.build import build_board
        from leaderboard.board.known import known as beyond_scores

        known = entries.find(home)
        good, faults = entries.sound(known)
        _report(faults)
        shown = found.without(known.keys() - good.keys())
        cards = {entry.id: entry.card for entry in good.values()}
        click.echo(build_board(shown, cards, beyond_scores(home, params, good)).model_dump_json(indent=1))


@main.command()
@click.option("--at", "folder", type=click.Path(path_type=Path), default=BOARD, show_default=True,
              help="Folder with scores.")  # fmt: skip
@click.option("--open", "show", is_flag=True, help="Open the page in a browser.")
def board(folder: Path, show: bool) -> None:
    """Build the leaderboard from the scores in a folder, there: JSON, one page of HTML, Markdown, CSV, LaTeX."""
    from benchmark.entries import entry as entries
    from benchmark.results import gather as results
    from benchmark.runs.cells import write_atomically
    from benchmark.runs.params import load
    from leaderboard.board.build import build_board
    from leaderboard.board.known import known as beyond_scores
    from leaderboard.render.changes import record
    from leaderboard.render.markdown import table
    from leaderboard.render.write import inject, write

    home = root()
    known = entries.find(home)
    good, faults = entries.sound(known)
    _report(faults)
    found = results.read(home / folder).without(known.keys() - good.keys())
    cards = {entry.id: entry.card for entry in good.values()}
    made = build_board(found, cards, beyond_scores(home, load(home), good))
    for fault in made.faults:
        click.secho(fault, fg="yellow", err=True)
    for division in made.divisions:
        click.echo(f"{division.track}, {division.budget} budget\n{table(made, division.rows + made.references)}")
    for path in write(made, found, home / folder):
        click.echo(path, err=True)
    if folder == BOARD:
        inject(made, home / "README.md")
        write_atomically(home / folder / "board_changes.md", record(made, home).encode())
        click.echo(home / folder / "board_changes.md", err=True)
    if faults:
        sys.exit(f"Left out, since they or their cards cannot be read: {len(faults)}.")
    if show and not webbrowser.open((home / folder / "leaderboard.html").resolve().as_uri()):
        raise ThriveError(f"no browser was found. Open it yourself: {home / folder / 'leaderboard.html'}")


@main.command()
@click.option("--only", "names", multiple=True, help="Figure, such as fig2. Repeatable.")
@click.option("--entries", help="Show these entries in the paper's figures instead: accumulate,my-idea.")
@click.option("--at", "folder", type=click.Path(path_type=Path),
              help="Folder with results; without it, paper/data, and leaderboard/ for the board's own figures and for --entries.")  # fmt: skip
@click.option("--style", "look", type=click.Choice(["paper", "slides"]), default="paper", show_default=True)
@click.option("--to", "target", type=click.Path(path_type=Path),
              help="Folder to write; without it, figures/ beside the results, or results/figures with --entries, --at or --style slides.")  # fmt: skip
def figures(names: tuple[str, ...], entries: str | None, folder: Path | None, look: str, target: Path | None) -> None:
    """Draw the paper's figures and the board's, as PDF and PNG, each with its table as CSV."""
    from paper.plots.figures import draw

    home = root()
    ids = [] if entries is None else [id.strip() for id in entries.split(",")]
    if not all(ids):
        raise click.BadParameter(
            f"found '{entries}', expected entries, such as accumulate,my-idea.", param_hint="--entries"
        )
    own = not (ids or folder or look != "paper")
    target = target or (None if own else Path("results", "figures"))
    for path in draw(home, folder, target, names, ids, look, partial(click.echo, err=True)):
        click.echo(path, err=True)


@main.command()
@click.argument("a")
@click.argument("b")
@OPTIONAL_PROFILE
def compare(a: str, b: str, profile: str | None) -> None:
    """Compare two entries, A minus B, seed by seed: a table, and a picture in results/PROFILE/compare."""
    from benchmark.entries import entry as entries
    from benchmark.results import paired as compare
    from benchmark.runs.params import load
    from benchmark.runs.sweep import task_settings
    from paper.plots.compare import write

    home = root()
    params = load(home)
    profile = params.profile if profile is None else profile
    entries.named(entries.find(home), (a, b))
    found = compare.load(home, BOARD, profile, task_settings(params, profile, ()))
    rows = compare.compare(found, a, b)
    click.echo(compare.text(rows, a, b))
    for line in compare.notes(found, a, b):
        click.echo(line)
    for path in write(rows, a, b, home / "results" / profile / "compare"):
        click.echo(path, err=True)


@main.command()
@click.argument("id", metavar="ENTRY")
@OPTIONAL_PROFILE
@click.option("-t", "--task", "tasks", multiple=True, help="Task-setting; without it, all of the profile.")
@click.option("--seeds", type=click.IntRange(2, 1000), help="How many secret seeds; without it, as params.yaml has it.")
@click.option(
    "--fresh-instances", "fresh", is_flag=True,
    help="Run instances, too, that the salt draws from the ranges of params.yaml, and show how far they differ from the public ones.",
)  # fmt: skip
@click.option("--to", "folder", type=click.Path(path_type=Path), help="Folder; without it, results/PROFILE/verified.")
@click.option(
    "--salt",
    help="Run a written result again, as it was run, and compare every number: its salt, the 8 digits of it in the file's name, or its path. "
    "It is looked for in --to; without that, in results/*/verified and leaderboard/verified. Nothing is written.",
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
    """Run an entry anew, confined and with secret seeds, and write what it came to.

    In track blind every iteration is a new process, so allow half a second for each. Python isolation is no security
    boundary: docs/security.md says what bubblewrap protects, and what it does not.
    """
    from threadpoolctl import threadpool_limits

    from benchmark.entries import entry as entries
    from benchmark.isolation import repeat, verify
    from benchmark.results import verified
    from benchmark.runs import params, sweep

    home = root()
    known_params = params.load(home)
    known = entries.find(home)
    [entry] = entries.named(known, [id])
    asked = repeat.Options(profile, list(dict.fromkeys(tasks)) or None, seeds, fresh or None)
    path = written = None
    if salt is not None:
        folders = (
            [*sorted((home / "results").glob("*/verified")), home / verified.FOLDER] if folder is None else [folder]
        )
        path, written = repeat.find(id, salt, folders)
        asked, salt = repeat.as_written(path, written, asked), written.salt
    profile = known_params.profile if asked.profile is None else asked.profile
    wanted = sweep.task_settings(known_params, profile, asked.tasks or ())
    folder = folder or home / "results" / profile / "verified"
    if written is None:
        _require_writable(folder)
    with threadpool_limits(1):
        tell = partial(click.echo, err=True)
        seeds = asked.seeds or known_params.verification.seeds
        found = verify.verify(home, known_params, profile, wanted, known, entry, seeds, tell, bool(asked.fresh), salt)
    click.echo(verify.table(found))
    click.echo(f"isolation: {found.get('isolation', 'none: no process was started')}")
    if found.get("warning"):
        click.secho(f"warning: {found['warning']}", fg="yellow", err=True)
    failed = verify.failures(found)
    if written is None:
        click.echo(verified.write(found, folder), err=True)
    elif difference := repeat.first_difference(written, found):
        changed = " The entry has changed since." * (written.digest != entry.digest)
        failed.append(f"differs from {path}: {difference}{changed}")
    else:
        click.echo(f"same: every number is that of {path}")
    click.echo(f"salt: {found['salt']}")
    if failed:
        sys.exit("\n".join(failed))


@main.command()
@click.argument("id", metavar="ENTRY")
def install(id: str) -> None:
    """Put what an entry's requirements.txt asks for into environments/ENTRY, as wheels: `thrive verify` shows it to that entry alone."""
    from benchmark.entries import entry as entries

    [entry] = entries.named(entries.find(root()), [id])
    for line in entry.install() or ["nothing is required"]:
        click.echo(line)


@main.command()
def fetch() -> None:
    """Check every pinned data set and checkpoint against its sha256."""
    from benchmark.runs import pins
    from benchmark.runs.params import load

    home = root()
    params = load(home)
    for name, pin in params.pins.items():
        if pin.package and importlib.util.find_spec(pin.package) is None:
            click.echo(f"{name}: not installed, and no profile's own instances need it. To have it: {pin.source}")
            continue
        pins.verify(home, params, [name])
        click.echo(f"{name}: {len(pin.files)} files in {pins.folder(home, name, pin)} are as pinned.")


@main.command()
@click.argument("path", type=click.Path(path_type=Path))
def check(path: Path) -> None:
    """Run the whole contract on the entry in a folder (or of that id), on small instances, in seconds.

    Tampering with the harness is detected only if it changes what the entry selects or what the harness records there.
    """
    from benchmark.conformance.check import CANNOT_SEE, check
    from benchmark.entries import entry as entries

    if not path.is_dir():
        [entry] = entries.named(entries.find(root()), [str(path)])
        path = entry.folder
    click.echo(path)
    failed = False
    for verdict, name, text in check(path):
        failed |= verdict == "FAIL"
        click.echo(f"  {verdict:5} {name:18} {text}")
    click.echo(CANNOT_SEE)
    sys.exit(failed)


@main.command()
@click.option("--from", "revision", help="Commit whose finished cells are to be kept, such as main.")
@click.option(
    "-j", "--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, show_default="all cores", help="Processes."
)
@click.option(
    "--keys", is_flag=True, help="Print the key of every cell of this code as JSON, which another revision asks for."
)
def carry(revision: str | None, jobs: int, keys: bool) -> None:
    """Keep finished cells after a change of code that must not move a number.

    Computes at least 20 cells of each task-setting again, and 2 % where that is more. If all have the bits that they had, the others
    get their new keys; if one differs, nothing is changed.
    """
    from benchmark.runs import carry

    if keys:
        click.echo(json.dumps(carry.keys(root())))
    elif revision is None:
        raise click.UsageError("name the commit that the finished cells are of: --from main.")
    else:
        count = carry.carry(root(), revision, jobs, partial(click.echo, err=True))
        click.echo(f"{count} cells carried.")


if __name__ == "__main__":
    main()
