"""The same rows in another order: what new real data recover, how fast, and what they cannot.

`thrive paths` writes maps/data/paths (the mean excess by iteration), maps/data/orders (a line for each order) and maps/figures/paths. Every run trains on n real rows, then on n rows for each of the same steps, in an order of its own,
and at last on all rows there are. So all runs of a task-setting have the same numbers of rows and steps, end with the same numbers of real,
bought and synthetic rows in the last training set, and begin with the same real rows for a seed.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from benchmark.errors import ThriveError
from benchmark.results.document import markdown_table
from benchmark.results.labels import task_title, with_interval
from benchmark.results.scoring import Interval, t_interval
from benchmark.runs import sweep
from benchmark.runs.cells import Cell
from benchmark.runs.params import Instance
from benchmark.runs.progress import SILENT, Progress
from benchmark.runs.project import Project
from maps import settings
from maps.settings import Paths, Steps
from maps.variants import Kept, of
from paper.plots import style

KINDS = ("real", "accumulate", "replace")
Phases = list[list[Any]]
"""Pairs of a kind and a number of iterations."""


def orders(steps: Steps) -> dict[str, Phases]:
    """The orders by name: every permutation of the three kinds, and real rows that return after the first part of replace."""
    count = steps.model_dump()
    found: dict[str, Phases] = {
        ", ".join(kinds): [[kind, count[kind]] for kind in kinds] for kinds in itertools.permutations(KINDS)
    }
    for k in sorted({max(1, steps.replace // 4), steps.replace // 2}):
        phases: Phases = [
            ["replace", k],
            ["real", steps.real],
            ["replace", steps.replace - k],
            ["accumulate", steps.accumulate],
        ]
        found[f"replace {k}, real, replace {steps.replace - k}, accumulate"] = phases
    return found


def kinds_of(phases: Phases) -> list[str]:
    """The kind of each iteration from 1 on: the real data, the phases, and all rows."""
    return ["first", *(kind for kind, count in phases for _ in range(count)), "all"]


class Course(NamedTuple):
    """One order on one instance.

    Attributes:
        excess: a row for each seed, a column for each iteration, in nats.
    """

    task: str
    instance: Instance
    order: str
    phases: Phases
    excess: pd.DataFrame


class Experiment:
    """All orders on the instances of one task-setting."""

    def __init__(self, home: Project, task: str, paths: Paths) -> None:
        self.task = task
        project, self.instances = settings.instances(home, task, paths.horizon, paths.seeds, paths.instances)
        self.kept = Kept(project)
        self.orders = orders(paths.steps)
        self._blocks = self.kept.blocks(task)

    def cells(self, instance: Instance, order: str) -> list[Cell]:
        """Those of one order on one instance."""
        phases = self.orders[order]
        name = "-".join(f"{kind}{count}" for kind, count in phases)
        return of(self.kept.entry("path", name, {"phases": phases}), self._blocks[instance.name])

    @property
    def all_cells(self) -> list[Cell]:
        return [cell for instance in self.instances for order in self.orders for cell in self.cells(instance, order)]

    def cost(self) -> str:
        """What it will cost, in one line."""
        plan = sweep.plan(self.kept.store, self.all_cells)
        return f"{self.task}: {len(plan.done)} cells finished, {len(plan.to_do)} to do, about {plan.seconds:.0f} CPU seconds."

    def run(self, jobs: int, progress: Progress = SILENT) -> list[Course]:
        """Compute what is missing, and read all.

        Raises:
            ThriveError: a cell could not be computed.
        """
        progress.say(self.cost())
        self.kept.compute(self.all_cells, jobs, progress)
        return [
            Course(self.task, instance, order, phases, self.kept.excess(self.cells(instance, order)))
            for instance in self.instances
            for order, phases in self.orders.items()
        ]


def curves(paths: Sequence[Course]) -> pd.DataFrame:
    """The mean excess over seeds by task-setting, instance, order and t, with its t interval of 95 %, and the kind of each iteration."""
    lines = []
    for path in paths:
        for t, kind in enumerate(kinds_of(path.phases), start=1):
            interval = t_interval(path.excess[t].to_numpy())
            place = {"task": path.task, "instance": path.instance.name, "order": path.order, "t": t, "kind": kind}
            lines.append(place | {"seeds": len(path.excess)} | interval._asdict())
    return pd.DataFrame(lines).rename(columns={"centre": "mean"})


def summary(paths: Sequence[Course]) -> pd.DataFrame:
    """A line for each order: what the real rows recovered, how fast, and what was left at last.

    Columns: before and after (mean excess before and after the iterations with new real rows, in nats), recovered (1 - after / before; empty
    where they came first), halved_after (iterations with new real rows until the mean excess is at most half of before; empty where it
    never is), last (mean excess before the last iteration), final, final_low, final_high (of a fit to all rows, with its interval), and
    lost, lost_low, lost_high: final minus that of the order with the smallest final mean, paired by seed.
    """
    lines = []
    for _, group in itertools.groupby(paths, key=lambda path: (path.task, path.instance.name)):
        of_instance = list(group)
        best = min(of_instance, key=lambda path: float(path.excess.iloc[:, -1].mean()))
        for path in of_instance:
            lost = t_interval((path.excess.iloc[:, -1] - best.excess.iloc[:, -1]).to_numpy())
            lines.append(_line(path) | dict(zip(("lost", "lost_low", "lost_high"), lost, strict=True)))
    return pd.DataFrame(lines)


def _line(path: Course) -> dict[str, Any]:
    kinds = kinds_of(path.phases)
    first, mean = kinds.index("real"), path.excess.mean().to_numpy()
    length = kinds.count("real")
    before, during = mean[first - 1], mean[first : first + length]
    halved = np.flatnonzero(during <= before / 2)
    late = first > 1
    final = Interval(*t_interval(path.excess.iloc[:, -1].to_numpy()))
    return {
        "task": path.task, "instance": path.instance.name, "order": path.order, "seeds": len(path.excess),
        "before": before, "after": during[-1],
        "recovered": 1 - during[-1] / before if late else np.nan,
        "halved_after": halved[0] + 1 if late and len(halved) else np.nan,
        "last": mean[-2], "final": final.centre, "final_low": final.low, "final_high": final.high,
    }  # fmt: skip


def draw(table: pd.DataFrame) -> Figure:
    """The mean excess by iteration, a panel for each instance and a line for each order; thick where new real rows arrive."""
    places = list(table.groupby(["task", "instance"], sort=False))
    palette = style.entry_looks(table["order"].str.replace(r" \d+", "", regex=True))
    figure, axes = style.panels(1, len(places), 1.6, 1.6)
    for ax, ((task, instance), part) in zip(axes[0], places, strict=True):
        for order, line in part.groupby("order", sort=False):
            look = palette[pd.Series([order]).str.replace(r" \d+", "", regex=True)[0]]
            dashed = ":" if any(letter.isdigit() for letter in str(order)) else "-"
            ax.plot(line["t"], line["mean"], color=look["color"], linestyle=dashed, linewidth=1)
            real = line[line["kind"] == "real"]
            ax.plot(real["t"], real["mean"], color=look["color"], linewidth=3, alpha=0.6)
            end = line.iloc[-1]
            ax.errorbar(
                end["t"],
                end["mean"],
                [[end["mean"] - end["low"]], [end["high"] - end["mean"]]],
                color=look["color"],
                capsize=2,
            )
        ax.set(title=f"{task_title(str(task))}\n{instance}", xlabel=style.ITERATION)
    axes[0, 0].set_ylabel("excess of the test loss, nats")
    style.legend(
        figure,
        {name: {"color": look["color"]} for name, look in palette.items()},
        "order (thick: new real rows;\nlast: all rows)",
    )
    return figure


def write(courses: Sequence[Course], folder: Path) -> list[Path]:
    """Write the tables of one task-setting, and the figure of all that have tables; returns what was written."""
    task, data, drawn = courses[0].task, folder / "data", folder / "figures"
    written = [
        data / "paths" / f"{task}.csv",
        data / "orders" / f"{task}.csv",
        drawn / "paths.pdf",
        drawn / "paths.png",
    ]
    for path, table in zip(written, (curves(courses), summary(courses)), strict=False):
        path.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(path, index=False, float_format="%.5g")
    drawn.mkdir(exist_ok=True)
    style.apply()
    figure = draw(pd.concat([pd.read_csv(path) for path in sorted((data / "paths").glob("*.csv"))]))
    figure.savefig(written[2], metadata={"CreationDate": None})  # without a date the bytes are always the same
    figure.savefig(written[3], metadata={"Software": None})
    plt.close(figure)
    return written


def block(root: Path) -> str:
    """What the tables say, in Markdown: a paragraph for each instance, and a table of all orders.

    Raises:
        ThriveError: there are no tables.
    """
    files = sorted((root / "maps" / "data" / "orders").glob("*.csv"))
    if not files:
        raise ThriveError("maps/data/orders: no tables. Make them: thrive paths")
    table = pd.concat([pd.read_csv(path) for path in files])
    parts = [_in_words(part) for _, part in table.groupby(["task", "instance"], sort=False)]
    return "\n".join([*parts, _table(table)])


def _in_words(part: pd.DataFrame) -> str:
    late = part[part["recovered"].notna()]
    ordered = part.sort_values("lost")
    worst, best = ordered.iloc[-1], ordered.iloc[0]
    halved = late["halved_after"]
    speed = (
        f"halved after {_range(halved, '{:.0f}')} iterations" if halved.notna().all() else "not halved in every order"
    )
    return (
        f"- **{task_title(str(best['task']))}, {best['instance']}** ({best['seeds']} seeds). New real rows recover {_range(late['recovered'], '{:.0%}')} of the excess "
        f"that had come before ({speed}): from {_range(late['before'])} nats it falls to {_range(late['after'])}. What they do not recover is the pool: a last "
        f"fit to all rows is best after *{best['order']}* ({best['final']:.2g} nats), and {worst['lost']:.2g} [{worst['lost_low']:.2g}, {worst['lost_high']:.2g}] "
        f"nats worse after *{worst['order']}*, with as many rows of each kind.\n"
    )


def _range(values: pd.Series, form: str = "{:.2g}") -> str:
    low, high = form.format(values.min()), form.format(values.max())
    return low if low == high else f"{low} to {high}"


def _table(table: pd.DataFrame) -> str:
    head = [
        "task-setting",
        "order",
        "before the new real rows",
        "after them",
        "recovered",
        "last but one",
        "fit to all rows",
        "worse than the best order",
    ]
    lines = [
        [
            task_title(row["task"]), row["order"], f"{row['before']:.2g}", f"{row['after']:.2g}",
            "–" if np.isnan(row["recovered"]) else f"{row['recovered']:.0%}", f"{row['last']:.2g}",
            with_interval(row["final"], row["final_low"], row["final_high"], "{:.2g}".format),
            with_interval(row["lost"], row["lost_low"], row["lost_high"], "{:.2g}".format),
        ]
        for row in table.to_dict("records")
    ]  # fmt: skip
    return markdown_table(head, lines, "llrrrrrr")
