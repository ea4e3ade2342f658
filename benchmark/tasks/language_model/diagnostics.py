"""How varied texts are."""

import numpy as np

from benchmark.tasks.language_model.data import Ids


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
