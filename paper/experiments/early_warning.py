"""Diagnostics of language models that may warn of collapse before the loss does.

    python -m paper.experiments.early_warning

writes paper/data/early_warning.csv, in about ten minutes on one core: a row an iteration, with the test loss and what `Watched` measures. Runs go
through the benchmark's own loop. On surnames, the ranked instance, `real-only` stands for healthy fits, one for each of 20 seeds (see
`paper.lead_times`). On pairs of the factbook, of which many samples are malformed, `nothing-rejected` is replace where a sample is kept
whatever its form, as long as it ends: the control that shows what the filter does.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd

from benchmark.core.history import Examples
from benchmark.core.loop import run
from benchmark.core.streams import stream
from benchmark.core.task import Start, Task
from benchmark.entries.entry import Entry
from benchmark.runs.machine import cores
from benchmark.runs.pool_of_workers import all_of
from benchmark.tasks.language_model import LanguageModel
from benchmark.tasks.language_model.data import Ids, Network, Pairs
from benchmark.tasks.language_model.training import groups, logits, negative_log_likelihoods, packed, room
from paper import shell
from paper.lead_times import HEALTHY

ROOT = Path(__file__).parents[2]
TABLE = Path(__file__).parents[1] / "data" / "early_warning.csv"
NUMBERS: dict[str, Any] = {
    "n": 1500, "epochs": 8, "batch": 64, "learning_rate": 0.01, "decay": 1.0, "max_tokens": 20, "at_once": 512, "checkpoint": "first-names",
    "data": "surnames", "layout": "texts", "precision": "float32",
}  # fmt: skip
PAIRS: dict[str, Any] = {"n": 200, "epochs": 1, "batch": 4, "learning_rate": 0.0012, "precision": "float32"}
HORIZON = 10
HEALTHY_SEEDS = range(20)
SEEDS = range(10, 15)
"""Of the runs: among the half of the healthy seeds on which alarms are judged."""
ENTRIES = ("replace", "accumulate-subsample", "low-temperature-replace", "model-averaging")
CONTROL, CONTROL_SEEDS, CONTROL_HORIZON = "nothing-rejected", range(3), 4
BINS = 15
NGRAM = 4
DISTRACTORS, QUESTIONS = 4, 100
LEFT_OUT = ("seed", "t", "texts", "status", "track", "budget", "role", "real_loss", "simplest_loss")


class Watched(LanguageModel):
    """The task-setting, which measures more, and at every iteration."""

    def diagnostics(self, model: Network, generation: Examples, start: Start, *, full: bool) -> dict[str, float]:
        found = super().diagnostics(model, generation, start, full=True)
        found["calibration_error"] = calibration_error(model, start.test, self.at_once)
        found |= {f"{part}_loss": loss for part, loss in losses_by_part(self, model, self.corpus("test")).items()}
        if isinstance(self.form, Pairs):
            found["fact_recall"] = fact_recall(self.form, self, model)
        return found

    def show(self, generation: Examples) -> list[str]:
        """All of it: what is measured of generations is measured afterwards."""
        return [str(text) for text in generation]


class Unfiltered(Watched):
    """The same, where every sample that ends and can be read back is kept."""

    def _example(self, ids: Ids | None) -> str | None:
        text = "" if ids is None else self.base.decode(ids)
        return text if ids is not None and len(self.base.encode([text])[0]) <= self.max_tokens else None


def calibration_error(network: Network, rows: list[Ids], at_once: int) -> float:
    """Expected calibration error of the likeliest token, over the tokens of some texts: Σ share of bin · |accuracy - confidence|.

    Source: Guo et al., On calibration of modern neural networks (2017), eq. 3, with 15 bins of equal width.
    """
    import torch

    confidence, right = [], []
    with torch.inference_mode():
        for some in groups([len(row) - 1 for row in rows], at_once, room(network)):
            batch = packed(rows[some])
            likeliest = logits(network, batch).float().softmax(-1).max(-1)
            confidence.append(likeliest.values.double().cpu().numpy())
            right.append((likeliest.indices.cpu() == batch.targets).numpy())
    p, hit = np.concatenate(confidence), np.concatenate(right)
    bins = np.minimum((p * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, hit - p, BINS)
    return float(np.abs(gaps).sum() / len(p))


def losses_by_part(task: LanguageModel, network: Network, texts: Sequence[str]) -> dict[str, float]:
    """Cross-entropy of test tokens in nats, by what they say: form (head, separator, tail, end of text), and prompt and answer, or text.

    A token that reaches over a border belongs to the part in which it begins.
    """
    import torch

    from benchmark.tasks.language_model.training import token_losses

    names = ("prompt", "answer") if isinstance(task.form, Pairs) else ("text",)
    offsets = task.base.tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    rows, labels = task.base.encode(texts), []
    for text, places in zip(texts, offsets, strict=True):
        parts, spans, begin = task.form.split(text) or (), [], 0
        for name, part in zip(names, parts, strict=True):
            begin = text.index(part, begin)
            spans.append((name, begin, begin + len(part)))
            begin += len(part)
        labels += [next((n for n, low, high in spans if low <= place < high), "form") for place, _ in places] + ["form"]
    losses = []
    with torch.inference_mode():
        for some in groups([len(row) - 1 for row in rows], task.at_once, room(network)):
            losses.append(token_losses(network, packed(rows[some])).double().cpu().numpy())
    of_tokens, said = np.concatenate(losses), np.array(labels)
    return {name: float(of_tokens[said == name].mean()) for name in dict.fromkeys(labels)}


def fact_recall(form: Pairs, task: LanguageModel, network: Network) -> float:
    """The share of the first test questions whose true answer is likelier than four answers to others, per token of the whole text."""
    pairs = [parts for text in task.corpus("test")[:QUESTIONS] if (parts := form.split(text)) is not None]
    rng = stream(0, "test data")
    others = [rng.choice(len(pairs), DISTRACTORS, replace=False) for _ in pairs]
    asked = [
        form.join(prompt, answer)
        for (prompt, true), some in zip(pairs, others, strict=True)
        for answer in (true, *(pairs[i][-1] for i in some))
    ]
    nats, tokens = negative_log_likelihoods(network, task.base.encode(asked), task.at_once)
    per_token = (nats / tokens).reshape(len(pairs), 1 + DISTRACTORS)
    return float((per_token[:, :1] <= per_token[:, 1:]).all(axis=1).mean())


def ngrams(text: str) -> set[str]:
    """The runs of `NGRAM` letters of a text, its ends marked."""
    marked = f"^{text}$"
    return {marked[k : k + NGRAM] for k in range(max(1, len(marked) - NGRAM + 1))}


def ngrams_of(texts: Sequence[str] | Examples) -> set[str]:
    return set(itertools.chain.from_iterable(map(ngrams, texts)))


def of_generation(generation: Sequence[str], real: set[str]) -> dict[str, float]:
    """What the n-grams of a generation share with one another and with those of generation 0.

    `self_overlap` is the mean share of a text's n-grams that some other text of the generation has: Self-BLEU (Zhu et al. 2018) without its
    brevity penalty, of one n, in linear time. `copied_ngrams` is the share of the distinct n-grams that generation 0 has: the pool of the first
    iteration, for a pool that grows has ever more of them whatever the model.
    """
    each = [ngrams(text) for text in generation]
    count = pd.Series(list(itertools.chain.from_iterable(each))).value_counts()
    repeated = set(count.index[count > 1])
    return {
        "self_overlap": float(np.mean([len(some & repeated) / len(some) for some in each])),
        "copied_ngrams": len(real & set(count.index)) / len(count),
    }


class Run(NamedTuple):
    """An entry and a seed."""

    entry: str
    seed: int
    numbers: dict[str, Any] = NUMBERS
    horizon: int = HORIZON


def runs() -> list[Run]:
    """All of the experiment, the longest first."""
    long = [Run(entry, seed, PAIRS, CONTROL_HORIZON) for seed in CONTROL_SEEDS for entry in ("replace", CONTROL)]
    long += [Run(entry, seed) for seed in SEEDS for entry in ENTRIES]
    return long + [Run(HEALTHY, seed, horizon=1) for seed in HEALTHY_SEEDS]


def records(one: Run) -> list[dict[str, Any]]:
    """A row an iteration."""
    task = (Unfiltered if one.entry == CONTROL else Watched)(**one.numbers)
    entry = Entry(ROOT / "baselines" / ("replace" if one.entry == CONTROL else one.entry))
    as_task = cast(Task, task)  # mypy: its fields are frozen, and the protocol declares writable ones
    world = task.world(stream(one.seed, "world"))
    real = ngrams_of(task.real_data(world, task.n, stream(one.seed, "real data")))
    return list(_rows(one, run(as_task, entry.make, entry.rules, one.seed, one.horizon), real))


def _rows(one: Run, found: Iterator[dict[str, Any]], real: set[str]) -> Iterator[dict[str, Any]]:
    for record in found:
        measured = {
            name: value
            for name, value in record.items()
            if name not in LEFT_OUT and isinstance(value, float) and math.isfinite(value)
        }
        yield (
            {"data": one.numbers.get("data", "factbook"), "entry": one.entry, "seed": one.seed, "t": record["t"]}
            | measured
            | of_generation(record["texts"], real)
        )


def main() -> None:
    found = all_of(records, [(one,) for one in runs()], cores())
    table = pd.DataFrame(list(itertools.chain.from_iterable(found)))
    table.drop(columns=["real_share", "real_mass"]).round(6).to_csv(TABLE, index=False)
    print(TABLE)


if __name__ == "__main__":
    from paper.experiments import early_warning  # by its full name, under which workers can import it

    shell.run(early_warning.main)
