"""Language model: tokens per CPU second in fine-tuning and sampling, compared with a plain loop of Trainer and generate."""

import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmark.core.history import History, real_data_only
from benchmark.core.requests import NEUTRAL, NEUTRAL_REQUEST
from benchmark.core.streams import stream
from benchmark.tasks.language_model import LanguageModel

TASK = LanguageModel(n=200, epochs=2, batch=6, learning_rate=1e-3)


@pytest.fixture(autouse=True)
def one_torch_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def in_turns(ours, plain, rounds: int = 3) -> tuple[float, float]:
    """Tokens per CPU second, the best of some rounds after a warm-up. Each function returns its number of tokens.

    They take turns, so that a slow spell of the machine meets both.
    """
    found = [(speed(ours), speed(plain)) for _ in range(1 + rounds)][1:]
    return max(a for a, _ in found), max(b for _, b in found)


def speed(work) -> float:
    start = time.process_time()
    tokens = work()
    return tokens / (time.process_time() - start)


def real() -> np.ndarray:
    return TASK.real_data(TASK.world(stream(0, "world")), TASK.n, stream(0, "real data"))


def train_tokens(texts) -> int:
    return round(TASK.epochs * sum(len(ids) - 1 for ids in TASK.base.encode(texts)))


def our_fit(texts, task=TASK) -> int:
    task.fit(real_data_only(History(texts)), NEUTRAL, lambda: stream(0, "fit"))
    return train_tokens(texts)


def products_of_a_step(task) -> int:
    """Only the matrix products of one training step, which every training of this network needs.

    There are three for each matrix: forward, backward to its input, and backward to itself. The products of attention are
    left out: 1 % of the others at 36 tokens.
    """
    rows = task.base.encode(real())
    positions = round(task.batch * sum(len(ids) - 1 for ids in rows) / len(rows))
    dtype = torch.bfloat16 if task.bfloat16 else torch.float32
    with torch.inference_mode():
        for weight in task.base.network.parameters():  # of the tied embedding, as the head
            if weight.ndim == 2:
                before, after = (torch.ones(positions, width, dtype=dtype) for width in weight.shape[::-1])
                matrix = weight.to(dtype)
                for _ in range(20):
                    before @ matrix.T, after @ matrix, after.T @ before
    return 20 * positions


def plain_fit(texts, folder) -> int:
    """transformers' Trainer with its defaults, padding every batch, from the checkpoint on disk."""
    from transformers import AutoModelForCausalLM, Trainer, TrainingArguments

    base = TASK.base
    rows = [{"input_ids": ids} for ids in base.encode(texts)]

    def collate(batch):
        width = max(len(row["input_ids"]) for row in batch)
        ids = torch.tensor([row["input_ids"] + [base.end] * (width - len(row["input_ids"])) for row in batch])
        mask = torch.tensor([[1] * len(r["input_ids"]) + [0] * (width - len(r["input_ids"])) for r in batch])
        return {"input_ids": ids, "attention_mask": mask, "labels": ids.masked_fill(mask == 0, -100)}

    model = AutoModelForCausalLM.from_pretrained(base.network.name_or_path, dtype=torch.float32)
    arguments = TrainingArguments(
        output_dir=str(folder), num_train_epochs=TASK.epochs, per_device_train_batch_size=TASK.batch, use_cpu=True,
        learning_rate=TASK.learning_rate, report_to=[], save_strategy="no", logging_strategy="no", disable_tqdm=True,
    )  # fmt: skip
    Trainer(model=model, args=arguments, train_dataset=rows, data_collator=collate).train()
    return train_tokens(texts)


def our_samples(model, task=TASK) -> int:
    texts = task.sample(model, TASK.n, NEUTRAL_REQUEST, stream(0, "sample")).examples
    return sum(len(ids) - 1 for ids in TASK.base.encode(texts))


def plain_samples(model) -> int:
    """`generate` in batches of 64; rejected samples are drawn again, as in ours."""
    base, kept = TASK.base, []
    while len(kept) < TASK.n:
        begin = torch.full((64, 1), base.begin)
        drawn = model.generate(begin, attention_mask=torch.ones_like(begin), do_sample=True, top_k=0,
                               max_new_tokens=TASK.max_tokens - 1, pad_token_id=base.end)  # fmt: skip
        for ids in drawn[:, 1:].tolist():
            text = base.decode(ids[: ids.index(base.end)]) if base.end in ids else ""
            if TASK.form.split(text) is not None:
                kept.append(text)
    return sum(len(ids) - 1 for ids in base.encode(kept[: TASK.n]))


@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_training(benchmark, tmp_path, precision):
    texts, task = real(), replace(TASK, precision=precision)
    ours, plain = benchmark.pedantic(
        lambda: in_turns(lambda: our_fit(texts, task), lambda: plain_fit(texts, tmp_path)), rounds=1
    )
    floor = max(speed(lambda: products_of_a_step(task)) for _ in range(3))
    benchmark.extra_info.update(ours=round(ours), plain=round(plain), unit="tokens per CPU second", arithmetic=task.arithmetic,
                                ratio=round(ours / plain, 2), target="≥ 1.5", products_alone=round(floor),
                                share_of_floor=round(ours / floor, 2))  # fmt: skip


@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_generation(benchmark, precision):
    task = replace(TASK, precision=precision)
    model = TASK.fit(real_data_only(History(real())), NEUTRAL, lambda: stream(0, "fit"))
    ours, plain = benchmark.pedantic(
        lambda: in_turns(lambda: our_samples(model, task), lambda: plain_samples(model)), rounds=1
    )
    benchmark.extra_info.update(ours=round(ours), plain=round(plain), unit="accepted tokens per CPU second",
                                arithmetic=task.arithmetic, ratio=round(ours / plain, 2), target="≥ 2")  # fmt: skip
