"""Cardinality against proportion of real data: does the number of real rows count, or their share?

    python -m paper.experiments.cardinality [-j N]

fits the first r real rows together with the first s synthetic rows, for every r and s of a grid, and writes `data/cardinality.csv`. All
synthetic rows are of generation 1: they are drawn from a model that was fitted to n real rows, the first r of which are those in the fit.
So the synthetic rows also carry, blurred, information from the real rows that are left out.

Each set trains for one epoch, as in the paper. For a language model, few rows then mean few optimizer steps, and "little data" can hardly
be told from "untrained". Under the second control, `steps`, every set therefore trains for as many steps as one set of middling size. The
table also has the untrained checkpoint, as real = synthetic = 0. Gaussian and KDE are fitted by maximum likelihood in closed form, without
steps, and have no such control. The Gaussian's test loss is exact.

Finished fits of the language model are kept in `results/cardinality/`. After an interruption a run continues where it stopped, and a finer
grid or more seeds cost only the new fits.

Source: Kazdan et al., Collapse or Thrive? (ICML 2025), Figure 5, for a language model.
"""

import argparse
import functools
import json
import sys
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from benchmark.core.history import History, Weighted
from benchmark.core.loop import start_of
from benchmark.core.requests import NEUTRAL, SampleRequest
from benchmark.core.streams import stream
from benchmark.digest.hashes import digest
from benchmark.digest.program import Program
from benchmark.errors import ThriveError
from benchmark.runs import params, pins
from benchmark.runs.cells import write_atomically
from benchmark.runs.keys import digest_of_task_setting
from benchmark.runs.pool_of_workers import Killed, in_parallel
from benchmark.tasks.gaussian import Gaussian
from benchmark.tasks.kde import KDE
from benchmark.tasks.language_model import LanguageModel
from paper import shell

ROOT = Path(__file__).parents[2]
TABLE = Path(__file__).parents[1] / "data" / "cardinality.csv"
KEPT = ROOT / "results" / "cardinality"
"""Finished fits, a file for each seed, named by a hash of all that can change them."""

Control = Literal["epochs", "steps"]


class Cell(NamedTuple):
    """One fit. Under control "epochs" a larger set takes more optimizer steps; under "steps" all sets take the same number."""

    control: Control
    real: int
    synthetic: int

    def __str__(self) -> str:
        return f"{self.real} real + {self.synthetic} synthetic, {self.control}"


UNTRAINED = Cell("epochs", 0, 0)


@dataclass(frozen=True)
class Experiment:
    """A grid for one task instance. Generation 1 is sampled from the fit to its n real rows.

    Attributes:
        task_setting: its name in benchmark/tasks.
        real, synthetic: numbers of rows; at most n are real.
        steps_of: under control "steps", all sets take the optimizer steps of a set of this size; None if a fit takes no steps.
        kept: whether each finished fit is written to a file, because a fit takes long.
    """

    task_setting: str
    task: Any
    real: tuple[int, ...]
    synthetic: tuple[int, ...]
    seeds: int
    steps_of: int | None = None
    kept: bool = False

    def __post_init__(self) -> None:
        if max(self.real) > self.task.n:
            raise ValueError(f"{self}: real: found {max(self.real)}, expected at most n = {self.task.n}")

    def __str__(self) -> str:
        return f"{self.task_setting} {self.task.name}"

    @property
    def cells(self) -> list[Cell]:
        """All fits, and the untrained model if there is one."""
        grid = [(r, s) for r in self.real for s in self.synthetic]
        if self.steps_of is None:
            return [Cell("epochs", r, s) for r, s in grid]
        return [UNTRAINED, *(Cell("epochs", r, s) for r, s in grid), *(Cell("steps", r, s) for r, s in grid)]

    def task_under(self, control: Control) -> Any:
        return self.task if control == "epochs" else replace(self.task, n=self.steps_of, matched_steps=True)

    def steps(self, cell: Cell) -> int | None:
        """Optimizer steps of a fit; None if it takes none."""
        if self.steps_of is None:
            return None
        rows = self.steps_of if cell.control == "steps" else cell.real + cell.synthetic
        return int(np.ceil(rows * self.task.epochs / self.task.batch))


EXPERIMENTS = (
    # As in the standard profile, except for n.
    Experiment(
        "language_model",
        LanguageModel(n=1024, epochs=1, batch=4, learning_rate=0.0012, precision="float32"),
        real=(16, 32, 64, 128, 256, 512, 1024),
        synthetic=(0, 64, 256, 1024),
        seeds=2,
        steps_of=512,
        kept=True,
    ),
    # With fewer than d + 5 rows the test loss has no finite variance.
    Experiment("gaussian", Gaussian(d=10, n=1000), (32, 100, 316, 1000), (0, 32, 100, 316, 1000, 3162), seeds=400),
    Experiment("kde", KDE("moons", 0.1, 1000), (10, 32, 100, 316, 1000), (0, 32, 100, 316, 1000, 3162), seeds=100),
)


def losses(experiment: Experiment, seed: int, known: dict[Cell, float]) -> Iterator[tuple[Cell, float]]:
    """Compute the test loss, in nats, of each cell that is not in `known`."""
    task = experiment.task
    wanted = [cell for cell in experiment.cells if cell not in known]
    if not wanted:
        return
    start = start_of(task, seed)
    known = {UNTRAINED: start.simplest_loss, Cell("epochs", task.n, 0): start.loss, **known}
    history = History(start.real)
    drawn = task.sample(start.model, max(experiment.synthetic), SampleRequest(), stream(seed, "sample", 1))
    history.append(drawn.examples)
    for cell in wanted:
        same = cell._replace(control="epochs")  # the same fit if it takes as many steps
        if same in known and experiment.steps(same) == experiment.steps(cell):
            known[cell] = known[same]
        else:
            chosen = training_set(history, cell.real, cell.synthetic)
            model = experiment.task_under(cell.control).fit(chosen, NEUTRAL, partial(stream, seed, "fit"))
            known[cell] = task.test_loss(model, start.test)
        yield cell, known[cell]


def training_set(history: History, real: int, synthetic: int) -> Weighted:
    """The first rows of generation 0 and the first of generation 1."""
    rows = np.concatenate([np.arange(real), history.starts[1] + np.arange(synthetic)])
    return Weighted(history, rows=rows, weights=np.ones(len(rows)))


def table(experiment: Experiment, by_seed: list[dict[Cell, float]]) -> pd.DataFrame:
    """Mean and standard deviation over seeds of each cell's test loss, in nats per token for text and per example otherwise.

    `change` is the loss minus the loss of the same real rows alone under the same control, paired by seed. If it is below 0,
    synthetic rows help.
    """
    rows = []
    for cell in experiment.cells:
        loss = np.array([of_seed[cell] for of_seed in by_seed])
        row = {
            "task": experiment.task_setting,
            "instance": experiment.task.name,
            **cell._asdict(),
            "steps": experiment.steps(cell),
            "seeds": len(by_seed),
            "mean": loss.mean(),
            "sd": loss.std(ddof=1),
        }
        if cell.synthetic:
            change = loss - np.array([of_seed[cell._replace(synthetic=0)] for of_seed in by_seed])
            row |= {"change": change.mean(), "change_sd": change.std(ddof=1)}
        rows.append(row)
    return pd.DataFrame(rows).astype({"steps": "Int64"})


class Failure(NamedTuple):
    """An error, with the experiment and the seed that it belongs to."""

    error: str


def _compute(experiment: Experiment, seed: int, kept: Path | None) -> dict[Cell, float] | Failure:
    """All losses of a seed, computed in a worker. Finished fits are read from a file, and each further fit is added to it."""
    try:
        finished = _read(kept)
        for cell, loss in losses(experiment, seed, finished):
            finished[cell] = loss
            if kept is not None:
                write_atomically(kept, json.dumps([[*cell, loss] for cell, loss in finished.items()]).encode())
                print(f"{experiment} · seed {seed} · {cell}: {loss:.4f}", file=sys.stderr, flush=True)
        return finished
    except ThriveError as error:
        return Failure(f"{experiment}, seed {seed}: {error}")
    except Exception:  # the other seeds go on
        return Failure(f"{experiment}, seed {seed}: {traceback.format_exc()}")


def _read(kept: Path | None) -> dict[Cell, float]:
    if kept is None or not kept.exists():
        return {}
    return {Cell(*cell): loss for *cell, loss in json.loads(kept.read_text())}


def _file(experiment: Experiment, seed: int, pinned: str) -> Path:
    """Where a seed's finished fits are kept. Whatever can change a fit changes the name."""
    numbers = [asdict(experiment.task), experiment.steps_of, max(experiment.synthetic)]
    key = digest(digest_of_task_setting(experiment.task_setting), own_code(), numbers, seed, pinned)[:32]
    return KEPT / f"{experiment.task_setting}-{seed}-{key}.json"


@functools.cache
def own_code(root: Path = ROOT) -> str:
    """Digest of the code here that decides a fit, by its meaning: comments do not count, nor does the grid."""
    program = Program(root, ("benchmark", "paper"))
    names = [f"paper.experiments.cardinality.{name}" for name in ("losses", "Experiment")]
    return digest([program.hash(program.definition(name)) for name in names])


def run(experiments: tuple[Experiment, ...], jobs: int) -> pd.DataFrame:
    """The whole table.

    Raises:
        ThriveError: a seed failed; the message says how. All other seeds are finished before it is raised.
    """
    from tqdm import tqdm

    settings = params.load(ROOT)
    units = []
    for experiment in experiments:
        pins.verify_files(ROOT, settings, experiment.task.files)
        pinned = pins.digest_of_files(experiment.task.files)
        for seed in range(experiment.seeds):
            units.append((experiment, seed, _file(experiment, seed, pinned) if experiment.kept else None))
    outcomes = in_parallel(_compute, units, jobs)
    of_units: dict[int, Any] = dict(tqdm(outcomes, total=len(units), unit="seed", file=sys.stderr, mininterval=1))
    failures = [of_units[n].error for n in range(len(units)) if isinstance(of_units[n], (Failure, Killed))]
    if failures:
        raise ThriveError("\n".join([*failures, f"{len(failures)} of {len(units)} failed, and no table was made."]))
    of = {
        experiment: [of_units[n] for n, unit in enumerate(units) if unit[0] is experiment] for experiment in experiments
    }
    return pd.concat([table(e, of[e]) for e in experiments], ignore_index=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m paper.experiments.cardinality", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("-j", "--jobs", type=int, default=1, help="processes of one thread each")
    try:
        text = run(EXPERIMENTS, parser.parse_args().jobs).to_csv(index=False, float_format="%.6g")
    except ThriveError as error:
        sys.exit(str(error))
    write_atomically(TABLE, text.encode())
    print(f"{TABLE.relative_to(ROOT)} written.")


if __name__ == "__main__":
    shell.run(main)
