"""Cells of other machines, and what is finished: `thrive import` and `thrive status`."""

import shutil

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from pandas.testing import assert_frame_equal

from benchmark.errors import ThriveError
from benchmark.results import gather
from benchmark.results.profile import Scope, run_profile
from benchmark.runs import merge, sweep
from benchmark.runs.cells import as_bytes, checksum, provenance_of
from benchmark.runs.project import Project
from benchmark.runs.status import status
from tests.runs.test_records import PARAMS, clone, plan  # noqa: F401
from thrive.cli import main


@pytest.fixture
def other(clone, tmp_path_factory):  # noqa: F811
    """The same clone on another machine, where two of four cells are finished."""
    folder = shutil.copytree(clone, tmp_path_factory.mktemp("other") / "clone")
    store, found = plan(folder)
    assert sweep.compute(folder, store, found.to_do[:2], jobs=1) == []
    return folder


def test_cells_of_another_machine_are_taken_over_and_count_as_finished(clone, other):  # noqa: F811
    assert merge.merge(clone, other / "cells") == merge.Merged(new=2)
    assert merge.merge(clone, other / "cells") == merge.Merged(known=2)
    theirs, ours = ({p.name: p.read_bytes() for p in (f / "cells").glob("*.parquet")} for f in (other, clone))
    assert theirs == ours
    assert len(plan(clone)[1].done) == 2


def test_what_is_spoiled_or_of_other_code_is_named_and_left(clone, other, monkeypatch):  # noqa: F811
    first, second = sorted((other / "cells").glob("*.parquet"))
    first.write_bytes(first.read_bytes()[:-1])
    second.rename(second.with_name("0" * 32 + second.name[32:]))
    found = merge.merge(clone, other / "cells")
    assert (found.new, found.known, found.stale) == (0, 0, ["0" * 32 + second.name[32:]])
    [line] = found.spoiled
    assert line.startswith(f"{first.name}: found checksum ")
    assert not list((clone / "cells").glob("*.parquet"))
    monkeypatch.chdir(clone)
    done = CliRunner().invoke(main, ["import", str(other / "cells")])
    assert done.exit_code == 1
    assert (
        "0 cells taken over, 0 were here, 1 are of other code, numbers or entries, 1 are not what was written."
        in done.output
    )


def test_a_folder_without_cells_is_refused(clone, tmp_path):  # noqa: F811
    with pytest.raises(ThriveError, match="found no finished cells. Expected the folder `cells` of another clone"):
        merge.merge(clone, tmp_path / "nothing")


def shown(clone, monkeypatch) -> str:  # noqa: F811
    monkeypatch.chdir(clone)
    return CliRunner().invoke(main, ["status"]).output


def test_the_status_counts_what_is_finished_failed_to_do_and_stale(clone, other, monkeypatch):  # noqa: F811
    found = status(Project.load(other, "tiny"))
    assert {(line.task_setting, line.entry) for line in found.lines} == {
        (task, entry) for task in ("gaussian", "kde") for entry in ("replace", "accumulate")
    }
    assert sum(line.finished for line in found.lines) == 2
    assert {line.finished + line.to_do for line in found.lines} == {1}
    assert (found.stale, found.failures) == ([], {})
    done = next(line for line in found.lines if line.finished)
    some = next(
        path for path in (other / "cells").glob("*.parquet")
        if provenance_of(pq.read_table(path))["cell"].startswith(f"{done.task_setting} ") and done.entry in provenance_of(pq.read_table(path))["cell"]
    )  # fmt: skip
    some.rename(some.with_name("0" * 32 + some.name[32:]))
    broken = other / "baselines" / "accumulate" / "strategy.py"
    good = broken.read_text()
    broken.write_text(good.replace("return pool", "raise RuntimeError('boom')\n        return pool"))
    store, to_do = plan(other)
    failures = sweep.compute(other, store, [cell for cell in to_do.to_do if cell.entry.id == "accumulate"], jobs=1)
    found = status(Project.load(other, "tiny"))
    failed = {(line.task_setting, line.entry): line.failed for line in found.lines}
    assert failed == {(task, entry): int(entry == "accumulate") for task, entry in failed}
    assert {str(cell) for cell in found.failures} == {str(failure.cell) for failure in failures}
    counted = {(line.task_setting, line.entry): line.stale for line in found.lines}
    assert counted[done.task_setting, done.entry] >= 1
    assert sum(counted.values()) == len(found.stale)
    printed = shown(other, monkeypatch)
    assert printed.count("failed: ") == 2
    assert "RuntimeError: boom" in printed
    assert f"stale: {len(found.stale)} files in " in printed
    broken.write_text(good)
    sweep.compute(other, *_to_do(other), jobs=1)
    assert "failed: " not in shown(other, monkeypatch)


def _to_do(clone):  # noqa: F811
    store, found = plan(clone)
    return store, found.to_do


def names(clone) -> dict[str, int]:  # noqa: F811
    return {path.name: path.stat().st_mtime_ns for path in (clone / "cells").glob("*.parquet")}


def changed(clone, old: str, new: str) -> None:  # noqa: F811
    (clone / "params.yaml").write_text(PARAMS.replace(old, new))


def grown(clone) -> list[str]:  # noqa: F811
    """What is computed when the study is run as params.yaml has it now, and finished cells of before stay."""
    before = names(clone)
    done = run_profile(Scope(Project.load(clone)), 1)
    assert done.failures == []
    assert before.items() <= names(clone).items()
    return sorted(str(cell) for cell in done.plan.to_do)


def test_a_study_that_grows_computes_only_what_is_new(clone, monkeypatch):  # noqa: F811
    assert len(grown(clone)) == 4
    gaussian, kde = "gaussian d=2 n=12", "kde moons h=0.3 n=12"
    changed(clone, "seeds: 3", "seeds: 5")
    more_seeds = grown(clone)
    assert more_seeds == sorted(f"{i} · {e} · seeds 3:5" for i in (gaussian, kde) for e in ("accumulate", "replace"))
    of_parts = gather.read(clone / "results" / "tiny" / "kde").scores
    assert set(of_parts["seed"]) == set(range(5))
    assert grown(clone) == []
    changed(clone, "seeds: 3, instances: [{d: 2,", "seeds: 3, instances: [{d: 3, n: 15, seconds: 0.01}, {d: 2,")
    assert grown(clone) == [f"gaussian d=3 n=15 · {entry} · seeds 0:3" for entry in ("accumulate", "replace")]
    changed(clone, "accumulate]", "accumulate, accumulate-subsample]")
    assert grown(clone) == [f"{instance} · accumulate-subsample · seeds 0:3" for instance in (gaussian, kde)]
    shutil.rmtree(clone / "cells")  # the numbers are those of a study that had all seeds from the start
    shutil.rmtree(clone / "results")
    changed(clone, "seeds: 3", "seeds: 5")
    assert len(grown(clone)) == 4
    assert_frame_equal(gather.read(clone / "results" / "tiny" / "kde").scores, of_parts)


def test_a_longer_horizon_starts_anew_and_the_status_says_why(clone, monkeypatch):  # noqa: F811
    grown(clone)
    changed(clone, "horizon: 5", "horizon: 7")
    said = "4 cells to T = 7 are finished to T = 5: they start anew. A cell keeps the losses of its runs, and not the models and generations"
    assert said in shown(clone, monkeypatch)
    assert len(grown(clone)) == 4
    assert "start anew" not in shown(clone, monkeypatch)


def test_a_cell_of_another_schema_is_not_taken_over(clone, other):  # noqa: F811
    """Its name fits its content."""
    path = next((other / "cells").glob("*.parquet"))
    table = pq.read_table(path)
    content = as_bytes(table.drop_columns(["real_loss"]), provenance_of(table))
    path.unlink()
    path.with_name(f"{path.name.split('.')[0]}.{checksum(content)}.parquet").write_bytes(content)
    found = merge.merge(clone, other / "cells")
    assert (found.new, len(found.spoiled)) == (1, 1)
    assert "its records are not those of " in found.spoiled[0]
