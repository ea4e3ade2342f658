"""Batches of examples, their losses, and the steps of an optimizer on them."""

import copy
import math
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark.tasks.language_model.data import Ids, Network

if TYPE_CHECKING:
    from numpy.random import Generator
    from torch import Tensor

    from benchmark.core.requests import FitOptions


MOST_LOGITS = 1 << 25
"""Logits that are in memory together, 134 MB of them; a batch of more passes through the network in parts. One example is always whole."""


def moved(network: Network, other: Network, share: float) -> Network:
    """A new network, `share` of the way to the other one; below 0, away from it."""
    import torch

    moved = copy.deepcopy(network)
    with torch.no_grad():
        for weights, towards in zip(moved.parameters(), other.parameters(), strict=True):
            weights.lerp_(towards, share)
    return moved


class Batch(NamedTuple):
    """Some examples end to end, without padding: a position is a token that another follows.

    Attributes:
        ids: of the token at each position, int64, shape (m,).
        targets: ids of the tokens that follow, shape (m,).
        weights: of each target's loss, shape (m,).
        lengths: positions of each example, in order; they add up to m.
    """

    ids: "Tensor"
    targets: "Tensor"
    weights: "Tensor"
    lengths: list[int]

    def parts(self, size: int, positions: int = sys.maxsize) -> "Iterator[Batch]":
        """The same examples, in `groups`."""
        lengths = [self.lengths[some] for some in groups(self.lengths, size, positions)]
        cut = [tensor.split([sum(some) for some in lengths]) for tensor in self[:3]]  # type: ignore[no-untyped-call]
        for ids, targets, weights, some in zip(*cut, lengths, strict=True):
            yield Batch(ids, targets, weights, some)

    @property
    def positions(self) -> "Tensor":
        """Of each token in its example, from 0, shape (m,)."""
        return self._within_examples(0)

    @property
    def places(self) -> "Tensor":
        """Of each position in a matrix with a row for each example, as wide as the longest, shape (m,)."""
        return self._within_examples(max(self.lengths))

    def _within_examples(self, apart: int) -> "Tensor":
        """A count from 0 within each example, whose counts begin `apart` from those of the one before."""
        import torch

        lengths = np.array(self.lengths)
        begin = apart * np.arange(len(lengths)) - (lengths.cumsum() - lengths)
        return torch.from_numpy(np.arange(lengths.sum()) + np.repeat(begin, lengths))


def groups(lengths: Sequence[int], size: int, positions: int) -> Iterator[slice]:
    """Examples of these lengths in order, at most `size` together, and of at most `positions` when they are padded; a longer one is alone."""
    start = longest = 0
    for end, length in enumerate(lengths):
        longest = max(longest, length)
        if end - start == size or (end > start and longest * (end + 1 - start) > positions):
            yield slice(start, end)
            start, longest = end, length
    yield slice(start, len(lengths))


def room(network: Network) -> int:
    """Positions whose logits are in memory together."""
    return max(1, MOST_LOGITS // int(network.config.get_text_config().vocab_size))


def packed(rows: Sequence[Ids], weights: NDArray[np.float64] | None = None) -> Batch:
    """Examples, each with a weight (1 if not given), as one batch."""
    import torch

    lengths = [len(row) - 1 for row in rows]
    each = np.repeat(np.ones(len(rows)) if weights is None else weights, lengths)
    ids = torch.tensor([token for row in rows for token in row[:-1]])
    targets = torch.tensor([token for row in rows for token in row[1:]])
    return Batch(ids, targets, torch.from_numpy(each).float(), lengths)


def batches(rows: list[Ids], weights: NDArray[np.float64], size: int, steps: int, rng: "Generator") -> Iterator[Batch]:
    """`steps` batches, every pass in a new order.

    Weights are scaled so that a batch's weighted sum of token losses estimates, without bias, the weighted mean loss
    per token of the whole training set: a row of weight k counts as k copies of it.
    """
    tokens = np.array([len(row) - 1 for row in rows])
    scaled = weights * len(rows) / (size * (weights @ tokens))
    passes = math.ceil(steps * size / len(rows))
    order = np.concatenate([rng.permutation(len(rows)) for _ in range(passes)])
    for step in range(steps):
        some = order[step * size : (step + 1) * size]
        yield packed([rows[i] for i in some], scaled[some])


def logits(network: Network, batch: Batch) -> "Tensor":
    """Of the token after each position, shape (m, vocabulary)."""
    import torch

    from benchmark.tasks.language_model import llama

    ids, places = batch.ids.to(network.device), batch.places.to(network.device)
    rows, width = len(batch.lengths), max(batch.lengths)
    if llama.knows(network):
        attend = llama.within_rows(places, rows, width)
        return network.lm_head(llama.hidden_states(network, ids, batch.positions.to(network.device), attend))  # type: ignore[no-any-return]
    # Other architectures run as transformers has them, padded on the right, where causal attention does not look.
    matrix = torch.zeros(rows * width, dtype=ids.dtype, device=ids.device).index_copy_(0, places, ids)
    found = network(input_ids=matrix.view(rows, width), use_cache=False).logits
    return found.flatten(0, 1).index_select(0, places)  # type: ignore[no-any-return]


def token_losses(network: Network, batch: Batch, *, bfloat16: bool = False) -> "Tensor":
    """-log p of each target given what stands before it, in nats, shape (m,)."""
    import torch

    from benchmark.tasks.language_model.cross_entropy import cross_entropy

    with torch.autocast(network.device.type, torch.bfloat16, enabled=bfloat16):
        found = logits(network, batch)
    return cross_entropy(found.float(), batch.targets.to(network.device))


def minimize(
    network: Network,
    data: Iterator[Iterator[Batch]],
    rates: list[float],
    options: "FitOptions",
    *,
    bfloat16: bool = False,
) -> None:
    """AdamW, in place, one step for all parts of a batch; the gradient is clipped at norm 1.

    The network stays as it is for evaluation, without dropout: the order of the batches is all the noise of a fit.
    """
    import torch

    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=options.ridge, fused=True)
    for parts, rate in zip(data, rates, strict=True):
        optimizer.param_groups[0]["lr"] = rate
        for part in parts:
            weighted_loss(network, part, options.token_loss_clip, bfloat16=bfloat16).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()


def weighted_loss(network: Network, batch: Batch, clip: float | None = None, *, bfloat16: bool = False) -> "Tensor":
    """Weighted sum of token losses; with `clip`, without the tokens that already have a higher probability."""
    losses = token_losses(network, batch, bfloat16=bfloat16)
    if clip is not None:
        losses = losses * (losses.detach() >= -math.log(clip))
    return losses @ batch.weights.to(network.device)


def negative_log_likelihoods(
    network: Network, rows: list[Ids], at_once: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Of each example, summed over its tokens in nats, and the number of those tokens; both in the order of the rows.

    In float32 on every machine: what is measured should not depend on its units. Examples of similar length go together.
    """
    import torch

    nats = np.empty(len(rows))
    order = np.argsort([len(row) for row in rows], kind="stable")
    with torch.inference_mode():
        for group in groups([len(rows[i]) - 1 for i in order], at_once, room(network)):
            some = order[group]
            batch = packed([rows[i] for i in some])
            each = token_losses(network, batch).double().cpu().split(batch.lengths)  # type: ignore[no-untyped-call]
            nats[some] = [part.sum().item() for part in each]
    return nats, np.array([len(row) - 1 for row in rows])


def mean_loss(network: Network, rows: list[Ids], at_once: int) -> float:
    """Cross-entropy of examples, end of text included, in nats per token."""
    nats, tokens = negative_log_likelihoods(network, rows, at_once)
    return float(nats.sum() / tokens.sum())


def rates(steps: int, peak: float, warmup: float, decay: float) -> list[float]:
    """The learning rate of each step: it rises over the share `warmup` of the steps, and falls to zero over the last `decay`."""
    warm, fall = max(1, round(warmup * steps)), decay * steps
    return [peak * min(1.0, (step + 1) / warm, (steps - step) / fall if fall else 1.0) for step in range(steps)]
