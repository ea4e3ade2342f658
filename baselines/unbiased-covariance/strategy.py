from benchmark import FitOptions, Strategy


class UnbiasedCovariance(Strategy):
    """Accumulate-subsample with Bessel's correction: the covariance divides by n - 1.

    Source: none published as a remedy; Bessel's correction.
    """

    def training_set(self, context, pool):
        return pool.sample(context.n, context.rng)

    def fit_options(self, context):
        return FitOptions(ddof=1)
