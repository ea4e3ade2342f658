import numpy as np

from benchmark import FitOptions, Strategy, TrainingSet


class NegativeGuidance(Strategy):
    """Accumulate-subsample, then away from a model of the last model's samples: model + weight·(model - that one).

    Or with as much weight as track `labelled` allows: with a training set of real share r the model rests on real rows to
    (1 + weight)·r, since what it moves away from has none.

    Source: Alemohammad et al., Self-improving diffusion models with synthetic data (2024); Neon (2025), arXiv 2510.03597.
    """

    def __init__(self, weight):
        self.weight = weight

    def setup(self, spec):
        self.rules = spec.rules

    def training_set(self, context, pool):
        self.own = TrainingSet(pool.latest().sample(context.n, context.rng))
        rows = pool.sample(context.n, context.rng)
        self.real = np.isin(np.asarray(rows), pool.real().ids).mean()
        return rows

    def fit_options(self, context):
        if context.t == 1:  # no model has sampled yet
            return FitOptions()
        most = self.rules.max_real_share(context.n, context.t)
        allowed = most / self.real - 1 if self.real > 0 else self.weight
        return FitOptions(negative=(self.own, max(0.0, min(self.weight, allowed))))
