from benchmark import SampleRequest, Strategy


class LowTemperatureReplace(Strategy):
    """Replace, with models that are sampled below temperature 1: a negative control."""

    def __init__(self, temperature):
        self.temperature = temperature

    def training_set(self, context, pool):
        return pool.latest().all()

    def sample_request(self, context):
        return SampleRequest(temperature=self.temperature)
