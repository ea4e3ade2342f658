from benchmark import Strategy


class Accumulate(Strategy):
    """Keep all data, real and synthetic, and train on all of it.

    Source: Gerstgrasser et al., Is model collapse inevitable? (2024), arXiv 2404.01413.
    """

    def training_set(self, context, pool):
        return pool.all()
