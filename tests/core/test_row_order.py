"""Weights, features and log-likelihoods of rows come in the order in which the rows are listed, however the rows are stored."""

import numpy as np
import pytest

from benchmark.conformance.toy_tasks import INSTANCES
from benchmark.core.loop import run
from benchmark.core.requests import TrainingSet
from benchmark.core.rules import Budget, Role, Rules, Track
from tests.conftest import Fixed

FREE = Rules(Track.ASSISTED, Budget.GROWING, Role.REFERENCE)
TASKS = [task for name, task in INSTANCES.items() if name != "singular"]  # where rounding decides
NAMED = pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)


def backwards(pool):
    return pool.rows(pool.ids[::-1])


SELECTIONS = {
    "all": lambda context, pool: pool.all(),
    "sample": lambda context, pool: pool.sample(20, context.rng),
    "real": lambda context, pool: pool.real().all(),
    "sample of latest": lambda context, pool: pool.latest().sample(12, context.rng),
    "generations": lambda context, pool: pool.generations(max(0, context.t - 2), context.t).all(),
    "backwards": lambda context, pool: backwards(pool),
    "ids with repeats": lambda context, pool: pool.rows(context.rng.choice(pool.ids, 30)),
    "joined": lambda context, pool: pool.sample(8, context.rng) + pool.real().all() + backwards(pool.latest()),
    "bought": lambda context, pool: context.buy_real(9).all() + pool.sample(6, context.rng),
    "sample of bought": lambda context, pool: context.buy_real(9).sample(5, context.rng),
}


def losses(task, training_set, rules=FREE, horizon=4):
    strategy = type("Weighing", (Fixed,), {"training_set": training_set})
    return [record["test_loss"] for record in run(task, strategy, rules, 3, horizon)]


def likelihood_or_feature(context, pool, rows):
    """Weights that differ much from row to row, from the likelihood or from a feature."""
    features = pool.features(rows)[:, 0]
    seen = features if context.t == 1 else features + 0.1 * np.maximum(pool.log_likelihood(rows), -50)
    return np.exp((seen - seen.mean()) / max(seen.std(), 1e-9))


@NAMED
@pytest.mark.parametrize("name", SELECTIONS)
def test_weights_of_lazy_rows_are_those_of_the_same_rows_as_ids(task, name):
    """`TrainingSet(rows, f(pool.features(rows)))` is the same for lazy rows, an array of ids, and a shuffled array."""

    def held(how):
        def training_set(self, context, pool):
            rows = SELECTIONS[name](context, pool) if context.t > 1 else pool.all()
            rows = how(context, rows)
            return TrainingSet(rows, likelihood_or_feature(context, pool, rows))

        return training_set

    def shuffled(context, rows):
        return np.random.default_rng(0).permutation(np.asarray(rows))

    lazy = losses(task, held(lambda context, rows: rows))
    assert len(set(lazy)) > 1
    assert losses(task, held(lambda context, rows: np.asarray(rows))) == pytest.approx(lazy, rel=1e-9)
    assert losses(task, held(shuffled)) == pytest.approx(lazy, rel=1e-9)


@NAMED
def test_every_array_of_a_view_comes_in_the_order_of_its_ids(task):
    """`features()`, `log_likelihood()`, `generation()` and `is_real()` without rows follow the order of `all()`."""

    def training_set(self, context, pool):
        views = [pool, pool.real(), pool.latest(), *([pool.generations(1, context.t)] if context.t > 1 else [])]
        for view in views:
            np.testing.assert_array_equal(np.asarray(view.all()), view.ids)
            assert (np.diff(view.ids) > 0).all()
            for rows in (view.all(), view.ids, view.rows(view.ids)):
                np.testing.assert_array_equal(view.features(rows), view.features())
                if context.t > 1 and view is views[2]:  # what may be asked is limited
                    np.testing.assert_array_equal(view.log_likelihood(rows), view.log_likelihood())
            some = view.sample(5, context.rng)
            place = np.searchsorted(view.ids, np.asarray(some))
            np.testing.assert_array_equal(view.features(some), view.features()[place])
            for rows in (view.ids[::-1], view.ids[[3, 0, 3]]):
                np.testing.assert_array_equal(np.asarray(view.rows(rows)), rows)
        real = pool.ids[pool.is_real()]
        np.testing.assert_array_equal(real, pool.real().ids)
        return pool.latest().all()

    def keep(self, context, candidates):
        for rows in (candidates.all(), candidates.first(10), candidates.sample(7, context.rng)):
            listed = np.asarray(rows)
            assert (np.diff(listed) > 0).all()
            np.testing.assert_array_equal(
                candidates.features(rows), candidates.features()[np.searchsorted(candidates.ids, listed)]
            )
            np.testing.assert_array_equal(candidates.log_likelihood(rows), candidates.log_likelihood(listed))
        return candidates.all()

    list(run(task, type("Looking", (Fixed,), {"training_set": training_set, "keep": keep}), FREE, 3, 4))


def test_joined_rows_are_listed_one_after_the_other():
    def training_set(self, context, pool):
        a, b = pool.sample(5, context.rng), pool.rows(pool.ids[:9:-1])
        np.testing.assert_array_equal(np.asarray(a + b), np.concatenate([np.asarray(a), np.asarray(b)]))
        return a + b

    losses(TASKS[0], training_set)


def test_weights_go_to_the_rows_that_they_are_meant_for():
    """Weight 1 on the rows above the median of a feature and 0 on the others trains on exactly the former."""
    chosen = []

    def weighted(self, context, pool):
        rows = pool.sample(12, context.rng)
        x = pool.features(rows)[:, 0]
        chosen.append(np.asarray(rows)[x > np.median(x)])
        return TrainingSet(rows, (x > np.median(x)).astype(float))

    def selected(self, context, pool):
        rows = np.asarray(pool.sample(12, context.rng))
        x = pool.features()[np.searchsorted(pool.ids, rows), 0]
        return rows[x > np.median(x)]

    assert losses(TASKS[0], weighted) == pytest.approx(losses(TASKS[0], selected), rel=1e-9)


def test_a_negligible_weight_counts_as_zero():
    """Weights are proportions: a weight below 10⁻¹² of the largest is left out, and denormal numbers are treated like others."""

    def tiny(self, context, pool):
        return TrainingSet(pool.latest().all(), 5e-324)

    def beside(self, context, pool):
        if context.t == 1:
            return pool.all()
        return (
            TrainingSet(pool.latest().all(), 1.0)
            + TrainingSet(pool.real().ids, 1e-13)
            + TrainingSet(pool.real().all(), 1e-13)
        )

    def whole_generations(self, context, pool):
        if context.t == 1:
            return pool.all()
        return TrainingSet(pool.latest().all(), 1.0) + TrainingSet(pool.real().all(), 1e-300)

    plain = losses(TASKS[0], lambda self, context, pool: pool.latest().all())
    assert losses(TASKS[0], tiny) == plain
    assert losses(TASKS[0], whole_generations) == plain
    assert losses(TASKS[0], beside) == pytest.approx(plain, rel=1e-12)


@NAMED
def test_an_empty_view_has_empty_features_and_likelihoods(task):
    """They have the right shape, for lazy rows and for ids, in every view."""

    def keep(self, context, candidates):
        for view in (candidates, self.pool):
            for rows in (view.sample(0, context.rng), view.ids[:0], view.rows(view.ids[:0])):
                assert len(np.asarray(rows)) == 0
                assert view.features(rows).shape == (0, view.features(view.ids[:1]).shape[1])
                assert view.log_likelihood(rows).shape == (0,)
                assert view.verifier_scores(1.0, rows).shape == (0,)
        return candidates.all()

    def training_set(self, context, pool):
        self.pool = pool
        return pool.all()

    list(run(task, type("Empty", (Fixed,), {"keep": keep, "training_set": training_set}), FREE, 3, 2))
