from benchmark import Strategy


class FreshData(Strategy):
    """Train on the share `fresh` of new real data, bought at every iteration, and on the last model's samples for the rest.

    Source: the fresh-data loop of Alemohammad et al. (2023); Briesch et al. (2023).
    """

    def __init__(self, fresh):
        self.fresh = fresh

    def training_set(self, context, pool):
        if context.t == 1:
            return pool.all()
        bought = context.buy_real(round(self.fresh * context.n))
        latest = pool.latest()  # with what was bought then
        synthetic = latest.ids[~latest.is_real()]
        return bought.all() + pool.rows(context.rng.choice(synthetic, context.n - len(bought), replace=False))
