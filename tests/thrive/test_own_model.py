"""docs/own-model.md, step by step: rows of JSON, and checkpoints of three architectures saved in folders of one's own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from benchmark.results import gather
from benchmark.tasks.language_model import LanguageModel
from tests.runs.test_records import clone  # noqa: F401
from tests.tasks.test_language_model import PAIRS, folder, task  # noqa: F401
from tests.tasks.test_own_models import SHAPES, save

PROFILE = """
profile: mine
profiles:
  mine:
    about: three models on questions of ours
    entries: [replace]
    suites:
      language_model:
        horizon: 2
        seeds: 1
        instances:
          - {{data: {home}/faq, checkpoint: [{checkpoints}], n: 8, epochs: 30, batch: 4, learning_rate: 0.01, max_tokens: 32, precision: float32, seconds: 5}}
pins:
  faq: {{folder: {home}/faq, source: our helpdesk}}
"""
PIN = "  {name}:\n    folder: {home}/{name}\n    source: transformers, at random\n"


def thrive(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "thrive.cli", *words], cwd=home, env=environment, capture_output=True, text=True
    )


def test_own_data_and_own_models_run_in_three_steps(clone: Path, task: LanguageModel) -> None:  # noqa: F811
    pytest.importorskip("datasets")
    rows = [
        {"id": k, "question": f"{prompt} {k}", "answer": response} for k, (prompt, response) in enumerate(PAIRS * 2)
    ]
    (clone / "faq.jsonl").write_text("\n".join(map(json.dumps, rows)))
    words = ["faq.jsonl", "faq", "--columns", "question", "answer"]
    subprocess.run([sys.executable, "-m", "benchmark.recipes.own_data", *words], cwd=clone, check=True)
    for name in SHAPES:
        save(name, task, clone / name)
    pins = "".join(PIN.format(name=name, home=clone) for name in SHAPES)
    checkpoints = ", ".join(str(clone / name) for name in SHAPES)
    (clone / "params.yaml").write_text(PROFILE.format(home=clone, checkpoints=checkpoints) + pins)

    refused = thrive(clone, "run", "--dry-run")
    assert refused.returncode == 1
    assert "pins.faq: found no digests of files. Compute them: thrive fetch --pin faq" in refused.stderr
    done = thrive(clone, "fetch", *(word for name in ("faq", *SHAPES) for word in ("--pin", name)))
    assert done.stdout.count("written to params.yaml") == 4
    assert thrive(clone, "fetch").stdout.count("are as pinned") == 4
    ran = thrive(clone, "run", "-j", "1")
    assert ran.returncode == 0, ran.stderr

    found = gather.read(clone / "results" / "mine" / "language_model")
    last = found.scores.set_index("instance")
    assert len(last) == len(SHAPES)
    losses = found.curves.query("quantity in ('test_loss', 'bits_per_byte')").pivot(
        index=["instance", "t"], columns="quantity", values="mean"
    )
    units = {one.name: one.bits_per_byte for one in found.about.tasks["language_model"].instances}
    ratio = losses["bits_per_byte"] / losses["test_loss"]
    assert ratio.to_numpy() == pytest.approx(ratio.index.get_level_values("instance").map(units).to_numpy(), rel=1e-5)
    test = pd.read_parquet(clone / "faq" / "test.parquet")
    texts = [f"{row.prompt}\n {row.response}" for row in test.itertuples()]
    tokens = sum(len(ids) - 1 for ids in task.base.encode(texts))
    assert units[last.index[0]] == pytest.approx(tokens / sum(map(len, texts)) / 0.6931472)


@pytest.mark.parametrize(("numbers", "told"), [
    ("device: cuda:7", "device: found 'cuda:7', and this machine has .* of cuda. Write device: cpu"),
    ("device: gpu", "device: found 'gpu', expected cpu, cuda"),
    ("precision: fp8", "precision"),
    ("data: /nowhere", "data: no such file: /nowhere/train.parquet"),
])  # fmt: skip
def test_what_a_machine_does_not_have_is_refused_before_anything_runs(clone: Path, numbers: str, told: str) -> None:  # noqa: F811
    text = PROFILE.format(home=clone, checkpoints="checkpoint")
    key = numbers.partition(":")[0]
    old = re.search(rf"{key}: [^,]+, ", text)
    text = text.replace(old[0], f"{numbers}, ") if old else text.replace("n: 8, ", f"n: 8, {numbers}, ")
    text = text.replace(f"data: {clone}/faq, ", "") if key != "data" else text
    (clone / "params.yaml").write_text(text)
    done = thrive(clone, "run", "--dry-run")
    assert done.returncode == 1
    assert re.search(told, done.stderr)
    assert not (clone / "cells").exists() or not list((clone / "cells").iterdir())
