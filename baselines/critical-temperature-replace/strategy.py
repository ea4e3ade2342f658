import math

from benchmark import SampleRequest, Strategy


class CriticalTemperatureReplace(Strategy):
    """Replace, sampled at the temperature at which it loses no log-volume on average: the drift is gone, the random walk remains.

    τ = exp(log(n/2) - (1/d) Σ_i≤d ψ((n - i)/2)), for E log det of a fitted covariance is that much too small (d log 2/n + Σ ψ).
    Where n ≤ d a fit is singular and no temperature helps: 1.

    Source: E log det of a Wishart matrix, Bishop (2006), eq. B.81; no published source as a remedy.
    """

    def setup(self, spec):
        from scipy.special import digamma

        n, d = spec.n, spec.dimension
        drift = sum(digamma((n - i) / 2) for i in range(1, d + 1)) / d if n > d else math.log(n / 2)
        self.temperature = math.exp(math.log(n / 2) - drift)

    def training_set(self, context, pool):
        return pool.latest().all()

    def sample_request(self, context):
        return SampleRequest(temperature=self.temperature)
