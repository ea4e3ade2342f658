"""`thrive check`: every broken or cheating entry fails by the check that is meant for it, and every real one passes all."""

from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from benchmark.conformance import check as checking
from benchmark.conformance.check import CHECKS, _replayed, check
from benchmark.conformance.disguise import Relabelling, Renaming, poisoned
from benchmark.conformance.experiments import HORIZON, SEED, apart_from_others, experiment
from benchmark.conformance.toy_tasks import INSTANCES, LETTERS, TASK_SETTINGS
from benchmark.core.history import History, real_data_only
from benchmark.core.loop import run, start_of
from benchmark.core.requests import NEUTRAL, SampleRequest
from benchmark.core.rows import Names
from benchmark.entries.entry import Entry
from benchmark.isolation import sandbox
from benchmark.tasks import TASKS
from tests.conftest import ENTRIES, ROOT
from thrive.cli import main

FIXTURES = ROOT / "tests" / "fixtures" / "entries"
FAULTS = {
    "card-with-a-typo": ("card", "unknown key 'bugdet'. Did you mean 'budget'?"),
    "card-of-another": ("card", "id: found 'accumulate', expected the folder's name 'card-of-another'"),
    "card-of-the-future": ("card", "api: found 2"),
    "import-fails": ("loads", "RuntimeError at import: boom (strategy.py:3: raise RuntimeError"),
    "two-strategies": ("loads", "found One, Two, expected exactly one"),
    "misfit-hyperparameters": ("loads", "'shard' is unknown. Did you mean 'share'?"),
    "endless-loop": (
        "limits",
        "training_set() at iteration 2: gave no answer in the 1 s that a run has (strategy.py:8:",
    ),
    "stubborn-loop": ("limits", "caught the error that told it to stop"),
    "memory-hog": ("limits", "training_set() at iteration 2: raised MemoryError (strategy.py:10: hoard.append"),
    "leaves": ("limits", "its process ended with status 0"),
    "raises": (
        "runs",
        'training_set() at iteration 2: raised ValueError: boom (strategy.py:9: raise ValueError("boom"))',
    ),
    "raises-in-keep": ("runs", "keep() at iteration 1: raised SystemExit: enough (strategy.py:11:"),
    "refused-everywhere": (
        "runs",
        "refused on every task-setting: fit_options() at iteration 1: Gaussian has no token_loss_clip",
    ),
    "nan-weights": ("answers", "training_set() at iteration 1: a weight is nan, negative or not finite"),
    "negative-weights": ("answers", "training_set() at iteration 1: a weight is -1.0, negative or not finite"),
    "zero-weights": ("answers", "training_set() at iteration 1: no row of weight above 0 (pool: 24 rows)"),
    "unknown-ids": ("answers", "is not of this view (24 rows): return ids from `ids`"),
    "empty-selection": ("answers", "training_set() at iteration 1: no row of weight above 0 (pool: 24 rows)"),
    "keeps-twice": ("answers", "keep() at iteration 1: 2 rows, some of them twice"),
    "cold-sampler": (
        "answers",
        "sample_request() at iteration 1: SampleRequest.temperature is 0.0: expected a number from 0.1 to 10",
    ),
    "negative-ridge": (
        "answers",
        "fit_options() at iteration 1: FitOptions.ridge is -1.0: expected a number of at least 0",
    ),
    "no-options": ("answers", "fit_options() at iteration 1: returned NoneType: expected FitOptions"),
    "too-many-rows": (
        "rules",
        "training_set() at iteration 2: rows in the training set: 48, and the track and budget allow 24",
    ),
    "too-many-candidates": (
        "rules",
        "sample_request() at iteration 1: candidates: 120, and the track and budget allow 96",
    ),
    "too-many-ratings": ("rules", "keep() at iteration 1: log-likelihood rows: 120, and the track and budget allow 96"),
    "too-much-real": (
        "rules",
        "share of real rows in the effective number of rows: 1, and the track and budget allow 0.86",
    ),
    "asks-for-age": ("rules", "generation() tells rows apart by age, which track 'blind' withholds"),
    "buys-in-blind": ("rules", "buy_real() is sold on track 'assisted' only, and the track is 'blind'"),
    "blends-with-first": ("rules", "fit_options() at iteration 1: FitOptions.blend: track 'blind' withholds"),
    "writes-into-the-pool": ("read-only", "gaussian: training_set() at iteration 1 changed examples in place"),
    "writes-into-texts": ("read-only", "language_model: training_set() at iteration 1 changed examples in place"),
    "numpy-random": ("global-randomness", "training_set() at iteration 1 used the global random state"),
    "python-random": ("global-randomness", "training_set() at iteration 1 used the global random state"),
    "seeds-numpy": ("global-randomness", "loading used the global random state"),
    "unseeded": ("deterministic", "two processes with one seed differ, first in training_set() at iteration 2"),
    "hash-of-a-string": ("deterministic", "two processes with one seed differ, first in training_set() at iteration 1"),
    "reads-global-state": (
        "deterministic",
        "two processes with one seed differ, first in training_set() at iteration 1",
    ),
    "counts-runs": ("isolated", "a second run in the same process differs, first in training_set() at iteration 1"),
    "hoards-in-a-module": ("isolated", "in a process of its own, it differs, first in training_set() at iteration 2"),
    "hoards-in-a-file": ("isolated", "in a process of its own, it differs, first in training_set() at iteration 2"),
    "lowest-ids": ("renamed", "renaming ids, each in its place, changes what it selects"),
    "even-ids": ("renamed", "renaming ids, each in its place, changes what it selects"),
    "asks-how-rows-are-held": ("row-order", "holding lazy rows as ids changes what it selects"),
    "counts-rows": ("hidden-labels", "changes what it selects, first in training_set() at iteration 2"),
    "asks-the-history": ("hidden-labels", "changes what it selects, first in training_set() at iteration 2"),
    "reads-test-data": ("test-data", "gaussian: spoiling the test data changes what it selects"),
    "patches-the-loss": ("records", "gaussian: the harness, given the same answers, gets other records"),
    "patches-the-fit": ("records", "gaussian: the harness, given the same answers, gets other records"),
    "patches-the-loop": (
        "isolated",
        "gaussian: in a process of its own, it differs, first in training_set() at iteration 3",
    ),
    "patches-the-alarm": ("limits", "gave no answer in 3 s, and caught the error that told it to stop, or stopped"),
    "asks-for-test-loss": ("test-data", "gaussian: spoiling the test data changes what it selects"),
}
"""Which check each fixture must fail, and what is said of it."""
NOTES = {
    "prints": [("prints", "answers")],
    "asks-for-ddof": [
        ("kde", "KDE has no ddof"),
        ("language_model", "LanguageModel has no ddof"),
        ("linear_regression", "LinearRegression has no ddof"),
        ("discrete", "Discrete has no ddof"),
    ],
    "scribbles": [],
    "draws-by-place": [],
    "draws-from-a-list": [],
    "buys": [],
    "repels": [("kde", "KDE has no negative"), ("discrete", "Discrete has no negative")],
}
"""Fixtures without a fault, and what is noted of them."""


def findings(folder, seconds=1):
    return [finding for finding in check(folder, seconds) if finding.check != "sandbox"]


def test_every_fixture_is_listed():
    assert {folder.name for folder in FIXTURES.iterdir()} == {*FAULTS, *NOTES}
    assert {name for name, _ in FAULTS.values()} == {part.name for part in CHECKS}
    assert list(checking.INSTANCES) == list(INSTANCES) == list(TASK_SETTINGS)
    assert {*TASK_SETTINGS.values()} == {name for name in TASKS if not name.startswith("own_")}


@pytest.mark.parametrize("id", FAULTS)
def test_a_fault_is_found_by_the_check_meant_for_it(id):
    """Only this check fails: those before it pass, those after it are skipped."""
    expected, complaint = FAULTS[id]
    found = findings(FIXTURES / id)[: len(CHECKS)]
    place = [part.name for part in CHECKS].index(expected)
    assert [finding.verdict for finding in found] == ["pass"] * place + ["FAIL"] + ["skip"] * (len(CHECKS) - place - 1)
    assert complaint in found[place].text


@pytest.mark.parametrize("id", NOTES)
def test_harmless_behaviour_passes_with_a_note(id):
    found = findings(FIXTURES / id)
    assert [finding.verdict for finding in found] == ["pass"] * len(CHECKS) + ["note"] * len(NOTES[id])
    for (name, words), finding in zip(NOTES[id], found[len(CHECKS) :], strict=True):
        assert finding.check == name
        assert words in finding.text


@pytest.mark.parametrize("id", sorted(ENTRIES))
def test_every_entry_passes(id):
    """Baselines and submissions alike."""
    found = findings(ENTRIES[id].folder, seconds=10)
    assert [f for f in found if f.verdict in ("FAIL", "skip")] == []
    assert {f.check for f in found if f.verdict == "note"} <= set(INSTANCES)


@pytest.mark.parametrize("answers", [
    [], [{}], [{"t": 1, "method": "training_set", "held": {"spans": [[0, 9, 1.0]], "rows": [], "weights": []}}],
    [{"t": 1, "method": "training_set", "held": {"spans": [], "rows": [10**9], "weights": [1.0]}}],
])  # fmt: skip
def test_answers_that_cannot_be_replayed_are_a_fault(answers):
    """Such answers come from a process in which a stranger's code ran."""
    evidence = SimpleNamespace(finished={"gaussian": {"answers": answers, "records": []}}, entry=ENTRIES["replace"])
    [fault] = _replayed(evidence)
    assert fault.startswith("gaussian: the harness refuses the same answers: ")


def test_the_command_says_what_it_cannot_see():
    done = CliRunner().invoke(main, ["check", str(FIXTURES / "card-with-a-typo")])
    assert "Tampering with the harness is detected only if it changes what the entry selects" in done.output


def test_the_command_prints_all_checks_and_exits_with_a_status():
    done = CliRunner().invoke(main, ["check", str(ENTRIES["replace"].folder)])
    assert done.exit_code == 0
    assert done.output.count("\n  pass  ") == len(CHECKS)
    assert CliRunner().invoke(main, ["check", "replac"]).output.endswith("Did you mean 'replace'? See: thrive list\n")
    done = CliRunner().invoke(main, ["check", str(FIXTURES / "empty-selection")])
    assert done.exit_code == 1
    assert "\n  FAIL  answers            gaussian: training_set() at iteration 1: no row" in done.output


def test_without_a_sandbox_it_says_so(monkeypatch):
    monkeypatch.setattr(sandbox, "why_no_bubblewrap", lambda: "bubblewrap is not installed")
    *found, last = check(FIXTURES / "memory-hog", seconds=1)
    assert [f.check for f in found if f.verdict == "FAIL"] == ["limits"]
    assert last.check == "sandbox"
    assert "can reach the network" in last.text


@pytest.mark.parametrize("task", INSTANCES)
@pytest.mark.parametrize("folder", [FIXTURES / "repels", *(entry.folder for entry in ENTRIES.values())], ids=lambda f: f.name)  # fmt: skip
def test_being_watched_changes_no_number(folder, task):
    """The check watches the same run that `thrive run` would make: the records agree to the last digit."""
    entry = Entry(folder)
    watched = experiment(entry, 10, task)
    if watched["kind"] != "refused":
        records = [repr(record) for record in run(INSTANCES[task], entry.make, entry.rules, SEED, HORIZON)]
        assert watched["records"] == records


def two_generations():
    history = History(np.arange(5.0)[:, None])
    history.append(np.arange(5.0, 9.0)[:, None])
    return Names(history, 9, 0, "pool", 2)


@pytest.mark.parametrize("disguise", [Renaming(), Relabelling()])
def test_a_disguise_leaves_every_example_in_its_place(disguise):
    plain = two_generations()
    seen = disguise.names(plain)
    np.testing.assert_array_equal(seen.history.examples[seen.order], plain.history.examples[plain.order])
    np.testing.assert_array_equal(seen.rows(seen.ids(seen.order)), seen.order)
    np.testing.assert_array_equal(disguise.rows(seen.order, 9), plain.order)
    same_ids = (seen.ids(seen.order) == plain.ids(plain.order)).all()
    same_ages = (seen.history.is_real(seen.order) == plain.history.is_real(plain.order)).all()
    assert (same_ids, same_ages) == ((False, True) if isinstance(disguise, Renaming) else (True, False))


@pytest.mark.parametrize("task", INSTANCES)
def test_poisoned_test_data_are_not_numbers(task):
    start = start_of(poisoned(INSTANCES[task]), 0)
    assert start.test is None or all(row != row for row in np.ravel(start.test))
    assert start.loss == np.inf
    np.testing.assert_array_equal(start.real, start_of(INSTANCES[task], 0).real)


def test_a_process_that_ends_without_an_outcome_is_reported(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    found = apart_from_others(lambda: {"records": ["one"]}, 10)
    assert found == {"records": ["one"]}
    assert "status 1" in apart_from_others(lambda: {"records": object()}, 10)["error"]


class TestStandIn:
    """The stand-in for the language model is a model: its parts agree with one another."""

    task = INSTANCES["language_model"]

    def fitted(self, words):
        return self.task.fit(real_data_only(History(np.array(words, object))), NEUTRAL, None)

    def test_counts_are_probabilities(self):
        """After "a" in aab: a and b once each, and half a count more for each of the seven letters."""
        model = self.fitted(["aab"])
        assert model[0, 0] == model[0, 1] == 1.5 / 5.5
        assert model[0, len(LETTERS)] == 0.5 / 5.5
        word = self.task.log_likelihood(model, np.array(["ab"], object), False)
        assert word == pytest.approx(np.log((1.5 / 4.5) * (1.5 / 5.5) * (1.5 / 4.5)))

    def test_samples_follow_the_table(self):
        model = self.fitted(["ab", "ab", "c"])
        words = self.task.sample(model, 4000, SampleRequest(), np.random.default_rng(0)).examples
        share = np.mean([word[:1] == "a" for word in words])
        assert share == pytest.approx(2.5 / 6.5, abs=4 * 0.5 / np.sqrt(4000))
