import numpy as np

from benchmark import SampleRequest, Strategy


class EntropySelection(Strategy):
    """Accumulate-subsample; of 2n candidates n are kept, one by one the one farthest from its k-th neighbour among the kept.

    That is greedy ascent of the nearest-neighbour entropy, which sums the logarithms of these distances.

    Source: Shi et al. (2025), arXiv 2509.16499.
    """

    def __init__(self, k):
        self.k = k

    def training_set(self, context, pool):
        return pool.sample(context.n, context.rng)

    def sample_request(self, context):
        return SampleRequest(count=2 * context.n)

    def keep(self, context, candidates):
        x = candidates.features()
        squares = (x**2).sum(axis=1)
        kept = [int(context.rng.integers(len(x)))]
        nearest = np.full((self.k, len(x)), np.inf)  # squared distances to the k nearest kept ones, increasing
        while len(kept) < context.n:
            new = squares - 2 * x @ x[kept[-1]] + squares[kept[-1]]
            new[kept[-1]] = -np.inf  # is kept: never again
            for row in nearest:
                farther = np.maximum(row, new)
                np.minimum(row, new, out=row)
                new = farther
            farthest = nearest[min(self.k, len(kept)) - 1]
            farthest = np.where(nearest[0] == -np.inf, -np.inf, farthest)
            kept.append(int(farthest.argmax()))
        return candidates.ids[kept]
