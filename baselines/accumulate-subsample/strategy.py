from benchmark import Strategy


class AccumulateSubsample(Strategy):
    """Keep all data, and spend the same compute on every generation.

    Source: Kazdan et al., Collapse or Thrive? (ICML 2025), arXiv 2410.16713.
    """

    def training_set(self, context, pool):
        return pool.sample(context.n, context.rng)
