"""The verdict on "30 % synthetic is harmless" follows from the maps."""

import pandas as pd

from maps import folk


def table_of(*rows):
    names = ("n", "mean", "low", "high", "more", "more_low", "more_high", "verdict")
    return pd.DataFrame([dict(zip(names, row, strict=True)) | {"data": "moons", "t": 30, "seeds": 10, "threshold": 0.1} for row in rows])  # fmt: skip


SAFE = (100, 0.05, 0.04, 0.06, 0.02, 0.01, 0.03, "safe")
UNSAFE = (32, 0.2, 0.15, 0.25, -0.02, -0.03, -0.01, "unsafe")


def test_one_unsafe_instance_makes_it_no_rule():
    words = folk.text({"kde": table_of(SAFE, UNSAFE)}, ["gaussian"])
    assert words.startswith('**"30 % synthetic is harmless" is no rule.**')
    for part in ("below 0.1 nats on 1 of 2 instances and above it on 1; 0 are open", "30 iterations and 10 seeds",
                 "worse on 1 and better on 1", "is not measured: `thrive map --task gaussian`", "| 0.05 [0.04, 0.06] | safe | 0.02 [0.01, 0.03] |"):  # fmt: skip
        assert part in words


def test_it_holds_only_where_every_measured_instance_is_safe():
    assert "holds on every measured instance" in folk.text({"kde": table_of(SAFE, SAFE)})
