"""The data behind the paper's figures and report: curves of its profiles, reduced until they are small enough to commit.

    thrive run --profile paper && python -m paper.data

writes `paper/data/` from `results/paper/`. It also writes `paper/data/as-published/`, `bandwidths/`, `from-scratch/` and `smollm2/` if the
profiles of those names have been run. Quantities that neither figures nor report show are left out. So are scores per seed, except the first, second
and last test losses of the runs as published, which are compared with the corrected runs seed by seed.
"""

import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from benchmark.core.loop import is_milestone
from benchmark.errors import ThriveError
from benchmark.results import gather as results
from benchmark.results.gather import Results
from benchmark.runs.params import load
from paper import shell

HERE = Path(__file__).parent
DATA = HERE / "data"
BESIDE = ("as-published", "bandwidths", "from-scratch", "smollm2")
"""Profiles whose results lie in folders of their names, beside those of the paper's."""
FOLDERS = {"paper": DATA} | {name: DATA / name for name in BESIDE}
COLUMNS = ["task", "instance", "entry", "quantity", "t", "seeds", "mean", "sd", "low", "high", "first_seed"]
QUANTITIES = {
    "gaussian": {"test_loss", "trace_ratio", "log_determinant_ratio", "mean_error", "marginal_mean", "marginal_variance"},
    "kde": {"test_loss", "covariance_trace", "entropy"},
    "linear_regression": {"test_loss", "mse"},
    "discrete": {"entropy", "gini", "support"},
    "language_model": {
        "test_loss", "bits_per_byte", "duplicate_rate", "distinct_2", "type_token_ratio", "token_entropy", "mean_length", "rejection_rate", "self_perplexity",
    },
}  # fmt: skip
"""The quantities that figures and report show, by task-setting. `real_share` is kept for all of them."""
PAIRED = ["task", "instance", "entry", "seed", "first", "second", "final"]
"""The columns of the scores that are kept for the profile `as-published`."""
EVERY_ITERATION_UNTIL = 20
MOST_BYTES = 5_000_000


def slim(found: Results, keep: Iterable[int]) -> Results:
    """The curves that the paper shows, sorted, at the iterations `keep` and the last. Of real-only, which is flat, only the test loss."""
    curves = found.curves
    shown = [(task, name) for task, names in QUANTITIES.items() for name in {*names, "real_share"}]
    wanted = pd.MultiIndex.from_frame(curves[["task", "quantity"]]).isin(shown)
    wanted &= (curves["entry"] != "real-only") | (curves["quantity"] == "test_loss")
    last = curves.groupby(["task", "instance", "entry"])["t"].transform("max")
    wanted &= curves["t"].isin(set(keep)) | (curves["t"] == last)
    slimmer = curves.loc[wanted, COLUMNS].sort_values(COLUMNS[:5], kind="stable", ignore_index=True)
    return Results(pd.DataFrame(), slimmer.astype({"t": "int16", "seeds": "int16"}), found.about)


def grid(horizon: int) -> list[int]:
    """Iterations to keep: the first twenty, then about twelve per decade, evenly spaced on a logarithmic scale, and the milestones 50, 100, …"""
    sparse = {round(10 ** (k / 12)) for k in range(12 * len(str(horizon)))}
    return [t for t in range(1, horizon + 1) if t <= EVERY_ITERATION_UNTIL or t in sparse or is_milestone(t)]


def milestones(horizon: int) -> list[int]:
    """1, 2, 5, 10, 20, …"""
    return [t for t in range(1, horizon + 1) if is_milestone(t)]


def gather(folder: Path, tasks: Iterable[str]) -> tuple[Results | None, list[str]]:
    """The reduced results of a profile's folder, and the task-settings that have no results there."""
    tasks = list(tasks)
    missing = [task for task in tasks if not (folder / task / "about.json").is_file()]
    parts = [results.read(folder / task) for task in tasks if task not in missing]
    if not parts:
        return None, missing
    found = results.merged(parts)
    horizon = int(found.curves["t"].max())
    slimmer = slim(found, grid(horizon) if folder.name != "bandwidths" else milestones(horizon))
    return (replace(slimmer, scores=found.scores[PAIRED]) if folder.name == "as-published" else slimmer), missing


def read(folder: Path = DATA) -> Results:
    """The results in a folder. The table of scores is empty if none were kept.

    Raises:
        ThriveError: the folder has no results; the message names the commands that make them.
    """
    if not (folder / "about.json").is_file():
        profile = next((name for name, own in FOLDERS.items() if own == folder), "paper")
        raise ThriveError(
            f"{folder}: no data there. Make it: thrive run --profile {profile}, then python -m paper.data"
        )
    found, scores = results.read_curves(folder), folder / "scores.parquet"
    return replace(found, scores=pd.read_parquet(scores)) if scores.is_file() else found


def with_kept(found: Results, folder: Path, missing: Iterable[str]) -> Results:
    """Add the results that a folder already has for task-settings that are missing here, so that running one again loses no other."""
    missing = list(missing)
    if not missing or not (folder / "about.json").is_file():
        return found
    old = read(folder)
    about = old.about.of(missing)
    curves, scores = (
        table[table["task"].isin(about.tasks)] if len(table) else table for table in (old.curves, old.scores)
    )
    return results.merged([found, Results(scores, curves, about)]) if about.tasks else found


def main(root: Path = HERE.parent) -> None:
    """Write the folder of every profile that has results, and print what is missing."""
    params = load(root)
    for profile, folder in FOLDERS.items():
        if profile not in params.profiles:
            print(f"{profile}: no such profile in params.yaml", file=sys.stderr)
            continue
        found, missing = gather(root / "results" / profile, params.profiles[profile].suites)
        for task in missing:
            print(
                f"{profile}: no results of {task}. Make them: thrive run --profile {profile} -t {task}", file=sys.stderr
            )
        if found is not None:
            found = with_kept(found, folder, missing)
            (found.write if len(found.scores) else found.write_curves)(folder)
            print(f"{folder}: {len(found.curves)} rows", file=sys.stderr)
    size = sum(path.stat().st_size for path in DATA.rglob("*") if path.is_file())
    if size > MOST_BYTES:
        raise ThriveError(
            f"{DATA}: {size / 1e6:.1f} MB, expected at most {MOST_BYTES / 1e6:.0f}. Keep fewer iterations: paper/data.py, grid()"
        )


if __name__ == "__main__":
    shell.run(main)
