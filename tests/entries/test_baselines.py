"""What distinguishes each baseline: the rows and weights that it chooses, its closed form, or what it does to its models.

The conformance checks of every entry are in tests/conformance/test_check.py; more laws of whole runs in tests/core/test_closed_forms.py.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest
import yaml
from scipy.special import digamma

from benchmark.core.history import Weighted
from benchmark.core.loop import run
from benchmark.core.requests import FitOptions
from benchmark.core.streams import stream
from benchmark.tasks.gaussian import Gaussian
from benchmark.tasks.kde import KDE
from benchmark.tasks.normal import Normal
from tests.conftest import assert_mean, entry, measure

SEEDS = 2000
N = 20


class Part(NamedTuple):
    """Rows of one generation in a training set. Bought real rows have generation "fresh"."""

    rows: int
    share: float  # of the mass


def parts(chosen: Weighted) -> dict[int | str, Part]:
    rows, weights = chosen.expanded()
    history = chosen.history
    generations: list[int | str] = list(np.searchsorted(history.starts, rows, side="right") - 1)
    real = history.is_real(rows)
    generations = ["fresh" if r and g > 0 else int(g) for g, r in zip(generations, real, strict=True)]
    return {
        g: Part(generations.count(g), float(weights[[h == g for h in generations]].sum() / weights.sum()))
        for g in dict.fromkeys(generations)
    }


class Watched(Gaussian):
    """Records the training sets and the models, in the order of the fits."""

    sets: list[Weighted]
    models: list[Normal]

    def fit(self, training_set, options, draw_rng):
        model = super().fit(training_set, options, draw_rng)
        self.sets.append(training_set)
        self.models.append(model)
        return model


def watched(id: str, horizon: int, task: Gaussian | None = None) -> Watched:
    task = Watched(2, N)
    object.__setattr__(task, "sets", [])
    object.__setattr__(task, "models", [])
    found = entry(id)
    for _ in run(task, found.make, found.rules, 0, horizon):
        pass
    return task


def last_set(id: str, t: int) -> dict[int | str, Part]:
    return parts(watched(id, t).sets[-1])


@pytest.mark.parametrize(("id", "t", "expected"), [
    ("synthetic-augmentation", 4, {0: Part(N, 0.5), 3: Part(N, 0.5)}),
    ("fresh-data-0.1", 4, {"fresh": Part(2, 0.1), 3: Part(18, 0.9)}),
    ("fresh-data-0.5", 4, {"fresh": Part(10, 0.5), 3: Part(10, 0.5)}),
    ("golden-ratio", 4, {"fresh": Part(10, (math.sqrt(5) - 1) / 2), 3: Part(10, (3 - math.sqrt(5)) / 2)}),
    ("real-mass", 4, {0: Part(N, 1 / 2), 1: Part(N, 1 / 6), 2: Part(N, 1 / 6), 3: Part(N, 1 / 6)}),
    ("growing-sample", 4, {3: Part(int(N * 4**1.5), 1.0)}),
    ("anchor-0.1", 4, {0: Part(2, 0.1), 3: Part(18, 0.9)}),
    ("low-temperature-replace", 4, {3: Part(N, 1.0)}),
    ("likelihood-filter-replace", 4, {3: Part(N, 1.0)}),
    ("surprise-filter-replace", 4, {3: Part(N, 1.0)}),
    ("critical-temperature-replace", 4, {3: Part(N, 1.0)}),
    ("unbiased-covariance-replace", 4, {3: Part(N, 1.0)}),
    ("model-averaging-replace", 4, {3: Part(N, 1.0)}),
])  # fmt: skip
def test_training_sets_are_made_of_these_generations(id, t, expected):
    found = last_set(id, t)
    assert {g: part.rows for g, part in found.items()} == {g: part.rows for g, part in expected.items()}
    assert [found[g].share for g in expected] == pytest.approx([part.share for part in expected.values()])


ON_SUBSAMPLE = [
    "low-temperature", "critical-temperature", "unbiased-covariance", "self-correction", "model-averaging",
    "likelihood-filter", "surprise-filter", "anchored-resampling", "verifier-filter-1", "entropy-selection",
    "covariance-matching",
]  # fmt: skip


@pytest.mark.parametrize("id", ON_SUBSAMPLE)
def test_the_base_is_accumulate_subsample(id):
    """It chooses the same rows as accumulate-subsample, with the same weights, and differs in something else."""
    mine, base = watched(id, 5).sets[-1], watched("accumulate-subsample", 5).sets[-1]
    assert mine.rows.tolist() == base.rows.tolist()
    assert mine.weights.tolist() == base.weights.tolist()


def test_sliding_window_forgets():
    assert set(last_set("sliding-window", 9)) == {7, 8}
    assert 0 in last_set("sliding-window", 2)
    assert 0 not in last_set("sliding-window", 3)


def test_sliding_window_forgets_within_the_shortest_horizon_that_ranks(root):
    """If its window were T or longer, it would be accumulate-subsample under another name."""
    profiles = yaml.safe_load((root / "params.yaml").read_text())["profiles"]
    shortest = min(suite["horizon"] for name in ("quick", "standard") for suite in profiles[name]["suites"].values())
    assert 0 not in last_set("sliding-window", shortest)


def stratified(strata: dict[str, list[float]], n: int, horizon: int) -> float:
    """E μ²_T, d = 1, of a training set of the given masses over D0 and synthetic generations 1 … t - 1.

    M_t = Σ w_j²[1/m_j + (1 - 1/m_j) C_jj] + Σ_{i≠j} w_i w_j C_ij, here with m_j = n whole generations;
    C_it = Σ_j w_j·(C_ij, or 1/n + (1 - 1/n) C_ii where j = i), C_tt = M_t.
    """
    c = np.zeros((horizon + 1, horizon + 1))
    for t in range(1, horizon + 1):
        w = np.array(strata(t))
        points = c[:t, :t].copy()
        points[np.diag_indices(t)] = 1 / n + (1 - 1 / n) * np.diag(points)
        c[:t, t] = c[t, :t] = points @ w
        c[t, t] = w @ points @ w
    return c[horizon, horizon]


@pytest.mark.parametrize(("id", "masses"), [
    ("synthetic-augmentation", lambda t: [1.0] if t == 1 else [0.5, *[0.0] * (t - 2), 0.5]),
    ("real-mass", lambda t: [1.0] if t == 1 else [0.5, *[0.5 / (t - 1)] * (t - 1)]),
])  # fmt: skip
def test_mixtures_of_whole_generations_have_the_known_error_of_the_mean(id, masses):
    if id == "synthetic-augmentation":
        assert stratified(masses, 20, 30) == pytest.approx(0.0656, abs=5e-5)
    assert_mean(measure(Gaussian(d=2, n=20), id, SEEDS, 10, "mean_error")[:, -1] / 2, stratified(masses, 20, 10))


def test_golden_ratio_has_the_least_error_in_the_long_run():
    """E μ²_∞ of mass w on m fresh rows and 1-w on m synthetic ones is (w² + (1-w)²)/m / (1-(1-w)²(1-1/m)); w* minimizes it."""
    m, t = 10, 12

    def error(w):
        return (w**2 + (1 - w) ** 2) / m / (1 - (1 - w) ** 2 * (1 - 1 / m))

    golden = (math.sqrt(5) - 1) / 2
    errors = [error(w) for w in np.linspace(0.3, 0.95, 66)]
    assert np.linspace(0.3, 0.95, 66)[np.argmin(errors)] == pytest.approx(golden, abs=0.02)
    found = measure(Gaussian(d=1, n=2 * m), "golden-ratio", SEEDS, t, "mean_error")[:, -1]
    assert_mean(found, mixed_error(golden, m, t))


def mixed_error(w: float, m: int, horizon: int) -> float:
    """The error for m fresh rows with mass w and m rows of the last model with the rest of the mass. Iteration 1 has 2m real rows."""
    error = 1 / (2 * m)
    for _ in range(horizon - 1):
        error = w**2 / m + (1 - w) ** 2 * (1 / m + (1 - 1 / m) * error)
    return error


def test_growing_sample_keeps_the_known_share_of_variance():
    """Replace with n_k rows at iteration k: E s²_t = Π (1 - 1/n_k), which has a positive limit for n_k ∝ k^1.5."""
    rows = [int(N * k**1.5) for k in range(1, 7)]
    found = measure(Gaussian(d=1, n=N), "growing-sample", SEEDS, 6, "trace_ratio")
    assert_mean(found, np.cumprod([1 - 1 / n for n in rows]))


def test_low_temperature_cools_log_variance():
    """Replace, d = 1: E log s²_t = (t-1) log τ + t[ψ((n-1)/2) - log(n/2)]."""
    t = np.arange(1, 7)
    found = measure(Gaussian(1, 12), "low-temperature-replace", SEEDS, 6, "log_determinant_ratio")
    assert_mean(found, (t - 1) * np.log(0.9) + t * (digamma(5.5) - np.log(6)))


@pytest.mark.parametrize("d", [1, 3])
def test_critical_temperature_stops_the_drift(d):
    """Replace: E log det Σ_t keeps its value of the first fit."""
    found = measure(Gaussian(d, 12), "critical-temperature-replace", SEEDS, 6, "log_determinant_ratio")
    first = sum(digamma((12 - i) / 2) for i in range(1, d + 1)) + d * np.log(2 / 12)
    assert_mean(found, first)


def test_unbiased_covariance_keeps_the_mean_of_the_variance():
    """E Σ_t = Σ0, while maximum likelihood loses 1/n of it at every iteration."""
    assert_mean(measure(Gaussian(2, 10), "unbiased-covariance-replace", SEEDS, 6, "trace_ratio"), 1)


class Wide(KDE):
    """Reports the second moments of a generation and of the real data about the origin."""

    def diagnostics(self, model, generation, test, *, full):
        history = model.training_set.history
        real = history.examples[: history.starts[1]]
        return {"gain": float((generation**2).sum(1).mean() - (real**2).sum(1).mean()), "bandwidth": model.bandwidth}


def test_shrunk_bootstrap_does_not_widen():
    """The second moment of every generation stays near Σ0, while that of accumulate-subsample gains d·h²·H_t = 2.6 by t = 8.

    Resampling n points loses 1/n of the variance at each iteration, which gives a lower bound: 0.6/20·8 = 0.24.
    """
    found = measure(Wide("moons", 0.7, 20), "shrunk-bootstrap", 300, 8, "gain")
    mean, error = found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(300)
    assert np.all(mean < 4 * error)
    assert np.all(mean > -0.24 - 4 * error)


def test_pool_bandwidth_falls_with_the_pool():
    """h_t = h·t^(-1/(d+4))."""
    found = measure(Wide("moons", 0.5, 20), "pool-bandwidth", 1, 8, "bandwidth")[0]
    assert found == pytest.approx(0.5 * np.arange(1, 9) ** (-1 / 6))


def seen(model):
    """A model of seed 0 in the coordinates in which diagnostics are taken."""
    return Gaussian(2, N).world(stream(0, "world")).seen_from(model)


def test_self_correction_is_half_the_first_model():
    """Σ and μ are the means of the new fit's and the first model's, or nearer to the new fit's if the cap on real mass requires it."""
    task, found = watched("self-correction", 5), entry("self-correction")
    records = list(run(Gaussian(2, N), found.make, found.rules, 0, 5))
    real = records[-1]["real_share"]
    most = found.rules.max_real_share(N, 5)
    weight = min(0.5, (most - real) / (1 - real))  # as much as track labelled allows
    blended = (1 - weight) * seen(task.models[-1]).covariance + weight * seen(task.models[0]).covariance
    assert records[-1]["trace_ratio"] == pytest.approx(blended.trace() / 2)
    assert records[-1]["real_mass"] == pytest.approx((1 - weight) * real + weight)


def test_model_averaging_forgets_at_the_rate_beta():
    """Covariances average as C_t = β C_{t-1} + (1-β) fit_t."""
    task, found = watched("model-averaging", 5), entry("model-averaging")
    traces = [
        seen(model).covariance.trace() / 2 for model in task.models[1:]
    ]  # but for the harness's own of generation 0
    expected = [traces[0]]
    for fit in traces[1:]:
        expected.append(0.5 * expected[-1] + 0.5 * fit)
    assert [r["trace_ratio"] for r in run(Gaussian(2, N), found.make, found.rules, 0, 5)] == pytest.approx(expected)


def test_negative_guidance_moves_away_from_a_model_of_the_last_samples():
    """μ = (1 + w) μ_fit - w μ_other, the other fitted to generation t - 1."""
    task, found = watched("negative-guidance", 4), entry("negative-guidance")
    assert parts(task.sets[-1]) == {3: Part(N, 1.0)}
    assert task.sets[-2].rows.tolist() == watched("accumulate-subsample", 4).sets[-1].rows.tolist()
    last = list(run(Gaussian(2, N), found.make, found.rules, 0, 4))[-1]
    weight = min(0.25, found.rules.max_real_share(N, 4) / last["real_share"] - 1)  # as much as track labelled allows
    expected = (1 + weight) * seen(task.models[-2]).mean - weight * seen(task.models[-1]).mean
    assert last["real_mass"] == pytest.approx((1 + weight) * last["real_share"])
    assert last["mean_error"] == pytest.approx(expected @ expected)


@pytest.mark.parametrize(("id", "base"), [
    ("negative-guidance", "accumulate-subsample"), ("negative-guidance-accumulate", "accumulate")
])  # fmt: skip
def test_negative_guidance_helps_against_a_biased_sampler(id, base):
    """With temperature 0.9 for every entry, d=7 n=89, t=20: the loss minus the base's, paired, is below 0 by four standard errors."""
    task = Gaussian(7, 89, sampler_temperature=0.9)
    difference = (measure(task, id, 30, 20) - measure(task, base, 30, 20))[:, -1]
    assert difference.mean() < -4 * difference.std(ddof=1) / np.sqrt(30)


def test_truncated_cross_entropy_masks_sure_tokens():
    """Its effect on the language model is tested in tests/tasks/test_language_model.py."""
    assert entry("truncated-cross-entropy").make().fit_options(None) == FitOptions(token_loss_clip=0.99)


class Candidates:
    """Candidates as a strategy sees them, with given features and likelihoods."""

    def __init__(self, **worth: np.ndarray) -> None:
        self.ids = np.arange(len(next(iter(worth.values())))) * 7 + 100
        self.worth = worth

    def __len__(self) -> int:
        return len(self.ids)

    def log_likelihood(self, under: str = "current", per_token: bool = False) -> np.ndarray:
        return self.worth[under]

    def verifier_scores(self, real: float) -> np.ndarray:
        return self.worth["verifier"]

    def features(self) -> np.ndarray:
        return self.worth["features"]


class Context(NamedTuple):
    n: int
    rng: np.random.Generator
    t: int = 2


def kept(id: str, n: int, candidates: Candidates, seed: int = 0) -> list[int]:
    strategy = entry(id).make()
    found = strategy.keep(Context(n, np.random.default_rng(seed)), candidates)
    return sorted(((np.asarray(found) - 100) // 7).tolist())


@pytest.mark.parametrize("suffix", ["", "-replace"])
def test_filters_keep_the_likeliest_or_the_least_likely(suffix):
    rating = np.array([0.3, -5.0, 2.0, 1.0, -1.0, 0.0])
    assert kept("likelihood-filter" + suffix, 3, Candidates(current=rating)) == [0, 2, 3]
    assert kept("surprise-filter" + suffix, 3, Candidates(current=rating)) == [1, 4, 5]
    assert entry("surprise-filter" + suffix).make().sample_request(Context(90, None)).count == 100


@pytest.mark.parametrize(("id", "worth", "weights"), [
    ("anchored-resampling", {"first": np.log([1, 2, 4, 80.0]), "current": np.zeros(4)}, [1, 2, 4, 10]),
    ("verifier-filter-1", {"verifier": np.log([1, 2, 4, 8.0])}, [1, 2, 4, 8]),
])  # fmt: skip
def test_candidates_are_kept_in_proportion_to_their_weights(id, worth, weights):
    """One of four is kept; ratios above the clip count as the clip. 4,000 draws, four standard errors."""
    shares = np.array(weights) / sum(weights)
    draws = [kept(id, 1, Candidates(**worth), seed)[0] for seed in range(4000)]
    found = np.bincount(draws, minlength=4) / 4000
    assert np.all(np.abs(found - shares) < 4 * np.sqrt(shares * (1 - shares) / 4000))


def test_verifiers_are_as_good_as_what_they_are_trained_on():
    """The harness counts the rows of their training: v·n once in a run."""
    for id, v in [("verifier-filter-0.5", 0.5), ("verifier-filter-1", 1), ("verifier-filter-10", 10)]:
        found = entry(id)
        assert {r["verifier_rows"] for r in run(Gaussian(2, N), found.make, found.rules, 0, 3)} == {v * N}


def test_detector_resampling_takes_what_looks_real_at_most_three_times():
    """Real rows are easy to tell from far cooler samples: they fill the training set, each at most three times."""
    task, found = Watched(2, N, sampler_temperature=0.01), entry("detector-resampling")
    object.__setattr__(task, "sets", [])
    object.__setattr__(task, "models", [])
    for _ in run(task, found.make, found.rules, 0, 3):
        pass
    chosen = task.sets[-1]
    assert parts(chosen)[0].share > 0.9
    assert np.unique(chosen.rows, return_counts=True)[1].max() <= 3


def neighbour_entropy(x: np.ndarray, k: int = 5) -> float:
    distances = np.sort(np.linalg.norm(x[:, None] - x, axis=2), axis=1)[:, k]
    return float(np.log(distances).mean())


def random_subsets(count: int, n: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(1)
    return (rng.choice(count, n, replace=False) for _ in range(200))


def test_entropy_selection_keeps_more_entropy_than_any_random_subset():
    x = np.random.default_rng(0).standard_normal((80, 2))
    chosen = kept("entropy-selection", 40, Candidates(features=x))
    assert len(set(chosen)) == 40
    assert neighbour_entropy(x[chosen]) > max(neighbour_entropy(x[rows]) for rows in random_subsets(80, 40))


def test_covariance_matching_comes_nearer_to_the_real_data_than_any_random_subset():
    """Candidates with half the variance, another centre, and another scale of the features."""
    rng = np.random.default_rng(0)
    real = rng.standard_normal((40, 3)) * [1, 10, 100]
    x = rng.standard_normal((80, 3)) * [0.7, 7, 70]
    strategy = entry("covariance-matching").make()

    class Pool(Candidates):
        def sample(self, n, rng):
            return None

    strategy.training_set(Context(40, rng, t=1), Pool(features=real))
    found = strategy.keep(Context(40, rng), Candidates(features=x))
    chosen = (found - 100) // 7
    white = np.linalg.inv(np.linalg.cholesky(np.cov(real.T, ddof=0)))

    def distance(rows):
        centred = (x[rows] - real.mean(axis=0)) @ white.T
        return np.linalg.norm(centred.T @ centred / 40 - np.eye(3))

    assert len(set(chosen)) == 40
    assert distance(chosen) < min(distance(rows) for rows in random_subsets(80, 40))
