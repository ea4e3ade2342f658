"""Language models: texts, or prompt and response pairs, fitted from the same checkpoint (or from scratch) at every generation.

At every iteration the base checkpoint is fine-tuned on whole examples, and the fine-tuned model samples whole
examples, prompt and response, from nothing; what has not the form of an example is rejected and drawn again.

Source: Kazdan et al., Collapse or Thrive? (ICML 2025), section 4: supervised fine-tuning, loss on all tokens, AdamW at
a constant rate after a warm-up, clipped at norm 1; unconditional samples at temperature 1. The embedded instances are
small enough for a laptop: surnames or pairs of the World Factbook, and checkpoints of ours (`benchmark/recipes`).
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from benchmark.core.history import Examples, Weighted
from benchmark.core.task import Sampled, Start
from benchmark.errors import ThriveError
from benchmark.tasks.language_model.data import Ids, Network, Pairs, as_examples, load_texts, random_network
from benchmark.tasks.language_model.diagnostics import copied_share, question_recall, surprise, variety
from benchmark.tasks.language_model.features import ENCODERS, load_minilm
from benchmark.tasks.language_model.instance import TextInstance
from benchmark.tasks.language_model.sampling import draw, next_batch
from benchmark.tasks.language_model.training import (
    batches,
    mean_loss,
    minimize,
    moved,
    negative_log_likelihoods,
    rates,
    room,
)

if TYPE_CHECKING:
    from numpy.random import Generator

    from benchmark.core.requests import FitOptions, SampleRequest

HOPELESS = 20
"""Attempts per sample asked for, after which a model that keeps missing the form is given up."""
SHOWN = 3


@dataclass(frozen=True)
class LanguageModel(TextInstance):
    """How the models of an instance are fitted, sampled and judged."""

    kind: ClassVar[Literal["vectors", "text"]] = "text"
    unit: ClassVar[str] = "nats per token"
    knobs: ClassVar[frozenset[str]] = frozenset(
        {"ridge", "token_loss_clip", "temperature", "top_p", "blend", "negative"}
    )
    seeds_per_cell: ClassVar[int] = 1
    dimension: ClassVar[None] = None

    def world(self, rng: "Generator") -> list[str]:
        """The training texts in a random order: generation 0 is the first of them, what is held back the last."""
        texts = self.corpus("train")
        return [texts[i] for i in rng.permutation(len(texts))]

    def corpus(self, split: Literal["train", "validation", "test"]) -> list[str]:
        """The texts of one split that are short enough."""
        texts = load_texts(self.data_files[f"data/{split}.parquet"], self.form)
        return [text for text, ids in zip(texts, self.base.encode(texts), strict=True) if len(ids) <= self.max_tokens]

    def real_data(self, world: list[str], count: int, rng: "Generator", skip: int = 0) -> Examples:
        """The `count` training texts after the first `skip`."""
        return as_examples(self._given(world, slice(skip, skip + count)))

    def held_back(self, world: list[str], count: int, rng: "Generator") -> Examples:
        return as_examples(self._given(world[::-1], slice(count)))

    @property
    def bits_per_byte(self) -> float:
        """What one nat per token is in bits per byte of the test texts, in UTF-8: a unit that tokenizers share, where they read the same texts."""
        texts = self.corpus("test")
        tokens = sum(len(ids) - 1 for ids in self.base.encode(texts))
        return tokens / (sum(len(text.encode()) for text in texts) * math.log(2))

    def _given(self, texts: list[str], wanted: slice) -> list[str]:
        if wanted.stop > len(texts):
            raise ThriveError(
                f"{wanted.stop} real examples asked for, and {self.data} has {len(texts)} of at most {self.max_tokens} tokens."
            )
        return texts[wanted]

    def held_out(self, world: list[str], rng: "Generator") -> list[Ids]:
        """All test texts, encoded: one test set for all seeds."""
        texts = self.corpus("test")
        if not texts:
            raise ThriveError(f"{self.data} has no test texts of at most {self.max_tokens} tokens: raise max_tokens.")
        return self.base.encode(texts)

    def fit(self, training_set: Weighted, options: "FitOptions", draw_rng: Callable[[], "Generator"]) -> Network:
        """The base checkpoint, fine-tuned; or a random network, trained. A row's weight multiplies its loss."""
        numbers, weights = training_set.expanded()
        rows = self.base.encode(training_set.history.examples[numbers])
        steps = math.ceil((self.n if self.matched_steps else len(rows)) * self.epochs / self.batch)
        rng = draw_rng()
        network = self._beginning(rng)
        data = batches(rows, weights, self.batch, steps, rng)
        parts = (batch.parts(self.at_once, room(network)) for batch in data)
        each = rates(steps, self.learning_rate, self.warmup, self.decay)
        minimize(network, parts, each, options, bfloat16=self.bfloat16)
        return network

    def _beginning(self, rng: "Generator") -> Network:
        """The weights that a fit begins with."""
        if self.checkpoint == "none":
            return random_network(self.base.network.config, int(rng.integers(2**63))).to(self.device)
        return copy.deepcopy(self.base.network)

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
        return mean_loss(model, test, self.at_once)

    def simplest_loss(self, real: Examples, test: list[Ids]) -> float:
        """Of the base checkpoint, or of a random network."""
        return self.test_loss(self.base.network, test)

    def sample(self, model: Network, count: int, request: "SampleRequest", rng: "Generator") -> Sampled:
        """The first `count` attempts that have the form of an example, each from nothing."""
        texts: list[str] = []
        attempts = 0
        temperature = request.temperature * self.sampler_temperature
        while len(texts) < count:
            if attempts > HOPELESS * count:
                raise ThriveError(
                    f"{len(texts)} of {attempts} samples had the form of an example and ended within {self.max_tokens} tokens: given up. "
                    "Train longer (epochs, n), or raise max_tokens."
                )
            size = next_batch(count - len(texts), attempts, len(texts))
            noise = rng.random((math.ceil(size / self.copies), self.max_tokens - 1))
            uniforms = np.repeat(noise, self.copies, axis=0)[:size]
            for ids in draw(model, self.base, uniforms, temperature, request.top_p, bfloat16=self.bfloat16):
                attempts += len(texts) < count
                if len(texts) < count and (text := self._example(ids)) is not None:
                    texts.append(text)
        return Sampled(as_examples(texts), {"rejection_rate": 1 - count / attempts})

    def _example(self, ids: Ids | None) -> str | None:
        """The text of a sample; None where it never ended, began again, has not the form, or reads back too long."""
        if ids is None or self.base.begin in ids:
            return None
        text = self.base.decode(ids)
        parts = self.form.split(text)
        if parts is None:
            return None
        if self.head_as_characters:
            text = self.form.join(parts[0].lstrip(self.head), *parts[1:])
            if self.form.split(text) is None:
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
        """How varied the generation is, and how much of it is copied; with `full` also what costs a pass of a model.

        That is how surprising generation and rare texts are; and of pairs, how many of the questions are asked.
        """
        rows = self.base.encode(generation)
        found = {"copied_share": copied_share(generation, start.real)} | variety(list(generation), rows)
        if full:
            found |= surprise(model, rows, start, self.at_once)
            if isinstance(self.form, Pairs):
                found["question_recall"] = question_recall(self.form, generation, self.corpus("test"))
        return found

    def show(self, generation: Examples) -> list[str]:
        """The first three."""
        return [str(text) for text in generation[:SHOWN]]
