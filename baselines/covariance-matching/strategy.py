import numpy as np

from benchmark import SampleRequest, Strategy


class CovarianceMatching(Strategy):
    """Accumulate-subsample; of 2n candidates n are kept whose covariance is near that of the real data.

    Greedy (herding): the next one is that whose products of features make up best for what is missing so far. In the
    `dims` principal directions of the real data, where there are more.

    Source: arXiv 2510.08123 (2025), where a shift of the covariance matters and one of the mean does not.
    """

    def __init__(self, dims):
        self.dims = dims

    def training_set(self, context, pool):
        if context.t == 1:
            x = pool.features()
            self.centre = x.mean(axis=0)
            _, scale, axes = np.linalg.svd(x - self.centre, full_matrices=False)
            self.whiten = axes[: self.dims].T / scale[: self.dims] * np.sqrt(len(x))
        return pool.sample(context.n, context.rng)

    def sample_request(self, context):
        return SampleRequest(count=2 * context.n)

    def keep(self, context, candidates):
        z = (candidates.features() - self.centre) @ self.whiten  # covariance of the real data: the identity
        i, j = np.triu_indices(z.shape[1])
        products = z[:, i] * z[:, j] * np.where(i == j, 1, np.sqrt(2))
        target = (i == j).astype(float)
        fit = products @ target - 0.5 * (products**2).sum(axis=1)
        missing, free, kept = np.zeros(len(target)), np.ones(len(z), bool), []
        while len(kept) < context.n:
            best = int(np.where(free, products @ missing + fit, -np.inf).argmax())
            free[best] = False
            kept.append(best)
            missing += target - products[best]
        return candidates.ids[kept]
