import math

import numpy as np

from benchmark import SampleRequest, Strategy


class AnchoredResampling(Strategy):
    """Accumulate-subsample; of 2n candidates n are kept, in proportion to p(first model) / p(current model), at most `clip`.

    Importance resampling to the first model, which saw real data alone. 2n, since each candidate is rated twice.
    The n largest of log weight + Gumbel noise are a weighted draw without replacement.

    Source: sampling importance resampling, Rubin (1987); no published source in this setting.
    """

    def __init__(self, clip):
        self.clip = clip

    def training_set(self, context, pool):
        return pool.sample(context.n, context.rng)

    def sample_request(self, context):
        return SampleRequest(count=2 * context.n)

    def keep(self, context, candidates):
        first, current = candidates.log_likelihood(under="first"), candidates.log_likelihood(under="current")
        ratio = np.subtract(
            first, current, out=np.zeros(len(first)), where=np.isfinite(current)
        )  # a singular model has no density
        keys = np.minimum(ratio, math.log(self.clip)) + context.rng.gumbel(size=len(ratio))
        return candidates.ids[np.argsort(-keys)[: context.n]]
