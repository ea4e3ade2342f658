"""The verdict on "30 % synthetic is harmless" follows from the maps, and the page has it."""

import pandas as pd
import pytest

from benchmark.errors import ThriveError
from maps import folk, settings


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


def test_a_page_without_marks_is_refused(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("no marks")
    with pytest.raises(ThriveError, match="Put them where the verdict goes"):
        folk.inject(page, "words")


def test_the_page_says_what_the_maps_say(root):
    found = settings.load(root)
    by_task = folk.tables(root, found)
    missing = [task for task in found.sweeps if task not in by_task]
    assert folk.text(by_task, missing) in (root / folk.PAGE).read_text(encoding="utf-8")
