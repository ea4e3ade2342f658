from benchmark import Strategy


class SlidingWindow(Strategy):
    """Train on n rows of the last `window` generations: real data are forgotten, only more slowly. A negative control.

    Source: none published; a control.
    """

    def __init__(self, window):
        self.window = window

    def training_set(self, context, pool):
        return pool.generations(max(0, context.t - self.window), context.t).sample(context.n, context.rng)
