"""The committed tables of forecasts."""

import pandas as pd

from benchmark.forecast.checks import coverage
from benchmark.forecast.choice import CANNOT_TELL
from benchmark.forecast.known_answers import KNOWN, TABLE
from benchmark.forecast.laws import KINDS
from benchmark.forecast.tables import CHECKS_FILE, COVERAGE_FILE, LAWS_FILE


def test_the_committed_table_of_known_answers_holds(root):
    """At 100 seeds and T = 100: the right class in 95 % of repetitions or more, and no wrong one more often than "cannot tell"."""
    table = pd.read_csv(root / TABLE)
    assert list(table["curve"]) == [known.what for known in KNOWN]
    shown = table[table["shown_by_100_seeds"]]
    assert (shown["right"] >= 0.95).all()
    assert (table["repetitions"] >= 60).all()
    for _, row in table.iterrows():
        assert all(row[kind] <= row[CANNOT_TELL] for kind in KINDS if kind != row["class"]), row["curve"]


def test_intervals_hold_as_often_as_stated_and_laws_beat_naive_forecasts(root):
    """Over all entries of the Gaussian and the KDE on the board: 90 to 98 % where a law is claimed, a law for at least half of the pairs, and
    a lower mean interval score than the last value and than a + b·ln t."""
    table = pd.read_csv(root / COVERAGE_FILE)
    every = table[(table["class"] == "all") & (table["profile"] == "standard")]
    assert list(zip(every["T"], every["to"], strict=True)) == [(10, 20), (10, 100), (50, 100)]
    assert every["held"].between(0.90, 0.98).all()
    assert (every["claimed_share"] >= 0.5).all()
    assert (every["score_law"] < every[["score_last", "score_log"]].min(axis=1)).all()


def test_the_table_of_coverage_is_what_the_checks_give(root):
    pd.testing.assert_frame_equal(
        coverage(pd.read_csv(root / CHECKS_FILE)), pd.read_csv(root / COVERAGE_FILE), rtol=1e-3, check_dtype=False
    )


def test_the_table_of_laws_has_the_known_classes(root):
    """Curves of the board with the answers of `benchmark/forecast/known_answers.py`."""
    laws = pd.read_csv(root / LAWS_FILE).set_index(["task", "instance", "entry"])["class"]
    assert laws["gaussian", "d=10 n=100", "accumulate"] == "saturating"
    assert laws["gaussian", "d=10 n=316", "replace"] == "exponential"
    assert laws["kde", "moons h=0.5 n=100", "accumulate"] == "logarithmic"
    assert laws["gaussian", "d=1 n=100", "real-only"] == "constant"
    assert laws["gaussian", "d=10 n=10", "replace"] == "diverges"
