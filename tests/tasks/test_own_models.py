"""Checkpoints of one's own: whatever the architecture, losses, gradients and samples are those of transformers, and a bad one is told."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmark.core.history import History, real_data_only
from benchmark.core.requests import NEUTRAL, SampleRequest
from benchmark.core.streams import stream
from benchmark.errors import ThriveError
from benchmark.tasks.language_model import LanguageModel, data, sampling, training
from benchmark.tasks.language_model.data import Network
from tests.tasks.test_language_model import folder, gradient, noise, real, task  # noqa: F401

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SHAPES = {
    "GPT2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 64},
    "Llama": {
        "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "max_position_embeddings": 64,
    },
    # A window that examples are longer than, and logits that are capped.
    "Gemma2": {
        "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
        "head_dim": 8, "sliding_window": 6, "query_pre_attn_scalar": 8, "final_logit_softcapping": 10.0, "max_position_embeddings": 64,
    },
}  # fmt: skip


@pytest.fixture(scope="module", params=SHAPES)
def own(request: pytest.FixtureRequest, task: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:  # noqa: F811
    """The instance of tiny pairs, on a random network of another architecture, saved as transformers saves it."""
    home = tmp_path_factory.mktemp(request.param)
    save(request.param, task, home)
    return replace(task, checkpoint=str(home), epochs=20.0)


@pytest.fixture(scope="module")
def fitted(own: LanguageModel) -> Network:
    return own.fit(real_data_only(History(real(own))), NEUTRAL, noise)


def save(architecture: str, task: LanguageModel, home: Path, **numbers: int) -> None:  # noqa: F811
    config = getattr(transformers, f"{architecture}Config")(
        vocab_size=len(task.base.tokenizer), initializer_range=0.3, bos_token_id=0, eos_token_id=1, pad_token_id=1, **SHAPES[architecture] | numbers
    )  # fmt: skip
    data.random_network(config, 0).save_pretrained(home)
    task.base.tokenizer.save_pretrained(home)


def loss_of_transformers(network: Network, rows: list[data.Ids]) -> torch.Tensor:
    """Its own loss of a batch that is padded, with labels -100 at padding."""
    width = max(map(len, rows))
    ids = torch.tensor([row + [1] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    return network(input_ids=ids, attention_mask=mask, labels=ids.masked_fill(mask == 0, -100)).loss


def test_losses_and_gradients_are_those_of_transformers(own: LanguageModel) -> None:
    """Together, in parts, and as transformers pads them."""
    rows, network = own.held_out([], noise()), own.base.network
    assert len({len(row) for row in rows}) > 1
    weights = np.full(len(rows), 1 / sum(len(row) - 1 for row in rows))
    network.zero_grad()
    loss = loss_of_transformers(network, rows)
    loss.backward()
    expected = np.concatenate([p.grad.flatten().numpy().copy() for p in network.parameters()])
    assert own.test_loss(network, rows) == pytest.approx(loss.item(), rel=1e-5)
    batch = training.packed(rows, weights)
    for parts in ([batch], list(batch.parts(3)), list(batch.parts(100, 40))):
        found = len(parts) * gradient(network, parts)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_a_fit_has_no_noise_but_the_order_of_its_batches(own: LanguageModel, fitted: Network) -> None:
    """GPT-2 has dropout as transformers configures it."""
    again = own.fit(real_data_only(History(real(own))), NEUTRAL, noise)
    assert all(torch.equal(a, b) for a, b in zip(fitted.parameters(), again.parameters(), strict=True))
    rows = own.base.encode(real(own))
    assert own.test_loss(fitted, rows) < own.test_loss(own.base.network, rows) - 1


def test_samples_are_drawn_alone_as_together(own: LanguageModel, fitted: Network) -> None:
    """Rows leave a batch when they end, also where the cache of a layer is a window."""
    uniforms = stream(1, "sample").random((12, own.max_tokens - 1))
    together = sampling.draw(fitted, own.base, uniforms, 1.0, 1.0)
    alone = [sampling.draw(fitted, own.base, row[None], 1.0, 1.0)[0] for row in uniforms]
    assert together == alone
    assert len({len(ids) for ids in together if ids}) > 1


def test_a_model_goes_to_arrays_and_back(own: LanguageModel, fitted: Network) -> None:
    again = own.model_of(own.plain_model(fitted))
    assert all(torch.equal(a, b) for a, b in zip(fitted.parameters(), again.parameters(), strict=True))


@pytest.mark.parametrize(("token", "told"), [("bos", "beginning"), ("eos", "end")])
def test_a_tokenizer_without_begin_or_end_is_told(
    task: LanguageModel,  # noqa: F811
    tmp_path: Path,
    token: str,
    told: str,
) -> None:
    save("Llama", task, tmp_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    setattr(tokenizer, f"{token}_token", None)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ThriveError, match=f"no token for the {told} of a text.*tokenizer.{token}_token"):
        data.load_base(tmp_path, "cpu")


def test_a_tokenizer_of_another_network_is_told(task: LanguageModel, tmp_path: Path) -> None:  # noqa: F811
    save("Llama", task, tmp_path)
    data.random_network(transformers.LlamaConfig(vocab_size=20, **SHAPES["Llama"]), 0).save_pretrained(tmp_path)
    with pytest.raises(ThriveError, match="its tokenizer has 273 tokens, and its network knows 20"):
        data.load_base(tmp_path, "cpu")


def test_examples_beyond_the_context_are_told(own: LanguageModel) -> None:
    with pytest.raises(ThriveError, match="max_tokens: found 65, and .* reads at most 64 tokens"):
        _ = replace(own, max_tokens=65).base


def test_weights_that_are_not_finite_are_told(own: LanguageModel, fitted: Network) -> None:
    network = training.moved(fitted, fitted, float("nan"))
    assert np.isnan(own.test_loss(network, own.held_out([], noise())))
    with pytest.raises(ThriveError, match="not finite: its fit diverged. Lower learning_rate"):
        own.sample(network, 5, SampleRequest(), noise())


TEMPLATES = {
    "gemma": "{{ bos_token }}{% for m in messages %}<turn>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content | trim }}<turn>\n{% endfor %}",
    "llama": "{% for m in messages %}[{{ m.role }}]\n\n{{ m.content }}{{ '' if loop.last else ' ' }}{% endfor %}{{ eos_token }}",
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_chat_template_is_a_layout(task: LanguageModel, tmp_path: Path, name: str) -> None:  # noqa: F811
    """An example is what the template writes, begin and end apart, and comes apart again; a model learns its form."""
    save("Llama", task, tmp_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    tokenizer.chat_template = TEMPLATES[name]
    tokenizer.save_pretrained(tmp_path)
    chat = replace(task, checkpoint=str(tmp_path), layout="chat", max_tokens=64, epochs=60.0)
    turns = [{"role": "user", "content": "a: sea?"}, {"role": "assistant", "content": "none"}]
    whole = tokenizer.apply_chat_template(turns, tokenize=False).removeprefix("<s>").removesuffix("</s>")
    assert chat.form.join("a: sea?", "none") == whole
    assert chat.form.split(whole) == ("a: sea?", "none")
    assert chat.form.split("x" + whole) is None
    model = chat.fit(real_data_only(History(real(chat))), NEUTRAL, noise)
    assert all(chat.form.split(text) for text in chat.sample(model, 4, SampleRequest(), noise()).examples)


@pytest.mark.parametrize(("template", "told"), [
    (None, "has no chat template"),
    ("{% for m in messages %}{{ m.role }}: {{ m.content }}</s>{% endfor %}", "writes '</s>' within an example"),
    ("{{ messages[0].content }}", "does not put a prompt and then a response"),
])  # fmt: skip
def test_a_chat_template_that_is_no_layout_is_told(
    task: LanguageModel,  # noqa: F811
    tmp_path: Path,
    template: str | None,
    told: str,
) -> None:
    save("Llama", task, tmp_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    tokenizer.chat_template = template
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ThriveError, match=told):
        _ = replace(task, checkpoint=str(tmp_path), layout="chat").form


PEAK = """
import resource, sys
import numpy as np, torch
from transformers import LlamaConfig
from benchmark.core.requests import NEUTRAL
from benchmark.tasks.language_model import data, training
torch.set_num_threads(1)
network = data.random_network(LlamaConfig(vocab_size=49152, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1), 0)
rows = [[0, *range(2, 40), 1]] * 128
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * {unit}
training.mean_loss(network, rows[:1], 512)
before = peak()
batch = training.packed(rows)
training.minimize(network, iter([batch.parts(512, training.room(network))]), [1e-3], NEUTRAL)
training.mean_loss(network, rows, 512)
print(peak() - before)
"""


def test_logits_of_a_batch_are_never_in_memory_together() -> None:
    """128 examples of 39 positions have 245 million logits, 981 MB. A part has 134 MB of them, and as much again of gradients and copies."""
    unit = 1 if sys.platform == "darwin" else 1024
    done = subprocess.run(
        [sys.executable, "-c", PEAK.replace("{unit}", str(unit))], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 4 * 4 * training.MOST_LOGITS < 128 * 39 * 49152 * 4


def test_groups_keep_order_and_limits() -> None:
    assert list(training.groups([3, 3, 3, 3, 3], 2, 100)) == [slice(0, 2), slice(2, 4), slice(4, 5)]
    assert list(training.groups([3, 3, 9, 1], 9, 9)) == [slice(0, 2), slice(2, 3), slice(3, 4)]
    assert list(training.groups([50], 1, 9)) == [slice(0, 1)]


def test_bits_per_byte_is_a_unit_of_the_texts_alone(task: LanguageModel) -> None:  # noqa: F811
    """All nats of the test texts, in bits, divided by their bytes."""
    texts, network = task.corpus("test"), task.base.network
    nats, _ = training.negative_log_likelihoods(network, task.base.encode(texts), 32)
    expected = nats.sum() / np.log(2) / sum(len(text.encode()) for text in texts)
    assert task.test_loss(network, task.held_out([], noise())) * task.bits_per_byte == pytest.approx(expected)
