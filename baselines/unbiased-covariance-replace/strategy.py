from benchmark import FitOptions, Strategy


class UnbiasedCovarianceReplace(Strategy):
    """Replace with Bessel's correction: the mean of the variance stays, and its logarithm falls.

    Source: none published as a remedy; Bessel's correction.
    """

    def training_set(self, context, pool):
        return pool.latest().all()

    def fit_options(self, context):
        return FitOptions(ddof=1)
