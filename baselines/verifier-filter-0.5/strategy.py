import numpy as np

from benchmark import SampleRequest, Strategy


class VerifierFilter(Strategy):
    """Accumulate-subsample; of 4n candidates n are kept, in proportion to p(real) / p(model) as a verifier estimates it.

    The verifier is trained on `real`·n real examples that are held back from everyone else. A weighted draw instead of the
    n best: those are all alike. The n largest of log weight + Gumbel noise are such a draw without replacement.

    Source: Feng et al., Beyond model collapse (2024), arXiv 2406.07515; Yi et al. (2025), arXiv 2510.16657.
    """

    def __init__(self, real):
        self.real = real

    def training_set(self, context, pool):
        return pool.sample(context.n, context.rng)

    def sample_request(self, context):
        return SampleRequest(count=4 * context.n)

    def keep(self, context, candidates):
        keys = candidates.verifier_scores(self.real) + context.rng.gumbel(size=len(candidates))
        return candidates.ids[np.argsort(-keys)[: context.n]]
