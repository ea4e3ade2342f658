"""Kernel density estimation with a Gaussian kernel, on synthetic data sets.

Source: Kazdan et al., Collapse or Thrive? (ICML 2025), section 3.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Interval

from benchmark.core.history import Examples, History, Weighted, real_data_only
from benchmark.core.requests import NEUTRAL_REQUEST
from benchmark.core.task import Sampled, Start
from benchmark.errors import ContractBroken
from benchmark.tasks.arrays import Matrix, Vector
from benchmark.tasks.kde.data_sets import COMPONENTS, DATA_SETS
from benchmark.tasks.kde.diagnostics import neighbour_diagnostics, share_near, tree_of
from benchmark.tasks.kde.kernels import LEAST_SHARE, RULES, KernelDensity, score_samples
from benchmark.tasks.kde.sampling import draw_rows, refuse_too_little_noise, shrunk

if TYPE_CHECKING:
    from numpy.random import Generator

    from benchmark.core.requests import FitOptions, SampleRequest

Rule = Literal["scott", "silverman"]
HELD_OUT = 500
NEAR = 0.1
"""In neutral bandwidths: a row nearer than this to a real one may be a copy of it."""
NEUTRAL_ROWS = 2000


@dataclass(frozen=True)
class KDE:
    """An instance: a data set, a bandwidth (a number, or a rule that depends on the number of rows), n examples in a generation."""

    kind: ClassVar[Literal["vectors", "text"]] = "vectors"
    unit: ClassVar[str] = "nats per example"
    knobs: ClassVar[frozenset[str]] = frozenset(
        {"bandwidth_rule", "bandwidth_factor", "temperature", "preserve_variance", "blend"}
    )
    seeds_per_cell: ClassVar[int] = 10
    files: ClassVar[dict[str, Path]] = {}

    data: Literal["blobs", "circles", "curves", "moons", "swiss_roll"]
    bandwidth: Annotated[float, Interval(ge=1e-4, le=1e4)] | Rule
    n: Annotated[int, Interval(ge=2, le=10**7)]  # diagnostics need a neighbour
    sampler_temperature: Annotated[float, Interval(ge=0.01, le=100)] = 1.0
    """By which the instance's sampler multiplies every entry's own temperature."""
    blobs_share_centres: bool = True
    """False as published: then held-out blobs have other centres than the training blobs."""
    densities: Literal["exact", "scikit-learn"] = "exact"
    """`scikit-learn` as published: then the test loss, and nothing else, is wrong far from the data (see `score_samples`)."""

    @property
    def name(self) -> str:
        sampler = "" if self.sampler_temperature == 1 else f" τ={self.sampler_temperature}"
        published = "" if self.blobs_share_centres else " as published"
        densities = "" if self.densities == "exact" else f" densities={self.densities}"
        return f"{self.data} h={self.bandwidth} n={self.n}{sampler}{published}{densities}"

    @property
    def dimension(self) -> int:
        return 3 if self.data == "swiss_roll" else 2

    def world(self, rng: "Generator") -> Examples:
        """Two sets of three cluster centres, uniform in [-10, 10]², shape (2, 3, 2). Only blobs and curves use them."""
        return rng.uniform(-10, 10, (2, 3, 2))

    def real_data(self, world: Examples, count: int, rng: "Generator", skip: int = 0) -> Examples:
        """Shape (count, dimension)."""
        return DATA_SETS[self.data](world[0], count, rng)

    def held_back(self, world: Examples, count: int, rng: "Generator") -> Examples:
        return self.real_data(world, count, rng)

    def held_out(self, world: Examples, rng: "Generator") -> Examples:
        """500 points, shape (500, dimension)."""
        return DATA_SETS[self.data](world[0 if self.blobs_share_centres else 1], HELD_OUT, rng)

    def fit(self, training_set: Weighted, options: "FitOptions", draw_rng: Callable[[], "Generator"]) -> KernelDensity:
        bandwidth = neutral = self._by(self.bandwidth, training_set)
        if options.bandwidth_rule is not None:
            bandwidth = self._by(options.bandwidth_rule, training_set)
        bandwidth *= options.bandwidth_factor
        return KernelDensity(training_set, bandwidth, bandwidth / neutral)

    def _by(self, rule: float | Rule, training_set: Weighted) -> float:
        return rule if isinstance(rule, (int, float)) else RULES[rule](training_set, self.dimension)

    def test_loss(self, model: KernelDensity, test: Examples) -> float:
        """Mean of -log p(x) over the test points, in nats per example."""
        log_density = model.log_density_at_test if self.densities == "exact" else partial(score_samples, model)
        return -float(log_density(test).mean())

    def simplest_loss(self, real: Examples, test: Examples) -> float:
        """The loss of one Gaussian, fitted to the real data by maximum likelihood."""
        from scipy.stats import multivariate_normal

        normal = multivariate_normal(real.mean(axis=0), np.cov(real.T, ddof=0), allow_singular=True)
        return -float(normal.logpdf(test).mean())

    def sample(self, model: KernelDensity, count: int, request: "SampleRequest", rng: "Generator") -> Sampled:
        """Rows of the training set plus N(0, τh²I); shape (count, dimension).

        Raises:
            ContractBroken: there is so little noise that training rows, real ones among them, would come back as synthetic.
        """
        parts = model.parts
        for _, part in parts:
            refuse_too_little_noise(request.temperature * part.factor**2)
        if len(parts) == 1:
            return Sampled(self._sample_of(model, count, request, rng), {})
        shares = np.array([share for share, _ in parts])
        part_of = rng.choice(len(parts), count, p=shares / shares.sum())
        examples = np.empty((count, self.dimension))
        for k, (_, part) in enumerate(parts):
            examples[part_of == k] = self._sample_of(part, int((part_of == k).sum()), request, rng)
        return Sampled(examples, {})

    def _sample_of(self, part: KernelDensity, count: int, request: "SampleRequest", rng: "Generator") -> Examples:
        temperature = request.temperature * self.sampler_temperature
        rows = draw_rows(part.training_set, count, rng)
        noise = rng.standard_normal((count, self.dimension))
        noise *= np.sqrt(temperature) * part.bandwidth
        examples: Examples = part.training_set.history.examples[rows] + noise
        return shrunk(examples, part, temperature) if request.preserve_variance else examples

    def features(self, examples: Examples, rng: "Generator") -> Matrix:
        """The examples under a random rotation, scale e⁻¹ to e and shift, so that knowing the shape of "two moons" is no shortcut."""
        turned = np.linalg.qr(rng.standard_normal((self.dimension, self.dimension)))[0]
        scale, offset = np.exp(rng.uniform(-1, 1)), 10 * rng.standard_normal(self.dimension)
        return np.asarray(scale * examples @ turned + offset)

    def log_likelihood(self, model: KernelDensity, examples: Examples, per_token: bool) -> Vector:
        """An example is one token."""
        return model.log_density(examples)

    def log_ratio(self, held_back: Examples, model: KernelDensity, examples: Examples) -> Vector:
        """Against kernels of the model's bandwidth on the held-back examples."""
        real = KernelDensity(real_data_only(History(held_back)), model.bandwidth)
        return real.log_density(examples) - model.log_density(examples)

    def blend(self, model: KernelDensity, other: KernelDensity, weight: float) -> KernelDensity:
        """A mixture. Parts of negligible share are left out, so that a long chain of blends stays short."""
        parts = [(weight * share, part) for share, part in other.parts]
        others = tuple((share, replace(part, others=())) for share, part in parts if share > LEAST_SHARE)
        return replace(model, others=others)

    def away(self, model: KernelDensity, other: KernelDensity, weight: float) -> KernelDensity:
        raise NotImplementedError("a difference of densities is no density: `knobs` has no 'negative'")

    def diagnostics(self, model: KernelDensity, generation: Examples, start: Start, *, full: bool) -> dict[str, float]:
        """Bandwidth, covariance trace of the generation, and the share of its rows that copy real ones.

        With `full` also the distance to the nearest real rows, repeated rows, entropy, precision, recall and entanglement.
        """
        centred = generation - generation.mean(axis=0)
        cheap = {
            "bandwidth": model.bandwidth,
            "covariance_trace": float(np.vdot(centred, centred)) / len(generation),
            "copied_share": share_near(self._real_rows(start)[0], generation, NEAR * start.model.bandwidth),
        }
        return cheap | (self._full_diagnostics(generation, start) if full else {})

    def _full_diagnostics(self, generation: Examples, start: Start) -> dict[str, float]:
        to_real = self._real_rows(start)[0].query(generation)[0]
        return {
            "nearest_real": float(np.median(to_real)) / start.model.bandwidth,
            "repeated_share": 1 - len(np.unique(generation, axis=0)) / len(generation),
            **neighbour_diagnostics(generation, start.test),
            **self._entanglement(generation, start),
        }

    def refuse_copies(self, generation: Examples, start: Start) -> None:
        """Refuse a generation in which too many rows are within a tenth of the neutral bandwidth of a real row.

        Too many means more, by five standard deviations, than both of these: what the neutral sampler has at iteration 1, and the number of
        rows that are as near to one of equally many held-out real rows. The second excuses rows that are merely where real rows are dense.
        """
        from scipy.stats import binom, norm

        tree, neutral = self._real_rows(start)
        n, distance = len(generation), NEAR * start.model.bandwidth
        copied = share_near(tree, generation, distance)
        if copied <= neutral:
            return
        most = float(binom.isf(norm.sf(5), n, neutral)) / n
        m = min(len(start.real), len(start.test))
        among, held_out = (share_near(tree_of(rows[:m]), generation, distance) for rows in (start.real, start.test))
        if copied > most and among - held_out > 5 * np.sqrt(2 * max(held_out, 1 / n) / n):
            raise ContractBroken(
                f"{copied:.3g} of the rows are within {NEAR} bandwidths of a real row: expected at most {most:.3g}. More than that are "
                "real rows labelled as synthetic."
            )

    def _real_rows(self, start: Start) -> tuple[Any, float]:
        """A tree of generation 0, and the share of the neutral sampler's rows near one of its rows, plus three standard errors."""
        known = start.model.training_set.history.memo
        if "real rows" not in known:
            tree, rng = tree_of(start.real), np.random.default_rng(0)
            neutral = self._sample_of(start.model, NEUTRAL_ROWS, NEUTRAL_REQUEST, rng)
            share = share_near(tree, neutral, NEAR * start.model.bandwidth)
            known["real rows"] = tree, share + 3 * np.sqrt(max(share, 1 / NEUTRAL_ROWS) / NEUTRAL_ROWS)
        found: tuple[Any, float] = known["real rows"]
        return found

    def _entanglement(self, generation: Examples, start: Start) -> dict[str, float]:
        """The share of the generation that is between modes.

        A row is between modes if the nearest test point of another component is less than twice as far as the nearest of all.
        """
        from scipy.spatial import cKDTree

        if self.data not in COMPONENTS:
            return {}
        places, labels = COMPONENTS[self.data](start.world[0 if self.blobs_share_centres else 1])
        of_test = labels[cKDTree(places).query(start.test)[1]]
        apart = np.sort([cKDTree(start.test[of_test == c]).query(generation)[0] for c in np.unique(of_test)], axis=0)
        return {"entanglement": float((apart[1] < 2 * apart[0]).mean())}

    def show(self, generation: Examples) -> list[str]:
        return []
