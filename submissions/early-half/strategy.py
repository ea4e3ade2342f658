from benchmark import Strategy


class EarlyHalf(Strategy):
    """Half of the training set is real, drawn anew; the other half synthetic, from generation g with probability ∝ 1/g.

    Early generations have drifted least, so they are trusted most; a harmonic law forgets none.
    """

    def training_set(self, context, pool):
        if context.t == 1:
            return pool.all()
        rng, half = context.rng, context.n // 2
        trust = [1 / g for g in range(1, context.t)]
        counts = rng.multinomial(context.n - half, [share / sum(trust) for share in trust])
        rows = pool.real().sample(half, rng)
        for g, count in enumerate(counts, start=1):
            rows += pool.generations(g, g + 1).sample(int(count), rng)
        return rows
