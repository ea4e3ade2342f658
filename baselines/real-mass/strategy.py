from benchmark import Strategy, TrainingSet


class RealMass(Strategy):
    """Train on all there is: the real data with mass `real`, everything synthetic with the rest.

    Source: none published; golden-ratio without fresh data, at a fixed mass.
    """

    def __init__(self, real):
        self.real = real

    def training_set(self, context, pool):
        if context.t == 1:
            return pool.all()
        real, synthetic = pool.real(), pool.generations(1, context.t)
        real = TrainingSet(real.all(), self.real / len(real))
        return real + TrainingSet(synthetic.all(), (1 - self.real) / len(synthetic))
