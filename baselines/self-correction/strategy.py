from benchmark import FitOptions, Strategy


class SelfCorrection(Strategy):
    """Accumulate-subsample; every model is blended with the first, which saw real data alone, with weight γ/(1+γ).

    Source: Gillman et al. (2024), arXiv 2402.07087: samples x become (x + γ·corrected(x)) / (1 + γ). Here the model is corrected.
    """

    def __init__(self, gamma):
        self.weight = gamma / (1 + gamma)

    def training_set(self, context, pool):
        return pool.sample(context.n, context.rng)

    def fit_options(self, context):
        return FitOptions(blend=("first", self.weight))
