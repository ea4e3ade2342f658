"""Claims about pairs of entries: sentences follow the scores, and nobody can enter the losses of another entry."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmark.entries.catalogue import find
from benchmark.results import gather as results
from benchmark.results import scoring
from benchmark.results.gather import Results
from leaderboard.board import build, claims
from tests.leaderboard.test_board import REPLACE, rows_of, some_results, with_task
from thrive.cli import main

WORDS = "better|worse|not separable"


@pytest.fixture(scope="module")
def cards(root):
    return {entry.id: entry.card for entry in find(root).values()}


@pytest.fixture(scope="module")
def committed(root):
    return results.read(root / "leaderboard")


@pytest.fixture(scope="module")
def board(committed, cards):
    return build.build_board(committed, cards)


@pytest.fixture(scope="module")
def ranked(committed):
    """The runs of ranked instances, with scores."""
    runs = committed.scores
    names = {i.name for about in committed.about.tasks.values() for i in about.instances if i.ranked}
    parts = [own for (_, name), own in runs.groupby(["task", "instance"]) if name in names]
    return pd.concat([scoring.scored(own, scoring.damage(own)) for own in parts])


def with_card(cards, id, **changes):
    return cards | {id: cards[id].model_copy(update=changes)}


def without_claims(cards):
    """Cards that name no other entry, so that a small board has only the faults that a test makes."""
    return {id: card.model_copy(update={"compare_with": [], "same_as": {}}) for id, card in cards.items()}


def test_no_card_contradicts_the_committed_scores(board):
    """Two entries with identical losses say so; what a card compares with is ranked. `thrive board` lists the faults."""
    assert board.faults == []


def test_no_description_claims_a_result(cards):
    """Nobody checks a comparison written by hand; the board writes them."""
    claim = re.compile(r"\b(better|worse|helps?|harms?|beats?|prevents?|outperforms?|negative control|much like)\b")
    assert [id for id, card in cards.items() if claim.search(card.description)] == []


def test_every_ranked_instance_is_in_a_sentence_with_the_right_direction(board, ranked):
    """Compared with paired t tests and a Holm correction, written out here."""
    for row in rows_of(board).values():
        if row.observed:
            expected = said_by_hand(row.entry, ranked, re.findall(r"core against ([\w.-]+):", row.observed)[::2])
            for (metric, other, task), (whole, by_instance) in expected.items():
                sentence = re.search(
                    rf"(?:^|\. ){metric} against {re.escape(other)}: (.+?)\.(?= [A-Z]|$)", row.observed
                )[1]
                part = next(part for part in re.split(r"; (?![^(]*\))", sentence) if part.startswith(task))
                assert re.match(rf"{task} ({WORDS})", part)[1] == whole
                for instance, word in by_instance.items():
                    assert word_on(instance, part) == word, (row.entry, instance, part)


def word_on(instance: str, part: str) -> str:
    found = re.search(r"\((.+)\)$", part)[1]
    if everywhere := re.match(rf"({WORDS}) on all", found):
        return everywhere[1]
    return next(w for w, names in re.findall(rf"({WORDS}) on ([^;]+)", found) if instance in names.split(", "))


def said_by_hand(id, ranked, others):
    """By metric, other entry and task-setting: the word over all instances, and the words by instance if there are several."""
    titles = {"gaussian": "Gaussian", "kde": "KDE", "language_model": "Language model"}
    tests = {}
    for other in others:
        for metric, column in (("Score", "pseudo_score"), ("Slope score", "pseudo_slope_score")):
            table = ranked[ranked["entry"].isin([id, other])].pivot_table(
                index=["task", "instance", "seed"], columns="entry", values=column
            ).dropna()  # fmt: skip
            apart = (table[id] - table[other]).where(lambda d: d.abs() > 1e-9, 0.0)
            for task, own in apart.groupby("task"):
                tests[metric, other, titles[task], None] = own.groupby("seed").mean()
                if own.index.unique("instance").size > 1:
                    tests |= {(metric, other, titles[task], i): d for i, d in own.groupby("instance")}
    p = {name: stats.ttest_1samp(d, 0).pvalue for name, d in tests.items()}
    rejected, going = set(), True
    for k, name in enumerate(sorted(p, key=p.get)):
        going &= p[name] * (len(p) - k) <= 0.05
        rejected |= {name} if going else set()
    words = {
        n: "not separable" if n not in rejected else "better" if d.mean() < 0 else "worse" for n, d in tests.items()
    }
    return {
        name[:3]: (word, {n[3]: w for n, w in words.items() if n[:3] == name[:3] and n[3]})
        for name, word in words.items()
        if name[3] is None
    }


@settings(deadline=None, max_examples=40)
@given(shift=st.floats(-3, 3), seed=st.integers(0, 1000))
def test_the_sentence_turns_with_the_scores(shift, seed):
    """If one is better, the other is worse, by the same size."""
    rng = np.random.default_rng(seed)
    runs = pd.concat([scores_of("a", rng.normal(shift, 1, 12)), scores_of("b", rng.normal(0, 1, 12))])
    one, other = said("a", ["b"], runs), said("b", ["a"], runs)
    swapped = {"better": "worse", "worse": "better", "not separable": "not separable"}
    assert [swapped[w] for w in re.findall(WORDS, one)] == re.findall(WORDS, other)
    sizes = [
        [abs(float(n)) for n in re.findall(r"-?\d+\.\d+", text.replace("[", "").replace("]", ""))]
        for text in (one, other)
    ]
    assert sorted(sizes[0]) == sorted(sizes[1])


def said(id: str, others: list[str], runs: pd.DataFrame) -> str | None:
    return claims.observed(id, others, claims.by_instance(runs))


def scores_of(entry: str, scores: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({
        "task": "gaussian", "instance": "i", "entry": entry, "seed": np.arange(len(scores)), "pseudo_score": scores,
        "pseudo_slope_score": scores, "diverged_at": np.nan, "horizon": 3,
    })  # fmt: skip


def test_divergence_is_worse_and_a_later_one_better():
    runs = [scores_of("finite", np.zeros(4))]
    for entry, at in (("early", 2), ("late", 3)):
        runs.append(scores_of(entry, np.full(4, np.inf)).assign(diverged_at=at))
    runs = pd.concat(runs)
    assert "Gaussian worse, as runs diverged" in said("early", ["finite"], runs)
    assert "Gaussian better, as runs diverged" in said("finite", ["early"], runs)
    assert "Gaussian better, as it diverged later" in said("late", ["early"], runs)
    assert "Gaussian worse, as it diverged earlier" in said("early", ["late"], runs)


def test_one_seed_separates_nothing():
    runs = pd.concat([scores_of("a", np.zeros(1)), scores_of("b", np.ones(1))])
    assert "Gaussian not separable, difference -1.00, from one seed" in said("a", ["b"], runs)


BASE = [[1, 1.5, 2], [1, 1.6, 2.25]]


@pytest.mark.parametrize(
    "clone",
    [
        BASE,  # all losses
        [[1.1, 1.4, 2], [1.1, 1.7, 2.25]],  # at T alone
        [[2, 2.5, 1.5], [2, 2.6, 1.75]],  # the slope alone: Σ (t - 1)·(loss - 1) is 2.5 and 3.1 as well
    ],
)
def test_a_clone_is_caught_unless_its_card_says_so(cards, clone):
    cards = without_claims(cards)
    found = some_results({"replace": REPLACE, "anchor-0.1": BASE, "anchor-0.5": clone})
    made = build.build_board(found, cards)
    assert len(made.faults) == 1
    assert re.search(
        "'anchor-0.1' and 'anchor-0.5' have identical losses on gaussian i,.*same_as: {gaussian: ", made.faults[0]
    )
    assert rows_of(made)["anchor-0.1"].same_as == {"gaussian": ["anchor-0.5"]}
    for id, other in (("anchor-0.1", "anchor-0.5"), ("anchor-0.5", "anchor-0.1")):
        assert build.build_board(found, with_card(cards, id, same_as={"gaussian": other})).faults == []


@pytest.mark.parametrize("clone", [[[1, 1.5, 2], [1, 1.6, np.nextafter(2.25, 3)]], [[1, 1.4, 2.5], [1, 1.6, 2.25]]])
def test_entries_that_differ_in_one_seed_are_not_clones(cards, clone):
    found = some_results({"replace": REPLACE, "anchor-0.1": BASE, "anchor-0.5": clone})
    assert build.build_board(found, without_claims(cards)).faults == []


def test_a_card_that_wrongly_claims_the_same_losses_is_a_fault(cards):
    found = some_results({"replace": REPLACE, "anchor-0.1": BASE, "anchor-0.5": [[1, 1.1, 1.2], [1, 1, 1.3]]})
    [fault] = build.build_board(
        found, with_card(without_claims(cards), "anchor-0.1", same_as={"gaussian": "anchor-0.5"})
    ).faults
    assert "same_as: gaussian: found 'anchor-0.5', whose losses differ on i" in fault


def test_two_entries_whose_losses_never_move_are_not_clones(cards):
    """Both slopes are 0; the losses differ."""
    found = some_results({"replace": REPLACE, "anchor-0.1": [[1.0] * 3] * 2, "anchor-0.5": [[2.0] * 3] * 2})
    assert build.build_board(found, without_claims(cards)).faults == []


def test_a_clone_among_diverged_runs_is_recognized_by_its_diagnostics():
    """Every diverged run has an infinite loss, which alone makes no clone."""

    def diverged(entry, at, variance):
        return pd.DataFrame({"task": "g", "instance": "i", "entry": entry, "seed": [0, 1], "final": np.inf, "slope": np.inf,
                             "diverged_at": at, "collapse_variance": variance})  # fmt: skip

    a, clone, other, later = (
        diverged("a", [2.0, 3.0], [0.1, 0.2]), diverged("b", [2.0, 3.0], [0.1, 0.2]),
        diverged("b", [2.0, 3.0], [0.1, 0.3]), diverged("b", [2.0, 4.0], [0.1, 0.2]),
    )  # fmt: skip
    assert claims.identical(pd.concat([a, clone])) == {("a", "b"): {"g": ["i"]}}
    assert claims.identical(pd.concat([a, other])) == claims.identical(pd.concat([a, later])) == {}


@pytest.mark.parametrize("id", ["accumulate-subsample", "sliding-window", "replace", "early-half"])
def test_a_clone_of_a_committed_entry_is_caught_in_every_task_setting(committed, cards, id):
    """The clone has its runs under another name."""
    runs = committed.scores[committed.scores["entry"].isin([id, "replace"])]
    clone = runs[runs["entry"] == id].assign(entry="anchor-0.5")
    copied = dataclasses.replace(committed, scores=pd.concat([runs, clone], ignore_index=True))
    current = with_card(without_claims(cards), id, version=as_run(committed, id))
    faults = build.build_board(copied, current).faults
    assert len(faults) == len(committed.about.tasks)
    assert all("'anchor-0.5'" in fault and f"'{id}'" in fault for fault in faults)


def as_run(found: Results, id: str) -> str:
    return found.about.tasks["gaussian"].as_run[id].version


def test_the_old_window_of_five_generations_is_caught(committed, cards):
    """In version 1.0.0 the window was longer than the language model's T = 4, where the entry was accumulate-subsample."""
    if as_run(committed, "sliding-window") != "1.0.0":
        pytest.skip("the committed scores are of a later version")
    few = committed.scores[committed.scores["entry"].isin(["replace", "accumulate-subsample", "sliding-window"])]
    found = dataclasses.replace(committed, scores=few)
    [fault] = build.build_board(found, with_card(without_claims(cards), "sliding-window", version="1.0.0")).faults
    assert "'accumulate-subsample' and 'sliding-window' have identical losses on language_model factbook n=200" in fault


@pytest.mark.parametrize("other", ["nobody", "anchor-0.5", "covariance-matching"])
def test_a_comparison_with_an_unranked_entry_is_refused(cards, other):
    """An unknown entry, the entry itself, and one that did not run here."""
    found = some_results({"replace": REPLACE, "anchor-0.1": BASE, "anchor-0.5": [[1, 1.1, 1.2], [1, 1, 1.3]]})
    made = build.build_board(found, with_card(without_claims(cards), "anchor-0.5", compare_with=[other]))
    assert rows_of(made)["anchor-0.5"].observed is None
    [fault] = made.faults
    assert f"compare_with: found '{other}', which shares no ranked instance with it" in fault


def test_an_unranked_instance_supports_no_claim(cards):
    found = some_results({"replace": REPLACE, "anchor-0.1": BASE, "anchor-0.5": BASE})
    [shown] = found.about.tasks["gaussian"].instances
    hidden = shown.model_copy(update={"name": "hidden", "ranked": False})
    about = with_task(found, "gaussian", instances=[shown, hidden])
    scores = found.scores.assign(final=found.scores["final"] + found.scores["entry"].map({"anchor-0.5": 0.3}).fillna(0))
    scores["slope"] += scores["entry"].map({"anchor-0.5": 0.3}).fillna(0)
    both = dataclasses.replace(found, about=about, scores=pd.concat([scores, found.scores.assign(instance="hidden")]))
    made = build.build_board(both, with_card(without_claims(cards), "anchor-0.5", compare_with=["anchor-0.1"]))
    assert made.faults == []
    assert "hidden" not in rows_of(made)["anchor-0.5"].observed


def test_thrive_board_prints_the_faults(committed, cards, root, tmp_path, monkeypatch):
    some_results({"replace": REPLACE, "anchor-0.1": BASE, "anchor-0.5": BASE}).write(tmp_path / "mine")
    monkeypatch.chdir(root)
    outcome = CliRunner().invoke(main, ["board", "--at", str(tmp_path / "mine")])
    assert outcome.exit_code == 0, outcome.output
    assert "'anchor-0.1' and 'anchor-0.5' have identical losses on gaussian i" in outcome.stderr
    assert "has the very losses of `anchor-0.5` on gaussian" in (tmp_path / "mine" / "leaderboard.md").read_text()
