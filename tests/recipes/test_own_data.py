"""A data set of one's own becomes three files of texts, or of prompts and responses."""

import json
from pathlib import Path

import pandas as pd
import pytest

from benchmark.recipes import own_data
from benchmark.tasks.language_model.data import Pairs, Texts, load_texts

pytest.importorskip("datasets")

ROWS = [{"id": k, "question": f"how many are {k}?", "answer": f"{k % 7} of them"} for k in range(60)]


def texts(folder: Path, layout: Pairs | Texts) -> dict[str, list[str]]:
    return {split: load_texts(folder / f"{split}.parquet", layout) for split in ("train", "validation", "test")}


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "csv"])
def test_a_file_becomes_pairs_in_three_parts(tmp_path: Path, kind: str) -> None:
    """Repeated rows and rows without text are left out, no row is in two parts, and the parts are the same again."""
    source = tmp_path / f"mine.{kind}"
    rows = [*ROWS, ROWS[3], {"id": 99, "question": "why?", "answer": None}]
    table = pd.DataFrame(rows)
    if kind == "jsonl":
        source.write_text("\n".join(map(json.dumps, rows)))
    else:
        table.to_parquet(source) if kind == "parquet" else table.to_csv(source, index=False)
    for folder in ("one", "two"):
        own_data.main([str(source), str(tmp_path / folder), "--columns", "question", "answer", "--test", "0.2"])
    found = texts(tmp_path / "one", Pairs("", "\n "))
    assert found == texts(tmp_path / "two", Pairs("", "\n "))
    assert {name: len(rows) for name, rows in found.items()} == {"train": 42, "validation": 6, "test": 12}
    assert sorted(text for rows in found.values() for text in rows) == sorted(
        f"{row['question']}\n {row['answer']}" for row in ROWS
    )


def test_splits_of_a_folder_stay_and_repeats_leave_the_training_rows(tmp_path: Path) -> None:
    home = tmp_path / "source"
    home.mkdir()
    for split, names in {"train": "abcdeabcde", "dev": "xy", "test": "ae"}.items():
        (home / f"{split}.jsonl").write_text("\n".join(json.dumps({"text": name}) for name in names))
    own_data.main([str(home), str(tmp_path / "own")])
    assert texts(tmp_path / "own", Texts()) == {"train": ["b", "c", "d"], "validation": ["x", "y"], "test": ["a", "e"]}


@pytest.mark.parametrize(("arguments", "told"), [
    (["mine.jsonl", "own", "--columns", "query", "answer"], "--columns: found query, expected some of id, question, answer"),
    (["mine.jsonl", "own", "--columns", "id"], "--columns: id: found int64, expected text"),
    (["mine.jsonl", "own", "--columns", "id", "question", "answer"], "--columns: found 3 names, expected one of texts, or two"),
    (["mine.xlsx", "own"], "found a file '.xlsx', expected .parquet, .jsonl"),
    (["nvidia/HelpSteer2", "own", "--revision", "main"], "a commit of 40 hex digits, found main"),
    (["broken.parquet", "own"], "broken.parquet: datasets cannot read it"),
])  # fmt: skip
def test_what_is_no_data_set_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    Path("mine.xlsx").write_bytes(b"")
    Path("broken.parquet").write_bytes(b"broken")
    with pytest.raises(SystemExit) as ended:
        own_data.main(arguments)
    error = capsys.readouterr().err
    assert ended.value.code == 1
    assert told in error
    assert error.count("\n") == 1
    assert not Path("own").exists()
