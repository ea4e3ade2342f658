"""thrive verify: secret seeds, a confined process, and a result that anybody can run again."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import ROOT

from benchmark import cli, sandbox, scoring, verify
from benchmark.entries import find
from benchmark.loop import run
from benchmark.params import instances, load
from benchmark.rules import Budget

PARAMS = """
profile: tiny
profiles:
  tiny:
    about: for tests
    suites:
      gaussian: {horizon: 4, seeds: 2, instances: [{d: 2, n: 12, seconds: 0.1}]}
      kde: {horizon: 3, seeds: 2, instances: [{data: moons, bandwidth: 0.3, n: 12, seconds: 0.1}]}
pins: {}
"""


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A root with three workflows and small instances, which a stranger's user may read."""
    for id in ("replace", "accumulate", "accumulate-subsample"):
        shutil.copytree(ROOT / "baselines" / id, tmp_path / "baselines" / id)
    (tmp_path / "params.yaml").write_text(PARAMS)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(clone) -> dict:
    """The newest result."""
    newest = max((clone / "results/tiny/verified").glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    return json.loads(newest.read_text())


def thrive(*words: str):
    return CliRunner().invoke(cli.main, words, catch_exceptions=False)


def test_the_result_can_be_run_again_from_its_salt(clone, monkeypatch):
    """Outside, on the seeds of the salt, the entry gives the very numbers that it gave inside."""
    monkeypatch.setattr(verify.secrets, "token_hex", lambda size: "0" * 2 * size)  # replace does damage on its seeds
    done = thrive("verify", "accumulate-subsample")
    assert done.exit_code == 0, done.output
    result = written(clone)
    entry = find(clone)["accumulate-subsample"]
    for one, task in zip(result["instances"], ("gaussian", "kde"), strict=True):
        [instance] = instances(load(clone), "tiny", task)
        assert one["seeds"] == verify.seeds_of(result["salt"], 2)
        losses = [
            [r["test_loss"] for r in run(instance.task, entry.make, entry.rules, seed, instance.horizon)]
            for seed in one["seeds"]
        ]
        assert one["final"] == [run[-1] for run in losses]
        steps = np.arange(1.0, instance.horizon + 1)
        assert one["slope"] == [scoring.ols_slope(steps, np.array(run)) for run in losses]
        assert one["above_base"] == [0, 0, 0]  # it is its division's base workflow
    assert result["digest"] == entry.digest
    known = sandbox.why_no_bubblewrap()
    assert result["isolation"] == ("bubblewrap" if known is None else f"limits only: {known}")


def test_seeds_are_secret_and_new_each_time(clone):
    salts = []
    for _ in range(2):
        thrive("verify", "accumulate", "-t", "gaussian")
        salts.append(written(clone)["salt"])
    assert salts[0] != salts[1]
    assert len(list((clone / "results/tiny/verified").glob("accumulate-*.json"))) == 2  # none replaces another
    assert set(verify.seeds_of(salts[0], 3)).isdisjoint(verify.seeds_of(salts[1], 3))
    assert verify.seeds_of(salts[0], 2) == verify.seeds_of(salts[0], 3)[:2]


def test_without_bubblewrap_it_says_so_on_the_console_and_in_the_result(clone, monkeypatch):
    monkeypatch.setattr(sandbox, "why_no_bubblewrap", lambda: "bubblewrap is not installed")
    done = thrive("verify", "accumulate", "-t", "gaussian")
    assert done.exit_code == 0
    result = written(clone)
    assert result["isolation"] == "limits only: bubblewrap is not installed"
    assert "no sandbox (bubblewrap is not installed)" in result["warning"]
    assert "no sandbox (bubblewrap is not installed)" in done.output
    assert "isolation: limits only" in done.output


def test_a_failure_is_told_and_leaves_the_other_instances_alone(clone):
    path = clone / "baselines/accumulate/strategy.py"
    path.write_text(path.read_text().replace("return pool", "assert context.t < 4, 'tired'\n        return pool"))
    done = thrive("verify", "accumulate")
    assert done.exit_code != 0
    result = written(clone)
    assert "AssertionError: tired" in result["instances"][0]["outcome"]
    assert "strategy.py:" in result["instances"][0]["outcome"]
    assert "isolation" in result  # its code has run, and what held it is told
    assert "no process was started" not in done.output
    assert result["instances"][1]["outcome"] == "ok"
    assert len(result["instances"][1]["final"]) == 2


def test_every_budget_has_a_base_workflow(root):
    for budget, id in verify.BASE_WORKFLOW.items():
        assert find(root)[id].rules.budget == budget
    assert set(verify.BASE_WORKFLOW) == set(Budget)
