"""The same rows in another order."""

from collections import Counter

import pytest

from benchmark.core.loop import run
from benchmark.entries.entry import Entry
from benchmark.entries.loading import load
from benchmark.tasks.gaussian import Gaussian
from benchmark.tasks.kde import KDE
from maps.orders import kinds_of, orders
from maps.settings import Steps
from maps.variants import ENTRIES

ORDERS = orders(Steps(accumulate=3, replace=4, real=2))


def test_orders_differ_in_nothing_but_the_order():
    kinds = {tuple(kinds_of(phases)) for phases in ORDERS.values()}
    assert len(kinds) == len(ORDERS) == 8
    assert len({tuple(sorted(Counter(each).items())) for each in kinds}) == 1


@pytest.mark.parametrize("task", [Gaussian(2, 30), KDE("moons", 0.5, 30)], ids=["gaussian", "kde"])
def test_all_orders_use_the_same_rows_in_all(task):
    """Training rows, steps and bought rows are equal in total, and so is the last training set: T generations and all that was bought."""
    path, rules = load(ENTRIES / "path"), Entry(ENTRIES / "path").rules
    used = set()
    for phases in ORDERS.values():
        records = list(run(task, lambda phases=phases: path(phases), rules, 0, 11))
        total = Counter()
        for record in records:
            total.update({name: record[name] for name in ("training_rows", "candidates", "fresh_real_rows")})
        used.add((*sorted(total.items()), records[-1]["training_rows"], records[-1]["real_share"]))
    assert len(used) == 1
    assert [record["training_rows"] for record in records] == [30] * 10 + [11 * 30 + 2 * 15]


def test_replace_trains_on_the_latest_samples_alone():
    """Also after rows were bought, which are in the latest generation too."""
    path, rules = load(ENTRIES / "path"), Entry(ENTRIES / "path").rules
    records = list(run(Gaussian(2, 30), lambda: path([["real", 1], ["replace", 2], ["accumulate", 1]]), rules, 0, 6))
    assert [record["real_share"] for record in records[:4]] == [1, 0.5, 0, 0]
