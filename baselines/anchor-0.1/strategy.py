from benchmark import Strategy


class Anchor(Strategy):
    """Train on the share `alpha` of real data, drawn anew, and on the last model's samples for the rest.

    Source: the 10 % arm of Shumailov et al., AI models collapse when trained on recursively generated data (Nature 2024).

    Source: Shumailov et al., AI models collapse when trained on recursively generated data (Nature 2024), with more real data.
    """

    def __init__(self, alpha):
        self.alpha = alpha

    def training_set(self, context, pool):
        if context.t == 1:
            return pool.all()
        real = int(self.alpha * context.n)  # rounded up, half of an odd n would be more than half
        return pool.real().sample(real, context.rng) + pool.latest().sample(context.n - real, context.rng)
