"""`thrive new`: the entry that it writes runs at once and has the numbers of its origin."""

import errno
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmark.core.loop import run
from benchmark.core.rules import Role
from benchmark.entries import scaffold
from benchmark.entries.catalogue import find
from benchmark.errors import BadEntry
from benchmark.tasks.gaussian import Gaussian
from thrive.cli import main


@pytest.fixture
def clone(tmp_path: Path, root: Path, monkeypatch) -> Path:
    """A clone with the baselines and no submission, and the current folder."""
    shutil.copytree(root / "baselines", tmp_path / "baselines", symlinks=True, ignore=shutil.ignore_patterns("__*"))
    shutil.copy(root / "params.yaml", tmp_path)
    (tmp_path / "submissions").mkdir()
    for words in (["init", "-q"], ["config", "user.name", "Ada: [Lovelace]"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def thrive(*words: str):
    return CliRunner().invoke(main, words)


def losses(entry):
    return [record["test_loss"] for record in run(Gaussian(2, 12), entry.make, entry.rules, 0, 4)]


@pytest.mark.parametrize("origin", ["accumulate", "anchor-0.5", "replace"])
def test_a_new_entry_runs_and_has_the_numbers_of_its_origin(clone, origin):
    """anchor-0.5's strategy.py is a link; replace is a reference line, whose copy competes."""
    outcome = thrive("new", "my-idea", "--from", origin)
    assert outcome.exit_code == 0, outcome.output
    entries = find(clone)
    mine, theirs = entries["my-idea"], entries[origin]
    assert losses(mine) == losses(theirs)
    assert mine.strategy_class.__name__ == "MyIdea"
    assert not (mine.folder / "strategy.py").is_symlink()
    assert (mine.card.id, mine.card.name, mine.card.authors) == ("my-idea", "My idea", ["Ada: [Lovelace]"])
    assert (mine.card.version, mine.card.role, mine.card.url, mine.card.citation) == ("0.1.0", Role.ENTRY, None, None)
    assert (mine.card.tuned_on, mine.card.configurations_tried) == ("nothing", 1)
    for name in ("track", "budget", "hyperparameters"):
        assert getattr(mine.card, name) == getattr(theirs.card, name)
    assert mine.card.unfinished() == ["description"]
    assert (mine.folder / "README.md").read_text().startswith("# My idea\n")


def test_it_names_the_next_commands_and_they_exist(clone):
    printed = thrive("new", "my-idea").stdout.splitlines()
    assert [line.split()[:2] for line in printed] == [["thrive", word] for word in ("check", "run", "run", "compare")]
    assert thrive("run", *printed[1].split()[2:], "--dry-run").exit_code == 0


def test_without_a_git_user_the_author_is_left_to_fill_in(clone):
    folder = scaffold.create(clone, "my-idea", "accumulate", None)
    assert find(clone)[folder.name].card.unfinished() == ["authors", "description"]


def test_helpers_and_data_come_along(clone):
    origin = clone / "baselines" / "accumulate"
    (origin / "helper.py").write_text("VALUE = 1\n")
    (origin / "__pycache__").mkdir()
    folder = scaffold.create(clone, "my-idea", "accumulate", None)
    assert sorted(p.name for p in folder.iterdir()) == ["README.md", "card.yaml", "helper.py", "strategy.py"]


@pytest.mark.parametrize(("words", "complaint"), [
    (["My Idea"], "id 'My Idea': expected lower-case letters, .* such as 'my-idea'"),
    (["../x"], "such as 'x'"),
    (["-"], "such as 'my-idea'"),
    (["a" * 61], "at most 60"),
    (["accumulate"], "id 'accumulate' is taken: .*baselines/accumulate"),
    (["x", "--from", "acumulate"], "no entry 'acumulate'. Did you mean 'accumulate'?"),
    (["x", "--from", "real-only"], "a copy of 'real-only' would not run as an entry: .*share of real rows"),
])  # fmt: skip
def test_impossible_requests_are_refused_and_nothing_is_written(clone, words, complaint):
    outcome = thrive("new", "--", *words) if words == ["-"] else thrive("new", *words)
    assert outcome.exit_code == 1
    assert re.search(complaint, outcome.output), outcome.output
    assert list((clone / "submissions").iterdir()) == []


def test_nothing_is_overwritten(clone):
    assert thrive("new", "my-idea").exit_code == 0
    (clone / "submissions" / "my-idea" / "card.yaml").write_text("mine")
    assert "is taken" in thrive("new", "my-idea").output
    assert (clone / "submissions" / "my-idea" / "card.yaml").read_text() == "mine"


def test_a_link_out_of_the_clone_is_not_copied(clone, tmp_path_factory):
    secret = tmp_path_factory.mktemp("outside") / "secret"
    secret.write_text("a secret")
    (clone / "baselines" / "accumulate" / "data").symlink_to(secret)
    with pytest.raises(BadEntry, match="a link in it leads to"):
        scaffold.create(clone, "my-idea", "accumulate", None)
    assert not (clone / "submissions" / "my-idea").exists()


@pytest.mark.parametrize(("id", "expected"), [
    ("my-idea", "MyIdea"), ("low-temperature-0.5", "LowTemperature05"), ("2fast", "My2fast"), ("strategy", "MyStrategy"), ("none", "MyNone"),
])  # fmt: skip
def test_class_names(id, expected):
    assert scaffold.class_name(id, {"Strategy"}) == expected


def test_only_the_name_changes():
    code = (
        "class Old(Base):\n    '''Old as ever.'''  # Old\n    def f(self): return Old, Older, super(Old, self), 'Old'\n"
    )
    expected = "class MyIdea(Base):\n    '''Old as ever.'''  # Old\n    def f(self): return MyIdea, Older, super(MyIdea, self), 'Old'\n"
    assert scaffold.renamed(code, "Old", "my-idea") == expected


def test_a_full_disk_leaves_nothing_half_written(clone, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(scaffold, "_card", full)
    outcome = thrive("new", "my-idea")
    assert (
        outcome.output
        == "Error: No space left on device. Free some space and repeat the command: finished work is kept.\n"
    )
    assert list((clone / "submissions").iterdir()) == []
