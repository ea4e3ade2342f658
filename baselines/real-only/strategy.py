from benchmark import Strategy


class RealOnly(Strategy):
    """Train on the real data for ever, and ignore everything synthetic.

    Source: none; a reference line.
    """

    def training_set(self, context, pool):
        return pool.real().all()
