"""The network of the embedded checkpoint, and how it is trained from random weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Curve = list[dict[str, float]]


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the checkpoint. Changing a number makes another checkpoint: pin it anew."""

    vocabulary: int = 4096
    hidden: int = 160
    intermediate: int = 416
    layers: int = 4
    heads: int = 5
    block: int = 128  # tokens
    batch: int = 16  # blocks
    steps: int = 4200
    learning_rate: float = 3e-3
    warmup: int = 200
    decay_share: float = 0.3  # of the steps: warm up, stay, decay linearly to zero
    weight_decay: float = 0.1
    seed: int = 2410


def build(recipe: Recipe) -> Any:
    """The untrained model; its weights come from torch's global generator, which the recipe seeds."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(recipe.seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=recipe.vocabulary,
            hidden_size=recipe.hidden,
            intermediate_size=recipe.intermediate,
            num_hidden_layers=recipe.layers,
            num_attention_heads=recipe.heads,
            num_key_value_heads=recipe.heads,
            max_position_embeddings=256,
            tie_word_embeddings=True,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=1,
        )
    )


def train(model: Any, encoded: list[Any], held_out: list[Any], recipe: Recipe, save: Callable[[Curve], None]) -> Curve:
    """Train in place; the loss curve, and a snapshot on the way for the impatient."""
    import numpy as np
    import torch
    from torch.nn.functional import cross_entropy

    optimizer = torch.optim.AdamW(parameter_groups(model, recipe.weight_decay), lr=0.0, betas=(0.9, 0.95), fused=True)
    compiled: Any = torch.compile(model)
    batches = blocks(encoded, recipe, np.random.default_rng(recipe.seed))
    curve, recent, start = [], [], time.monotonic()
    for step in range(recipe.steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, recipe)
        ids = next(batches)
        logits = compiled(input_ids=ids, use_cache=False).logits[:, :-1]
        loss = cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        recent.append(loss.item())
        if (step + 1) % 100 == 0 or step + 1 == recipe.steps:
            nats, tokens = total_loss(model, held_out[:100])
            curve.append({"step": step + 1, "train": float(np.mean(recent)), "held_out": nats / tokens})
            recent = []
            print(curve[-1], f"{time.monotonic() - start:.0f} s", flush=True)
        if (step + 1) % 500 == 0:
            save(curve)
    return curve


def blocks(encoded: list[Any], recipe: Recipe, rng: Any) -> Iterator[Any]:
    """Batches (batch, block) without end: every epoch the documents in a new order, joined and cut."""
    import numpy as np
    import torch

    size = recipe.batch * recipe.block
    left = np.empty(0, np.int64)
    while True:
        stream = np.concatenate([left, *(encoded[i] for i in rng.permutation(len(encoded)))])
        whole = len(stream) // size * size
        for start in range(0, whole, size):
            yield torch.from_numpy(stream[start : start + size].reshape(recipe.batch, recipe.block))
        left = stream[whole:]


def learning_rate(step: int, recipe: Recipe) -> float:
    decay = recipe.decay_share * recipe.steps
    return recipe.learning_rate * min(1.0, (step + 1) / recipe.warmup, (recipe.steps - step) / decay)


def parameter_groups(model: Any, weight_decay: float) -> list[dict[str, Any]]:
    """Matrices decay, gains do not."""
    matrices = [p for p in model.parameters() if p.ndim == 2]
    gains = [p for p in model.parameters() if p.ndim < 2]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": gains, "weight_decay": 0.0}]


def total_loss(model: Any, encoded: list[Any]) -> tuple[float, int]:
    """Cross-entropy of documents, each read alone from its <s>: its sum in nats, and the number of predicted tokens."""
    import torch
    from torch.nn.functional import cross_entropy

    nats, tokens = 0.0, 0
    with torch.inference_mode():
        for ids in encoded:
            row = torch.from_numpy(ids[:256])[None]
            nats += float(cross_entropy(model(input_ids=row).logits[0, :-1], row[0, 1:], reduction="sum"))
            tokens += row.shape[1] - 1
    return nats, tokens
