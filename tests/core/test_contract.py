"""What a strategy may and may not do, and the errors that say so."""

import numpy as np
import pytest
from scipy.stats import hypergeom

from benchmark.conformance.toy_tasks import INSTANCES, TASK_SETTINGS
from benchmark.core.history import History, Span, Weighted
from benchmark.core.loop import is_milestone, run, start_of
from benchmark.core.requests import FitOptions, SampleRequest, TrainingSet
from benchmark.core.rules import Budget, Role, Rules, Track
from benchmark.core.strategy import Strategy
from benchmark.errors import BudgetExceeded, ContractBroken, TrackBroken, Unsupported
from benchmark.tasks.gaussian import Gaussian
from benchmark.tasks.kde import KDE
from tests.conftest import ENTRIES, Fixed

NEVER_RANKED = {"linear_regression", "discrete"}
"""Task-settings that a card need not name where they lack what its entry asks for."""
BLIND = Rules(Track.BLIND, Budget.GROWING)
LABELLED = Rules(Track.LABELLED, Budget.FIXED)
TASK = Gaussian(d=2, n=12)
EACH = pytest.mark.parametrize("name", INSTANCES)
"""Every task-setting."""


def answering(answer):
    return type("Answering", (Fixed,), {"answer": staticmethod(answer)})


def records(strategy, rules=BLIND, task=TASK, seed=0, horizon=4):
    return list(run(task, strategy, rules, seed, horizon))


def losses(*args, **kwargs):
    return [record["test_loss"] for record in records(*args, **kwargs)]


@pytest.mark.parametrize(("answer", "complaint"), [
    (lambda c, p: p.ids[:0], "no row of weight above 0"),
    (lambda c, p: TrainingSet(p.all(), 0.0), "no row of weight above 0"),
    (lambda c, p: p.ids + 1000, "not of this view"),
    (lambda c, p: -p.ids - 1, "not of this view"),
    (lambda c, p: p.ids.astype(float), "1-D array of integers"),
    (lambda c, p: TrainingSet(p.ids, -np.ones(len(p))), "negative or not finite"),
    (lambda c, p: TrainingSet(p.ids, np.full(len(p), np.nan)), "negative or not finite"),
    (lambda c, p: TrainingSet(p.ids, np.ones(3)), "weights of shape"),
    (lambda c, p: p.sample(10**6, c.rng), "ask for 0 to"),
    (lambda c, p: None, "returned nothing"),
    (lambda c, p: (p.ids, np.ones(3)), r"returned a tuple that is no array of ids: weights go into TrainingSet"),
    (lambda c, p: {1: 2}, "1-D array of integers"),
    (lambda c, p: p, "returned a view"),
    (lambda c, p: TrainingSet(p.all()) + p.all(), "wrap the rows first"),
])  # fmt: skip
def test_a_forbidden_answer_is_refused_with_the_facts(answer, complaint):
    with pytest.raises(ContractBroken, match=f"(?s)training_set.. at iteration 1: .*{complaint}"):
        records(answering(answer))


@pytest.mark.parametrize("ask", ["generation", "is_real", "real", "latest"])
def test_a_blind_strategy_cannot_tell_rows_apart(ask):
    with pytest.raises(TrackBroken, match="track 'blind'"):
        records(answering(lambda c, p: getattr(p, ask)() and p.all()))


def test_a_blind_strategy_remembers_nothing():
    """It is a fresh object at every iteration."""

    class Counting(Strategy):
        seen = 0

        def training_set(self, context, pool):
            self.seen += 1
            assert self.seen == 1
            return pool.all()

    records(Counting)


def test_ids_are_drawn_anew_at_every_iteration():
    """The real rows have other ids at iteration 2 than at iteration 1, and the order of ids does not help."""
    seen = []

    def watch(context, pool):
        seen.append(pool.ids[pool.is_real()])
        return pool.real().all()

    records(answering(watch), Rules(Track.LABELLED, Budget.FIXED, Role.REFERENCE))
    assert len({tuple(sorted(ids)) for ids in seen[1:]}) == 3  # of 24, 36 and 48 ids
    assert all(ids.max() > 11 for ids in seen[1:])  # not the first twelve


def test_the_order_of_rows_does_not_reveal_their_age():
    """The ids of lazy rows come in increasing order, in which real rows are not the first."""

    def first_listed(context, pool):
        return np.asarray(pool.all())[: context.n]

    shares = [r["real_share"] for r in records(answering(first_listed), Rules(), Gaussian(2, 200), horizon=4)]
    assert shares[0] == 1
    assert shares[1:] == pytest.approx([1 / 2, 1 / 3, 1 / 4], abs=4 * 0.5 / np.sqrt(200))


def test_a_strange_generator_is_refused():
    """A generator of one's own could choose which rows are drawn, and one of NumPy's could be searched for a favourable draw."""

    class First:
        def choice(self, count, size, **how):
            return np.arange(size)

    for strange in (First(), np.random.default_rng(0), np.random.RandomState(0), None):
        with pytest.raises(ContractBroken, match=r"pass context.rng"):
            records(answering(lambda c, p, rng=strange: p.sample(c.n, rng) if c.t > 1 else p.all()), Rules())


def test_rows_of_another_view_are_refused_in_every_position():
    class Hoarding(Fixed):
        kept = None

        def training_set(self, context, pool):
            if context.t == 1:
                return pool.all()
            some = pool.latest().sample(6, context.rng)
            return some + self.kept if front else self.kept + some

        def keep(self, context, candidates):
            self.kept = candidates.first(6)
            return candidates.all()

    for front in (True, False):  # noqa: B007  (the strategy reads it)
        with pytest.raises(ContractBroken, match="one view"):
            records(Hoarding, LABELLED)


def test_candidates_have_no_generations():
    class Asking(Fixed):
        def keep(self, context, candidates):
            return candidates.rows(candidates.ids[candidates.is_real()])

    with pytest.raises(ContractBroken, match="candidates are of one generation"):
        records(Asking, Rules(Track.LABELLED, Budget.GROWING))


@pytest.mark.parametrize(("keep", "complaint"), [
    (lambda c: c.all() + c.all(), "a candidate enters the pool once"),
    (lambda c: np.repeat(c.ids[:3], 2), "a candidate enters the pool once"),
    (lambda c: TrainingSet(c.ids, np.arange(1, 13)), "weights belong in training_set"),
])  # fmt: skip
def test_a_candidate_enters_the_pool_once(keep, complaint):
    greedy = type("Greedy", (Fixed,), {"keep": lambda self, context, candidates: keep(candidates)})
    with pytest.raises(ContractBroken, match=f"keep.. at iteration 1: .*{complaint}"):
        records(greedy)


@pytest.mark.parametrize("method", ["sample_request", "fit_options"])
def test_answers_of_the_wrong_type_are_refused(method):
    with pytest.raises(ContractBroken, match=rf"{method}\(\) at iteration 1: returned NoneType: expected"):
        records(type("Silent", (Fixed,), {method: lambda self, context: None}))


def test_a_blind_strategy_that_chooses_positions_gets_uniform_rows():
    """In `blind` a strategy may choose positions in `ids` (in its confined process, as it likes). The rows it gets are still uniform.

    The positions chosen here are below n; if positions followed age, they would be the real rows.
    """

    def choosing(context, pool):
        return pool.all() if context.t < 3 else pool.drawn(np.arange(4))

    shares = [records(answering(choosing), seed=seed, horizon=3)[-1]["real_share"] for seed in range(150)]
    assert np.mean(shares) == pytest.approx(1 / 3, abs=4 * np.std(shares) / np.sqrt(150))


def test_a_loss_that_is_not_a_number_counts_as_divergence():
    class Lost(Gaussian):
        def test_loss(self, model, test):
            return float("nan")

    found = records(answering(lambda c, p: p.all()), task=Lost(2, 12))
    assert {(r["test_loss"], r["status"]) for r in found} == {(np.inf, "diverged")}


def test_a_divisor_below_zero_is_refused():
    hopeless = type("Hopeless", (Fixed,), {"fit_options": lambda self, context: FitOptions(ddof=12.0)})
    with pytest.raises(
        ContractBroken,
        match="ddof is 12.0: expected at least -6 .2d . 2., and less than 12, the training set's effective size",
    ):
        records(hopeless)


def test_generation_and_is_real_agree_with_the_views():
    def check(context, pool):
        ids, generation = pool.ids, pool.generation()
        assert len(set(ids)) == len(ids) == len(pool) == 12 * context.t
        assert (np.bincount(generation) == 12).all()
        assert set(ids[pool.is_real()]) == set(np.asarray(pool.real().all())) == set(ids[generation == 0])
        assert set(pool.latest().ids) == set(ids[generation == context.t - 1])
        return pool.latest().all()

    records(answering(check), LABELLED)


def test_budgets_are_enforced():
    with pytest.raises(BudgetExceeded, match=r"iteration 2: rows in the training set: 24, .* allow 12"):
        records(answering(lambda c, p: p.all()), LABELLED)


def test_real_mass_is_capped_on_track_labelled():
    with pytest.raises(BudgetExceeded, match=r"iteration 2: share of real rows .*: 1, .* allow 0.677"):
        records(answering(lambda c, p: p.real().all()), LABELLED, Gaussian(2, 100))
    half = answering(lambda c, p: p.real().sample(6, c.rng) + p.latest().sample(6, c.rng))
    assert [r["real_share"] for r in records(half, LABELLED)] == [1, 0.5, 0.5, 0.5]


@pytest.mark.parametrize("n", [24, 100, 1000])
def test_a_uniform_draw_is_within_the_cap_on_real_mass(n):
    """At iteration t real rows are n of tn, and the share of n draws is hypergeometric; in the long run the cap is one half."""
    for t in range(2, 50):
        cap = LABELLED.max_real_share(n, t)
        assert hypergeom.sf(np.floor(n * cap + 1e-9), t * n, n, n) < 5e-6
    assert cap == 0.5
    assert [LABELLED.max_real_share(100, t) for t in (1, 2, 3, 4)] == pytest.approx([1, 0.677, 0.526, 0.5], abs=5e-4)


def test_candidates_are_capped():
    greedy = type("Greedy", (Fixed,), {"sample_request": lambda self, context: SampleRequest(count=49)})
    for rules in (Rules(), Rules(budget=Budget.GROWING)):  # which grows with t: at iteration 1 both allow 4n
        with pytest.raises(BudgetExceeded, match=r"sample_request\(\) at iteration 1: candidates: 49, .* allow 48"):
            records(greedy, rules)
    growing = type("Growing", (Fixed,), {"sample_request": lambda self, context: SampleRequest(count=48 * context.t)})
    assert len(records(growing, Rules(budget=Budget.GROWING))) == 4


def test_kept_candidates_enter_the_pool():
    """Half of 24 candidates, by id. A growing budget admits all 24, except in track blind, where their number would be a memory."""

    class Choosy(Fixed):
        def sample_request(self, context):
            return SampleRequest(count=24)

        def keep(self, context, candidates):
            return candidates.ids[:kept]

    kept = 12
    assert [r["training_rows"] for r in records(Choosy)] == [12, 24, 36, 48]
    kept = 24
    labelled = Rules(Track.LABELLED, Budget.GROWING)
    assert [r["training_rows"] for r in records(Choosy, labelled)][:3] == [12, 36, 60]
    with pytest.raises(ContractBroken, match=r"keep\(\) at iteration 1: 24 rows: expected n = 12 in track 'blind'"):
        records(Choosy)


def test_unsupported_knobs_are_refused_with_a_reason():
    clip = type("Clip", (Fixed,), {"fit_options": lambda self, context: FitOptions(token_loss_clip=0.9)})
    with pytest.raises(Unsupported, match="Gaussian has no token_loss_clip"):
        records(clip)
    shrink = type("Shrink", (Fixed,), {"sample_request": lambda self, context: SampleRequest(preserve_variance=True)})
    with pytest.raises(Unsupported, match="Gaussian has no preserve_variance"):
        records(shrink)
    assert len(records(shrink, task=KDE("moons", 0.5, 12))) == 4


@pytest.mark.parametrize("bad", [{"temperature": 0}, {"top_p": 1.5}, {"count": 0}, {"count": 7.5}])
def test_impossible_requests_are_refused(bad):
    with pytest.raises(ContractBroken, match=next(iter(bad))):
        SampleRequest(**bad)


@EACH
def test_only_proportions_of_weights_matter(name):
    weighted, plain = (answering(a) for a in (lambda c, p: TrainingSet(p.all(), 7.0), lambda c, p: p.all()))
    assert losses(weighted, task=INSTANCES[name]) == pytest.approx(losses(plain, task=INSTANCES[name]))


@EACH
def test_listed_rows_train_as_whole_generations_do(name):
    """Lazy or listed, in any order, the training set is the same."""
    lazy, listed = (answering(a) for a in (lambda c, p: p.all(), lambda c, p: p.ids[::-1]))
    assert losses(listed, task=INSTANCES[name]) == pytest.approx(losses(lazy, task=INSTANCES[name]), rel=1e-9)


@pytest.mark.parametrize("name", [name for name in INSTANCES if name != "language_model"])
def test_a_row_twice_weighs_twice(name):
    """Except for text, where a fit also depends on the number of rows."""

    def answer(weigh):
        def training_set(context, pool):
            if context.t == 1:
                return pool.all()
            some, others = pool.sample(6, context.rng), pool.sample(12, context.rng)
            return weigh(some) + TrainingSet(others)

        return answering(training_set)

    twice, weighted = answer(lambda rows: TrainingSet(rows + rows)), answer(lambda rows: TrainingSet(rows, 2.0))
    assert losses(twice, task=INSTANCES[name]) == pytest.approx(losses(weighted, task=INSTANCES[name]), rel=1e-9)


@pytest.mark.parametrize("id", sorted(ENTRIES))
def test_entries_are_deterministic_and_start_from_one_real_fit(id):
    """For every entry, the same seed gives the same numbers, and iteration 1 is its own fit on the real data."""
    found = ENTRIES[id]
    fitting = {name: task for name, task in INSTANCES.items() if TASK_SETTINGS[name] not in found.card.not_for}
    seen = 0
    for name, task in fitting.items():
        try:
            one = list(run(task, found.make, found.rules, 3, 5))
        except Unsupported:
            assert TASK_SETTINGS[name] in NEVER_RANKED
            continue
        start_of.cache_clear()  # what a seed's runs share is drawn again
        assert repr(one) == repr(list(run(task, found.make, found.rules, 3, 5)))  # no NaN is equal to itself
        assert one[0]["test_loss"] == one[0]["real_loss"]  # with a knob, of the real data alone with that knob
        assert one[0]["real_share"] == 1
        seen += 1
    assert seen


def test_entries_share_real_data_by_seed():
    def real_loss(entry):
        start_of.cache_clear()
        return next(iter(run(TASK, entry.make, entry.rules, 5, 1)))["real_loss"]

    neutral = [e for e in ENTRIES.values() if "gaussian" not in e.card.not_for and not e.id.startswith("unbiased")]
    assert len(set(map(real_loss, neutral))) == 1


def test_milestones():
    assert [t for t in range(1, 1001) if is_milestone(t)] == [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]


def test_real_rows_are_counted_as_well_as_weighed():
    """Kish's effective numbers: of rows that weigh alike the share in number, whatever a part of them weighs."""
    history = History(np.zeros((4, 1)))
    history.append(np.ones((4, 1)))
    for rows, weights, share in (
        ([0, 1, 4, 5], [1, 1, 1, 1], 0.5),
        ([0, 1, 4, 5], [1, 1, 9, 9], 0.5),
        ([0, 1, 2, 4], [1, 1, 1, 3], 0.75),
        ([0, 4, 4, 4], [1, 1, 1, 1], 0.25),  # a row listed again is another one
        ([4, 5, 6, 7], [1, 1, 1, 1], 0.0),
        ([0, 1, 2, 3], [1, 2, 3, 4], 1.0),
    ):
        found = Weighted(history, rows=np.array(rows), weights=np.array(weights, float))
        assert found.real_share_of_rows == pytest.approx(share)
    assert Weighted(history, (Span(0, 2, 1.0),)).real_share_of_rows == 0.5
