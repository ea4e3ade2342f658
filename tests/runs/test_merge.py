"""Cells of other machines, and what is finished: `thrive import` and `thrive status`."""

import shutil

import pytest
from click.testing import CliRunner

from benchmark.errors import ThriveError
from benchmark.runs import merge, status, sweep
from benchmark.runs.project import Project
from tests.runs.test_records import clone, plan  # noqa: F401
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


def test_the_status_counts_what_is_finished_to_do_and_stale(clone, other, monkeypatch):  # noqa: F811
    project = Project.load(other, "tiny")
    lines = status.lines(project)
    assert {line.task_setting for line in lines} == {"gaussian", "kde"}
    assert sum(line.finished for line in lines) == 2
    assert {line.finished + line.to_do for line in lines} == {1}
    assert status.stale(other) == []
    some = next((other / "cells").glob("*.parquet"))
    some.rename(some.with_name("0" * 32 + some.name[32:]))
    monkeypatch.chdir(other)
    *_, total, stale = CliRunner().invoke(main, ["status"]).output.splitlines()
    assert total.startswith(f"profile tiny: 1 cells finished, {len(lines) - 1} to do, about ")
    assert stale.startswith("stale: 1 files in ")
