"""What describes a generation of texts, and the model that wrote it, beside the test loss."""

import math
from collections.abc import Iterable

import numpy as np

from benchmark.core.history import Examples
from benchmark.core.task import Start
from benchmark.tasks.language_model.data import Ids, Network, Pairs
from benchmark.tasks.language_model.training import mean_loss, negative_log_likelihoods


def variety(texts: list[str], rows: list[Ids]) -> dict[str, float]:
    """Variety of texts and of their token ids."""
    tokens = np.concatenate([row[1:] for row in rows])
    pairs = np.concatenate([np.column_stack([row[:-1], row[1:]]) for row in rows])
    share = np.unique(tokens, return_counts=True)[1] / len(tokens)
    words = " ".join(texts).split()
    return {
        "distinct_2": len(np.unique(pairs, axis=0)) / len(pairs),  # Li et al. 2016
        "type_token_ratio": len(set(words)) / len(words),
        "mean_length": len(tokens) / len(rows),  # tokens, end of text included
        "token_entropy": float(-(share * np.log(share)).sum()),  # nats
        "duplicate_rate": 1 - len(set(texts)) / len(texts),
    }


def copied_share(generation: Examples, real: Examples) -> float:
    """The share of a generation that real texts say to the letter."""
    return float(np.isin(generation.astype(str), real.astype(str)).mean())


def surprise(model: Network, rows: list[Ids], start: Start, at_once: int) -> dict[str, float]:
    """How surprising a generation is to its own model, and to the neutral fit on real data (nats per token); and the
    test loss on the tenth of the test texts that surprises that fit most (per token). Costs a pass of each model.
    """
    nats, tokens = negative_log_likelihoods(start.model, start.test, at_once)
    rare = [start.test[i] for i in np.argsort(-nats / tokens, kind="stable")[: max(1, len(tokens) // 10)]]
    return {
        "self_perplexity": math.exp(mean_loss(model, rows, at_once)),
        "reference_surprise": mean_loss(start.model, rows, at_once),
        "rare_loss": mean_loss(model, rare, at_once),
    }


def question_recall(layout: Pairs, generation: Iterable[str], test: Iterable[str]) -> float:
    """The share of the test texts' questions that some example of a generation asks, whatever it asks them of."""
    of_test = {layout.question(text) for text in test}
    return len(of_test & {layout.question(text) for text in generation}) / len(of_test)
