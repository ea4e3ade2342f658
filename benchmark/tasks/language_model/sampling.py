"""Samples of a network, each decided by its own row of uniform numbers."""

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import ThriveError
from benchmark.tasks.language_model.data import Base, Ids, Network

if TYPE_CHECKING:
    from torch import Tensor

LARGEST_BATCH = 512
"""Samples that are drawn together; memory for their keys and values is what limits it."""


class Decoder:
    """Continues some rows, one token at a time, as transformers does it; `llama.Decoder` has the same methods."""

    def __init__(self, network: Network) -> None:
        from transformers import DynamicCache

        self.network = network
        self.cache = DynamicCache(config=network.config)

    def logits(self, last: "Tensor") -> "Tensor":
        """Of the token after the last of each row, shape (rows, vocabulary)."""
        found = self.network(input_ids=last[:, None], past_key_values=self.cache, use_cache=True).logits
        return found[:, -1]  # type: ignore[no-any-return]

    def keep(self, rows: "Tensor") -> "Tensor":
        """Forget the other rows. Returns the old places of those that stay, in their order."""
        self.cache.batch_select_indices(rows)
        return rows


def draw(
    network: Network,
    base: Base,
    uniforms: NDArray[np.float64],
    temperature: float,
    top_p: float,
    *,
    bfloat16: bool = False,
) -> list[Ids | None]:
    """One sample for each row of uniforms, by inverse distribution function; None where it did not end in time.

    Token j of sample i is decided by uniforms[i, j] alone, so a sample does not depend on the others, nor on how many
    are drawn together. Samples all begin together, so none is padded, and a finished one leaves the batch.

    Args:
        uniforms: in [0, 1), shape (samples, most tokens).

    Raises:
        ThriveError: weights are not finite, so that there is no distribution to draw from.
    """
    import torch

    from benchmark.tasks.language_model import llama

    if not all(bool(weights.isfinite().all()) for weights in network.parameters()):
        raise ThriveError("weights of the model are not finite: its fit diverged. Lower learning_rate.")
    device = network.device
    noise = torch.from_numpy(uniforms).to(device)
    drawn = torch.full(uniforms.shape, base.end, device=device)
    alive = torch.arange(len(uniforms), device=device)
    last = torch.full((len(uniforms),), base.begin, device=device)
    decoder = llama.Decoder(network, *uniforms.shape) if llama.knows(network) else Decoder(network)
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
        for j in range(uniforms.shape[1]):
            last = inverse_distribution(decoder.logits(last), noise[alive, j], temperature, top_p)
            drawn[alive, j] = last
            going = (last != base.end).nonzero()[:, 0]
            if len(going) < len(alive):
                order = decoder.keep(going)
                alive, last = alive[order], last[order]
                if len(alive) == 0:
                    break
    unfinished = set(alive.tolist())
    return [None if i in unfinished else ids[: ids.index(base.end)] for i, ids in enumerate(drawn.tolist())]


def inverse_distribution(logits: "Tensor", uniform: "Tensor", temperature: float, top_p: float) -> "Tensor":
    """The token at each uniform number, shape (b,).

    Top-p keeps the likeliest tokens up to and including the one that reaches the share.

    Source: Holtzman et al., The Curious Case of Neural Text Degeneration (2020), section 3.1.
    """
    import torch

    probability = torch.softmax(logits.float() / temperature, -1)
    if top_p < 1:
        sorted_, place = probability.sort(-1, descending=True)
        beyond = sorted_.cumsum(-1) - sorted_ >= top_p
        probability = probability.scatter(-1, place, sorted_.masked_fill(beyond, 0.0))
    cumulated = probability.cumsum(-1, dtype=torch.float64)
    target = uniform[:, None] * cumulated[:, -1:]
    # Of equal entries the first after the target is one of positive probability.
    return torch.searchsorted(cumulated, target, right=True)[:, 0].clamp_(max=logits.shape[1] - 1)


def next_batch(missing: int, attempts: int, accepted: int) -> int:
    """How many to draw now: as many as are missing, and what rejection will take. Only speed depends on it."""
    acceptance = (accepted + 3) / (attempts + 4)
    return min(LARGEST_BATCH, math.ceil(1.05 * missing / acceptance) + 4)
