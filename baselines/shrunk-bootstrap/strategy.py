from benchmark import SampleRequest, Strategy


class ShrunkBootstrap(Strategy):
    """Accumulate-subsample; samples are shrunk towards the mean, so that the kernel adds no variance.

    Source: Silverman and Young, The bootstrap: to smooth or not to smooth? (1987), section 2.
    """

    def training_set(self, context, pool):
        return pool.sample(context.n, context.rng)

    def sample_request(self, context):
        return SampleRequest(preserve_variance=True)
