from benchmark import FitOptions, Strategy


class ModelAveraging(Strategy):
    """Accumulate-subsample with an exponential average of models: `beta` of the last one, the rest of the new fit.

    Source: none published in this setting; the average is that of Polyak and Juditsky (1992), forgetting exponentially.
    """

    def __init__(self, beta):
        self.beta = beta

    def training_set(self, context, pool):
        return pool.sample(context.n, context.rng)

    def fit_options(self, context):
        return FitOptions(blend=("previous", self.beta))
