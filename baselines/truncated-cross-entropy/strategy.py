from benchmark import FitOptions, Strategy


class TruncatedCrossEntropy(Strategy):
    """Accumulate-subsample; tokens that the model already gives more than `clip` are left out of the loss.

    Source: ForTIFAI (2025), arXiv 2509.08972.
    """

    def __init__(self, clip):
        self.clip = clip

    def training_set(self, context, pool):
        return pool.sample(context.n, context.rng)

    def fit_options(self, context):
        return FitOptions(token_loss_clip=self.clip)
