from benchmark import SampleRequest, Strategy


class LowTemperature(Strategy):
    """Accumulate-subsample, with models that are sampled below temperature 1: quality for variety. A negative control.

    Source: the sampling bias λ of Alemohammad et al., Self-consuming generative models go MAD (2023), arXiv 2307.01850.
    """

    def __init__(self, temperature):
        self.temperature = temperature

    def training_set(self, context, pool):
        return pool.sample(context.n, context.rng)

    def sample_request(self, context):
        return SampleRequest(temperature=self.temperature)
