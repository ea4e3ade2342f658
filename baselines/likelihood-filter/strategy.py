import math

import numpy as np

from benchmark import SampleRequest, Strategy


class LikelihoodFilter(Strategy):
    """Accumulate-subsample; the share of candidates that their own model finds likeliest is kept. A negative control.

    Source: none published; it is what a model does that trusts its own confidence.
    """

    def __init__(self, share):
        self.share = share

    def training_set(self, context, pool):
        return pool.sample(context.n, context.rng)

    def sample_request(self, context):
        return SampleRequest(count=math.ceil(context.n / self.share))

    def keep(self, context, candidates):
        likelihood = candidates.log_likelihood(per_token=True)
        return candidates.ids[np.argsort(-likelihood)[: context.n]]
