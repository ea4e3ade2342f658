"""What studies cost as they grow, as a table: `python -m tests.speed.scaling`, on an idle machine about ten minutes.

Each line is one command, run in a process of its own, at three sizes: CPU seconds and peak memory of it and of all that it starts. The
exponent is the slope of the logarithm of what is added to the smallest program (imports, which cost about 2 s) against that of the size, from
the smallest to the largest size.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from math import log
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.entries.card import Card
from benchmark.entries.catalogue import find
from benchmark.results.about import About, AboutInstance, AboutTask, AsRun, Computed, Cost
from benchmark.results.gather import Results
from benchmark.runs import sweep
from benchmark.runs.cells import Store, packed
from benchmark.runs.project import Project
from leaderboard.board.build import build_board

ROOT = Path(__file__).parents[2]
KEEP = ("replace", "accumulate")
COMMANDS = {
    "status": ("status",), "dry-run": ("run", "--dry-run"), "gather": ("run", "-j", "1"), "score": ("score",), "board": ("board",),
}  # fmt: skip


def params(suite: str) -> str:
    return f"profile: big\nprofiles:\n  big:\n    about: for measurements\n    suites:\n      {suite}\npins: {{}}\n"


def gaussian(horizon: int = 50, seeds: int = 25, instances: int = 2, entries: int = 2) -> dict[str, str | int]:
    """Settings of a small study that is really run."""
    listed = ", ".join(f"{{d: 2, n: {20 + k}, seconds: 0.01}}" for k in range(instances))
    return {"suite": f"gaussian: {{horizon: {horizon}, seeds: {seeds}, instances: [{listed}]}}", "entries": entries}


def clone(folder: Path, suite: str, entries: int) -> Path:
    """A root with a profile of one suite and so many entries, of which each has code of its own."""
    shutil.rmtree(folder, ignore_errors=True)
    for number in range(entries):
        id = KEEP[number] if number < len(KEEP) else f"entry-{number}"
        source = ROOT / "baselines" / (id if id in KEEP else "accumulate")
        target = shutil.copytree(source, folder / ("baselines" if id in KEEP else "submissions") / id)
        if id not in KEEP:
            card = (target / "card.yaml").read_text()
            (target / "card.yaml").write_text(
                card.replace("id: accumulate", f"id: {id}").replace("name: Accumulate", f"name: Entry {number}")
            )
            with (target / "strategy.py").open("a") as code:
                code.write(f"\n\nNUMBER = {number}\n")
    (folder / "params.yaml").write_text(params(suite))
    shutil.copy(ROOT / "README.md", folder)
    return folder


def synthetic_cells(home: Path) -> int:
    """Fill the store with cells that were never computed; returns how many."""
    project, store, rng = Project.load(home), Store(home / "cells"), np.random.default_rng(0)
    entries = [project.entries[id] for id in project.ids()]
    cells = [cell for task in project.task_settings() for cell in sweep.cells(project, task, entries)]
    common = sweep.provenance(ROOT) | {
        "refused": None,
        "cpu_seconds": 1.0,
        "wall_seconds": 1.0,
        "date": "2026-01-01",
        "dtype": "float64",
    }
    for cell in cells:
        steps = np.arange(1, cell.instance.horizon + 1)
        losses = 2 + rng.random(len(steps)) + steps * (0.1 if cell.entry.id == "replace" else 0.01)
        records = [
            {"seed": seed, "t": int(t), "test_loss": float(loss), "real_loss": 2.0, "simplest_loss": 5.0, "status": "ok", "track": "blind",
             "budget": "fixed", "role": "entry", "training_rows": 100.0, "real_share": 0.5, "real_mass": 0.5, "candidates": 100.0,
             "log_likelihood_rows": 0.0, "fresh_real_rows": 0.0, "verifier_rows": 0.0, "distinct_2": float(rng.random()), "texts": []}
            for seed in cell.seeds for t, loss in zip(steps, losses, strict=True)
        ]  # fmt: skip
        store.write(cell, packed(records, common | {"cell": str(cell)}))
    return len(cells)


def measured(command: Sequence[str], home: Path) -> tuple[float, float]:
    """CPU seconds and peak memory in MB of a command and all that it starts.

    Raises:
        SystemExit: it failed.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    with tempfile.TemporaryFile() as printed:
        process = subprocess.Popen(command, cwd=home, env=environment, stdout=printed, stderr=printed)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            printed.seek(0)
            sys.exit(f"{' '.join(command)}: {printed.read().decode()[-2000:]}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def thrive(home: Path, *words: str) -> tuple[float, float]:
    return measured([sys.executable, "-m", "thrive.cli", *words], home)


def exponent(sizes: Sequence[int], values: Sequence[float], start: float) -> float:
    """Of growth beyond what the smallest program takes."""
    first, last = (max(value - start, 0.01 * start) for value in (values[0], values[-1]))
    return log(last / first) / log(sizes[-1] / sizes[0])


def line(what: str, sizes: Sequence[int], found: Sequence[tuple[float, float]], start: tuple[float, float]) -> None:
    seconds, megabytes = zip(*found, strict=True)
    print(f"| {what} | {', '.join(f'{size:,}' for size in sizes)} | {', '.join(f'{value:.1f}' for value in seconds)} | "
          f"{exponent(sizes, seconds, start[0]):.2f} | {', '.join(f'{value:,.0f}' for value in megabytes)} | "
          f"{exponent(sizes, megabytes, start[1]):.2f} |", flush=True)  # fmt: skip


def of_runs(folder: Path, start: tuple[float, float], sizes: Sequence[int], only: Sequence[str]) -> None:
    """Real sweeps of a small study that grows in one way."""
    for what, smallest in {"horizon": 50, "seeds": 25, "instances": 2, "entries": 2}.items():
        if what in only or not only:
            times = [smallest * size for size in sizes]
            found = [
                thrive(clone(folder / "run", **gaussian(**{what: size})), "run", "-j", "1")  # type: ignore[arg-type]
                for size in times
            ]
            line(f"`thrive run`, by {what}", times, found, start)


def of_stores(folder: Path, start: tuple[float, float], sizes: Sequence[int], only: Sequence[str]) -> None:
    """Commands on stores of synthetic cells: 20 instances, 10 seeds, and entries by the size."""
    listed = ", ".join(f"{{n: {20 + k}, seconds: 1}}" for k in range(20))
    suite = f"language_model: {{horizon: 5, seeds: 10, instances: [{listed}]}}"
    chosen = {name: words for name, words in COMMANDS.items() if name in only or not only}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in chosen}
    for size in sizes:
        home = clone(folder / "store", suite, size // 200)
        assert synthetic_cells(home) == size
        for name, words in chosen.items():
            found[name].append(thrive(home, *words))
            print(f"{name}, {size}: {found[name][-1]}", file=sys.stderr, flush=True)
    for name, words in chosen.items():
        line(f"`thrive {' '.join(words)}`, by cells", sizes, found[name], start)


def board(entries: int) -> None:
    """Compute a board of so many entries, on 4 instances of one task-setting with 10 seeds."""
    rng = np.random.default_rng(0)
    names = [f"i{k}" for k in range(4)]
    ids = [*find(ROOT)][: min(entries, 38)] + [f"entry-{k}" for k in range(max(0, entries - 38))]
    index = pd.MultiIndex.from_product(
        [["gaussian"], names, ids, range(10)], names=["task", "instance", "entry", "seed"]
    )
    scores = index.to_frame(index=False)
    size = len(scores)
    better = np.where(scores["entry"] == "replace", 1.0, 0.2) + 0.1 * rng.random(size)
    scores = scores.assign(
        final=2 + better, slope=better / 50, late_slope=better / 50, real_loss=2.0, first=2.0 + 0.01 * rng.random(size),
        second=2.1 + 0.01 * rng.random(size), diverged_at=np.nan, horizon=50, training_rows=100.0, candidates=100.0, fresh_real_rows=0.0,
        verifier_rows=0.0, **{f"collapse_{name}": rng.random(size) for name in ("catastrophe", "increase", "divergence")},
    )  # fmt: skip
    card = find(ROOT)["accumulate"].card
    cards: dict[str, Card] = {
        id: card.model_copy(update={"id": id, "name": id, "compare_with": ["replace"], "same_as": {}}) for id in ids
    }
    cards["replace"] = find(ROOT)["replace"].card
    about = AboutTask(
        unit="nats", horizon=50, seeds=list(range(10)), instances=[AboutInstance(name=n, ranked=True, numbers={"n": 20, "d": 2}) for n in names],
        entries=ids, as_run={id: AsRun(digest="0" * 64, version=card.version, track=card.track.value, budget=card.budget.value) for id in ids},
        refused={}, texts={}, computed=Computed(dates=[], commits=[], platforms=[], versions={}), cost=Cost(),
    )  # fmt: skip
    as_run = {
        id: about.as_run[id].model_copy(update={"version": c.version, "track": c.track.value, "budget": c.budget.value})
        for id, c in cards.items()
    }
    about = about.model_copy(update={"as_run": as_run})
    build_board(Results(scores, pd.DataFrame(), About(profile="big", tasks={"gaussian": about})), cards)


def of_boards(_: Path, start: tuple[float, float], sizes: Sequence[int], __: Sequence[str]) -> None:
    found = [
        measured([sys.executable, "-m", "tests.speed.scaling", "board", "--sizes", str(size)], ROOT) for size in sizes
    ]
    line("a board, by entries", sizes, found, start)


PARTS = {
    "runs": (of_runs, (2, 4, 8)),
    "stores": (of_stores, (1200, 5000, 20000)),
    "boards": (of_boards, (100, 300, 1000)),
}
"""Each with its sizes."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "parts", nargs="*", choices=[*PARTS, "board"], help="default: all but board, which computes one"
    )
    parser.add_argument("--sizes", type=lambda text: [int(size) for size in text.split(",")])
    parser.add_argument(
        "--only", default="", type=lambda text: text.split(",") if text else [], help="some lines of a part"
    )
    words = parser.parse_args()
    if words.parts == ["board"]:
        board(*words.sizes)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        start = thrive(clone(folder / "start", **gaussian()), "run", "--dry-run")  # type: ignore[arg-type]
        print(f"The smallest program: {start[0]:.1f} s, {start[1]:.0f} MB.\n")
        print("| what | sizes | CPU seconds | exponent | peak MB | exponent |\n|---|---|---|---|---|---|", flush=True)
        for name in words.parts or PARTS:
            of, sizes = PARTS[name]
            of(folder, start, words.sizes or sizes, words.only)


if __name__ == "__main__":
    main()
