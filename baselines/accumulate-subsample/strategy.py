from benchmark import Strategy


class AccumulateSubsample(Strategy):
    """Keep all data, and spend the same compute on every generation."""

    def training_set(self, context, pool):
        return pool.sample(context.n, context.rng)
