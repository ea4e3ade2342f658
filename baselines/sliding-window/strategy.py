from benchmark import Strategy


class SlidingWindow(Strategy):
    """Train on n rows of the last `window` generations: real data is forgotten, only more slowly than by replace. A control.

    Where the window is at least T, it is accumulate-subsample: the card's window is less than the smallest T of the board, 4.

    Source: none published.
    """

    def __init__(self, window):
        self.window = window

    def training_set(self, context, pool):
        return pool.generations(max(0, context.t - self.window), context.t).sample(context.n, context.rng)
