"""The verdict on the folk rule "30 % synthetic is harmless", from the maps."""

from collections.abc import Collection
from pathlib import Path

import pandas as pd

from benchmark.errors import ThriveError
from benchmark.results.document import markdown_table
from benchmark.results.labels import task_title, with_interval
from benchmark.results.scoring import Interval
from maps import settings
from maps.answer import describe
from maps.settings import MapSettings
from maps.survey import NUMBERS
from maps.verdicts import OPEN, SAFE, UNSAFE, verdict

DATA = Path("maps", "data", "folk")


def tables(root: Path, found: MapSettings) -> dict[str, pd.DataFrame]:
    """The folk rule's measurements by task-setting that has a map (see `maps.survey.folk_table`), with the verdict at the sweep's threshold.

    Raises:
        ThriveError: there is no map.
    """
    read = {}
    for task, swept in found.sweeps.items():
        path = root / DATA / f"{task}.csv"
        if not path.is_file():
            continue  # `text` says so
        table = pd.read_csv(path)
        words = [
            verdict(Interval(*ends), swept.excess)
            for ends in zip(table["mean"], table["low"], table["high"], strict=True)
        ]
        read[task] = table.assign(verdict=words, threshold=swept.excess)
    if not read:
        raise ThriveError(f"{root / DATA}: no map. Make them: thrive map")
    return read


def text(by_task: dict[str, pd.DataFrame], missing: Collection[str] = ()) -> str:
    """The verdict in a paragraph, and the table behind it.

    Args:
        missing: task-settings that were not measured.
    """
    all_rows = pd.concat(by_task.values())
    count = all_rows["verdict"].value_counts()
    worse, better = (all_rows["more_low"] > 0).sum(), (all_rows["more_high"] < 0).sum()
    holds = "holds on every measured instance" if count.get(SAFE, 0) == len(all_rows) else "is no rule"
    times = ", ".join(
        f"{table['t'].iloc[0]} iterations and {table['seeds'].iloc[0]} seeds of {task_title(task)}"
        for task, table in by_task.items()
    )
    not_measured = "".join(f" {task_title(task)} is not measured: `thrive map --task {task}`." for task in missing)
    return (
        f'**"30 % synthetic is harmless" {holds}.** With 70 % real rows, drawn anew from the same n, and 30 % of the last model\'s samples in every '
        f"training set of n rows, the mean excess is shown to be below {all_rows['threshold'].iloc[0]:g} nats on {count.get(SAFE, 0)} of {len(all_rows)} instances and above "
        f"it on {count.get(UNSAFE, 0)}; {count.get(OPEN, 0)} are open ({times}). Beside the same real rows alone, the synthetic ones are shown to make "
        f"the loss worse on {worse} and better on {better}.{not_measured}\n\n"
    ) + _table(by_task)


def _table(by_task: dict[str, pd.DataFrame]) -> str:
    lines = [
        [
            task_title(task), describe({name: row[name] for name in NUMBERS if name in row}),
            with_interval(row["mean"], row["low"], row["high"], _nats), row["verdict"],
            with_interval(row["more"], row["more_low"], row["more_high"], _nats),
        ]
        for task, table in by_task.items()
        for row in table.to_dict("records")
    ]  # fmt: skip
    head = [
        "task-setting",
        "instance",
        "excess with 30 % synthetic rows, nats",
        "below the threshold?",
        "more than the 70 % real rows alone",
    ]
    return markdown_table(head, lines)


def _nats(value: float) -> str:
    return f"{value:.3g}"


def block(root: Path) -> str:
    """The verdict in Markdown, which names the task-settings that were not measured."""
    found = settings.load(root)
    by_task = tables(root, found)
    return text(by_task, [task for task in found.sweeps if task not in by_task])
