"""Language-model fine-tuning: prompt and response pairs, from the same base checkpoint at every generation.

At every iteration the base checkpoint is fine-tuned on whole examples, and the fine-tuned model samples whole
examples, prompt and response, from nothing; what has not the form of an example is rejected and drawn again.

Source: Kazdan et al., Collapse or Thrive? (ICML 2025), section 4: supervised fine-tuning, loss on all tokens, AdamW at
a constant rate after a warm-up, clipped at norm 1; unconditional samples at temperature 1. The embedded instance is
small enough for a laptop: pairs of the World Factbook and a checkpoint of ours (`benchmark/recipes`).
"""

import copy
import functools
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import ThriveError
from benchmark.history import Examples, Weighted
from benchmark.task import Sampled

if TYPE_CHECKING:
    from numpy.random import Generator
    from torch import Tensor

    from benchmark.strategy import FitOptions, SampleRequest

# torch and transformers cost seconds to import: functions that need them import them.
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read by transformers when it is imported

Network = Any
"""A causal language model of transformers."""
Ids = list[int]
"""One example as token ids, from the beginning-of-text token to the end-of-text token."""

ASSETS = Path(__file__).parents[1] / "assets"
LARGEST_BATCH = 512
"""Samples that are drawn together; memory for their keys and values is what limits it."""
HOPELESS = 20
"""Attempts per sample asked for, after which a model that keeps missing the form is given up."""
SHOWN = 3


class Layout(NamedTuple):
    """How prompt and response make one text, and are told apart again."""

    head: str
    separator: str

    def join(self, prompt: str, response: str) -> str:
        return f"{self.head}{prompt}{self.separator}{response}"

    def split(self, text: str) -> tuple[str, str] | None:
        """Prompt and response; None where the text has not exactly the form that `join` gives."""
        parts = text.removeprefix(self.head).split(self.separator)
        if not text.startswith(self.head) or len(parts) != 2:
            return None
        return (parts[0], parts[1]) if all(_is_clean(part) for part in parts) else None


def _is_clean(part: str) -> bool:
    """Printable lines, not empty, without spaces at the ends, and not a piece of a broken character."""
    printable = part.replace("\n", "").isprintable() and "\N{REPLACEMENT CHARACTER}" not in part
    return printable and part != "" and part == part.strip()


class Base(NamedTuple):
    """A pretrained checkpoint."""

    network: Network
    tokenizer: Any

    @property
    def begin(self) -> int:
        return int(self.tokenizer.bos_token_id)

    @property
    def end(self) -> int:
        return int(self.tokenizer.eos_token_id)

    def encode(self, texts: Sequence[str] | Examples) -> list[Ids]:
        if len(texts) == 0:
            return []
        encoded = self.tokenizer(list(texts), add_special_tokens=False).input_ids
        return [[self.begin, *ids, self.end] for ids in encoded]

    def decode(self, ids: Ids) -> str:
        """The text between begin and end."""
        return str(self.tokenizer.decode(ids, clean_up_tokenization_spaces=False))


@functools.cache
def load_base(folder: Path, dtype: str, device: str) -> Base:
    """The checkpoint in a folder."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    network: Network = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype))
    return Base(network.to(device).eval(), AutoTokenizer.from_pretrained(folder))


@functools.cache
def load_pairs(path: Path) -> list[tuple[str, str]]:
    """Prompt and response of every row of a Parquet file."""
    import datasets

    datasets.disable_progress_bars()
    rows = datasets.Dataset.from_parquet(str(path), keep_in_memory=True)
    return list(zip(rows["prompt"], rows["response"], strict=True))


@dataclass(frozen=True)
class LanguageModel:
    """An instance: n pairs of a data set a generation, a base checkpoint, and how it is fine-tuned.

    Attributes:
        n: pairs of one generation.
        epochs: passes over the training set, so that twice the rows take twice the steps.
        batch: pairs of one optimizer step.
        learning_rate: AdamW's, constant after the warm-up.
        warmup: share of the steps over which the rate rises from zero.
        max_tokens: longer examples, begin and end included, are left out of the real data and rejected of a sample.
        matched_steps: train every set for the steps that n rows take, whatever its size.
        checkpoint: folder of the base checkpoint, under `benchmark/assets` unless absolute.
        data: folder with train.parquet, validation.parquet and test.parquet, likewise.
        head, separator: what stands before the prompt, and between prompt and response.
        dtype: of the weights, and of fitting and sampling.
        device: as torch names it. The embedded instances are small enough for one thread of a CPU.
        at_once: examples that pass through the network together in a fit or a test; only memory depends on it.
    """

    kind: ClassVar[Literal["vectors", "text"]] = "text"
    unit: ClassVar[str] = "nats per token"
    knobs: ClassVar[frozenset[str]] = frozenset({"ridge", "token_loss_clip", "temperature", "top_p"})
    seeds_per_cell: ClassVar[int] = 1
    pins: ClassVar[tuple[str, ...]] = ("factbook", "checkpoint")
    dimension: ClassVar[None] = None

    n: int
    epochs: float = 3.0
    batch: int = 8
    learning_rate: float = 1e-3
    warmup: float = 0.05
    max_tokens: int = 48
    matched_steps: bool = False
    checkpoint: str = "checkpoint"
    data: str = "factbook"
    head: str = ""
    separator: str = "\n "
    dtype: Literal["float32", "bfloat16"] = "float32"
    device: str = "cpu"
    at_once: int = 32

    @property
    def name(self) -> str:
        return f"{self.data} n={self.n}" + (" matched steps" if self.matched_steps else "")

    @property
    def layout(self) -> Layout:
        return Layout(self.head, self.separator)

    @property
    def base(self) -> Base:
        return load_base(ASSETS / self.checkpoint, self.dtype, self.device)

    def world(self, rng: "Generator") -> None:
        """Nothing is fixed behind the pairs but the committed split."""

    def corpus(self, split: Literal["train", "validation", "test"]) -> list[str]:
        """The texts of one split that are short enough."""
        texts = [self.layout.join(*pair) for pair in load_pairs(ASSETS / self.data / f"{split}.parquet")]
        return [text for text, ids in zip(texts, self.base.encode(texts), strict=True) if len(ids) <= self.max_tokens]

    def real_data(self, world: None, count: int, rng: "Generator") -> Examples:
        """`count` different training texts."""
        texts = self.corpus("train")
        if count > len(texts):
            raise ThriveError(f"{self.name}: {count} real pairs asked for, and {self.data} has {len(texts)}.")
        return _as_examples([texts[i] for i in rng.choice(len(texts), count, replace=False)])

    def held_out(self, world: None, rng: "Generator") -> list[Ids]:
        """All test texts, encoded: one test set for all seeds."""
        return self.base.encode(self.corpus("test"))

    def fit(self, training_set: Weighted, options: "FitOptions", draw_rng: Callable[[], "Generator"]) -> Network:
        """The base checkpoint, fine-tuned. A row's weight multiplies its loss."""
        numbers, weights = training_set.expanded()
        rows = self.base.encode(training_set.history.examples[numbers])
        steps = math.ceil((self.n if self.matched_steps else len(rows)) * self.epochs / self.batch)
        network = copy.deepcopy(self.base.network)
        data = batches(rows, weights, self.batch, steps, draw_rng())
        minimize(network, (batch.parts(self.at_once) for batch in data), self._rates(steps), options)
        return network

    def _rates(self, steps: int) -> list[float]:
        """The learning rate of each step."""
        warm = max(1, round(self.warmup * steps))
        return [self.learning_rate * min(1.0, (step + 1) / warm) for step in range(steps)]

    def test_loss(self, model: Network, test: list[Ids]) -> float:
        """Cross-entropy of the test texts, end of text included, in nats per token."""
        nats, tokens = negative_log_likelihoods(model, test, self.at_once)
        return float(nats.sum() / tokens.sum())

    def sample(self, model: Network, count: int, request: "SampleRequest", rng: "Generator") -> Sampled:
        """The first `count` attempts that have the form of an example, each from nothing."""
        texts: list[str] = []
        attempts = 0
        while len(texts) < count:
            if attempts > HOPELESS * count:
                raise ThriveError(
                    f"{self.name}: {len(texts)} of {attempts} samples had the form of an example: given up."
                )
            size = _next_batch(count - len(texts), attempts, len(texts))
            uniforms = rng.random((size, self.max_tokens - 1))
            for ids in draw(model, self.base, uniforms, request.temperature, request.top_p):
                attempts += len(texts) < count
                if len(texts) < count and (text := self._example(ids)) is not None:
                    texts.append(text)
        return Sampled(_as_examples(texts), {"rejection_rate": 1 - count / attempts})

    def _example(self, ids: Ids | None) -> str | None:
        """The text of a sample; None where it never ended, began again, has not the form, or reads back too long."""
        if ids is None or self.base.begin in ids:
            return None
        text = self.base.decode(ids)
        if self.layout.split(text) is None:
            return None
        return text if len(self.base.encode([text])[0]) <= self.max_tokens else None

    def diagnostics(self, model: Network, generation: Examples, test: list[Ids], *, full: bool) -> dict[str, float]:
        """How varied the generation is; with `full` also how surprising its own model finds it."""
        rows = self.base.encode(generation)
        return variety(list(generation), rows) | (self._self_perplexity(model, rows) if full else {})

    def _self_perplexity(self, model: Network, rows: list[Ids]) -> dict[str, float]:
        return {"self_perplexity": math.exp(self.test_loss(model, rows))}

    def show(self, generation: Examples) -> list[str]:
        """The first three."""
        return [str(text) for text in generation[:SHOWN]]


def _as_examples(texts: Sequence[str]) -> Examples:
    array = np.empty(len(texts), object)
    array[:] = texts
    return array


class Batch(NamedTuple):
    """Some examples, padded on the right.

    Attributes:
        ids: token ids, int64, shape (b, l).
        predicted: whether ids[:, j + 1] is a token of the example, shape (b, l - 1).
        weights: of each example's summed loss, shape (b,).
    """

    ids: "Tensor"
    predicted: "Tensor"
    weights: "Tensor"

    def parts(self, size: int) -> "Iterator[Batch]":
        """The same examples, `size` at a time."""
        for start in range(0, len(self.ids), size):
            yield Batch(*(tensor[start : start + size] for tensor in self))


def padded(rows: Sequence[Ids], weights: NDArray[np.float64] | None = None) -> Batch:
    """Pads with the end of text. Causal attention never looks right, so padding needs no mask but the loss's."""
    import torch

    lengths = np.array([len(row) for row in rows])
    ids = np.full((len(rows), lengths.max()), rows[0][-1])
    for line, row in zip(ids, rows, strict=True):
        line[: len(row)] = row
    predicted = np.arange(1, lengths.max()) < lengths[:, None]
    given = np.ones(len(rows)) if weights is None else weights
    return Batch(torch.from_numpy(ids), torch.from_numpy(predicted), torch.from_numpy(given).float())


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
        yield padded([rows[i] for i in some], scaled[some])


def token_losses(network: Network, batch: Batch) -> "Tensor":
    """-log p of each token given those before it, in nats, shape (b, l - 1); 0 at padding."""
    from torch.nn.functional import cross_entropy

    ids = batch.ids.to(network.device)
    logits = network(input_ids=ids, use_cache=False).logits[:, :-1].float()
    losses = cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    return losses.view(batch.predicted.shape) * batch.predicted.to(network.device)


def minimize(network: Network, data: Iterator[Iterator[Batch]], rates: list[float], options: "FitOptions") -> None:
    """AdamW, in place, one step for all parts of a batch; the gradient is clipped at norm 1."""
    import torch

    network.train()
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=options.ridge, fused=True)
    for parts, rate in zip(data, rates, strict=True):
        optimizer.param_groups[0]["lr"] = rate
        for part in parts:
            weighted_loss(network, part, options.token_loss_clip).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    network.eval()


def weighted_loss(network: Network, batch: Batch, clip: float | None = None) -> "Tensor":
    """Weighted sum of token losses; with `clip`, without the tokens that already have a higher probability."""
    losses = token_losses(network, batch)
    if clip is not None:
        losses = losses * (losses.detach() >= -math.log(clip))
    return (losses.sum(1) * batch.weights.to(network.device)).sum()


def negative_log_likelihoods(
    network: Network, rows: list[Ids], at_once: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Of each example, summed over its tokens in nats, and the number of those tokens; both in the order of the rows.

    Examples of similar length go together: few pad tokens.
    """
    import torch

    nats = np.empty(len(rows))
    order = np.argsort([len(row) for row in rows], kind="stable")
    with torch.inference_mode():
        for start in range(0, len(rows), at_once):
            some = order[start : start + at_once]
            nats[some] = token_losses(network, padded([rows[i] for i in some])).sum(1, dtype=torch.float64).cpu()
    return nats, np.array([len(row) - 1 for row in rows])


def draw(
    network: Network, base: Base, uniforms: NDArray[np.float64], temperature: float, top_p: float
) -> list[Ids | None]:
    """One sample for each row of uniforms, by inverse distribution function; None where it did not end in time.

    Token j of sample i is decided by uniforms[i, j] alone, so a sample does not depend on the others, nor on how many
    are drawn together. Samples all begin together, so none is padded, and a finished one leaves the batch.

    Args:
        uniforms: in [0, 1), shape (samples, most tokens).
    """
    import torch
    from transformers import DynamicCache

    device = network.device
    noise = torch.from_numpy(uniforms).to(device)
    drawn = torch.full(uniforms.shape, base.end, device=device)
    alive = torch.arange(len(uniforms), device=device)
    last = torch.full((len(uniforms), 1), base.begin, device=device)
    cache = DynamicCache(config=network.config)
    with torch.inference_mode():
        for j in range(uniforms.shape[1]):
            logits = network(input_ids=last, past_key_values=cache, use_cache=True).logits[:, -1]
            last = inverse_distribution(logits, noise[alive, j], temperature, top_p)[:, None]
            drawn[alive, j] = last[:, 0]
            going = (last[:, 0] != base.end).nonzero()[:, 0]
            if len(going) < len(alive):
                alive, last = alive[going], last[going]
                if len(alive) == 0:
                    break
                cache.batch_select_indices(going)
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


def _next_batch(missing: int, attempts: int, accepted: int) -> int:
    """How many to draw now: as many as are missing, and what rejection will take. Only speed depends on it."""
    acceptance = (accepted + 3) / (attempts + 4)
    return min(LARGEST_BATCH, math.ceil(1.05 * missing / acceptance) + 4)


def variety(texts: list[str], rows: list[Ids]) -> dict[str, float]:
    """Variety of texts and of their token ids."""
    tokens = np.concatenate([row[1:] for row in rows])
    pairs = np.concatenate([np.column_stack([row[:-1], row[1:]]) for row in rows])
    share = np.unique(tokens, return_counts=True)[1] / len(tokens)
    words = " ".join(texts).split()
    return {
        "distinct_2": len(np.unique(pairs, axis=0)) / len(pairs),  # Li et al. 2016
        "type_token_ratio": len(set(words)) / len(words),
        "mean_length": len(tokens) / len(rows),  # tokens, end of text included
        "token_entropy": float(-(share * np.log(share)).sum()),  # nats
        "duplicate_rate": 1 - len(set(texts)) / len(texts),
    }
