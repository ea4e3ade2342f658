"""Cells: what their keys contain, that they are written whole or not at all, and that a sweep continues where it stopped."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest

from benchmark.digest import hashes as digest
from benchmark.entries.catalogue import find
from benchmark.entries.entry import Entry
from benchmark.results import gather as results
from benchmark.runs import cells as records
from benchmark.runs import keys, params, sweep
from benchmark.runs.cells import Cell, Store, provenance_of
from benchmark.runs.project import Project
from tests.conftest import tiny_profile

PARAMS = tiny_profile(
    "gaussian: {horizon: 5, seeds: 3, instances: [{d: 2, n: 12, seconds: 0.01}]}",
    "kde: {horizon: 5, seeds: 3, instances: [{data: moons, bandwidth: 0.3, n: 12, seconds: 0.01}]}",
)


@pytest.fixture
def clone(tmp_path: Path, root: Path) -> Path:
    """A root with a tiny profile and the baselines."""
    (tmp_path / "params.yaml").write_text(PARAMS)
    shutil.copytree(root / "baselines", tmp_path / "baselines", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def plan(clone: Path) -> tuple[Store, sweep.Plan]:
    found = params.load(clone)
    entries = [find(clone)[id] for id in ("replace", "accumulate")]
    cells = [c for task in ("gaussian", "kde") for c in sweep.cells(Project(clone, found, "tiny"), task, entries)]
    store = Store(clone / "cells")
    return store, sweep.plan(store, cells)


def tables(clone: Path) -> dict[str, list[dict]]:
    store, found = plan(clone)
    return {cell.key: store.read(cell).to_pylist() for cell in found.done}


def test_finished_cells_are_not_computed_again(clone):
    store, found = plan(clone)
    assert len(found.to_do) == 4
    assert sweep.compute(clone, store, found.to_do, jobs=1) == []
    assert len(plan(clone)[1].done) == 4


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("params.yaml", "n: 12, seconds: 0.01}", "n: 12, seconds: 0.01, ranked: false}", '"ranked": false'),
        ("baselines/accumulate/card.yaml", "version: 1.0.0", "version: 1.1.0", '"version": "1.1.0"'),
    ],
)
def test_results_follow_changes_that_are_in_no_key(clone, file, old, new, said):
    folder = clone / "results"

    def refresh() -> str:
        store, found = plan(clone)
        if found.to_do:
            sweep.compute(clone, store, found.to_do, jobs=1)
        results.refresh(store, [c for c in plan(clone)[1].done if c.instance.task_setting == "kde"], "tiny", folder)
        return (folder / "about.json").read_text()

    assert said not in refresh()
    before, _, after = (clone / file).read_text().rpartition(old)
    (clone / file).write_text(before + new + after)
    assert said in refresh()
    assert not plan(clone)[1].to_do


def test_a_spoiled_mark_of_results_makes_them_again(clone):
    store, found = plan(clone)
    sweep.compute(clone, store, found.to_do, jobs=1)
    cells = [c for c in plan(clone)[1].done if c.instance.task_setting == "kde"]
    results.refresh(store, cells, "tiny", clone / "results")
    [mark] = (clone / "cells").glob("results-of-*")
    good = mark.read_bytes()
    mark.write_bytes(b"\xff\xfe")
    results.refresh(store, cells, "tiny", clone / "results")
    assert mark.read_bytes() == good


def test_workers_change_no_number(clone):
    store, found = plan(clone)
    sweep.compute(clone, store, found.to_do, jobs=1)
    alone = tables(clone)
    shutil.rmtree(clone / "cells")
    store, found = plan(clone)
    sweep.compute(clone, store, list(reversed(found.to_do)), jobs=2)
    assert tables(clone) == alone


def test_a_cell_keeps_its_provenance(clone):
    store, found = plan(clone)
    sweep.compute(clone, store, found.to_do[:1], jobs=1)
    known = provenance_of(store.read(found.to_do[0]))
    assert known["versions"]["numpy"]
    assert known["wall_seconds"] > 0
    assert known["cell"] == str(found.to_do[0])


@pytest.mark.parametrize("spoil", [lambda b: b[:-10], lambda b: b[:200] + bytes([b[200] ^ 1]) + b[201:], lambda b: b""])
def test_a_truncated_or_edited_cell_is_computed_again_and_says_so(clone, capsys, spoil):
    store, found = plan(clone)
    sweep.compute(clone, store, found.to_do[:1], jobs=1)
    path = next((clone / "cells").glob("*.parquet"))
    path.write_bytes(spoil(path.read_bytes()))
    _, again = plan(clone)
    assert len(again.to_do) == 4
    assert "truncated or edited" in capsys.readouterr().err


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        records.write_atomically(tmp_path / "x", b"content")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_a_killed_sweep_continues_where_it_stopped(clone):
    """Killed without warning after the first finished cell; the second run computes only what is left."""
    text = PARAMS.replace("seeds: 3", "seeds: 100").replace("horizon: 5", "horizon: 40")
    (clone / "params.yaml").write_text(text)
    command = [sys.executable, "-m", "thrive.cli", "run", "-j", "1"]
    process = subprocess.Popen(command, cwd=clone, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while not list((clone / "cells").glob("*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finished = {path.name: path.stat().st_mtime_ns for path in (clone / "cells").glob("*.parquet")}
    store, found = plan(clone)
    assert 0 < len(finished) == len(found.done)
    assert found.to_do
    assert sweep.compute(clone, store, found.to_do, jobs=1) == []
    after = {path.name: path.stat().st_mtime_ns for path in (clone / "cells").glob("*.parquet")}
    assert finished.items() <= after.items()
    assert not plan(clone)[1].to_do


def test_one_failed_cell_stops_no_other(clone):
    broken = clone / "baselines" / "replace" / "strategy.py"
    broken.write_text(broken.read_text().replace("return pool", "raise RuntimeError('boom')\n        return pool"))
    store, found = plan(clone)
    failures = sweep.compute(clone, store, found.to_do, jobs=1)
    assert {f.cell.entry.id for f in failures} == {"replace"}
    for failure in failures:
        assert re.search(r"RuntimeError: boom .*strategy.py:\d+: raise .*seed 0, iteration 1", failure.error)
        assert failure.details == ""
    assert {cell.entry.id for cell in plan(clone)[1].done} == {"accumulate"}


@pytest.mark.long
@pytest.mark.parametrize(("code", "told"), [
    ("while True:\n            pass", "TimedOut: not finished in"),
    ("try:\n            while True: pass\n        except Exception: pass", "TimedOut"),
    ("bytearray(1 << 50)", "MemoryError"),
])  # fmt: skip
def test_an_endless_loop_or_a_memory_hog_stops_no_other(clone, monkeypatch, code, told):
    monkeypatch.setattr(sweep, "LEAST_SECONDS", 8.0)  # imports of a first cell take some
    path = clone / "baselines" / "replace" / "strategy.py"
    path.write_text(path.read_text().replace("return pool", f"{code}\n        return pool"))
    store, found = plan(clone)
    failures = sweep.compute(clone, store, found.to_do, jobs=1)
    assert {f.cell.entry.id for f in failures} == {"replace"}
    assert all(told in f.error for f in failures)
    assert {cell.entry.id for cell in plan(clone)[1].done} == {"accumulate"}


def test_a_refusal_is_kept_with_its_reason(clone):
    path = clone / "baselines" / "accumulate" / "strategy.py"
    path.write_text("""
from benchmark import SampleRequest, Strategy


class Shrunk(Strategy):
    def training_set(self, context, pool):
        return pool.all()

    def sample_request(self, context):
        return SampleRequest(preserve_variance=True)
""")
    store, found = plan(clone)
    assert sweep.compute(clone, store, found.to_do, jobs=1) == []
    cell = next(c for c in plan(clone)[1].done if c.entry.id == "accumulate" and c.instance.task_setting == "gaussian")
    assert store.read(cell).num_rows == 0
    assert "preserve_variance" in provenance_of(store.read(cell))["refused"]


def test_an_instance_that_the_card_excludes_is_not_run(clone):
    """The cell contains the reason, and no other key depends on it."""
    folder = clone / "baselines" / "accumulate"
    (folder / "strategy.py").write_text((folder / "strategy.py").read_text().replace("pool.all()", "1 / 0"))
    before = {str(cell): cell.key for cell in plan(clone)[1].to_do}
    with (folder / "card.yaml").open("a") as card:
        card.write('not_for: {gaussian: "no text there"}\n')
    store, found = plan(clone)
    changed = {str(cell) for cell in found.to_do if cell.key != before[str(cell)]}
    failures = sweep.compute(clone, store, found.to_do, jobs=1)
    assert {str(f.cell) for f in failures} == {"kde moons h=0.3 n=12 · accumulate · seeds 0:3"}
    [cell] = [c for c in plan(clone)[1].done if str(c) == "gaussian d=2 n=12 · accumulate · seeds 0:3"]
    assert (provenance_of(store.read(cell))["refused"], cell.seconds) == ("no text there", 0)
    assert changed == {str(cell)}


class TestKey:
    """What changes a cell's key, and what does not."""

    def key(self, clone: Path, position: int = 0) -> str:
        _, found = plan(clone)
        cells = sorted(found.to_do + found.done, key=str)
        return Cell(cells[position].instance, Entry(cells[position].entry.folder), cells[position].seeds, "").key

    def test_prose_does_not_change_the_key(self, clone):
        before = self.key(clone)
        folder = clone / "baselines" / "accumulate"
        strategy = folder / "strategy.py"
        strategy.write_text("# A comment.\n" + strategy.read_text().replace("Keep all", "Hold all"))
        card = folder / "card.yaml"
        card.write_text(card.read_text().replace("Keep all", "Hold all"))
        (folder / "README.md").write_text("How it works.")
        assert self.key(clone) == before

    @pytest.mark.parametrize(("file", "old", "new"), [
        ("baselines/accumulate/strategy.py", "pool.all()", "pool.all() + pool.all()"),
        ("baselines/accumulate/card.yaml", "budget: growing", "budget: fixed"),
        ("baselines/accumulate/card.yaml", "hyperparameters: {}", "hyperparameters: {a: 1}"),
        ("params.yaml", "n: 12", "n: 13"),
        ("params.yaml", "horizon: 5", "horizon: 6"),
        ("params.yaml", "seeds: 3", "seeds: 2"),
    ])  # fmt: skip
    def test_whatever_can_change_a_number_changes_the_key(self, clone, file, old, new):
        before = self.key(clone)
        path = clone / file
        path.write_text(path.read_text().replace(old, new))
        assert self.key(clone) != before

    def test_data_files_of_an_entry_change_the_key(self, clone):
        before = self.key(clone)
        (clone / "baselines" / "accumulate" / "weights.csv").write_text("1,2,3")
        assert self.key(clone) != before

    def test_cost_estimates_and_other_entries_do_not_change_the_key(self, clone):
        before = self.key(clone)
        path = clone / "params.yaml"
        path.write_text(path.read_text().replace("seconds: 0.01", "seconds: 9"))
        shutil.copytree(clone / "baselines" / "replace", clone / "baselines" / "another")
        (clone / "baselines" / "another" / "card.yaml").write_text(
            (clone / "baselines" / "replace" / "card.yaml").read_text().replace("id: replace", "id: another")
        )
        assert self.key(clone) == before

    def test_only_code_that_makes_numbers_changes_the_key(self):
        """The loop reaches pool, streams and rules, but not the command line, scores or sweep."""
        found = digest.program().closure(*keys.CORE, "benchmark.tasks.kde")
        names = {definition.module.path.stem for definition in found}
        assert {"loop", "kernels", "pool", "streams", "rules", "history", "strategy", "services", "task"} <= names
        assert not names & {"cli", "scoring", "sweep", "records", "results", "params", "entries", "gaussian"}

    def test_a_schema_version_belongs_to_one_task_setting(self, clone, monkeypatch):
        _, found = plan(clone)
        before = {str(cell): cell.key for cell in found.to_do}
        monkeypatch.setitem(records.SCHEMA_VERSIONS, "kde", 2)
        _, found = plan(clone)
        changed = {cell.instance.task_setting for cell in found.to_do if cell.key != before[str(cell)]}
        assert changed == {"kde"}


def test_a_module_imported_from_its_package_counts():
    found = digest.program().closure("benchmark.tasks.language_model")
    assert "llama" in {definition.module.path.stem for definition in found}


def test_cells_are_plain_parquet(clone):
    store, found = plan(clone)
    sweep.compute(clone, store, found.to_do[:1], jobs=1)
    table = pa.parquet.read_table(next((clone / "cells").glob("*.parquet")))
    assert {"seed", "t", "test_loss", "real_loss", "status", "track", "budget", "role", "training_rows", "real_share",
            "candidates", "log_likelihood_rows", "fresh_real_rows", "verifier_rows"} <= set(table.column_names)  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_sweep_that_is_interrupted_says_how_to_go_on_and_leaves_nothing_behind(clone, jobs, number):
    """Also where the signal comes twice."""
    (clone / "params.yaml").write_text(PARAMS.replace("seeds: 3", "seeds: 400").replace("horizon: 5", "horizon: 60"))
    command = [sys.executable, "-m", "thrive.cli", "run", "-j", jobs]
    process = subprocess.Popen(command, cwd=clone, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 120
    while not list((clone / "cells").glob("*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    time.sleep(0.01)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert said.splitlines()[-1] == "Interrupted. What is finished is kept: the same command goes on from there."
    assert "Traceback" not in said
    assert process.returncode == 128 + number
    _, found = plan(clone)
    assert found.done
    assert found.to_do
    assert not list((clone / "cells").glob(".writing-*"))
    deadline = time.monotonic() + 10  # its workers, too, end by and by
    while is_alive(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_alive(process.pid)


def is_alive(group: int) -> bool:
    """Whether some process of a group is."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
