"""What the board and the figures are made from: scores per seed and curves per iteration, gathered from cells.

A folder of results holds `scores.parquet`, `curves.parquet` (see `benchmark.results.scoring` for their columns) and `about.json` (see
`benchmark.results.about`). But for what the cells were computed with and what they cost, nothing in it depends on when or where it was
computed. about.json holds checksums of the tables and of itself, and all readers check them.
"""

import functools
import io
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from benchmark import stamps
from benchmark.digest.hashes import digest, digest_of_file, digest_of_reach
from benchmark.entries.entry import Entry
from benchmark.errors import AllRefused, ThriveError
from benchmark.messages import one_line
from benchmark.results import scoring
from benchmark.results.about import About, AboutInstance, AboutTask, AsRun, Computed, Cost
from benchmark.results.seal import ABOUT, CURVES, SCORES, read_about, read_table, sealed
from benchmark.runs.cells import Cell, Store, provenance_of, write_atomically
from benchmark.runs.keys import digest_of_task_setting
from benchmark.runs.params import Instance


@dataclass(frozen=True)
class Results:
    """Scores, curves, and what they are of."""

    scores: pd.DataFrame
    curves: pd.DataFrame
    about: About

    def without(self, ids: Collection[str]) -> "Results":
        """These results without some entries."""
        if not ids:
            return self
        scores, curves = (frame[~frame["entry"].isin(ids)] for frame in (self.scores, self.curves))
        return Results(scores.reset_index(drop=True), curves.reset_index(drop=True), self.about)

    def only(self, task: str, ids: Collection[str]) -> "Results":
        """Some entries on one task-setting."""
        scores, curves = (
            frame[(frame["task"] == task) & frame["entry"].isin(ids)].reset_index(drop=True)
            for frame in (self.scores, self.curves)
        )
        about = self.about.tasks[task].model_copy(update={"entries": sorted(ids)})
        return Results(scores, curves, About(profile=self.about.profile, tasks={task: about}))

    def write(self, folder: Path) -> None:
        self._write(folder, {SCORES: _parquet(self.scores)})

    def write_curves(self, folder: Path) -> None:
        """Curves and what they are of, without scores: all that figures need."""
        self._write(folder, {})

    def _write(self, folder: Path, tables: dict[str, bytes]) -> None:
        # Numbers with their like bytes together, names once: a third of the size.
        numbers = [name for name in self.curves if self.curves[name].dtype.kind == "f"]
        names = [name for name in self.curves if name not in numbers]
        tables[CURVES] = _parquet(self.curves, use_byte_stream_split=numbers, use_dictionary=names)
        for name, content in tables.items():
            write_atomically(folder / name, content)
        write_atomically(folder / ABOUT, sealed(self.about, tables))  # last: it vouches for the tables


def _parquet(table: pd.DataFrame, **options: Any) -> bytes:
    content: bytes = table.to_parquet(compression="zstd", index=False, **options)
    return content


def read(folder: Path) -> Results:
    """Results of one folder.

    Raises:
        ThriveError: there are none, or they are not as they were written; the message names the command that makes them.
    """
    curves_alone = read_curves(folder)
    return Results(pd.read_parquet(io.BytesIO(read_table(folder, SCORES))), curves_alone.curves, curves_alone.about)


def read_curves(folder: Path) -> Results:
    """What `Results.write_curves` wrote; the table of scores is empty."""
    about = read_about(folder)
    return Results(pd.DataFrame(), pd.read_parquet(io.BytesIO(read_table(folder, CURVES))), about)


def _is_whole(folder: Path) -> bool:
    """Whether the results of a folder are as they were written; says so where they are not."""
    if not (folder / ABOUT).is_file():
        return False
    try:
        for name in (SCORES, CURVES):
            read_table(folder, name)
    except ThriveError as error:
        print(f"{str(error).partition(' Make it')[0]} Making it again.", file=sys.stderr)
        return False
    return True


def refresh(store: Store, cells: Sequence[Cell], profile: str, folder: Path) -> list[str]:
    """Write the results of one task-setting, unless the folder holds just what these cells and this code made last time.

    Returns:
        Entries that the folder held before and holds no longer.

    Raises:
        Changed: the code that makes them was edited after it was loaded.
    """
    stamps.check()
    whole = _is_whole(folder)
    before = _entries_in(folder) if whole else set()
    finished = sorted([cell.key, cell.instance.name, cell.entry.id] for cell in cells if cell in store)
    # Of what a key leaves out, too: ids, names, `ranked`, and what cards say.
    planned = about_cells(cells).model_dump(mode="json")
    made_from = digest(digest_of_reach("benchmark.results.gather"), profile, finished, planned)
    mark = store.folder / f"results-of-{profile}-{cells[0].instance.task_setting}.txt"
    if not (whole and mark.is_file() and mark.read_bytes() == (made_from + _of_files(folder)).encode()):
        gather(store, cells, profile).write(folder)
        write_atomically(mark, (made_from + _of_files(folder)).encode())
    return sorted(before - _entries_in(folder))


def _entries_in(folder: Path) -> set[str]:
    return {id for task in read_about(folder).tasks.values() for id in task.entries}


def _of_files(folder: Path) -> str:
    return digest({path.name: digest_of_file(path) for path in folder.glob("*.*")})


def gather(store: Store, cells: Sequence[Cell], profile: str) -> Results:
    """Results of one task-setting, from the finished ones among these cells: an entry on an instance at a time, for memory.

    Raises:
        AllRefused: every entry whose cells are finished refuses the task-setting; one line for each says why.
        ThriveError: no cell is finished.
    """
    scores: list[pd.DataFrame] = []
    curves: list[pd.DataFrame] = []
    refused: dict[str, str] = {}
    texts: dict[str, dict[str, list[str]]] = {}
    computed: list[dict[str, Any]] = []
    together: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        together.setdefault((cell.instance.name, cell.entry.id), []).append(cell)
    for of_one in together.values():
        records = _records(store, of_one, refused, computed)
        if records is not None:
            scores.append(scoring.per_seed(records))
            curves.append(scoring.curves(records))
            texts = _texts(records) | texts
    if not scores and refused:
        raise AllRefused("\n".join(_refusals(cells[0].instance.task_setting, refused)))
    if not scores:
        raise ThriveError(f"profile '{profile}': no cell is finished. Run: thrive run --profile {profile}")
    cost = Cost(
        runs=sum(map(len, scores)), cpu_seconds=round(sum(provenance["cpu_seconds"] for provenance in computed), 1)
    )
    about = about_cells(cells, refused, texts, computed, cost, bits_per_byte)
    by_name = ["instance", "entry"]
    return Results(
        pd.concat(scores).sort_values([*by_name, "seed"], kind="stable", ignore_index=True),
        pd.concat(curves).sort_values(by_name, kind="stable", ignore_index=True),
        About(profile=profile, tasks={cells[0].instance.task_setting: about}),
    )


def _records(
    store: Store, cells: Iterable[Cell], refused: dict[str, str], computed: list[dict[str, Any]]
) -> pd.DataFrame | None:
    """Those of an entry on an instance, one row an iteration; None where nothing is finished. Adds to who refused what, and to provenance."""
    frames: list[pd.DataFrame] = []
    for cell in cells:
        table = store.read(cell)
        if table is None:
            continue
        if table.num_rows == 0:
            refused[cell.entry.id] = provenance_of(table)["refused"]
            continue
        computed.append(provenance_of(table))
        frame = table.to_pandas()
        frame.insert(0, "entry", cell.entry.id)
        frame.insert(0, "instance", cell.instance.name)
        frame.insert(0, "task", cell.instance.task_setting)
        if (bits := bits_per_byte(cell.instance)) is not None:
            frame["bits_per_byte"] = frame["test_loss"] * bits
        frames.append(frame)
    return pd.concat(frames, ignore_index=True) if frames else None


def summary(results: Results) -> str:
    """Test losses by instance and entry, as text: medians over seeds, in the task-setting's unit; and who refused what."""
    runs = results.scores.assign(excess=lambda frame: frame["final"] - frame["real_loss"])
    table = runs.groupby(["task", "instance", "entry"])[["first", "final", "excess", "slope"]].median()
    units = ", ".join(dict.fromkeys(about.unit for about in results.about.tasks.values()))
    refusals = [line for task, about in results.about.tasks.items() for line in _refusals(task, about.refused)]
    lines = [f"median over {runs['seed'].nunique()} seeds, {units}", table.to_string(float_format="{:.4g}".format)]
    return "\n".join([*lines, *refusals, ""])


def _refusals(task_setting: str, refused: dict[str, str]) -> list[str]:
    return [f"{task_setting}: {id} refuses: {one_line(reason)}" for id, reason in refused.items()]


def about_cells(
    cells: Sequence[Cell],
    refused: Mapping[str, str] = MappingProxyType({}),
    texts: Mapping[str, dict[str, list[str]]] = MappingProxyType({}),
    computed: Sequence[dict[str, Any]] = (),
    cost: Cost = Cost(),  # noqa: B008 it is frozen
    bits: Callable[[Instance], float | None] = lambda instance: None,
) -> AboutTask:
    """What the results of these cells, which are of one task-setting, are of.

    Args:
        computed: provenance of the finished cells.
        bits: `bits_per_byte`, which reads test texts and a tokenizer.
    """
    instances: dict[str, Cell] = {cell.instance.name: cell for cell in cells}
    entries = {cell.entry.id: cell.entry for cell in cells}
    return AboutTask(
        unit=cells[0].instance.task.unit,
        code=_code(cells),
        horizon=cells[0].instance.horizon,
        seeds=sorted({seed for cell in cells for seed in cell.seeds}),
        instances=[
            AboutInstance(
                name=name,
                ranked=cell.instance.ranked,
                numbers=vars(cell.instance.task),
                files=cell.files,
                bits_per_byte=bits(cell.instance),
            )
            for name, cell in instances.items()
        ],
        entries=sorted(entries),
        as_run={id: _as_run(entry) for id, entry in sorted(entries.items())},
        refused=dict(refused),
        texts=dict(texts),
        computed=_summed_provenance(computed),
        cost=cost,
    )


@functools.cache
def bits_per_byte(instance: Instance) -> float | None:
    """What one nat per token is in bits per byte of an instance's test texts; None where examples are not text."""
    found: float | None = getattr(instance.task, "bits_per_byte", None)
    return found


def _code(cells: Sequence[Cell]) -> str:
    """Digest of the harness's code that makes the numbers of a task-setting, whatever the entries."""
    return digest(cells[0].schema_version, digest_of_task_setting(cells[0].instance.task_setting))


def difference(known: AboutTask, now: AboutTask) -> str | None:
    """Why results of other entries on a task-setting cannot stand beside those of this code; None where they can.

    Args:
        now: what the cells to stand beside are of; an entry may leave out instances.
    """
    if not known.code:
        return "it is not recorded which code made them"
    if known.horizon != now.horizon:
        return f"they go to T = {known.horizon}, not to {now.horizon}"
    if not set(now.seeds) <= set(known.seeds):
        return f"they have no seed {min(set(now.seeds) - set(known.seeds))}"
    recorded = [(i.name, i.ranked, i.numbers, i.files) for i in known.instances]
    strange = [i.name for i in now.instances if (i.name, i.ranked, i.numbers, i.files) not in recorded]
    if strange:
        return f"they are of other instances, or data, than {strange[0]}"
    return None if known.code == now.code else "other code made them"


def beside(results: Results, others: Results) -> Results:
    """Results of entries together with those that others have on the same task-settings."""
    own = {id for task in results.about.tasks.values() for id in task.entries}
    others = others.without(own)
    tasks = {name: _joined(others.about.tasks[name], about) for name, about in results.about.tasks.items()}
    scores, curves = (
        pd.concat([theirs[theirs["task"].isin(tasks)], mine], ignore_index=True)
        for theirs, mine in ((others.scores, results.scores), (others.curves, results.curves))
    )
    return Results(scores, curves, About(profile=results.about.profile, tasks=tasks))


def _joined(known: AboutTask, own: AboutTask) -> AboutTask:
    """With entries of both; the rest is that of `known`."""
    update = {
        "entries": sorted({*known.entries, *own.entries}),
        "as_run": {**known.as_run, **own.as_run},
        "refused": {id: why for id, why in known.refused.items() if id not in own.entries} | own.refused,
        "texts": {**known.texts, **own.texts},
    }
    return known.model_copy(update=update)


def _summed_provenance(computed: Sequence[dict[str, Any]]) -> Computed:
    """All values that occur in the provenance of some cells; `dirty` where code differed from its commit."""

    def every(key: str) -> list[str]:
        return sorted({provenance[key] for provenance in computed if provenance.get(key)})

    names = sorted({name for provenance in computed for name, version in provenance["versions"].items() if version})
    return Computed(
        dates=every("date"),
        commits=sorted({f"{provenance['commit']}{', dirty' * provenance['dirty']}" for provenance in computed}),
        platforms=every("platform"),
        versions={"python": every("python")}
        | {name: sorted({provenance["versions"][name] or "none" for provenance in computed}) for name in names},
    )


def _as_run(entry: Entry) -> AsRun:
    """What an entry was when its cells were computed. Where the card says something else now, its scores are stale."""
    card = entry.card
    return AsRun(digest=entry.digest, version=card.version, track=card.track.value, budget=card.budget.value)


def _texts(records: pd.DataFrame) -> dict[str, dict[str, list[str]]]:
    """Samples by entry and iteration, of the first seed; empty where examples are not text."""
    first = records[records["seed"] == records["seed"].min()]
    texts: dict[str, dict[str, list[str]]] = {}
    for entry, t, samples in zip(first["entry"], first["t"], first["texts"], strict=True):
        if len(samples):
            texts.setdefault(entry, {})[str(t)] = list(samples)
    return texts


def merged(parts: Iterable[Results]) -> Results:
    """Results of several task-settings of one profile, in one."""
    parts = list(parts)
    return Results(
        pd.concat([of_task.scores for of_task in parts], ignore_index=True),
        pd.concat([of_task.curves for of_task in parts], ignore_index=True),
        About(
            profile=parts[0].about.profile,
            tasks={name: about for of_task in parts for name, about in of_task.about.tasks.items()},
        ),
    )
