"""Texts, and the checkpoint and files that they are read with."""

import functools
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmark.core.history import Examples
from benchmark.errors import ThriveError

Network = Any
"""A causal language model of transformers."""
Ids = list[int]
"""One example as token ids, from the beginning-of-text token to the end-of-text token."""
WEIGHTS = (".safetensors", ".bin", ".pt", ".gguf")
"""How the names of files of weights end."""
_PROMPT, _RESPONSE = "PROMPT-5c1e", "RESPONSE-5c1e"
"""Stand for the parts of a chat."""
MOST_KNOWN = 100_000
"""Texts whose ids are kept, about 1.5 kB each; the embedded data set has 23,000."""


class Pairs(NamedTuple):
    """How prompt and response make one text, and are told apart again."""

    head: str
    separator: str
    tail: str = ""
    columns: tuple[str, ...] = ("prompt", "response")

    def join(self, prompt: str, response: str) -> str:
        return f"{self.head}{prompt}{self.separator}{response}{self.tail}"

    def split(self, text: str) -> tuple[str, str] | None:
        """Prompt and response; None where the text has not exactly the form that `join` gives."""
        parts = text.removeprefix(self.head).removesuffix(self.tail).split(self.separator)
        if not (text.startswith(self.head) and text.endswith(self.tail)) or len(parts) != 2:
            return None
        return (parts[0], parts[1]) if all(_is_clean(part) for part in parts) else None

    def question(self, text: str) -> str:
        """ "government - capital?" of the prompt "Albania: government - capital?"; a prompt without a subject, whole."""
        prompt = (self.split(text) or (text,))[0]
        return prompt.partition(": ")[2] or prompt


class Texts(NamedTuple):
    """Plain texts, each an example; no part of it is a question."""

    columns: tuple[str, ...] = ("text",)

    def join(self, text: str) -> str:
        return text

    def split(self, text: str) -> tuple[str] | None:
        """The text alone; None where it has not the form of one."""
        return (text,) if _is_clean(text) else None


Layout = Pairs | Texts


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
def chat(tokenizer: Any) -> Pairs:
    """The pairs that a tokenizer's chat template makes of a user's prompt and an assistant's response.

    Raises:
        ThriveError: it has no template, or its template does not give such pairs.
    """
    where = f"{tokenizer.name_or_path}: layout chat"
    if not tokenizer.chat_template:
        raise ThriveError(f"{where}: the tokenizer has no chat template. Give it one, or write layout: pairs")
    turns = [{"role": "user", "content": _PROMPT}, {"role": "assistant", "content": _RESPONSE}]
    text = str(tokenizer.apply_chat_template(turns, tokenize=False)).removeprefix(tokenizer.bos_token)
    parts = re.split(f"{_PROMPT}|{_RESPONSE}", text)
    if len(parts) != 3 or not parts[1]:
        raise ThriveError(f"{where}: the chat template does not put a prompt and then a response. Write layout: pairs")
    head, separator, tail = parts
    for token in (tokenizer.bos_token, tokenizer.eos_token):
        if token in head + separator:
            raise ThriveError(
                f"{where}: the chat template writes '{token}' within an example, where a sample would begin or end. Save the tokenizer "
                "with other tokens for the beginning and the end of a text: tokenizer.eos_token = ..., tokenizer.save_pretrained(...)"
            )
    return Pairs(head, separator, tail.partition(tokenizer.eos_token)[0])


@functools.cache
def load_base(folder: Path, device: str) -> Base:
    """The checkpoint in a folder, its weights in float32."""
    import torch
    from transformers import AutoModelForCausalLM

    return _base(
        folder,
        device,
        lambda: AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32),
        "network and tokenizer",
    )


@functools.cache
def load_untrained(folder: Path, device: str) -> Base:
    """A network of the shape that a folder's config.json gives, with the random weights of seed 0, and its tokenizer."""
    from transformers import AutoConfig

    def network() -> Network:
        return random_network(AutoConfig.from_pretrained(folder), 0)

    return _base(folder, device, network, "config and tokenizer")


def random_network(config: Any, seed: int) -> Network:
    """A network with random weights in float32, as transformers draws them; torch's own generator is left as it was."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()  # type: ignore[no-untyped-call]


def _base(folder: Path, device: str, load: Callable[[], Network], wanted: str) -> Base:
    from transformers import AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        network = load()
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except Exception as error:  # of several libraries, of many kinds
        raise ThriveError(f"{folder}: no {wanted} that transformers can read: {_first_line(error)}") from error
    for end, token in (("bos", "beginning"), ("eos", "end")):
        if getattr(tokenizer, f"{end}_token_id") is None:
            raise ThriveError(
                f"{folder}: its tokenizer has no token for the {token} of a text. Give it one and save it there: tokenizer.{end}_token = ..., "
                "tokenizer.save_pretrained(...)"
            )
    rows = network.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        raise ThriveError(f"{folder}: its tokenizer has {len(tokenizer)} tokens, and its network knows {rows}.")
    return Base(network.to(device).eval(), tokenizer, {})


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def files_in(folder: Path, name: str) -> dict[str, Path]:
    """Every file of a folder that networks are loaded from, but hidden ones: a download leaves its dates there."""
    inside = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.is_file()}
    found = {
        f"{name}/{inner.as_posix()}": path
        for inner, path in inside.items()
        if not any(part.startswith(".") for part in inner.parts)
    }
    if not found:
        raise ThriveError(
            f"{folder}: no such folder, or an empty one: expected a network as transformers saves it ({name})."
        )
    return found


def number_of_rows(path: Path) -> int:
    """In a Parquet file; 0 where it is none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError):
        return 0


@functools.cache
def load_texts(path: Path, layout: Layout) -> list[str]:
    """The text of every row of a Parquet file, made of the columns that the layout names.

    Raises:
        ThriveError: a column is missing; the message names those that there are.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        columns = [table[name].to_pylist() for name in layout.columns]
    except KeyError:
        raise ThriveError(
            f"{path}: found the columns {', '.join(table.column_names)}, expected {' and '.join(layout.columns)}. "
            "Rename them, or write layout: texts for a data set of one column, text."
        ) from None
    except (pa.ArrowException, OSError) as error:
        raise ThriveError(f"{path}: no Parquet file that can be read: {_first_line(error)}") from error
    bad = next(
        (i for i, row in enumerate(zip(*columns, strict=True)) if not all(isinstance(x, str) for x in row)), None
    )
    if bad is not None:
        raise ThriveError(
            f"{path}: row {bad} has an empty or numeric cell in {' or '.join(layout.columns)}, expected text."
        )
    return [layout.join(*row) for row in zip(*columns, strict=True)]


def as_examples(texts: Sequence[str]) -> Examples:
    array = np.empty(len(texts), object)
    array[:] = texts
    return array
