"""Two entries side by side: signs, pairing, what diverges, and agreement with the board."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from benchmark.errors import ThriveError
from benchmark.results import gather as results
from benchmark.results import paired as compare
from benchmark.results import scoring
from benchmark.results.gather import Results
from paper.plots.compare import write
from tests.leaderboard.test_board import some_results, with_task
from thrive.cli import main

REPLACE = [[1, 2, 3]] * 4
NOISE = [0.0, 5.0, -3.0, 8.0]  # of a seed: its runs share it


def shifted(by: float, extra=(0.0, 0.1, -0.1, 0.0)) -> list[list[float]]:
    return [[1, 1, 9 + noise + by + more] for noise, more in zip(NOISE, extra, strict=True)]


def rows(losses: dict, a: str = "a", b: str = "b", **about):
    found = some_results({"replace": REPLACE, **losses}, **about)
    return {(row.quantity, row.instance): row for row in compare.compare(found, a, b)}


def test_what_seeds_share_cancels():
    """A minus B is 1 ± 0.1 in every seed, although each of the two varies by 5: the interval is that of the four differences."""
    row = rows({"a": shifted(1), "b": shifted(0, (0, 0, 0, 0))})["final", "i"]
    assert row.nats == pytest.approx(scoring.t_interval(np.array([1, 1.1, 0.9, 1])))
    assert (row.verdict, row.runs) == ("higher", 4)


def test_scores_are_the_boards():
    """asinh(excess / s), s = 1, real loss 1."""
    row = rows({"a": shifted(1), "b": shifted(0)})["final", "i"]
    a, b = (np.array([run[-1] for run in shifted(by)]) for by in (1, 0))
    assert row.score == pytest.approx(scoring.t_interval(np.arcsinh(a - 1) - np.arcsinh(b - 1)))
    slope = rows({"a": shifted(1), "b": shifted(0)})["slope", "i"]
    assert slope.nats.centre == pytest.approx(0.4)  # at the last of three iterations alone: 2·1 / (1 + 4)


def test_the_other_way_round_is_the_opposite():
    losses = {"a": shifted(1), "b": shifted(0, (0.5, 0, 0, 0))}
    there, back = rows(losses), rows(losses, "b", "a")
    for key, row in there.items():
        assert back[key].nats.centre == -row.nats.centre
        assert back[key].nats.low == pytest.approx(-row.nats.high)
        assert {row.verdict, back[key].verdict} in ({"higher", "lower"}, {"not separable"})


@pytest.mark.parametrize(("a", "b", "centre", "verdict"), [
    ([1, np.inf, 1, 1], [2, 2, 2, 2], np.inf, "higher: A diverges in 1 of 4 runs"),
    ([1, 1, 1, 1], [2, np.inf, np.inf, 2], -np.inf, "lower: B diverges in 2 of 4 runs"),
    ([np.inf, 1, 1, 1], [2, np.inf, 2, 2], np.nan, "not separable: both diverge, in 1 and 1 of 4 runs"),
    ([np.inf, 1, 1, 1], [np.inf, 2, 2, 2], np.nan, "not separable: both diverge, in 1 and 1 of 4 runs"),
    ([1, 2, 3, 4], [1, 2, 3, 4], 0, "the same"),
    ([1, 2, 3, 4], [1, 2, 3, 4 * (1 + 1e-14)], 0, "the same"),
    ([1, 2, 3, 4], [2, 1, 4, 3], 0, "not separable"),
])  # fmt: skip
def test_an_infinite_loss_is_never_averaged_away_and_decides_the_verdict(a, b, centre, verdict):
    found = rows({"a": [[1, 1, x] for x in a], "b": [[1, 1, x] for x in b]})
    for instance in ("i", None):
        row = found["final", instance]
        assert row.nats.centre == pytest.approx(centre, abs=1e-12, nan_ok=True)
        assert row.score.centre == pytest.approx(centre, abs=1e-12, nan_ok=True)
        assert row.verdict == verdict


def test_one_seed_separates_nothing():
    row = rows({"a": [[1, 1, 1]], "b": [[1, 1, 9]]})["final", "i"]
    assert row.verdict == "not separable: one seed"
    assert compare.shown(row.nats) == "-8"


def test_only_seeds_that_both_have_are_compared_and_a_note_says_so():
    losses = {"replace": REPLACE, "a": shifted(1), "b": shifted(0)[:3]}
    found = some_results(losses)
    assert compare.compare(found, "a", "b")[0].runs == 3
    assert compare.notes(found, "a", "b") == ["gaussian i: both ran 3 of 4 seeds"]
    refused = some_results(losses, refused={"b": "no such knob"})
    assert compare.notes(refused, "a", "b") == ["gaussian: b does not run there: no such knob"]


def test_without_replace_there_are_nats_and_no_scores():
    found = some_results({"a": shifted(1), "b": shifted(0)})
    row = compare.compare(found, "a", "b")[0]
    assert row.nats.centre == pytest.approx(1)
    assert np.isnan(row.score.centre)
    assert row.verdict == "higher"


def mean_of_two(first: dict, second: dict) -> compare.Row:
    """The row of the mean over instances i and j, each with replace."""
    one, other = (some_results({"replace": REPLACE, **losses}) for losses in (first, second))
    [instance] = one.about.tasks["gaussian"].instances
    about = with_task(one, "gaussian", instances=[instance.model_copy(update={"name": name}) for name in "ij"])
    scores = pd.concat([one.scores, other.scores.assign(instance="j")])
    found = compare.compare(Results(scores, one.curves, about), "a", "b")
    return next(row for row in found if row.instance is None)


def test_the_mean_of_instances_is_paired_by_seed():
    """Two instances whose differences are opposite in every seed: their mean is 0 in each."""
    row = mean_of_two({"a": shifted(1), "b": shifted(0)}, {"a": shifted(0), "b": shifted(1)})
    assert (row.runs, row.nats.centre, row.nats.low) == (8, pytest.approx(0), pytest.approx(0))


def test_the_mean_of_instances_is_over_seeds_that_both_have():
    row = mean_of_two({"a": shifted(1), "b": shifted(0)}, {"a": shifted(0)[:2], "b": shifted(1)[:2]})
    assert row.nats.centre == pytest.approx(0)


def test_a_seed_where_both_diverge_makes_the_mean_of_instances_unknown():
    diverged = [[1, 1, np.inf], *shifted(0)[1:]]
    row = mean_of_two({"a": shifted(1), "b": shifted(0)}, {"a": diverged, "b": diverged})
    assert np.isnan(row.nats.centre)
    assert row.verdict.startswith("not separable: both diverge")


def test_it_agrees_with_the_committed_board(root):
    """Differences by task-setting and over all are those between the board's scores."""
    board = json.loads((root / "leaderboard" / "leaderboard.json").read_text())
    shown = {r["entry"]: r for d in board["divisions"] for r in d["rows"]}
    found = compare.compare(results.read(root / "leaderboard"), "anchor-0.5", "anchor-0.1")
    for quantity, column in compare.QUANTITIES.items():
        a, b = shown["anchor-0.5"], shown["anchor-0.1"]
        means = {row.task: row.score.centre for row in found if row.quantity == quantity and row.instance is None}
        assert means.pop("all") == pytest.approx(a[column]["centre"] - b[column]["centre"], abs=1e-4)
        expected = {
            x["task"]: x[column]["centre"] - y[column]["centre"] for x, y in zip(a["tasks"], b["tasks"], strict=True)
        }
        assert means == pytest.approx(expected, abs=1e-4)


def test_an_entry_without_results_is_named_with_the_command():
    found = some_results({"replace": REPLACE, "accumulate": shifted(0)})
    with pytest.raises(
        ThriveError,
        match=r"no results of 'mine', but of: accumulate, replace. .*thrive run --profile p -s mine",
    ):
        compare.compare(found, "mine", "replace")


@pytest.fixture
def clone(root, tmp_path, monkeypatch):
    """The baselines, the committed scores, and no results of any run; the current folder."""
    shutil.copytree(root / "baselines", tmp_path / "baselines", symlinks=True, ignore=shutil.ignore_patterns("__*"))
    shutil.copytree(root / "leaderboard", tmp_path / "leaderboard", ignore=shutil.ignore_patterns("*.py", "__*"))
    shutil.copy(root / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("words", "complaint"), [
    (["acumulate", "replace"], "no entry 'acumulate'. Did you mean 'accumulate'? See: thrive list"),
    (["accumulate", "replace", "--profile", "quick"], "profile 'quick' has no results. Make them: thrive run --profile quick"),
    (["accumulate", "replace", "--profile", "quik"], "Did you mean 'quick'?"),
])  # fmt: skip
def test_the_command_line_says_what_to_do(clone, words, complaint):
    outcome = CliRunner().invoke(main, ["compare", *words])
    assert outcome.exit_code == 1
    assert complaint in outcome.output


def test_a_fresh_clone_compares_what_the_board_was_made_from(clone):
    outcome = CliRunner().invoke(main, ["compare", "accumulate", "replace"])
    assert outcome.exit_code == 0, outcome.output
    assert "not separable: both diverge, in 40 and 40 of 40 runs" in outcome.stdout
    assert outcome.stdout.count("\nall ") == 2
    folder = clone / "results" / "standard" / "compare"
    assert (folder / "accumulate-vs-replace.png").stat().st_size > 10_000
    assert (folder / "accumulate-vs-replace.pdf").read_bytes().startswith(b"%PDF")
    table = pd.read_csv(folder / "accumulate-vs-replace.csv")
    assert set(table["task"]) == {"gaussian", "kde", "language_model", "all"}


def test_runs_of_the_profile_take_precedence_over_the_committed_ones(clone):
    mine = some_results({"replace": REPLACE, "accumulate": shifted(0)})
    mine.write(clone / "results" / "standard" / "gaussian")
    outcome = CliRunner().invoke(main, ["compare", "accumulate", "replace"])
    assert "both diverge" not in outcome.stdout
    assert " i " in outcome.stdout


@pytest.mark.parametrize("losses", [
    {"a": [[1, 1, np.inf]] * 4, "b": shifted(0)}, {"a": shifted(0), "b": shifted(0)}, {"a": [[1, 1, 1]], "b": [[1, 1, 2]]},
])  # fmt: skip
def test_the_picture_can_be_drawn_for_any_result(tmp_path, losses):
    found = compare.compare(some_results({"replace": REPLACE, **losses}), "a", "b")
    assert [path.suffix for path in write(found, "a", "b", tmp_path)] == [".png", ".pdf", ".csv"]
