"""The committed tables of forecasts."""

import pandas as pd

from benchmark.forecast.choice import CANNOT_TELL
from benchmark.forecast.known_answers import KNOWN, TABLE
from benchmark.forecast.laws import KINDS


def test_the_committed_table_of_known_answers_holds(root):
    """At 100 seeds and T = 100: the right class in 95 % of repetitions or more, and no wrong one more often than "cannot tell"."""
    table = pd.read_csv(root / TABLE)
    assert list(table["curve"]) == [known.what for known in KNOWN]
    shown = table[table["shown_by_100_seeds"]]
    assert (shown["right"] >= 0.95).all()
    assert (table["repetitions"] >= 60).all()
    for _, row in table.iterrows():
        assert all(row[kind] <= row[CANNOT_TELL] for kind in KINDS if kind != row["class"]), row["curve"]
