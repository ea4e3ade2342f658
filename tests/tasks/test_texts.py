"""Laws of plain texts, of training from scratch, and of the embedded surnames, on a random network of a few thousand weights."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.core.history import History, real_data_only
from benchmark.core.requests import NEUTRAL, SampleRequest
from benchmark.core.streams import stream
from benchmark.core.task import Start
from benchmark.errors import BadParams, ThriveError
from benchmark.runs import pins
from benchmark.runs.form import Params, Profile, Suite
from benchmark.runs.params import instances, load
from benchmark.tasks.assets import ASSETS
from benchmark.tasks.language_model import LanguageModel, data, training
from tests.tasks.test_language_model import PAIRS, folder, noise, real  # noqa: F401

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def texts(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:  # noqa: F811
    """Sixteen prompts as texts, on the checkpoint of the pairs."""
    home = tmp_path_factory.mktemp("texts")
    for split in ("train", "validation", "test"):
        pd.DataFrame({"text": [prompt for prompt, _ in PAIRS]}).to_parquet(home / f"{split}.parquet")
    return LanguageModel(
        n=8, epochs=60, batch=4, learning_rate=1e-2, decay=1.0, max_tokens=32, checkpoint=str(folder), data=str(home),
        layout="texts", precision="float32",
    )  # fmt: skip


@pytest.fixture(scope="module")
def scratch(texts: LanguageModel, folder: Path) -> LanguageModel:  # noqa: F811
    return replace(texts, checkpoint="none", config=str(folder))


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x24F), min_size=1))
def test_a_text_is_its_own_form(text: str) -> None:
    assert data.Texts().split(data.Texts().join(text)) == ((text,) if data._is_clean(text) else None)


def test_texts_run_like_pairs_and_ask_nothing(texts: LanguageModel) -> None:
    """Every sample has the form of a text; diagnostics are those of pairs but for the recall of questions."""
    model = texts.fit(real_data_only(History(real(texts))), NEUTRAL, noise)
    test = texts.held_out([], noise())
    generation = texts.sample(model, 20, SampleRequest(), noise()).examples
    assert all(texts.form.split(text) for text in generation)
    start = Start(None, real(texts), test, model, 0.0, 0.0)
    found = texts.diagnostics(model, generation, start, full=True)
    assert "question_recall" not in found
    assert {"rare_loss", "distinct_2", "copied_share"} <= set(found)


@pytest.mark.parametrize(("layout", "told"), [
    ("texts", "found the columns prompt, response, expected text"),
    ("pairs", "found the columns text, expected prompt and response"),
])  # fmt: skip
def test_wrong_columns_are_told_with_those_that_are_there(
    texts: LanguageModel,
    folder: Path,  # noqa: F811
    layout: str,
    told: str,
) -> None:
    wrong = replace(texts, layout=layout, data=str(folder) if layout == "texts" else texts.data)
    with pytest.raises(ThriveError, match=told) as error:
        wrong.corpus("train")
    assert "\n" not in str(error.value)


def test_a_cell_that_is_no_text_is_told_with_its_row(texts: LanguageModel, tmp_path: Path) -> None:
    pd.DataFrame({"text": ["SMITH", None]}).to_parquet(tmp_path / "train.parquet")
    with pytest.raises(ThriveError, match="row 1 has an empty or numeric cell in text"):
        replace(texts, data=str(tmp_path)).corpus("train")


def test_from_scratch_every_iteration_begins_with_the_weights_of_its_seed(scratch: LanguageModel) -> None:
    """And torch's own generator is neither read nor moved."""

    def weights(seed: int) -> np.ndarray:
        torch.manual_seed(np.random.default_rng().integers(2**31))
        network = replace(scratch, epochs=0.01, learning_rate=1e-8).fit(
            real_data_only(History(real(scratch))), NEUTRAL, lambda: stream(seed, "fit")
        )
        return np.concatenate([p.detach().flatten().numpy() for p in network.parameters()])

    np.testing.assert_array_equal(weights(0), weights(0))
    assert np.abs(weights(0) - weights(1)).max() > 0.1
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    data.random_network(scratch.base.network.config, 0)
    assert torch.rand(1) == expected


def test_from_scratch_learns_as_from_a_checkpoint(texts: LanguageModel, scratch: LanguageModel) -> None:
    rows = texts.base.encode(real(texts))
    for task in (texts, scratch):
        model = task.fit(real_data_only(History(real(task))), NEUTRAL, noise)
        assert task.test_loss(model, rows) < 0.3 * task.simplest_loss(real(task), rows)


def test_from_scratch_no_weights_are_read(scratch: LanguageModel, texts: LanguageModel) -> None:
    assert "checkpoint/model.safetensors" in texts.files
    assert {"config/config.json", "config/tokenizer.json", "data/train.parquet"} <= set(scratch.files)
    assert not [name for name in scratch.files if name.endswith(".safetensors")]
    assert "from scratch" in scratch.name


def test_from_scratch_a_missing_config_is_told(scratch: LanguageModel, tmp_path: Path) -> None:
    told = replace(scratch, config=str(tmp_path)).obstacle
    assert told is not None
    assert told.startswith(f"config: no such file: {tmp_path}")


@pytest.mark.parametrize(
    "numbers", [{"checkpoint": "none"}, {"config": "first-names"}, {"layout": "texts", "head": "user: "}]
)
def test_numbers_that_contradict_one_another_are_refused(numbers: dict[str, str]) -> None:
    suite = Suite(horizon=2, seeds=1, instances=[{"n": 8, "seconds": 1, **numbers}])
    params = Params(profile="p", profiles={"p": Profile(about="-", suites={"language_model": suite})}, pins={})
    with pytest.raises(BadParams, match="found"):
        instances(params, "p", "language_model")


def test_the_rate_rises_stays_and_falls() -> None:
    assert training.rates(8, 2.0, 0.25, 0.5) == [1.0, 2.0, 2.0, 2.0, 2.0, 1.5, 1.0, 0.5]
    assert training.rates(4, 1.0, 0.0, 0.0) == [1.0] * 4  # as the paper has it: constant


def test_an_imposed_temperature_multiplies_the_one_asked_for(texts: LanguageModel) -> None:
    model = texts.fit(real_data_only(History(real(texts))), NEUTRAL, noise)
    biased = replace(texts, sampler_temperature=0.5)
    imposed = biased.sample(model, 20, SampleRequest(temperature=0.8), noise()).examples
    asked = texts.sample(model, 20, SampleRequest(temperature=0.4), noise()).examples
    assert imposed.tolist() == asked.tolist()
    assert biased.name == texts.name + " τ=0.5"


@given(st.lists(st.integers(1, 9), min_size=1, max_size=9))
def test_positions_and_places_count_within_each_example(lengths: list[int]) -> None:
    batch = training.packed([[0] * (length + 1) for length in lengths])
    assert batch.positions.tolist() == [k for length in lengths for k in range(length)]
    assert batch.places.tolist() == [row * max(lengths) + k for row, n in enumerate(lengths) for k in range(n)]


def test_embedded_surnames_share_no_name_with_one_another_nor_with_the_pretraining(root: Path) -> None:
    """And are those that are pinned; what the base has read is in the recipe's sdist, of which some first names are known."""
    pins.verify(root, load(root), ["surnames", "first-names", "surnames-sampled"])
    splits = [
        set(pd.read_parquet(ASSETS / "surnames" / f"{split}.parquet")["text"])
        for split in ("train", "validation", "test")
    ]
    assert [len(split) for split in splits] == [40_000, 2000, 2000]
    assert len(set.union(*splits)) == 44_000
    assert not set.union(*splits) & {"MARY", "PATRICIA", "JAMES", "JOHN", "THOMAS", "KELLY"}


def test_the_embedded_tokenizer_has_a_token_for_each_letter() -> None:
    base = data.load_base(ASSETS / "first-names", "cpu")
    assert base.encode(["AZ"]) == [[0, 2, 27, 1]]
    assert base.decode([2, 27]) == "AZ"
    assert base.network.num_parameters() == 11_232
