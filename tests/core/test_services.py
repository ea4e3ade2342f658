"""The services of the harness for a strategy, compared with definitions, and their cost."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal

from benchmark.core.loop import run
from benchmark.core.requests import FitOptions, SampleRequest, TrainingSet
from benchmark.core.rules import Budget, Role, Rules, Track
from benchmark.errors import BudgetExceeded, ContractBroken, TrackBroken
from benchmark.results.scoring import per_seed
from benchmark.tasks.gaussian import Gaussian
from benchmark.tasks.kde import KDE
from tests.conftest import Fixed, assert_mean

BLIND = Rules(Track.BLIND, Budget.FIXED)
LABELLED = Rules(Track.LABELLED, Budget.GROWING, Role.REFERENCE)
ASSISTED = Rules(Track.ASSISTED, Budget.FIXED)
GROWING = Rules(Track.ASSISTED, Budget.GROWING)
TASKS = [Gaussian(d=2, n=12), KDE("moons", 0.3, 12)]
TASK = TASKS[0]


def records(strategy, rules, task=TASK, seed=0, horizon=4):
    return list(run(task, strategy, rules, seed, horizon))


def strategy(**methods):
    """A strategy that trains on the newest generation and otherwise does what is asked here."""
    latest = {"training_set": lambda self, context, pool: pool.latest().all()}
    return type("Told", (Fixed,), latest | methods)


def keeping(look):
    def keep(self, context, candidates):
        look(context, candidates)
        return candidates.first(context.n)

    return keep


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_features_are_one_affine_map_of_the_examples_throughout_a_run(task):
    """Differences of three features have the same ratios as those of the examples. Each seed has its own map."""
    seen = {}

    def look(context, candidates):
        seen[seed, context.t] = (
            candidates.features(candidates.ids),
            candidates.names.history.examples.copy(),
            candidates,
        )

    for seed in (0, 1):
        records(strategy(keep=keeping(look)), LABELLED, task, seed)
    maps = {}
    for key, (features, examples, candidates) in seen.items():
        examples = examples[candidates.names.rows(candidates.ids)]
        design = np.column_stack([examples, np.ones(len(examples))])
        maps[key], *_ = np.linalg.lstsq(design, features)
        np.testing.assert_allclose(design @ maps[key], features, atol=1e-9)
    np.testing.assert_allclose(maps[0, 1], maps[0, 4], atol=1e-8)
    assert not np.allclose(maps[0, 1], maps[1, 1], atol=0.1)
    assert not np.allclose(maps[0, 1][:2], np.eye(2), atol=0.1)


def test_features_of_some_rows_come_in_the_order_of_their_ids():
    def look(context, candidates):
        ids = candidates.ids
        np.testing.assert_array_equal(candidates.features(ids[3:6]), candidates.features()[3:6])
        np.testing.assert_array_equal(candidates.features(candidates.all()), candidates.features(ids))
        np.testing.assert_array_equal(candidates.features(ids[::-1]), candidates.features()[::-1])

    records(strategy(keep=keeping(look)), LABELLED)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_log_likelihood_is_that_of_the_model(task):
    """In `keep` it is under the model just fitted, in `training_set` under the last one; "first" is the model of iteration 1."""
    noted = []

    def training_set(self, context, pool):
        if context.t > 1:
            latest = pool.latest()
            noted.append((latest.log_likelihood(under="current").sum(), latest.log_likelihood(under="first").sum()))
        return pool.latest().all()

    def look(context, candidates):
        noted.append((candidates.log_likelihood().sum(), candidates.log_likelihood(under="first").sum()))

    records(strategy(training_set=training_set, keep=keeping(look)), LABELLED, task)
    for kept, asked in zip(noted[::2], noted[1::2], strict=False):  # the same rows under the same models, asked later
        assert kept == pytest.approx(asked)
    assert noted[0][0] == noted[0][1]
    assert noted[2][0] != noted[2][1]


def test_log_likelihood_of_a_gaussian_is_scipys():
    model = TASK.fit(_rows(RNG.standard_normal((12, 2))), FitOptions(), None)
    x = RNG.standard_normal((5, 2))
    expected = multivariate_normal(model.mean, model.covariance).logpdf(x)
    np.testing.assert_allclose(TASK.log_likelihood(model, x, False), expected, rtol=1e-10)


def _rows(examples):
    from benchmark.core.history import History, real_data_only

    return real_data_only(History(examples))


RNG = np.random.default_rng(0)


def test_log_likelihood_is_metered_and_capped():
    asking = strategy(keep=keeping(lambda context, candidates: candidates.log_likelihood(candidates.ids[:5])))
    assert [r["log_likelihood_rows"] for r in records(asking, LABELLED)] == [5] * 4
    greedy = strategy(keep=keeping(lambda c, candidates: [candidates.log_likelihood() for _ in range(5)]))
    with pytest.raises(BudgetExceeded, match="iteration 1: log-likelihood rows: 60, .* allow 48"):
        records(greedy, Rules(Track.LABELLED, Budget.FIXED, Role.REFERENCE))


def test_nothing_is_rated_before_there_is_a_model():
    asking = type("Asking", (Fixed,), {"answer": staticmethod(lambda context, pool: pool.log_likelihood())})
    with pytest.raises(ContractBroken, match="at iteration 1 there is one only in keep"):
        records(asking, LABELLED)


@pytest.mark.parametrize(("ask", "complaint"), [
    (lambda context, candidates: candidates.log_likelihood(under="first"), "track 'blind' withholds"),
    (lambda context, candidates: candidates.verifier_scores(1.0), "sold on track 'assisted' only"),
    (lambda context, candidates: context.buy_real(1), "sold on track 'assisted' only"),
])  # fmt: skip
def test_blind_withholds(ask, complaint):
    with pytest.raises(TrackBroken, match=complaint):
        records(type("Asking", (Fixed,), {"keep": keeping(ask)}), BLIND)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
@pytest.mark.parametrize("rows", ["all", "some"])
@pytest.mark.parametrize("asked", ["features", "log_likelihood"])
def test_blind_withholds_the_looks_of_the_pool(task, asked, rows):
    """Real rows are recognized by them once samples are shaped, and the last model's parameters told by likelihoods."""

    def training_set(self, context, pool):
        if context.t == 2:
            getattr(pool, asked)(None if rows == "all" else pool.ids[:1])
        return pool.all()

    with pytest.raises(
        TrackBroken, match=rf"training_set\(\) at iteration 2: {asked}\(\) of the pool can tell rows apart"
    ):
        records(strategy(training_set=training_set), Rules(Track.BLIND, Budget.GROWING), task)


def test_what_blind_sees_of_candidates_does_not_tell_the_pools_spread():
    """Their digits, too: the step of rounding is a share of the candidates' own standard deviation."""
    seen = {}

    def keep(self, context, candidates):
        seen[context.t] = candidates.features()
        return candidates.first(context.n)

    records(
        strategy(training_set=lambda self, context, pool: pool.sample(context.n, context.rng), keep=keep),
        BLIND,
        Gaussian(d=2, n=400),
    )
    for features in seen.values():
        for axis in features.T:
            step = np.diff(np.unique(axis)).min()
            assert step == pytest.approx(axis.std() / 200, rel=0.02)


def test_bought_rows_are_real_new_and_stay_in_the_pool():
    seen = []

    def training_set(self, context, pool):
        bought = context.buy_real(5)
        assert len(bought) == len(bought.ids) == 5
        assert len(pool) == 12 + 17 * (context.t - 1)
        seen.append((pool.is_real().sum(), bought.features(), pool.latest().features()))
        return bought.all() + bought.rows(bought.ids[:2]) + pool.latest().sample(5, context.rng)

    found = records(strategy(training_set=training_set), ASSISTED, seed=3)
    assert [r["fresh_real_rows"] for r in found] == [5] * 4
    assert [r["training_rows"] for r in found] == [12] * 4
    assert [s[0] for s in seen] == [12, 17, 22, 27]
    assert found[0]["real_share"] == 1
    assert all(7 / 12 <= r["real_share"] <= 1 for r in found[1:])
    for (_, bought, _), (_, _, latest) in itertools.pairwise(seen):
        assert {tuple(row) for row in bought.round(9)} <= {tuple(row) for row in latest.round(9)}
    assert len(np.unique(np.concatenate([s[1] for s in seen]), axis=0)) == 20


def test_bought_rows_can_be_chosen_by_id_like_others():
    """Alone or together with rows of the pool, in a list of ids with weights."""

    def training_set(self, context, pool):
        bought = context.buy_real(4)
        return TrainingSet(np.concatenate([pool.ids[:8], bought.ids]), np.arange(1.0, 13))

    found = records(strategy(training_set=training_set), ASSISTED)
    assert all(r["training_rows"] == 12 and r["real_share"] >= 42 / 78 for r in found)


def test_no_more_is_bought_than_a_training_set_may_have():
    greedy = strategy(training_set=lambda self, context, pool: (context.buy_real(7), context.buy_real(6))[0].all())
    with pytest.raises(BudgetExceeded, match="fresh real rows: 13, .* allow 12"):
        records(greedy, ASSISTED)


def test_fresh_data_keep_the_mean_error_at_its_theoretical_value():
    """Training on n fresh real rows at every iteration is a new fit on real data: E‖μ‖² = d/n at every t."""
    fresh = strategy(training_set=lambda self, context, pool: context.buy_real(context.n).all())
    errors = np.array([[r["mean_error"] for r in records(fresh, ASSISTED, seed=s)] for s in range(1000)])
    assert_mean(errors, np.full(4, 2 / 12))


@pytest.mark.parametrize("task", [Gaussian(d=2, n=400), KDE("moons", 0.3, 400)], ids=lambda task: task.name)
def test_a_verifier_distinguishes_real_from_synthetic(task):
    """Its scores are higher on real rows than on rows of a model that has drifted. It is paid once for a run."""
    gaps = []

    def training_set(self, context, pool):
        if context.t == 12:
            gaps.append(pool.generations(0, 1).verifier_scores(5).mean() - pool.latest().verifier_scores(5).mean())
        return pool.latest().all()

    hot = strategy(training_set=training_set, sample_request=lambda self, context: SampleRequest(temperature=1.2))
    found = records(hot, ASSISTED, task, horizon=12)
    assert gaps[0] > 0.3
    assert [r["verifier_rows"] for r in found] == [0] * 11 + [2000]


def test_a_verifier_of_a_gaussian_is_the_log_ratio():
    """With many held-back rows it is log truth - log model, within sampling error."""
    truth = TASK.world(np.random.default_rng(0))
    model = TASK.fit(_rows(truth.sample(12, RNG) * 2 + 1), FitOptions(), None)
    x = truth.sample(50, RNG)
    real = multivariate_normal(truth.shift, truth.spread @ truth.spread.T)
    expected = real.logpdf(x) - multivariate_normal(model.mean, model.covariance).logpdf(x)
    held_back = TASK.held_back(truth, 200_000, np.random.default_rng(1))
    np.testing.assert_allclose(TASK.log_ratio(held_back, model, x), expected, atol=0.05)


def test_blending_averages_a_gaussians_parameters():
    a, b = (TASK.fit(_rows(RNG.standard_normal((12, 2)) + k), FitOptions(), None) for k in range(2))
    blended = TASK.blend(a, b, 0.25)
    np.testing.assert_allclose(blended.mean, 0.75 * a.mean + 0.25 * b.mean)
    np.testing.assert_allclose(blended.covariance, 0.75 * a.covariance + 0.25 * b.covariance)


def test_blending_mixes_kernel_densities():
    """A mixture that is blended again has the right shares, in its density and in its samples."""
    task = KDE("moons", 0.3, 12)
    a, b, c = (task.fit(_rows(RNG.standard_normal((12, 2)) + 50 * k), FitOptions(), None) for k in range(3))
    mixture = task.blend(c, task.blend(b, a, 0.25), 0.4)  # .6 c + .4 (.75 b + .25 a)
    x = np.concatenate([RNG.standard_normal((5, 2)) + 50 * k for k in range(3)])
    expected = np.log(0.1 * np.exp(a.log_density(x)) + 0.3 * np.exp(b.log_density(x)) + 0.6 * np.exp(c.log_density(x)))
    np.testing.assert_allclose(mixture.log_density(x), expected, rtol=1e-9)
    assert task.test_loss(mixture, x) == pytest.approx(-expected.mean())
    samples = task.sample(mixture, 20_000, SampleRequest(), np.random.default_rng(0)).examples
    shares = np.bincount((samples[:, 0] + 25).astype(int) // 50, minlength=3) / 20_000
    np.testing.assert_allclose(shares, [0.1, 0.3, 0.6], atol=4 * 0.5 / np.sqrt(20_000))
    assert not np.allclose(samples[:100].mean(axis=0), samples[samples[:, 0] < 25][:100].mean(axis=0), atol=10)


def test_a_long_chain_of_blends_stays_short():
    averaging = strategy(fit_options=lambda self, context: FitOptions(blend=("previous", 0.5)))
    task = KDE("moons", 0.3, 12)
    model = a = task.fit(_rows(RNG.standard_normal((12, 2))), FitOptions(), None)
    for _ in range(100):
        model = task.blend(a, model, 0.5)
    assert len(model.parts) <= 31
    assert len(records(averaging, LABELLED, task)) == 4


def test_a_full_blend_with_the_first_model_is_the_first_model():
    still = strategy(fit_options=lambda self, context: FitOptions(blend=("first", 1.0)))
    for task in TASKS:
        losses = [r["test_loss"] for r in records(still, LABELLED, task)]
        assert losses == pytest.approx([losses[0]] * 4)


def test_blind_does_not_blend_with_the_first_model():
    still = type("Still", (Fixed,), {"fit_options": lambda self, context: FitOptions(blend=("first", 0.5))})
    with pytest.raises(TrackBroken, match="withholds the first model"):
        records(still, Rules(Track.BLIND, Budget.GROWING))


def test_negative_guidance_extrapolates_mean_and_log_covariance():
    """d = 1: log s² moves to (1 + γ) log s²_a - γ log s²_b, and the mean likewise."""
    task = Gaussian(1, 12)
    a, b = (task.fit(_rows(RNG.standard_normal((12, 1)) + k), FitOptions(), None) for k in range(2))
    moved = task.away(a, b, 0.5)
    assert np.log(moved.covariance[0, 0]) == pytest.approx(
        1.5 * np.log(a.covariance[0, 0]) - 0.5 * np.log(b.covariance[0, 0])
    )
    assert moved.mean[0] == pytest.approx(1.5 * a.mean[0] - 0.5 * b.mean[0])


@pytest.mark.parametrize("knob", [{"ddof": 1.0}, {"ddof": -1.0}, {"ridge": 0.1}])
def test_negative_guidance_goes_without_the_other_knobs_that_enlarge_a_fit(knob):
    with pytest.raises(ContractBroken, match="FitOptions.negative is .*beside ridge .* expected it without them"):
        FitOptions(negative=(TrainingSet(np.array([0])), 1.0), **knob)


def test_the_rows_to_move_away_from_are_training_rows():
    class Moving(Fixed):
        def training_set(self, context, pool):
            self.pool = pool
            return pool.sample(6, context.rng)

        def fit_options(self, context):
            return FitOptions(negative=(TrainingSet(self.pool.sample(count, context.rng)), 0.5))

    count = 6
    assert [r["training_rows"] for r in records(Moving, BLIND)] == [12] * 4
    count = 7
    with pytest.raises(BudgetExceeded, match="rows in the training set: 13, .* allow 12"):
        records(Moving, BLIND)


SWISS = KDE("swiss_roll", 0.5, 50)  # a bandwidth that is too narrow


@pytest.mark.parametrize(
    ("task", "knobs", "better"),
    [
        (SWISS, {"bandwidth_factor": 4.0}, True),
        (KDE("moons", 0.3, 50), {"bandwidth_factor": 4.0}, False),
        (SWISS, {"bandwidth_rule": "scott"}, True),
        (Gaussian(5, 30), {"ddof": 5}, True),
        (Gaussian(5, 30), {"ddof": -10}, False),
        (Gaussian(5, 30), {"ridge": 0.1}, False),
    ],
)
def test_a_knob_on_the_real_data_alone_gains_nothing(task, knobs, better):
    """Excess is counted from the best fit on them among the neutral one and those with knobs that the run has used."""

    def made(when):
        return strategy(
            training_set=lambda self, context, pool: pool.real().all(),
            fit_options=lambda self, context: FitOptions(**knobs) if when(context.t) else FitOptions(),
        )

    for when in (lambda t: True, lambda t: t == 4, lambda t: t < 4):
        run_of = pd.DataFrame(records(made(when), GROWING, task)).assign(task="t", instance="i", entry="e")
        (found,) = per_seed(run_of.drop(columns="texts")).to_dict("records")
        neutral = records(made(lambda t: False), GROWING, task)[-1]["test_loss"]
        own = run_of["test_loss"].iloc[-1] if when(4) else run_of["test_loss"].iloc[0]
        assert (own < neutral) == better
        assert found["real_loss"] == min(own, neutral)
        assert found["final"] - found["real_loss"] >= 0


def test_a_knob_must_suit_a_fit_of_n_rows():
    """Else it would be measured against nothing: 12 of 40 rows enlarge a fit by less than 4/3, 12 of 12 do not."""

    class Growing(Fixed):
        def training_set(self, context, pool):
            return pool.all()

        def fit_options(self, context):
            return FitOptions(ddof=4) if context.t == 4 else FitOptions()

    with pytest.raises(ContractBroken, match="at iteration 4.*ddof"):
        records(Growing, GROWING, Gaussian(1, 12))


def test_a_biased_sampler_applies_to_every_entry():
    """An instance whose sampler has temperature 0.81 is like one on which all entries ask for it."""
    biased, asked = (
        Gaussian(2, 12, sampler_temperature=0.81),
        strategy(sample_request=lambda self, context: SampleRequest(temperature=0.81)),
    )
    plain = [r["test_loss"] for r in records(strategy(), LABELLED, biased)]
    assert plain == pytest.approx([r["test_loss"] for r in records(asked, LABELLED)])
    assert biased.name == "d=2 n=12 τ=0.81"
