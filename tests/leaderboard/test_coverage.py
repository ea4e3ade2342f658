"""The simulation behind leaderboard/statistics.md, in small: populations have a known truth, and a good method is told from a bad one."""

import dataclasses
import itertools
import json

import numpy as np
import pytest
from scipy import stats

from benchmark.entries.catalogue import find
from benchmark.results import gather as results
from benchmark.results import scoring
from benchmark.results.scoring import Interval, t_interval
from leaderboard.board import build
from leaderboard.board.known import Known
from leaderboard.board.protocol import RESAMPLED
from leaderboard.coverage import criteria, measure, methods, populations, report
from leaderboard.coverage.methods import BOARD, BOOTSTRAP, KNOWN_SCALE
from leaderboard.coverage.populations import SYNTHETIC, near_ties, synthetic
from leaderboard.coverage.runs import Division, Runs

SCORE = "score, synthetic"


@pytest.fixture(scope="module")
def committed(root):
    return populations.committed(root / "leaderboard")


@pytest.fixture(scope="module")
def board(root):
    """The board from the committed scores and cards. Entries from outside are ranked by other seeds and left out here."""
    entries = find(root)
    known = Known(outside=frozenset(entry.id for entry in entries.values() if entry.outside))
    return build.build_board(
        results.read(root / "leaderboard"), {id: entry.card for id, entry in entries.items()}, known
    )


@pytest.fixture(scope="module")
def few(committed):
    """Four entries of one division and the reference lines, which take a tenth of the time."""
    chosen = next(d for d in committed.divisions if d.name == "blind, fixed")
    ids = {"replace", "real-only", *chosen.entries[:4]}
    return dataclasses.replace(
        committed,
        tasks={task: only(own, ids) for task, own in committed.tasks.items()},
        divisions=(Division(chosen.name, chosen.base, chosen.entries[:4]),),
    )


def only(own, ids):
    kept = [k for k, id in enumerate(own.entries) if id in ids]
    entries = tuple(own.entries[k] for k in kept)
    field = tuple(id for id in own.field if id in ids)
    return dataclasses.replace(own, entries=entries, scores=own.scores[:, kept], field=field)


def test_the_population_is_the_committed_runs(board, committed):
    """The whole population has the board's own centres, and its committed runs the board's intervals."""
    rows = {row.entry: row for division in board.divisions for row in division.rows}
    exact = {task: own for task, own in committed.tasks.items() if own.smoothing == 0}
    assert set(committed.seeds.items()) == {(task.task, task.seeds) for task in board.tasks}
    runs = Runs({task: own.whole() for task, own in exact.items()}, ())
    centres, intervals = BOARD.centres(runs), BOARD.intervals(runs)
    for row in rows.values():
        for part in row.tasks:
            if part.task in exact and row.entry in exact[part.task].entries:
                for quantity, shown in (
                    ("score", part.score), ("slope score", part.slope_score),
                    ("win rate", part.win_rate), ("slope win rate", part.slope_win_rate),
                ):  # fmt: skip
                    if shown is None:  # from outside
                        continue
                    assert centres[f"{quantity}, {part.task}"][row.entry] == pytest.approx(
                        shown.centre, rel=1e-5, abs=1e-8
                    )
                    got = intervals[f"{quantity}, {part.task}"][row.entry]
                    assert got == pytest.approx((shown.centre, shown.low, shown.high), rel=1e-5, abs=1e-8)


def test_the_boards_words_and_ranks_are_those_of_the_simulation(board, committed):
    """On the committed runs themselves, where every task-setting has enough seeds to be its own population."""
    runs = criteria.committed_runs(committed)
    ranks, words, verdicts = BOARD.ranks(runs), BOARD.words(runs), BOARD.verdicts(runs)
    for division in board.divisions:
        name = f"{division.track}, {division.budget}"
        for row in division.rows:
            if row.rank is not None and name in ranks:
                assert ranks[name][row.entry] == (row.rank_interval.low, row.rank_interval.high)
                assert words[name].get(row.entry) == row.beside_base
                for part in row.tasks:
                    assert verdicts[f"{row.entry} @ {part.task}"] == part.verdict
                    for one in part.instances:
                        assert verdicts.get(f"{row.entry} @ {one.instance}") == one.verdict


@pytest.mark.parametrize("smoothing", [0.5, 2.0, np.inf])
def test_smoothing_keeps_means_and_covariances(committed, smoothing):
    own = dataclasses.replace(committed.tasks["kde"], smoothing=smoothing)
    whole = own.whole()
    scores = np.arcsinh(whole.excess / own.scale[:, None])
    np.testing.assert_allclose(scores.mean(axis=-1), own.scores[0].mean(axis=-1), atol=1e-9)
    np.testing.assert_allclose(whole.damage.mean(axis=-1), own.scale)
    pairs = [(0, 1), (3, 3), (5, 9)]
    for a, b in pairs:
        expected = np.cov(own.scores[0, a, 0], own.scores[0, b, 0])[0, 1]
        spread = np.sqrt(own.scores[0, a, 0].var() * own.scores[0, b, 0].var())
        assert abs(np.cov(scores[a, 0], scores[b, 0])[0, 1] - expected) < 0.1 * spread


def test_an_entry_with_a_diverged_run_is_left_out_and_named(root, tmp_path):
    """Replace may diverge late; its damage is known in any case."""
    scores = results.read(root / "leaderboard").scores
    scores = scores[
        scores["entry"].isin(["replace", "real-only", "accumulate", "anchor-0.5", "self-correction"])
    ].copy()
    bad = (scores["task"] == "kde") & scores["entry"].isin(["anchor-0.5", "replace"]) & (scores["seed"] == 3)
    scores.loc[bad, ["final", "slope", "late_slope"]] = np.inf
    scores.loc[bad, "diverged_at"] = 50.0
    scores.to_parquet(tmp_path / "scores.parquet")
    (tmp_path / "leaderboard.json").write_bytes((root / "leaderboard" / "leaderboard.json").read_bytes())
    found = populations.committed(tmp_path)
    assert found.left_out == ("anchor-0.5 on kde", "replace on kde")
    assert "anchor-0.5" not in {id for division in found.divisions for id in division.entries}
    intervals = BOARD.intervals(found.draw(np.random.default_rng(0)))
    assert all(np.isfinite(interval).all() for own in intervals.values() for interval in own.values())


def test_the_committed_statistics_are_of_the_committed_board(root, committed):
    """No other command rebuilds them, because they take minutes: `python -m leaderboard.coverage` does."""
    text = (root / "leaderboard" / "statistics.md").read_text()
    assert report.compared(report.largest(committed)) in text
    assert f"({', '.join(f'{task} {seeds}' for task, seeds in committed.seeds.items())})" in text


def test_boards_have_the_real_numbers_of_seeds(committed):
    runs = committed.draw(np.random.default_rng(0))
    assert {task: own.seeds for task, own in runs.tasks.items()} == committed.seeds
    with_others = dataclasses.replace(committed, new_instances=True).draw(np.random.default_rng(0))
    for task, own in with_others.tasks.items():
        drawn = len(set(own.instances)) < len(own.instances)
        assert drawn == (len(own.instances) >= RESAMPLED), task  # by this seed


def test_normal_losses_are_covered_as_often_as_t_intervals_say():
    """A t interval of normal excess in nats covers 95 %: 2,000 boards of one entry, four standard errors are 2 %."""
    own = synthetic("normal", 5)
    found = measure.intervals(BOARD, own, 2000, ["final loss in nats, synthetic"])["final loss in nats, synthetic"]
    assert abs(found.mean - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 2000)


def test_the_simulation_distinguishes_the_board_from_a_bootstrap():
    """At 5 seeds the percentile bootstrap covers too little, by more than the Monte-Carlo errors."""
    own = synthetic("normal", 5)
    board, bootstrap, known = (
        measure.intervals(method, own, 400, [SCORE])[SCORE] for method in (BOARD, BOOTSTRAP, KNOWN_SCALE)
    )
    assert board.mean - board.error > bootstrap.mean + bootstrap.error
    assert board.mean - board.error > known.mean + known.error
    assert (board.remark, bootstrap.remark, known.remark) == ("", "below 93 %", "below 93 %")


def test_a_bootstrap_of_ranks_is_told_where_entries_are_tied(few):
    """Three tied and two tied: the board errs in at most 5 % of families, uncorrected resampling in far more."""
    tied = synthetic("normal", 10)
    board, bootstrap = (measure.ranks(method, tied, 100) for method in (BOARD, BOOTSTRAP))
    assert board.mean > 0.93 > bootstrap.mean + bootstrap.error
    false = measure.words(BOARD, tied, 100).true
    assert 1 - false.all_right < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 100)
    everyone_worse = dataclasses.replace(
        BOARD, words=lambda runs: {d.name: {id: "worse" for id in d.entries if id != d.base} for d in runs.divisions}
    )
    wrong = measure.words(everyone_worse, tied, 5)
    assert (wrong.true.mean, wrong.found.mean) == (pytest.approx(3 / 5), 1)  # b and c are tied with the base a


def test_entries_are_as_far_apart_as_asked(few):
    """In standard errors of the paired pooled difference, estimated here from many boards."""
    apart = near_ties(few, few.divisions[0], 1.0)
    ids = apart.divisions[0].entries
    rng = np.random.default_rng(0)
    boards = [BOARD.centres(apart.draw(rng))["score, over all"] for _ in range(400)]
    found = [np.mean([b[y] - b[x] for b in boards]) for x, y in itertools.pairwise(ids)]
    spread = [np.std([b[y] - b[x] for b in boards]) for x, y in itertools.pairwise(ids)]
    np.testing.assert_allclose(found, np.median(found), rtol=0.2)
    assert np.median(found) / np.median(spread) == pytest.approx(1, abs=0.2)


def test_entries_of_equal_mean_scores_keep_what_they_are_better_on_one_instance_than_on_another(few):
    tied = near_ties(few, few.divisions[0], 0.0)
    for task, own in tied.tasks.items():
        was = few.tasks[task]
        for k, id in enumerate(tied.divisions[0].entries):
            before, after = was.scores[0, was.entries.index(id)].mean(axis=-1), own.scores[0, k].mean(axis=-1)
            np.testing.assert_allclose(after - after.mean(), before - before.mean(), atol=1e-9)
            assert after.mean() == pytest.approx(own.scores[0, 0].mean())


def test_the_report_says_that_few_seeds_miss_one_bad_run_in_ten():
    """With 3 seeds, 0.9³ = 73 % of boards have no bad run of an entry."""
    found = measure.intervals(BOARD, synthetic("one bad run in ten", 3), 200, ["final loss in nats, synthetic"])
    assert found["final loss in nats, synthetic"].mean < 0.5
    assert populations.KINDS["one bad run in ten"](np.random.default_rng(0), (1, 1, 100_000)).mean() == pytest.approx(
        0.9 + 0.1 * 100, rel=0.05
    )


def test_a_truth_that_is_elsewhere_is_missed(few):
    """Else nothing here could fail: every interval moved by 5, every order turned round, every word swapped, another verdict on every board."""
    committed, order = criteria.committed_runs(few), BOARD.order(few.whole())
    moved = dataclasses.replace(
        BOARD,
        intervals=lambda runs: {
            q: {key: Interval(*(end + 5 for end in ends)) for key, ends in found.items()}
            for q, found in BOARD.intervals(runs).items()
            if q.startswith("score, ")
        },
        ranks=lambda runs: {d.name: dict.fromkeys(d.entries, (1, 1)) for d in runs.divisions},
        words=lambda runs: {
            d.name: {id: "worse" if order[id] < order[d.base] else "better" for id in d.entries if id != d.base}
            for d in runs.divisions
        },
        verdicts=lambda runs: dict.fromkeys(BOARD.verdicts(runs), "stable" if runs is committed else "degrades"),
    )
    assert all(share.mean < 0.2 for share in measure.intervals(moved, few, 10).values())
    assert measure.ranks(moved, few, 10).mean == 0.25
    assert measure.words(moved, few, 10).true.mean == 0
    found = measure.verdicts(moved, few, committed, 3)
    assert (found.contradicted.mean, found.opened.mean) == (1, 0)


def test_a_verdict_that_is_open_on_a_board_is_not_another(few):
    committed = criteria.committed_runs(few)
    always_open = dataclasses.replace(
        BOARD, verdicts=lambda runs: dict.fromkeys(BOARD.verdicts(runs), "stable" if runs is committed else "open")
    )
    found = measure.verdicts(always_open, few, committed, 3)
    assert (found.contradicted.mean, found.opened.mean) == (0, 1)


def test_shares_of_variance_add_up_and_show_who_decides(root):
    """Two task-settings, one of which orders nobody; and the committed board's own."""
    rates = {"a": (0.1, 0.5), "b": (0.9, 0.5), "c": (0.5, 0.5)}

    def row(gaussian, kde):
        parts = [{name: {"centre": x} for name in criteria.COLUMNS} for x in (gaussian, kde)]
        return {"rank": 1, "tasks": parts}

    small = {
        "tasks": [{"task": "gaussian"}, {"task": "kde"}],
        "divisions": [{"track": "blind", "budget": "fixed", "rows": [row(*own) for own in rates.values()]}],
    }
    assert criteria.variance_shares(small)["blind, fixed", "final"] == (3, {"gaussian": pytest.approx(1), "kde": 0})
    board = json.loads((root / "leaderboard" / "leaderboard.json").read_text())
    for (division, by), (entries, shares) in criteria.variance_shares(board).items():
        assert sum(shares.values()) == pytest.approx(1)
        assert entries < criteria.ENTRIES or max(shares.values()) <= criteria.MOST_OF_VARIANCE, (division, by)


def test_no_instance_of_the_committed_board_decides_a_rank(committed):
    for outside, total in criteria.outside_without_an_instance(committed).values():
        assert total > 200
        assert outside < criteria.MOST_OUTSIDE * total


def test_at_most_one_verdict_in_five_of_gaussian_and_kde_is_open(root):
    board = json.loads((root / "leaderboard" / "leaderboard.json").read_text())
    rows = board["references"] + [row for division in board["divisions"] for row in division["rows"]]
    found = [part["verdict"] for row in rows for part in row["tasks"] if part["task"] in ("gaussian", "kde")]
    assert found.count("open") <= len(found) / 5


def test_true_ranks_share_ties():
    division = Division("d", "a", ("a", "b", "c", "d"))
    assert measure.true_ranks(division, {"a": 1, "b": 2, "c": 2, "d": 3}) == {
        "a": (1, 1),
        "b": (2, 3),
        "c": (2, 3),
        "d": (4, 4),
    }


def test_entries_tied_by_construction_have_the_same_truth():
    order = BOARD.centres(synthetic("lognormal, σ = 1.5", 5).whole())["score, over all"]
    assert order["a"] == order["b"] == order["c"] < order["d"] == order["e"] < order["f"]
    assert [synthetic("normal", 3).groups[id] for id in SYNTHETIC] == [1, 1, 1, 2, 2, 4]


@pytest.mark.parametrize(
    ("kind", "distribution"), [("lognormal, σ = 1.5", stats.lognorm(1.5)), ("normal", stats.norm(1, 0.3))]
)
def test_the_truth_of_synthetic_losses_is_their_integral(kind, distribution):
    """E asinh(X), within four of the standard errors of 100,000 draws."""
    expected, square = (distribution.expect(lambda x, p=p: np.arcsinh(x) ** p) for p in (1, 2))
    found = BOARD.centres(synthetic(kind, 5).whole())[SCORE]["a"]
    assert abs(found - expected) < 4 * np.sqrt((square - expected**2) / 100_000)


def test_the_monte_carlo_error_counts_boards():
    """Ten columns that always agree count as one. If none ever fails, the rule of three applies."""
    column = np.random.default_rng(0).random((400, 1)) < 0.9
    one, ten = (measure.Share(np.repeat(column, k, axis=1).astype(float), tuple("abcdefghij"[:k])) for k in (1, 10))
    assert one.error == pytest.approx(ten.error) == pytest.approx(2 * column.std(ddof=1) / 20)
    assert measure.Share(np.ones((300, 2)), ("a", "b")).error == 0.01


def test_a_share_names_what_is_covered_least():
    hits = np.ones((1000, 3))
    hits[:200, 1] = 0
    share = measure.Share(hits, ("a", "b", "c"))
    assert share.worst == ("b", 0.8)
    assert share.below == 1
    assert (share.mean, share.remark) == (pytest.approx(14 / 15), "")
    assert share.of(["b"]).remark == "below 93 %"


def test_pseudo_values_are_the_boards_own():
    """On one instance, interval and centre are those of scoring."""
    runs = synthetic("lognormal, σ = 1.5", 8).draw(np.random.default_rng(1))
    own = runs.tasks["synthetic"]
    damage = own.damage[0]
    values = scoring.pseudo_values(own.excess[2, 0], damage.mean(), (damage.sum() - damage) / 7)
    assert BOARD.intervals(runs)[SCORE]["c"] == t_interval(values)
    assert methods.centres(runs)[SCORE]["c"] == pytest.approx(values.mean())


def test_the_report_says_what_is_below_93_percent(few, root, monkeypatch):
    """In the row where it is, with its error beside it."""
    monkeypatch.setattr(report, "SEEDS", (3,))
    monkeypatch.setattr(report, "APART", (0.0,))
    board = json.loads((root / "leaderboard" / "leaderboard.json").read_text())
    text = report.report(few, board, boards=12)
    rows = [line for line in text.splitlines() if line.startswith("| one bad run in ten | 3 |")]
    assert len(rows) == 1
    assert "below 93 %" in rows[0]
    assert rows[0].count("±") == 6
    assert all(
        f"| {quantity} |" in text
        for quantity in ("score, gaussian", "slope score, over all", "score above the base", "win rate, kde")
    )
    assert "by final 0 of" in text
