import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures, StandardScaler

from benchmark import Strategy


class DetectorResampling(Strategy):
    """Resample the pool in proportion to (1 - p)^b, p a detector's probability that a row is synthetic, each row at most `repeats` times.

    The detector is a logistic regression on features and their products, of the real data against the latest generation.

    Source: Drayson et al., Machine-generated text detection prevents language model collapse (2025), arXiv 2502.15654. They
    upsample by 1.5; a fixed budget has room for 1.
    """

    def __init__(self, b, repeats):
        self.b = b
        self.repeats = repeats

    def training_set(self, context, pool):
        if context.t == 1:
            return pool.all()
        rows = np.asarray(pool.sample(min(4 * context.n, len(pool)), context.rng))
        detector = _detector(pool.features(pool.real().all()), pool.features(pool.latest().all()))
        log_real = -np.logaddexp(0, detector.decision_function(pool.features(rows)))  # log(1 - p)
        copies = np.repeat(rows, self.repeats)
        keys = np.repeat(self.b * log_real, self.repeats) + context.rng.gumbel(size=len(copies))
        return copies[np.argsort(-keys)[: context.n]]


def _detector(real, synthetic):
    few = real.shape[1] <= 32
    steps = [StandardScaler(), PolynomialFeatures(2, include_bias=False)] if few else [FunctionTransformer()]
    is_synthetic = np.repeat([0, 1], [len(real), len(synthetic)])
    return make_pipeline(*steps, LogisticRegression(max_iter=1000)).fit(np.concatenate([real, synthetic]), is_synthetic)
