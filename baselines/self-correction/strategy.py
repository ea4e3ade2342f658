import numpy as np

from benchmark import FitOptions, Strategy


class SelfCorrection(Strategy):
    """Accumulate-subsample; every model is blended with the first, which saw real data alone, with weight γ/(1+γ).

    Or with as much of that as track `labelled` allows: a training set of real share r, blended with weight w, rests on real rows to
    (1 - w)·r + w.

    Source: Gillman et al. (2024), arXiv 2402.07087: samples x become (x + γ·corrected(x)) / (1 + γ). Here the model is corrected.
    """

    def __init__(self, gamma):
        self.weight = gamma / (1 + gamma)

    def setup(self, spec):
        self.rules = spec.rules

    def training_set(self, context, pool):
        rows = pool.sample(context.n, context.rng)
        self.real = np.isin(np.asarray(rows), pool.real().ids).mean()
        return rows

    def fit_options(self, context):
        most = self.rules.max_real_share(context.n, context.t)
        allowed = (most - self.real) / (1 - self.real) if self.real < 1 else 1.0
        return FitOptions(blend=("first", min(self.weight, allowed)))
