from benchmark import Strategy


class Replace(Strategy):
    """Train on what the last model sampled, and on nothing else.

    Source: Shumailov et al., AI models collapse when trained on recursively generated data (Nature 2024).
    """

    def training_set(self, context, pool):
        return pool.latest().all()
