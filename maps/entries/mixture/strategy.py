from benchmark import SampleRequest, Strategy


class Mixture(Strategy):
    """Train on `real`·n rows of the real data, drawn anew, and on `synthetic`·n of the last model's samples.

    With `synthetic` = 1 - `real` it is the 10 % arm of Shumailov et al. (2024) at any share (baselines/anchor-0.5); with `real` = 1
    the loop with fixed real data of Alemohammad et al. (2023) at any ratio (baselines/synthetic-augmentation).
    """

    def __init__(self, real, synthetic):
        self.real = real
        self.synthetic = synthetic

    def _counts(self, n):
        real = round(self.real * n)
        return real, round((self.real + self.synthetic) * n) - real

    def training_set(self, context, pool):
        if context.t == 1:
            return pool.all()
        real, synthetic = self._counts(context.n)
        return pool.real().sample(real, context.rng) + pool.latest().sample(synthetic, context.rng)

    def sample_request(self, context):
        return SampleRequest(count=max(context.n, self._counts(context.n)[1]))

    def keep(self, context, candidates):
        return candidates.first(len(candidates))
