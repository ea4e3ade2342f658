"""The map: excess by share of real rows, along rows of an instance and a synthetic-to-real ratio, fine where the verdict changes.

adaptive's Learner1D chooses the shares: it halves the interval of the largest loss, which is its length, or `tolerance / spacing` of it where
both ends have one label. Its choices depend on labels alone, so that a survey that is done again asks for the same cells.

Source: Nijholt, Weston, Hoofwijk and Akhmerov, Adaptive: parallel active learning of mathematical functions (2019), doi 10.5281/zenodo.1182437.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from benchmark.errors import BadParams
from benchmark.results.scoring import Vector
from benchmark.runs import sweep
from benchmark.runs.cells import Cell
from benchmark.runs.params import Instance
from benchmark.runs.progress import SILENT, Progress
from benchmark.runs.project import Project
from maps import settings
from maps.settings import Sweep
from maps.variants import Kept, of
from maps.verdicts import over_seeds, verdict

FOLK = 0.7
"""Share of real rows of the folk rule "30 % synthetic is harmless", which is measured in every row."""
LEAST = 1 / 16
"""Smallest share in a row with a ratio, where a share of 0 would leave no training set."""
TIMES = (2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Iterations that the map keeps, besides T."""
NUMBERS = ("d", "data", "bandwidth", "n", "sampler_temperature")
"""Of an instance, those that tell rows of a map apart."""
Label = Callable[[pd.DataFrame], str]
"""Takes the excess of one entry on one instance, a row for each seed and a column for each iteration; names what it is. The map is fine where the name changes."""


@dataclass(frozen=True)
class Row:
    """A line of the map, along which the share of real rows varies.

    Attributes:
        ratio: synthetic rows for each real one; None: n rows in all.
    """

    instance: Instance
    ratio: float | None = None

    @property
    def numbers(self) -> dict[str, Any]:
        """What tells it from other rows of its task-setting."""
        task = vars(self.instance.task)
        return {name: task[name] for name in NUMBERS if name in task} | {"ratio": self.ratio}

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest share."""
        return (0.0 if self.ratio is None else LEAST), 1.0

    def mixture(self, share: float) -> dict[str, float]:
        """Real and synthetic rows of a training set, as shares of n."""
        synthetic = 1 - share if self.ratio is None else self.ratio * share
        return {"real": round(share, 6), "synthetic": round(synthetic, 6)}


@dataclass
class Survey:
    """What was measured of one task-setting.

    Attributes:
        excess: by row and share of real rows: a row for each seed, a column for each iteration, in nats.
        alone: the same for a training set of FOLK·n real rows and no synthetic ones, by row of n rows in all and an unbiased sampler.
    """

    sweep: Sweep
    excess: dict[Row, dict[float, pd.DataFrame]]
    alone: dict[Row, pd.DataFrame] = field(default_factory=dict)


def rows_of(home: Project, task_setting: str, swept: Sweep) -> tuple[Project, list[Row]]:
    """The rows of a map, and the project that has their instances."""
    numbers = list(swept.instances)
    project, plain = settings.instances(home, task_setting, swept.horizon, swept.seeds, numbers)
    rows = [Row(instance) for instance in plain]
    if swept.ratios is not None:
        _, also = settings.instances(home, task_setting, swept.horizon, swept.seeds, swept.ratios.instances)
        known = {instance.name: instance for instance in plain}
        for instance in also:
            if instance.name not in known:
                raise BadParams(
                    f"{settings.FILE}: sweeps.{task_setting}.ratios: found {instance.name}, expected one of the sweep's own "
                    f"instances: {', '.join(known)}."
                )
            rows += [Row(known[instance.name], ratio) for ratio in swept.ratios.synthetic_to_real]
    return project, rows


def over_threshold(swept: Sweep) -> Label:
    """The verdict at T about the sweep's threshold."""
    return lambda excess: verdict(over_seeds(excess.iloc[:, -1].to_numpy()), swept.excess)


class Surveyor:
    """Surveys the map of one task-setting."""

    def __init__(self, home: Project, task_setting: str, swept: Sweep) -> None:
        self.swept = swept
        self.project, self.rows = rows_of(home, task_setting, swept)
        self.kept = Kept(self.project)
        self._blocks = self.kept.blocks(task_setting)

    def cells(self, row: Row, mixture: dict[str, float]) -> list[Cell]:
        """Those of one entry on one row's instance."""
        name = f"{mixture['real']:g}-{mixture['synthetic']:g}"
        return of(self.kept.entry("mixture", name, mixture), self._blocks[row.instance.name])

    def first_shares(self, row: Row) -> list[float]:
        """Those that are measured whatever they show."""
        low, high = row.ends
        count = round(1 / self.swept.spacing) + 1
        return [float(share) for share in np.linspace(low, high, count)]

    def cost(self) -> str:
        """What it will cost, in one line."""
        cells = [
            cell
            for row in self.rows
            for share in self.first_shares(row)
            for cell in self.cells(row, row.mixture(share))
        ]
        first = sweep.plan(self.kept.store, cells)
        halvings = int(np.ceil(np.log2(self.swept.spacing / self.swept.tolerance)))
        per_share = sum(row.instance.seconds for row in self.rows) * self.swept.seeds
        return (
            f"{len(self.rows)} rows of the map. At first {len(first.done)} cells are finished and {len(first.to_do)} to do, about "
            f"{first.seconds:.0f} CPU seconds; then about {2 * halvings + 2} more shares in each row, at most {(2 * halvings + 2) * per_share:.0f} "
            "CPU seconds, less what is finished."
        )

    def survey(self, label: Label, jobs: int, progress: Progress = SILENT) -> Survey:
        """Measure every row, halving the intervals between shares of different labels.

        Raises:
            ThriveError: a cell could not be computed.
        """
        from adaptive import Learner1D

        flat = self.swept.tolerance / self.swept.spacing
        loss = lambda xs, ys: (xs[1] - xs[0]) * (1 if ys[0] != ys[1] else flat)  # noqa: E731
        learners = {row: Learner1D(None, row.ends, loss) for row in self.rows}
        found = Survey(self.swept, {row: {} for row in self.rows})
        labels: list[str] = []
        wanted = [(row, share) for row in self.rows for share in [*self.first_shares(row), FOLK]]
        while wanted:
            self._compute([self.cells(row, row.mixture(share)) for row, share in wanted], jobs, progress)
            for row, share in wanted:
                excess = self.kept.excess(self.cells(row, row.mixture(share)))
                found.excess[row][share] = excess
                name = label(excess)
                labels += [name] * (name not in labels)
                learners[row].tell(share, labels.index(name))
            wanted = [(row, float(share)) for row in self.rows for share in _next(learners[row], self.swept.tolerance)]
        plain = [row for row in self.rows if row.ratio is None and row.numbers["sampler_temperature"] == 1]
        alone = {row: self.cells(row, {"real": FOLK, "synthetic": 0.0}) for row in plain}
        self._compute(list(alone.values()), jobs, progress)
        found.alone = {row: self.kept.excess(cells) for row, cells in alone.items()}
        return found

    def _compute(self, cells: list[list[Cell]], jobs: int, progress: Progress) -> None:
        flat = list({cell.key: cell for some in cells for cell in some}.values())
        plan = sweep.plan(self.kept.store, flat)
        progress.say(f"{len(plan.done)} cells finished, {len(plan.to_do)} to do, about {plan.seconds:.0f} CPU seconds.")
        self.kept.compute(flat, jobs, progress)


def _next(learner: Any, tolerance: float) -> Iterator[float]:
    """The next share of a row; none where it is fine enough."""
    if learner.loss() > tolerance:
        yield from learner.ask(1)[0]


def table(survey: Survey) -> pd.DataFrame:
    """The map as a table: a line for each row, share of real rows and kept iteration.

    Columns: the numbers of the row (see NUMBERS), ratio (empty: n rows in all), share, t, seeds, mean, low and high (the mean excess over
    seeds with its t interval of 95 %, in nats; inf where a run diverged).
    """
    times = sorted({t for t in TIMES if t < survey.sweep.horizon} | {survey.sweep.horizon})
    lines = []
    for row, shares in survey.excess.items():
        for share, excess in sorted(shares.items()):
            for t in times:
                interval = over_seeds(excess[t].to_numpy())
                lines.append(row.numbers | {"share": share, "t": t, "seeds": len(excess)} | interval._asdict())
    return pd.DataFrame(lines).rename(columns={"centre": "mean"})


def folk_table(survey: Survey) -> pd.DataFrame:
    """The folk rule at T: a line for each row of n rows in all and an unbiased sampler.

    Columns: numbers of the row, t, seeds, mean, low, high (excess of FOLK real rows and the rest synthetic), and more, more_low, more_high: by how
    much that is above the excess of the same number of real rows alone, paired by seed.
    """
    lines = []
    for row, alone in survey.alone.items():
        mixed = survey.excess[row][FOLK].iloc[:, -1]
        more: Vector = (mixed - alone.iloc[:, -1]).to_numpy()
        interval, difference = over_seeds(mixed.to_numpy()), over_seeds(more)
        words = dict(zip(("more", "more_low", "more_high"), difference, strict=True))
        lines.append(row.numbers | {"t": survey.sweep.horizon, "seeds": len(mixed)} | interval._asdict() | words)
    return pd.DataFrame(lines).rename(columns={"centre": "mean"})
