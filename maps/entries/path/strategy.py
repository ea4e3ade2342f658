from benchmark import Strategy


class Path(Strategy):
    """Train on n rows as the phases say, from iteration 2 on: [["replace", 3], ["real", 2]] is three iterations of replace and two with real rows.

    accumulate: n rows of all generations. replace: the last model's n samples. real: half of the rows are new real ones, which are bought,
    the rest samples of the last model. After the last phase: all rows there are.
    """

    def __init__(self, phases):
        self.kinds = [kind for kind, iterations in phases for _ in range(iterations)]

    def training_set(self, context, pool):
        step = context.t - 2
        if not 0 <= step < len(self.kinds):
            return pool.all()
        if self.kinds[step] == "accumulate":
            return pool.sample(context.n, context.rng)
        latest = pool.latest()  # with what was bought then
        synthetic = latest.ids[~latest.is_real()]
        if self.kinds[step] == "replace":
            return pool.rows(synthetic)
        bought = context.buy_real(context.n // 2)
        return bought.all() + pool.rows(context.rng.choice(synthetic, context.n - len(bought), replace=False))
