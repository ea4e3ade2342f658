"""Language-model fine-tuning: prompt and response pairs, from the same base checkpoint at every generation.

At every iteration the base checkpoint is fine-tuned on whole examples, and the fine-tuned model samples whole
examples, prompt and response, from nothing; what has not the form of an example is rejected and drawn again.

Source: Kazdan et al., Collapse or Thrive? (ICML 2025), section 4: supervised fine-tuning, loss on all tokens, AdamW at
a constant rate after a warm-up, clipped at norm 1; unconditional samples at temperature 1. The embedded instance is
small enough for a laptop: pairs of the World Factbook and a checkpoint of ours (`benchmark/recipes`).
"""

import copy
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Interval, Len
from numpy.typing import NDArray

from benchmark.core.history import Examples, Weighted
from benchmark.core.task import Sampled, Start
from benchmark.errors import ThriveError
from benchmark.tasks.assets import ASSETS
from benchmark.tasks.language_model.data import (
    Base,
    Ids,
    Layout,
    Network,
    as_examples,
    files_in,
    load_base,
    load_pairs,
    number_of_pairs,
)
from benchmark.tasks.language_model.devices import has_bfloat16_units, lack_of_device
from benchmark.tasks.language_model.diagnostics import variety
from benchmark.tasks.language_model.features import ENCODERS, load_minilm, minilm_folder
from benchmark.tasks.language_model.sampling import draw, next_batch
from benchmark.tasks.language_model.training import batches, minimize, moved, negative_log_likelihoods

if TYPE_CHECKING:
    from numpy.random import Generator

    from benchmark.core.requests import FitOptions, SampleRequest

DEVICE = r"cpu|mps|(cuda|xpu)(:[0-9]{1,3})?"
Folder = Annotated[str, Len(1, 1000)]
HOPELESS = 20
"""Attempts per sample asked for, after which a model that keeps missing the form is given up."""
SPLITS = ("train", "validation", "test")
SHOWN = 3


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
        found |= files_in(ASSETS / self.checkpoint, "checkpoint")
        if self.encoder == "minilm":
            found |= files_in(minilm_folder(), self.encoder)
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
        pairs = number_of_pairs(needed[0])
        if pairs < self.n:
            return f"n: found {self.n}, expected at most {pairs}, the pairs in {needed[0]}."
        return None if self.device == "cpu" else lack_of_device(self.device, self.precision)

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
        return as_examples(self._given(world, slice(skip, skip + count)))

    def held_back(self, world: list[str], count: int, rng: "Generator") -> Examples:
        return as_examples(self._given(world[::-1], slice(count)))

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
                load_minilm()

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
            size = next_batch(count - len(texts), attempts, len(texts))
            noise = rng.random((math.ceil(size / self.copies), self.max_tokens - 1))
            uniforms = np.repeat(noise, self.copies, axis=0)[:size]
            for ids in draw(model, self.base, uniforms, request.temperature, request.top_p, bfloat16=self.bfloat16):
                attempts += len(texts) < count
                if len(texts) < count and (text := self._example(ids)) is not None:
                    texts.append(text)
        return Sampled(as_examples(texts), {"rejection_rate": 1 - count / attempts})

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
        return moved(model, other, weight)

    def away(self, model: Network, other: Network, weight: float) -> Network:
        """In weights."""
        return moved(model, other, -weight)

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
