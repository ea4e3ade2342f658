import math

from benchmark import Strategy, TrainingSet


class GoldenRatio(Strategy):
    """Fresh real rows for half of the training set, with the mass that is optimal in the long run.

    w* = (√(k² + 4k) - k) / 2 for k real rows to a synthetic one: .618 for k = 1.

    Source: He, Xu and Cheng (2025); Garg et al. (2025).
    """

    def training_set(self, context, pool):
        if context.t == 1:
            return pool.all()
        fresh = context.buy_real(context.n // 2)
        latest = pool.latest()  # with what was bought then
        synthetic = context.rng.choice(latest.ids[~latest.is_real()], context.n - len(fresh), replace=False)
        k = len(fresh) / len(synthetic)
        w = (math.sqrt(k**2 + 4 * k) - k) / 2
        return TrainingSet(fresh.all(), w / len(fresh)) + TrainingSet(synthetic, (1 - w) / len(synthetic))
