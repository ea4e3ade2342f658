"""Language model: tokens per CPU second of fine-tuning and of sampling, against a plain Trainer-and-generate loop."""

import time

import numpy as np
import pytest
import torch

from benchmark.history import History, real_data_only
from benchmark.strategy import NEUTRAL, NEUTRAL_REQUEST
from benchmark.streams import stream
from benchmark.tasks.language_model import LanguageModel, load_base

TASK = LanguageModel(n=200, epochs=2, batch=6, learning_rate=1e-3)


@pytest.fixture(autouse=True)
def one_torch_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def tokens_per_second(work, rounds: int = 3) -> float:
    """The best of some rounds; `work` returns how many tokens it handled."""
    found = []
    for _ in range(rounds):
        start = time.process_time()
        tokens = work()
        found.append(tokens / (time.process_time() - start))
    return max(found)


def real() -> np.ndarray:
    return TASK.real_data(None, TASK.n, stream(0, "real data"))


def train_tokens(texts) -> int:
    return round(TASK.epochs * sum(len(ids) - 1 for ids in TASK.base.encode(texts)))


def our_fit(texts) -> int:
    TASK.fit(real_data_only(History(texts)), NEUTRAL, lambda: stream(0, "fit"))
    return train_tokens(texts)


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


def our_samples(model) -> int:
    texts = TASK.sample(model, TASK.n, NEUTRAL_REQUEST, stream(0, "sample")).examples
    return sum(len(ids) - 1 for ids in TASK.base.encode(texts))


def plain_samples(model) -> int:
    """`generate` in batches of 64, rejected and drawn again like ours."""
    base, kept = TASK.base, []
    while len(kept) < TASK.n:
        begin = torch.full((64, 1), base.begin)
        drawn = model.generate(begin, attention_mask=torch.ones_like(begin), do_sample=True, top_k=0,
                               max_new_tokens=TASK.max_tokens - 1, pad_token_id=base.end)  # fmt: skip
        for ids in drawn[:, 1:].tolist():
            text = base.decode(ids[: ids.index(base.end)]) if base.end in ids else ""
            if TASK.layout.split(text) is not None:
                kept.append(text)
    return sum(len(ids) - 1 for ids in base.encode(kept[: TASK.n]))


def test_training(benchmark, tmp_path):
    texts = real()
    load_base.cache_clear()
    our_fit(texts), plain_fit(texts, tmp_path)  # warm up both
    plain = tokens_per_second(lambda: plain_fit(texts, tmp_path))
    ours = benchmark.pedantic(lambda: tokens_per_second(lambda: our_fit(texts)), rounds=1)
    benchmark.extra_info.update(ours=round(ours), plain=round(plain), unit="tokens per CPU second",
                                ratio=round(ours / plain, 2), target="≥ 1.5")  # fmt: skip


def test_generation(benchmark):
    model = TASK.fit(real_data_only(History(real())), NEUTRAL, lambda: stream(0, "fit"))
    our_samples(model), plain_samples(model)
    plain = tokens_per_second(lambda: plain_samples(model))
    ours = benchmark.pedantic(lambda: tokens_per_second(lambda: our_samples(model)), rounds=1)
    benchmark.extra_info.update(ours=round(ours), plain=round(plain), unit="accepted tokens per CPU second",
                                ratio=round(ours / plain, 2), target="≥ 2")  # fmt: skip
