from benchmark import Strategy


class Accumulate(Strategy):
    """Keep all data, real and synthetic, and train on all of it."""

    def training_set(self, context, pool):
        return pool.all()
