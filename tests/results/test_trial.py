"""Trials: an entry beside others in scores, shorter runs, several hyperparameters, and what is known from the board."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmark.errors import BadEntry, ThriveError
from benchmark.results import gather, paired
from benchmark.results.profile import Scope, gather_results, run_profile
from benchmark.results.trial import BLOCKS, PLAIN, sparkline
from benchmark.runs.cells import Cell, Store, provenance_of
from benchmark.runs.estimates import Estimates
from benchmark.runs.project import Project
from tests.conftest import tiny_profile
from thrive.cli import main

PARAMS = tiny_profile(
    "gaussian: {horizon: 6, seeds: 4, instances: [{d: 2, n: [12, 20], seconds: 0.01}, {d: 3, n: 16, ranked: false, seconds: 0.01}]}",
).replace("[replace, accumulate]", "[replace, accumulate-subsample]")


@pytest.fixture
def clone(tmp_path: Path, root: Path) -> Path:
    """A clone with a submission, `mine`, that has a hyperparameter."""
    (tmp_path / "params.yaml").write_text(PARAMS)
    for id in ("replace", "accumulate-subsample", "model-averaging"):
        shutil.copytree(root / "baselines" / id, tmp_path / "baselines" / id)
    mine = shutil.copytree(root / "baselines" / "model-averaging", tmp_path / "submissions" / "mine")
    card = (mine / "card.yaml").read_text().replace("id: model-averaging", "id: mine").replace("0.5", "0.25")
    (mine / "card.yaml").write_text(card)
    return tmp_path


def trial(clone: Path, **options) -> Scope:
    return Scope(Project.load(clone), ids=["mine"], only=True, **options)


def with_board(clone: Path) -> None:
    """Run the profile, and keep its results as the board's."""
    run_profile(Scope(Project.load(clone)), 1)
    gather_results(Project.load(clone)).write(clone / "leaderboard")
    rows = [{"entry": "accumulate-subsample", "rank": 2}, {"entry": "model-averaging", "rank": 1}]
    board = {"divisions": [{"track": "blind", "budget": "fixed", "rows": rows}]}
    (clone / "leaderboard" / "leaderboard.json").write_text(json.dumps(board))


def names(cells: list[Cell]) -> set[str]:
    return {cell.entry.id for cell in cells}


def test_a_trial_compares_as_a_comparison_of_the_whole_profile_does(clone):
    [found] = run_profile(trial(clone), 1).trials
    run_profile(Scope(Project.load(clone), ids=["mine"]), 1)
    scores = paired.load(clone, Path("nowhere"), "tiny", ["gaussian"])
    mean = next(
        row
        for row in paired.compare(scores, "mine", "accumulate-subsample")
        if row.quantity == "final" and row.task == "gaussian" and row.instance is None
    )
    gap = found.means["mine"] - found.means["accumulate-subsample"]
    assert gap.mean() == pytest.approx(mean.score.centre)
    assert paired.shown(mean.score) in found.text(True)
    assert found.instances == ["d=2 n=12", "d=2 n=20"]


def test_what_the_board_holds_is_not_computed_again(clone):
    with_board(clone)
    scope = trial(clone)
    done = run_profile(scope, 1)
    assert names(done.plan.to_do) == {"mine", "model-averaging"}, "the division's first entry is not among the results"
    [shown] = done.trials
    board = gather.read(clone / "leaderboard")
    replace = board.scores[(board.scores["entry"] == "replace") & (board.scores["instance"] == "d=2 n=12")]
    beside = shown.scores[(shown.scores["entry"] == "replace") & (shown.scores["instance"] == "d=2 n=12")]
    assert sorted(beside["final"]) == sorted(replace["final"])
    assert "first of its division" in shown.text(True)
    assert sorted(p.name for p in scope.trial_folder.glob("gaussian/*")) == [
        "about.json",
        "curves.parquet",
        "scores.parquet",
    ]
    assert set(gather.read(scope.trial_folder / "gaussian").scores["entry"]) == {"mine"}


@pytest.mark.parametrize("change", ["horizon", "instances", "code", "seeds"])
def test_what_the_board_holds_of_other_runs_is_computed(clone, change):
    with_board(clone)
    options = {"horizon": {"horizon": 4}, "seeds": {"seeds": range(2, 6)}}.get(change, {})
    if change == "instances":
        (clone / "params.yaml").write_text(PARAMS.replace("[12, 20]", "[12, 21]"))
    if change == "code":
        held = gather.read(clone / "leaderboard")
        about = held.about.model_copy(deep=True)
        older = about.tasks["gaussian"].model_copy(update={"code": "of another code"})
        gather.Results(held.scores, held.curves, about.model_copy(update={"tasks": {"gaussian": older}})).write(
            clone / "leaderboard"
        )
    assert trial(clone, **options).known == {}
    assert names(trial(clone, **options).companion_cells["gaussian"]) == {
        "replace",
        "accumulate-subsample",
        "model-averaging",
    }


def test_a_shorter_trial_has_cells_of_its_own(clone):
    short, whole = (trial(clone, horizon=horizon).cells["gaussian"] for horizon in (3, None))
    assert not {cell.key for cell in short} & {cell.key for cell in whole}
    assert short[0].seconds == pytest.approx(whole[0].seconds / 2)
    [shown] = run_profile(trial(clone, horizon=3), 1).trials
    assert "T = 3" in shown.text(True)
    assert set(shown.results.curves["t"]) == {1, 2, 3}


def test_a_hyperparameter_that_is_set_makes_the_cells_of_a_card_that_says_so(clone):
    scope = trial(clone, changes={"beta": [0.5, 0.25]})
    assert [entry.id for entry in scope.entries] == ["mine beta=0.5", "mine beta=0.25"]
    keys = {id: {c.key for c in scope.cells["gaussian"] if c.entry.id == id} for id in names(scope.cells["gaussian"])}
    assert keys["mine beta=0.25"] == {cell.key for cell in trial(clone).cells["gaussian"]}
    [shown] = run_profile(scope, 1).trials
    original = run_profile(Scope(scope.project, ids=["model-averaging"], only=True), 1).trials[0]
    np.testing.assert_array_equal(shown.means["mine beta=0.5"], original.means["model-averaging"])
    with pytest.raises(BadEntry, match="hyperparameters: no 'bet'. Did you mean 'beta'"):
        _ = trial(clone, changes={"bet": [1]}).entries


def test_set_on_the_command_line(clone, monkeypatch):
    monkeypatch.chdir(clone)
    call = CliRunner().invoke
    done = call(main, ["run", "-s", "mine", "--set", "beta=0.5,0.25", "--seeds", "0:2", "-j", "1"])
    assert done.exit_code == 0, done.output
    assert "mine beta=0.25" in done.output
    assert "kept: results/tiny/trials/mine" in done.output
    for words, reason in (
        (["--set", "beta=1"], "name one with -s"),
        (["-s", "mine", "--set", "beta"], "expected NAME=V1,V2"),
        (["-s", "mine", "--set", "beta=[1"], "expected a finite number"),
        (["-s", "mine", "--set", f"beta={','.join('1' * 101)}"], "more than 100"),
    ):
        done = call(main, ["run", *words])
        assert done.exit_code
        assert reason in done.output


def test_estimates_follow_what_an_entry_took(clone):
    first, second, *_ = trial(clone).cells["gaussian"]
    estimates = Estimates()
    assert estimates.of(first) == first.seconds
    estimates.learn(first, 3 * first.seconds)
    assert estimates.of(second) == pytest.approx(3 * second.seconds)
    other = trial(clone, changes={"beta": [0.5]}).cells["gaussian"][0]
    assert estimates.of(other) == other.seconds, "another entry says nothing"
    scope = trial(clone)
    done = run_profile(trial(clone, tasks=["gaussian"]), 1).plan.to_do
    store = Store(scope.project.cells)
    measured = sum(provenance_of(store.read(cell))["cpu_seconds"] for cell in done if cell.entry.id == "mine")
    (clone / "params.yaml").write_text(PARAMS.replace("n: [12, 20]", "n: [12, 20, 40]"))
    plan = trial(clone).plan(Store(scope.project.cells))
    new = next(cell for cell in plan.to_do if cell.entry.id == "mine")
    assert plan.estimates.of(new) == pytest.approx(measured / (3 * first.seconds) * new.seconds)


def test_a_curve_is_as_high_as_its_values():
    assert sparkline(np.linspace(0, 7, 8), 7, True) == BLOCKS
    assert sparkline(np.linspace(0, 7, 8), 7, False) == PLAIN
    assert sparkline(np.array([0, 3.5, 99, np.inf]), 7, True)[2:] == BLOCKS[-1] * 2
    assert sparkline(np.array([-7.0, 0, 7]), 7, True)[0] == BLOCKS[0]
    assert len(sparkline(np.zeros(100), 0.0, True)) == 16


def test_a_trial_without_damage_has_no_scores(clone):
    (clone / "params.yaml").write_text(
        PARAMS.replace("d: 2, n: [12, 20]", "d: 30, n: [12, 20]").replace("d: 3, n: 16", "d: 31, n: 16")
    )
    [shown] = run_profile(trial(clone), 1).trials
    assert "no scores" in shown.text(True)


def test_a_board_that_is_none_is_named(clone):
    with_board(clone)
    (clone / "leaderboard" / "leaderboard.json").write_text("{}")
    with pytest.raises(
        ThriveError, match=r"leaderboard.json: no leaderboard: Field required. Make it again: thrive board"
    ):
        _ = trial(clone).firsts
