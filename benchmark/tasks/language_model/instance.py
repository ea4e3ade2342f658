"""What an instance of the language-model task-setting says: its numbers, and the files that they name."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Interval, Len

from benchmark.errors import ThriveError
from benchmark.tasks.assets import ASSETS
from benchmark.tasks.language_model.data import (
    WEIGHTS,
    Base,
    Layout,
    Pairs,
    Texts,
    chat,
    files_in,
    load_base,
    load_untrained,
    number_of_rows,
)
from benchmark.tasks.language_model.devices import has_bfloat16_units, lack_of_device
from benchmark.tasks.language_model.features import minilm_folder

DEVICE = r"cpu|mps|(cuda|xpu)(:[0-9]{1,3})?"
Folder = Annotated[str, Len(1, 1000)]
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class TextInstance:
    """An instance: n examples of a data set a generation, a base checkpoint, and how it is fine-tuned.

    Attributes:
        n: examples of one generation.
        epochs: passes over the training set, so that twice the rows take twice the steps.
        batch: examples of one optimizer step.
        learning_rate: AdamW's, at its highest.
        warmup, decay: share of the steps over which the rate rises from zero at first, and falls to zero at last.
        max_tokens: longer examples, begin and end included, are left out of the real data and rejected of a sample.
        matched_steps: train every set for the steps that n rows take, whatever its size.
        checkpoint: folder of the base checkpoint, under `benchmark/assets` unless absolute; or "none": from random weights
            at every iteration, the same ones for a seed.
        config: with `checkpoint: none`, folder with the network's config.json and its tokenizer, likewise.
        data: folder with train.parquet, validation.parquet and test.parquet, likewise.
        layout: "pairs", of the columns prompt and response, "chat", the same in the tokenizer's chat template, or "texts", of the one
            column text.
        head, separator: of pairs: what stands before the prompt, and between prompt and response.
        sampler_temperature: a biased sampler, imposed on every strategy: multiplies the temperature that it asks for.
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

    n: Annotated[int, Interval(ge=5, le=10**7)]  # verifiers are trained in five folds
    epochs: Annotated[float, Interval(ge=0.01, le=1000)] = 3.0
    batch: Annotated[int, Interval(ge=1, le=10**5)] = 8
    learning_rate: Annotated[float, Interval(ge=1e-8, le=1)] = 1e-3
    warmup: Annotated[float, Interval(ge=0, le=1)] = 0.05
    decay: Annotated[float, Interval(ge=0, le=1)] = 0.0
    max_tokens: Annotated[int, Interval(ge=3, le=10**5)] = 48  # begin, end, and one between
    matched_steps: bool = False
    checkpoint: Folder = "checkpoint"
    config: Annotated[str, Len(0, 1000)] = ""
    data: Folder = "factbook"
    layout: Literal["pairs", "chat", "texts"] = "pairs"
    head: Annotated[str, Len(0, 400)] = ""
    separator: Annotated[str, Len(1, 400)] = "\n "
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    device: Annotated[str, Len(1, 10)] = "cpu"
    at_once: Annotated[int, Interval(ge=1, le=10**5)] = 32
    encoder: Literal["ngrams", "minilm"] = "ngrams"
    copies: Annotated[int, Interval(ge=1, le=10**5)] = 1
    head_as_characters: bool = False
    sampler_temperature: Annotated[float, Interval(ge=0.01, le=100)] = 1.0

    def __post_init__(self) -> None:
        for name in ("checkpoint", "config", "data"):
            if not getattr(self, name).isprintable():
                raise ValueError(f"{name}: found {getattr(self, name)!r}, expected the name of a folder")
        if not re.fullmatch(DEVICE, self.device):
            raise ValueError(f"device: found {self.device!r}, expected cpu, cuda, cuda:1, xpu or mps")
        if self.head_as_characters and not self.head:
            raise ValueError("head_as_characters: there is no head to remove. Give one, such as head: 'user: '")
        if self.head and self.layout != "pairs":
            raise ValueError(f"head: found {self.head!r}, which only pairs have. Leave it out, or write layout: pairs")
        if (self.checkpoint == "none") != bool(self.config):
            raise ValueError(
                f"config: found {self.config!r} with checkpoint {self.checkpoint!r}, expected a folder with config.json and a "
                "tokenizer exactly where the checkpoint is 'none'"
            )

    @property
    def name(self) -> str:
        scratch = " from scratch" * (self.checkpoint == "none")
        steps = " matched steps" if self.matched_steps else ""
        encoder = "" if self.encoder == "ngrams" else f" {self.encoder}"
        head = f" head={self.head.strip()!r}" if self.head else ""
        published = (f" copies={self.copies}" if self.copies > 1 else "") + " stripped" * self.head_as_characters
        sampler = "" if self.sampler_temperature == 1 else f" τ={self.sampler_temperature}"
        return f"{self.data} n={self.n}{scratch}{steps}{encoder}{head}{published}{sampler}"

    @property
    def files(self) -> dict[str, Path]:
        """Three files of data, and all of the checkpoint's and the encoder's folders; of the config's all but weights."""
        found = self.data_files | files_in(self._network_folder, self._network_kind)
        if self.checkpoint == "none":
            found = {name: path for name, path in found.items() if path.suffix not in WEIGHTS}
        if self.encoder == "minilm":
            found |= files_in(minilm_folder(), self.encoder)
        for path in found.values():
            if not path.is_file():
                raise ThriveError(f"{self.name}: {path}: no such file. data: a folder with {', '.join(SPLITS)}.parquet")
        return found

    @property
    def data_files(self) -> dict[str, Path]:
        """Three Parquet files."""
        return {f"data/{split}.parquet": ASSETS / self.data / f"{split}.parquet" for split in SPLITS}

    @property
    def _network_kind(self) -> Literal["checkpoint", "config"]:
        return "config" if self.checkpoint == "none" else "checkpoint"

    @property
    def _network_folder(self) -> Path:
        return ASSETS / (self.config or self.checkpoint)

    @property
    def obstacle(self) -> str | None:
        """What this machine lacks to run it: a file, real examples, a device, or its precision; None where nothing."""
        needed = self.data_files | {self._network_kind: self._network_folder / "config.json"}
        for name, path in needed.items():
            if not path.is_file():
                return f"{name.partition('/')[0]}: no such file: {path}. Put it there, or name another folder."
        train = needed["data/train.parquet"]
        rows = number_of_rows(train)
        if rows < self.n:
            return f"n: found {self.n}, expected at most {rows}, the rows of {train}."
        return None if self.device == "cpu" else lack_of_device(self.device, self.precision)

    @property
    def form(self) -> Layout:
        if self.layout == "chat":
            return chat(self.base.tokenizer)
        return Texts() if self.layout == "texts" else Pairs(self.head, self.separator)

    @property
    def base(self) -> Base:
        """The network to begin with, and its tokenizer.

        Raises:
            ThriveError: they cannot be read, or examples may be longer than the network's context.
        """
        load = load_untrained if self.checkpoint == "none" else load_base
        found = load(self._network_folder, self.device)
        most = getattr(found.network.config, "max_position_embeddings", None) or self.max_tokens
        if self.max_tokens > most:
            raise ThriveError(
                f"max_tokens: found {self.max_tokens}, and {self._network_folder} reads at most {most} tokens."
            )
        return found

    @property
    def bfloat16(self) -> bool:
        """Whether the matrix products of fitting and sampling are in bfloat16, here."""
        return has_bfloat16_units(self.device) if self.precision == "auto" else self.precision == "bfloat16"

    @property
    def arithmetic(self) -> str:
        """What it computes in, for the provenance."""
        return "float32" + (", matrix products of fits and samples in bfloat16" if self.bfloat16 else "")
