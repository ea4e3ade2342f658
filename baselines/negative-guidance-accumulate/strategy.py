from benchmark import FitOptions, Strategy, TrainingSet


class NegativeGuidanceAccumulate(Strategy):
    """Accumulate, then away from a model of the last model's samples: model + weight·(model - that one).

    Source: Alemohammad et al., Self-improving diffusion models with synthetic data (2024); Neon (2025), arXiv 2510.03597.
    """

    def __init__(self, weight):
        self.weight = weight

    def training_set(self, context, pool):
        self.own = TrainingSet(pool.latest().sample(context.n, context.rng))
        return pool.all()

    def fit_options(self, context):
        if context.t == 1:  # no model has sampled yet
            return FitOptions()
        return FitOptions(negative=(self.own, self.weight))
