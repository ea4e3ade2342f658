"""The embedded base checkpoint: a small causal language model pretrained once, on real English.

    python -m benchmark.recipes.pretrain

The recipe has been run. Its result, in `benchmark/assets/checkpoint/`, is committed and pinned by sha256, so nobody needs to run it
again. We pretrain our own because no package registry offered a causal model of a few million weights that transformers can load,
and only so small a model can be fine-tuned at every generation on a laptop.
"""

from __future__ import annotations

import csv
import hashlib
import os
import sys
from pathlib import Path
from typing import Any

from benchmark.recipes.pretrain_card import describe
from benchmark.recipes.pretrain_model import Curve, Recipe, build, train
from benchmark.recipes.pretrain_text import BEGIN, END, documents, encode, sdist, split, train_tokenizer, wordnet

os.environ.setdefault("HF_HUB_OFFLINE", "1")
ASSETS = Path(__file__).parents[1] / "assets" / "checkpoint"


def pretrain(texts: list[str], recipe: Recipe, folder: Path) -> None:
    """Train tokenizer and model, and write them with the loss curve."""
    seen, held = split(texts)
    tokenizer = train_tokenizer(seen, recipe.vocabulary)
    model = build(recipe)
    in_no_order = sorted(held, key=lambda text: hashlib.sha256(text.encode()).digest())
    encoded = encode(tokenizer, seen), encode(tokenizer, in_no_order)
    curve = train(model, *encoded, recipe, lambda curve: store(model, tokenizer, curve, folder))
    store(model, tokenizer, curve, folder)


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
