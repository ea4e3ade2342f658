"""Files that an instance reads: their content is in the key, and a missing one is reported before anything runs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.core.loop import run, start_of
from benchmark.digest.hashes import digest_of_file
from benchmark.entries.catalogue import find
from benchmark.errors import PinMismatch, ThriveError
from benchmark.runs import carry, params, pins, starts, sweep
from benchmark.runs.project import Project
from tests.runs.test_records import clone  # noqa: F401
from tests.tasks.test_language_model import folder as tiny  # noqa: F401

SUITE = """
profile: text
profiles:
  text:
    about: a network of one's own, on data of one's own
    suites:
      language_model:
        horizon: 2
        seeds: 1
        instances: [{{n: 8, epochs: 40, batch: 4, learning_rate: 0.01, max_tokens: 32, checkpoint: {network}, data: {data}, precision: float32, seconds: 1}}]
pins: {pins}
"""


@pytest.fixture
def own(clone: Path, tiny: Path) -> Path:  # noqa: F811
    """A clone whose profile reads two of its folders: network/ and data/."""
    for name in ("network", "data"):
        shutil.copytree(tiny, clone / name)
    (clone / "mark").write_text("of a pin that says nothing about the two folders")
    pins = f"{{all: {{folder: ., source: me, files: {{mark: {digest_of_file(clone / 'mark')}}}}}}}"
    (clone / "params.yaml").write_text(SUITE.format(network=clone / "network", data=clone / "data", pins=pins))
    return clone


def key(clone: Path) -> str:  # noqa: F811
    [cell] = sweep.cells(Project.load(clone, "text"), "language_model", [find(clone)["replace"]])
    return cell.key


def flip(path: Path) -> None:
    """Change one bit without changing size and modification time."""
    before, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("name", [
    "data/train.parquet", "data/validation.parquet", "data/test.parquet", "network/config.json", "network/model.safetensors",
    "network/tokenizer.json", "network/tokenizer_config.json", "network/generation_config.json",
])  # fmt: skip
def test_every_file_that_is_read_is_in_the_key(own, name):
    before = key(own)
    assert key(own) == before
    flip(own / name)
    assert key(own) != before


def test_other_files_and_the_path_are_not_in_the_key(own):
    before = key(own)
    (own / "data" / "README.md").write_text("where it comes from")
    (own / "notes.txt").write_text("")
    assert key(own) == before


def test_a_file_added_to_the_network_is_in_the_key(own):
    before = key(own)
    (own / "network" / "more").mkdir()
    (own / "network" / "more" / "adapter.safetensors").write_bytes(b"")
    assert key(own) != before


@pytest.mark.parametrize("name", ["data/test.parquet", "data", "network"])
def test_missing_files_are_reported_before_anything_runs(own, name):
    path = own / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(
        ThriveError,
        match=f"params.yaml: profiles.text.suites.language_model.instances.0: .*: no such file: {path}.*Put it there",
    ) as told:
        key(own)
    assert "\n" not in str(told.value)


def test_a_pinned_folder_is_compared_with_its_pin(own):
    """Also if an instance names it by its absolute path."""
    (own / "params.yaml").write_text(SUITE.format(
        network=own / "network", data=own / "data",
        pins=f"{{mine: {{folder: data, source: me, files: {{train.parquet: {digest_of_file(own / 'data' / 'train.parquet')}}}}}, "
        f"network: {{folder: network, source: me, files: {{config.json: {digest_of_file(own / 'network' / 'config.json')}}}}}}}",
    ))  # fmt: skip
    key(own)
    flip(own / "data" / "train.parquet")
    with pytest.raises(PinMismatch, match=r"train.parquet: sha256 is .* and params.yaml pins .* \(pins.mine\)"):
        key(own)


@pytest.mark.parametrize(("name", "told"), [
    ("data/train.parquet", "no Parquet file that can be read"),
    ("network/config.json", "no network and tokenizer that transformers can read"),
    ("network/model.safetensors", "no network and tokenizer that transformers can read"),
    ("network/tokenizer.json", "no network and tokenizer that transformers can read"),
])  # fmt: skip
def test_an_unreadable_file_is_reported_in_one_line(own, name, told):
    (own / name).write_bytes((own / name).read_bytes()[:20])
    [instance] = params.instances(params.load(own), "text", "language_model")
    with pytest.raises(ThriveError, match=told) as error:
        instance.task.warm_up()
    assert str(own / name.partition("/")[0]) in str(error.value)
    assert "\n" not in str(error.value)


def command(clone: Path, id: str) -> subprocess.CompletedProcess:  # noqa: F811
    words = [sys.executable, "-m", "thrive.cli", "run", "-j", "1", "--only", "-s", id]
    return subprocess.run(words, cwd=clone, capture_output=True, text=True)


@pytest.mark.long
def test_nothing_is_kept_if_data_are_edited_and_restored_meanwhile(own):
    """Without the edit the cell runs, from a start with a fitted network, in a process that has fitted none."""
    done = command(own, "replace")
    assert done.returncode == 0, done.stderr
    assert len(list((own / "cells").glob("*.parquet"))) == 1
    strategy = own / "baselines" / "accumulate" / "strategy.py"
    file = own / "data" / "test.parquet"
    edit = f"p = pathlib.Path({str(file)!r}); b = p.read_bytes(); p.write_bytes(b[::-1]); p.write_bytes(b)"
    strategy.write_text(f"import pathlib\n{edit}\n{strategy.read_text()}")
    done = command(own, "accumulate")
    assert done.returncode != 0
    assert f"{file} changed while the sweep ran: nothing that depends on it is kept. Run it again." in done.stderr
    assert "Traceback" not in done.stderr
    assert len(list((own / "cells").glob("*.parquet"))) == 1


def test_a_run_from_a_kept_start_is_the_run(own, root):
    """Bit for bit, since weights are stored unchanged."""
    [instance] = params.instances(params.load(own), "text", "language_model")
    [start] = starts.unpacked(instance.task, starts.packed(instance.task, [start_of(instance.task, 0)]))
    entry = find(root)["accumulate"]
    kept = [repr(record) for record in run(instance.task, entry.make, entry.rules, 0, 2, start)]
    assert kept == [repr(record) for record in run(instance.task, entry.make, entry.rules, 0, 2)]


PINS = """
  # What the profile reads.
  mine: {{folder: {own}/data, source: me}}
  network: # a checkpoint
    folder: network
    source: "me: myself"
    files: {{}}
  other:
    folder: elsewhere
    source: you
"""


def test_a_folder_without_a_pin_or_a_pin_without_digests_is_refused_and_a_command_computes_them(own):
    suite = SUITE.format(network=own / "network", data=own / "data", pins="{}")
    (own / "params.yaml").write_text(suite)
    with pytest.raises(PinMismatch, match="data: no pin of params.yaml is of this folder.*thrive fetch --pin NAME"):
        key(own)
    before = suite.replace("pins: {}", "pins:") + PINS.format(own=own)
    (own / "params.yaml").write_text(before)
    with pytest.raises(
        PinMismatch, match="pins.mine: found no digests of files. Compute them: thrive fetch --pin mine"
    ):
        key(own)
    (own / "network" / ".cache").mkdir()
    (own / "network" / ".cache" / "dates").write_text("of the download")
    assert [pins.write(own, name) for name in ("mine", "network", "mine")] == [8, 8, 8]
    after = (own / "params.yaml").read_text()
    assert after.partition("pins:")[0] == before.partition("pins:")[0]
    assert "# What the profile reads." in after
    found = Project.load(own, "text").params.pins
    assert found["mine"].files["train.parquet"] == digest_of_file(own / "data" / "train.parquet")
    assert found["network"].source == "me: myself"
    assert found["other"].files == {}
    key(own)
    flip(own / "network" / "config.json")
    with pytest.raises(PinMismatch, match="config.json: sha256 is"):
        key(own)
    with pytest.raises(PinMismatch, match="pins: no pin 'nobody'"):
        pins.write(own, "nobody")
    with pytest.raises(PinMismatch, match="elsewhere: no such folder, or an empty one"):
        pins.write(own, "other")


def test_files_that_are_not_embedded_may_be_elsewhere(own):
    """They are asked for by the instances that read them alone: no other profile, and no list of all cells, misses them."""
    suite = (own / "params.yaml").read_text()
    pin = "{folder: network, embedded: false, source: python -m somewhere, files: {config.json: " + "a" * 64 + "}}"
    (own / "params.yaml").write_text(suite.replace("pins: {", f"pins: {{big: {pin}, "))
    with pytest.raises(PinMismatch, match="Restore it: python -m somewhere"):
        key(own)
    shutil.rmtree(own / "network")
    told = list(pins.check_all(own, params.load(own)))
    assert any(
        line == "big: not here, and only some profiles need it. To have it: python -m somewhere" for line in told
    )
    assert carry.known_cells(own) == []
