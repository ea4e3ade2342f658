from benchmark import SampleRequest, Strategy


class GrowingSample(Strategy):
    """Replace, with a sample that grows as n·t^(1+s), so that the errors of all iterations have a finite sum.

    Source: Xu et al. (2025), arXiv 2505.13947: any s above 0 will do.
    """

    def __init__(self, s):
        self.s = s

    def training_set(self, context, pool):
        return pool.latest().all()

    def sample_request(self, context):
        return SampleRequest(count=int(context.n * (context.t + 1) ** (1 + self.s)))

    def keep(self, context, candidates):
        return candidates.all()
