from benchmark import FitOptions, Strategy


class PoolBandwidth(Strategy):
    """Accumulate-subsample; the bandwidth falls with the size N of the whole pool as N^(-1/(d+4)), so that its drift is bounded.

    Source: the rate of Scott and Silverman, relative to iteration 1.
    """

    def setup(self, spec):
        self.power = -1 / (spec.dimension + 4)

    def training_set(self, context, pool):
        self.growth = len(pool) / context.n
        return pool.sample(context.n, context.rng)

    def fit_options(self, context):
        return FitOptions(bandwidth_factor=self.growth**self.power)
