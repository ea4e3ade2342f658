"""Llama's forward pass over rows that stand end to end, without padding.

transformers pads the rows of a batch to one length, and a fifth of the positions of the embedded instance are padding.
Here the positions of all rows are one axis, m long, and only attention sees rows. Weights, embedding, rotation angles
and MLP are transformers' own; `tests/tasks/test_language_model.py` holds logits and gradients against its forward pass.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import rms_norm, scaled_dot_product_attention

Attend = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""From a layer's number, queries (m, heads, d), and keys and values (m, key heads, d), to what is attended to, (m, heads·d)."""


def knows(network: Any) -> bool:
    """Whether the forward pass below is this network's."""
    return type(network).__name__ == "LlamaForCausalLM" and not network.config.attention_dropout


def hidden_states(network: Any, ids: Tensor, positions: Tensor, attend: Attend) -> Tensor:
    """What the head turns into logits, shape (m, width).

    Args:
        ids: of the tokens, shape (m,).
        positions: of each token in its row, from 0, shape (m,).
    """
    model = network.model
    x = model.embed_tokens(ids)
    cos, sin = (angle[0, :, None] for angle in model.rotary_emb(x, positions[None]))
    for number, layer in enumerate(model.layers):
        attention = layer.self_attn
        h = _normed(x, layer.input_layernorm)
        queries, keys, values = (
            project(h).float().unflatten(-1, (-1, attention.head_dim))
            for project in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        x = x + attention.o_proj(attend(number, _rotated(queries, cos, sin), _rotated(keys, cos, sin), values))
        x = x + layer.mlp(_normed(x, layer.post_attention_layernorm))
    return _normed(x, model.norm)


def _normed(x: Tensor, norm: Any) -> Tensor:
    return rms_norm(x, norm.weight.shape, norm.weight, norm.variance_epsilon)


def _rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Su et al., RoFormer (2021), eq. 34, with the halves of a head as real and imaginary parts."""
    half = x.shape[-1] // 2
    return torch.addcmul(x * cos, x.roll(half, -1), torch.cat([-sin[..., :half], sin[..., half:]], -1))


def _attention(queries: Tensor, keys: Tensor, values: Tensor, *, causal: bool) -> Tensor:
    """In float32 also under autocast: on a CPU its backward pass is four times slower in bfloat16."""
    with torch.autocast(queries.device.type, enabled=False):
        return scaled_dot_product_attention(
            queries, keys, values, is_causal=causal, enable_gqa=queries.shape[1] != keys.shape[1]
        )


def within_rows(places: Tensor, rows: int, width: int) -> Attend:
    """Causal attention inside each of some rows.

    Attention never looks right, so what stands right of a row's end needs no mask.

    Args:
        places: of each position in a matrix of shape (rows, width), row by row, shape (m,).
    """

    def attend(number: int, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        together = torch.cat([queries, keys, values], 1)
        matrix: Tensor = _Spread.apply(together, places, rows * width)  # type: ignore[no-untyped-call]
        by_row = matrix.view(rows, width, *together.shape[1:]).transpose(1, 2)
        cut = [queries.shape[1], keys.shape[1], values.shape[1]]
        found = _attention(*by_row.split(cut, 1), causal=True)  # type: ignore[no-untyped-call]
        gathered: Tensor = _Gather.apply(found.transpose(1, 2).flatten(2).flatten(0, 1), places)  # type: ignore[no-untyped-call]
        return gathered

    return attend


class _Spread(torch.autograd.Function):
    """Rows of x put at different places among `size` rows of zeros; torch's own backward pass would add one by one."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, places: Tensor, size: int) -> Tensor:
        ctx.save_for_backward(places)
        spread = x.new_zeros(size, *x.shape[1:])
        spread[places] = x  # index_copy_ copies row by row, several times slower
        return spread

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return gradient.index_select(0, ctx.saved_tensors[0]), None, None


class _Gather(torch.autograd.Function):
    """The rows of x at different places: undoes `_Spread`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, places: Tensor) -> Tensor:
        ctx.save_for_backward(places)
        ctx.size = len(x)
        return x.index_select(0, places)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        spread = gradient.new_zeros(ctx.size, *gradient.shape[1:])
        spread[ctx.saved_tensors[0]] = gradient
        return spread, None


class Decoder:
    """Continues some rows, one token at a time.

    Keys and values lie in one block of the full length, so that no step copies those of the steps before, and finished
    rows leave it. 300 samples of up to 47 tokens take 1.26 times as long with transformers' DynamicCache, whose every
    step copies, and 1.39 times with its StaticCache, which finished rows cannot leave.
    """

    def __init__(self, network: Any, rows: int, length: int) -> None:
        config = network.config
        heads, width = config.num_key_value_heads, network.model.layers[0].self_attn.head_dim
        self.network = network
        self.block = torch.empty(config.num_hidden_layers, 2, rows, heads, length, width, device=network.device)
        self.step = 0

    def logits(self, last: Tensor) -> Tensor:
        """Of the token after the last of each row, shape (rows, vocabulary)."""
        positions = torch.full_like(last, self.step)
        found = self.network.lm_head(hidden_states(self.network, last, positions, self._attend))
        self.step += 1
        return found  # type: ignore[no-any-return]

    def _attend(self, number: int, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        self.block[number, 0, :, :, self.step] = keys
        self.block[number, 1, :, :, self.step] = values
        known = self.block[number, :, :, :, : self.step + 1]
        return _attention(queries[:, :, None], known[0], known[1], causal=False).flatten(1)

    def keep(self, rows: Tensor) -> Tensor:
        """Forget the other rows; those that stay may change places. Returns their old places, in the new order."""
        count = len(rows)
        order = torch.arange(count, device=rows.device)
        free = torch.ones_like(order, dtype=torch.bool).index_fill_(0, rows[rows < count], False)
        order[free] = rows[rows >= count]
        self.block[:, :, free.nonzero()[:, 0], :, : self.step] = self.block[:, :, order[free], :, : self.step]
        self.block = self.block[:, :, :count]
        return order
