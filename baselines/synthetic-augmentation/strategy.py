from benchmark import Strategy


class SyntheticAugmentation(Strategy):
    """Train on the real data, and on the last model's samples beside them, `ratio` as many.

    Source: the loop with fixed real data of Alemohammad et al. (2023); Bertrand et al. (2023) call `ratio` λ.
    """

    def __init__(self, ratio):
        self.ratio = ratio

    def training_set(self, context, pool):
        if context.t == 1:
            return pool.all()
        return pool.real().all() + pool.latest().sample(round(self.ratio * context.n), context.rng)
