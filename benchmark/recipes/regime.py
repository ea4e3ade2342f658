"""Where a language model shows what the paper found, and where it does not: the table behind the choice of the ranked instances.

    thrive run --profile regime
    python -m benchmark.recipes.regime

gathers the finished cells of that profile into `benchmark/recipes/regime.csv` (test loss and rejection rate of every run), measures how
far the fit on real data alone is from convergence, and writes `benchmark/recipes/regime.md`. `tests/recipes/test_regime.py` holds the
claims against the CSV.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.errors import ThriveError
from benchmark.recipes.validation_curve import SHARES, losses
from benchmark.results.scoring import t_interval
from benchmark.runs import sweep
from benchmark.runs.cells import Store, provenance_of
from benchmark.runs.params import Instance
from benchmark.runs.project import Project

HERE = Path(__file__).parent
CURVES, TABLE = HERE / "regime.csv", HERE / "regime.md"
PROFILE, TASK = "regime", "language_model"
COLUMNS = ["instance", "entry", "seed", "t", "test_loss", "rejection_rate", "simplest_loss"]
REPLACE, ACCUMULATE, SUBSAMPLE = "replace", "accumulate", "accumulate-subsample"
FIT_SEEDS = 2
WORKFLOWS = (REPLACE, ACCUMULATE, SUBSAMPLE)


def gathered(project: Project) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row an iteration of the finished runs; and CPU seconds of every finished cell.

    A seed of an instance is left out until all entries have run it, so that means over seeds are of the same seeds.

    Raises:
        ThriveError: no cell is finished.
    """
    store = Store(project.cells)
    runs: list[pd.DataFrame] = []
    cost: list[dict[str, object]] = []
    for cell in sweep.cells(project, TASK, [project.entry(id) for id in project.ids()]):
        table = store.read(cell)
        if table is None:
            continue
        name, id = cell.instance.name, cell.entry.id
        runs.append(table.to_pandas().assign(instance=name, entry=id)[COLUMNS])
        cost.append({"instance": name, "entry": id, "seconds": provenance_of(table)["cpu_seconds"]})
    if not runs:
        raise ThriveError(f"profile '{PROFILE}': no cell is finished. Run: thrive run --profile {PROFILE}")
    table = pd.concat(runs, ignore_index=True)
    complete = table.groupby(["instance", "seed"])["entry"].transform("nunique") == len(project.ids())
    return table[complete].reset_index(drop=True), pd.DataFrame(cost)


def means(runs: pd.DataFrame, instance: str) -> pd.DataFrame:
    """Test loss of an instance, mean over seeds: a row an iteration, a column an entry."""
    return runs[runs["instance"] == instance].pivot_table(index="t", columns="entry", values="test_loss")


def rise(curve: "pd.Series[float]") -> float:
    """From the first iteration to the last, in nats per token."""
    return float(curve.iloc[-1] - curve.iloc[0])


def late_rise(curve: "pd.Series[float]") -> float:
    """From T/2 to T."""
    return float(curve.iloc[-1] - curve.loc[len(curve) // 2])


def is_bounded(curves: pd.DataFrame) -> bool:
    """Whether accumulate falls, or rises little: at most a quarter of its rise after T/2, and at most 15 % of replace's.

    A loss that follows b·Σ 1/s² over s ≤ t, as that of a well-specified model does, rises by 16 % after T/2 = 5, and by 6 % of b·T.
    """
    grown = curves[ACCUMULATE]
    return rise(grown) < 0 or (late_rise(grown) <= rise(grown) / 4 and rise(grown) <= 0.15 * rise(curves[REPLACE]))


def gap(runs: pd.DataFrame, instance: str) -> tuple[float, float, float]:
    """Last loss of accumulate-subsample above that of accumulate, paired by seed: mean and ends of the 95 % interval."""
    of = runs[(runs["instance"] == instance) & (runs["t"] == runs["t"].max())]
    wide = of.pivot_table(index="seed", columns="entry", values="test_loss")
    found = t_interval((wide[SUBSAMPLE] - wide[ACCUMULATE]).to_numpy())
    return found.centre, found.low, found.high


def document(runs: pd.DataFrame, cost: pd.DataFrame, instances: list[Instance]) -> str:
    """The table, as Markdown."""
    finished = [one for one in instances if one.name in set(runs["instance"])]
    return "\n".join(
        [*_opening(), *_summary(runs, finished), *_curves(runs, finished), *_fits(finished), *_cost(cost), ""]
    )


def _opening() -> Iterator[str]:
    yield "# The regime of the language model"
    yield ""
    yield f"Written by `python -m benchmark.recipes.regime` from the cells of profile `{PROFILE}`; do not edit."
    yield "Losses are of held-out real text, in nats per token, and means over seeds."


def _summary(runs: pd.DataFrame, instances: list[Instance]) -> Iterator[str]:
    yield "\n## What the three workflows do\n"
    yield "`share`: rise of accumulate from t = 1 to T, divided by that of replace. `late`: share of accumulate's rise that lies after T/2; a"
    yield "dash where it falls. Bounded: accumulate falls, or share ≤ 15 % and late ≤ 25 %. `gap`: accumulate-subsample above accumulate at T,"
    yield "paired by seed, 95 % interval. `form`: samples of t = 1 that have the form of an example. `before`: loss before any fit.\n"
    yield "| instance | differs from the first in | seeds | before | t = 1 | replace | subsample | accumulate | share | late | bounded | gap | form |"
    yield "| --- | --- | --: | --: | --: | --: | --: | --: | --: | --: | --- | --- | --: |"
    for one in instances:
        curves, of = means(runs, one.name), runs[runs["instance"] == one.name]
        if not {*WORKFLOWS} <= {*curves}:
            continue
        grown, seeds = curves[ACCUMULATE], of["seed"].nunique()
        late = f"{late_rise(grown) / rise(grown):.0%}" if rise(grown) > 0 else "–"
        mean, low, high = gap(runs, one.name)
        interval = f"{mean:.3f} ({low:.3f} … {high:.3f})" if seeds > 1 else f"{mean:.3f}"
        last = " | ".join(f"{curves[id].iloc[-1]:.3f}" for id in (REPLACE, SUBSAMPLE, ACCUMULATE))
        form = 1 - of.loc[of["t"] == 1, "rejection_rate"].mean()
        yield (
            f"| {one.name} | {_differences(one, instances[0])} | {seeds} | {of['simplest_loss'].mean():.3f} | {curves[REPLACE].iloc[0]:.3f} | {last} | "
            f"{rise(grown) / rise(curves[REPLACE]):.1%} | {late} | {'yes' if is_bounded(curves) else 'no'} | {interval} | {form:.1%} |"
        )


def _differences(one: Instance, first: Instance) -> str:
    """Numbers of an instance that are not those of the first, of the same data and network."""
    shown = ("n", "epochs", "batch", "learning_rate", "checkpoint", "config")
    own, other = vars(one.task), vars(first.task)
    return ", ".join(f"{key}: {own[key]}" for key in shown if own[key] != other[key] and own[key] != "")


def _curves(runs: pd.DataFrame, instances: list[Instance]) -> Iterator[str]:
    yield "\n## Curves\n"
    horizon = int(runs["t"].max())
    yield "| instance | entry | " + " | ".join(f"t = {t}" for t in range(1, horizon + 1)) + " |"
    yield "| --- | --- |" + " --: |" * horizon
    for one in instances:
        for id, curve in means(runs, one.name).items():
            yield f"| {one.name} | {id} | " + " | ".join(f"{loss:.3f}" for loss in curve) + " |"


def _fits(instances: list[Instance]) -> Iterator[str]:
    yield "\n## How far the fit on real data alone is from convergence\n"
    yield "Loss on validation texts by length of the fit, as a multiple of the instance's epochs; mean over two seeds. `above`: of the"
    yield "instance's own length, above the smallest.\n"
    yield "| instance | " + " | ".join(f"{share:g}" for share in SHARES) + " | above |"
    yield "| --- |" + " --: |" * (len(SHARES) + 1)
    for one in instances:
        if one.ranked and not one.task.matched_steps:  # type: ignore[attr-defined]
            found = np.mean([losses(one.task, seed) for seed in range(FIT_SEEDS)], axis=0)
            above = found[SHARES.index(1.0)] / found.min() - 1
            yield f"| {one.name} | " + " | ".join(f"{loss:.3f}" for loss in found) + f" | {above:.1%} |"


def _cost(cost: pd.DataFrame) -> Iterator[str]:
    yield "\n## CPU seconds of a run, T = 10\n"
    yield "Medians over seeds, on two hardware threads of one core that other programs shared. The first entry of a seed that is run also pays for"
    yield "what all of them share: the fit on real data.\n"
    table = cost.pivot_table(index="instance", columns="entry", values="seconds", aggfunc="median", sort=False)
    yield "| instance | " + " | ".join(map(str, table)) + " |"
    yield "| --- |" + " --: |" * len(table.columns)
    for name, row in table.iterrows():
        yield f"| {name} | " + " | ".join("–" if np.isnan(value) else f"{value:.0f}" for value in row) + " |"


def main() -> None:
    import torch

    torch.set_num_threads(1)
    project = Project.load(Path.cwd(), PROFILE)
    runs, cost = gathered(project)
    runs.round(6).to_csv(CURVES, index=False)
    TABLE.write_text(document(runs, cost, project.instances(TASK)), encoding="utf-8")


if __name__ == "__main__":
    main()
