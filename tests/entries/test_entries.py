"""Entries: how a folder is loaded, whose fault it is if it cannot be loaded, and that one bad folder stops no other entry."""

import importlib.metadata
import itertools
import os
import re
import shutil
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmark.entries.catalogue import find, sound
from benchmark.entries.entry import Entry
from benchmark.errors import BadEntry, ThriveError, Unsupported
from thrive.cli import main

STRATEGY = """
from benchmark import Strategy

class Mine(Strategy):
    def __init__(self, alpha, *, beta=2):
        self.alpha = 1 / alpha

    def training_set(self, context, pool):
        return pool.all()
"""
CARD = """
api: 1
id: mine
name: Mine
version: 1.0.0
authors: [Ada Lovelace]
licence: Apache-2.0
description: For tests.
track: blind
budget: growing
hyperparameters: {alpha: 4}
tuned_on: nothing
configurations_tried: 1
"""


@pytest.fixture
def clone(tmp_path: Path, root: Path) -> Path:
    """A root with one baseline and one submission."""
    shutil.copytree(
        root / "baselines" / "accumulate", tmp_path / "baselines" / "accumulate", ignore=shutil.ignore_patterns("__*")
    )
    shutil.copy(root / "params.yaml", tmp_path)
    folder = tmp_path / "submissions" / "mine"
    folder.mkdir(parents=True)
    (folder / "strategy.py").write_text(STRATEGY)
    (folder / "card.yaml").write_text(CARD)
    return tmp_path


@pytest.fixture
def mine(clone: Path) -> Path:
    return clone / "submissions" / "mine"


def with_hyperparameters(mine: Path, text: str) -> Entry:
    (mine / "card.yaml").write_text(CARD.replace("{alpha: 4}", text))
    return Entry(mine)


def test_hyperparameters_arrive(mine):
    assert Entry(mine).make().alpha == 0.25


@pytest.mark.parametrize(("given", "complaint"), [
    ("{alhpa: 4}", r"card.yaml: hyperparameters: Mine\(alpha, \*, beta=2\): missing a required argument: 'alpha'. 'alhpa' is unknown. Did you mean 'alpha'?"),
    ("{alpha: 4, gamma: 1}", "card.yaml: hyperparameters: .* unexpected keyword argument 'gamma'. 'gamma' is unknown. Known: alpha, beta"),
    ("{}", "card.yaml: hyperparameters: .* missing a required argument: 'alpha'"),
])  # fmt: skip
def test_hyperparameters_that_the_class_does_not_take_are_an_error_of_the_card(mine, given, complaint):
    with pytest.raises(BadEntry, match=complaint):
        with_hyperparameters(mine, given).make()


@pytest.mark.parametrize(
    ("given", "complaint"), [("{alpha: four}", "TypeError: unsupported operand"), ("{alpha: 0}", "ZeroDivisionError")]
)
def test_an_error_in_init_is_reported_with_its_line(mine, given, complaint):
    with pytest.raises(
        BadEntry, match=f"Mine.__init__ raised {complaint}.*strategy.py:6: self.alpha = 1 / alpha"
    ) as error:
        with_hyperparameters(mine, given).make()
    assert "card.yaml" not in str(error.value)


def test_a_strategy_that_exits_at_import_stops_nothing_else(mine):
    (mine / "strategy.py").write_text("raise SystemExit('enough')")
    with pytest.raises(BadEntry, match="SystemExit at import: enough .*strategy.py:1"):
        Entry(mine).make()


HELPED = "from benchmark import Strategy\n{line}\nclass Mine(Strategy):\n    def __init__(self, alpha):\n        self.value = VALUE\n"


@pytest.mark.parametrize("line", ["from .helper import VALUE", "from . import helper; VALUE = helper.VALUE"])
def test_files_in_the_entrys_folder_can_be_imported(mine, line):
    """The files of this folder, even if another folder of the same id was loaded before."""
    (mine / "strategy.py").write_text(HELPED.format(line=line))
    (mine / "helper.py").write_text("VALUE = 1")
    assert Entry(mine).make().value == 1
    other = mine.parents[1] / "elsewhere" / "submissions" / "mine"
    shutil.copytree(mine, other, ignore=shutil.ignore_patterns("__pycache__"))
    (other / "helper.py").write_text("VALUE = 20")
    assert Entry(other).make().value == 20


def test_an_id_with_a_dot_is_a_package_too(mine):
    folder = mine.rename(mine.parent / "mine-0.5")
    (folder / "card.yaml").write_text(CARD.replace("id: mine", "id: mine-0.5"))
    (folder / "strategy.py").write_text(HELPED.format(line="from .helper import VALUE"))
    (folder / "helper.py").write_text("VALUE = 1")
    assert Entry(folder).make().value == 1


def test_an_absolute_import_of_a_file_of_the_entry_is_refused_with_the_right_form(mine):
    (mine / "strategy.py").write_text(HELPED.format(line="from helper import VALUE"))
    (mine / "helper.py").write_text("VALUE = 1")
    with pytest.raises(BadEntry, match=r"For helper.py beside it, write: from . import helper"):
        Entry(mine).make()


def test_a_helper_is_in_the_digest(mine):
    before = Entry(mine).digest
    (mine / "helper.py").write_text("VALUE = 1")
    assert Entry(mine).digest != before


def test_links_may_lead_only_to_other_entries(root, mine, tmp_path):
    linked = root / "baselines" / "anchor-0.5"
    assert Entry(linked).sources == [linked, root / "baselines" / "anchor-0.1" / "strategy.py"]
    (mine / "data").symlink_to(Path.home())
    with pytest.raises(BadEntry, match="a link in it leads to"):
        _ = Entry(mine).sources


@pytest.mark.parametrize(("line", "complaint"), [
    ("numpy<2", r"requirements.txt:2: 'numpy<2' excludes numpy 2.4.6, .* may add requirements, never change"),
    ("NumPy==1.26.4", "excludes NumPy 2.4.6"),
    ("no-such-thing>=1", r"'no-such-thing>=1' is not installed .found none.. Install it: .*--constraint requirements.lock"),
    ("pyyaml>=999", r"'pyyaml>=999' is not installed .found \d"),
    ("-r other.txt", "found '-r other.txt', expected a name and versions"),
    ("--index-url https://example.org", "expected a name and versions"),
    ("x @ https://example.org/x.whl", "found the address https://example.org/x.whl"),
])  # fmt: skip
def test_requirements_may_add_packages_and_change_none(mine, line, complaint):
    (mine.parents[1] / "requirements.lock").write_text("numpy==2.4.6\n")
    (mine / "requirements.txt").write_text(f"# what it needs\n{line}\n")
    with pytest.raises(BadEntry, match=complaint):
        Entry(mine).make()


def test_requirements_that_are_met_are_fine(mine):
    here = importlib.metadata.version("numpy")
    (mine.parents[1] / "requirements.lock").write_text(f"numpy=={here}\n")
    (mine / "requirements.txt").write_text(
        f"numpy>=2  # as all\n\npyyaml\nno-such-thing; python_version < '3'\nNumPy=={here}\n"
    )
    assert Entry(mine).make().alpha == 0.25


def test_the_projects_own_lock_is_read(root, mine):
    shutil.copy(root / "requirements.lock", mine.parents[1])
    (mine / "requirements.txt").write_text("torch<1\n")
    with pytest.raises(BadEntry, match="excludes torch 2"):
        Entry(mine).make()


BREAK = {
    "unreadable": lambda mine: (mine / "card.yaml").write_text("["),
    "lacking": lambda mine: (mine / "card.yaml").unlink(),
    "wrong": lambda mine: (mine / "card.yaml").write_text(CARD.replace("api: 1", "api: 9")),
}


@pytest.fixture(params=BREAK)
def broken(request, clone, monkeypatch) -> Path:
    BREAK[request.param](clone / "submissions" / "mine")
    monkeypatch.chdir(clone)
    return clone


def test_one_bad_card_is_reported_and_the_others_are_found(broken):
    good, faults = sound(find(broken))
    assert list(good) == ["accumulate"]
    assert ["mine/card.yaml" in str(fault) for fault in faults] == [True]


def test_list_shows_the_good_ones_and_the_fault(broken):
    outcome = CliRunner().invoke(main, ["list"])
    assert outcome.exit_code == 1
    assert "accumulate " in outcome.stdout
    assert "profile smoke" in outcome.stdout
    assert "left out: " in outcome.stderr
    assert "mine/card.yaml" in outcome.stderr


def test_a_run_stops_for_a_bad_card_only_if_the_entry_is_named(broken):
    words = ["run", "--only", "-t", "gaussian", "--profile", "smoke", "--seeds", "0:1", "-j", "1"]
    good = CliRunner().invoke(main, [*words, "-s", "accumulate"])
    assert (good.exit_code, "left out" in good.stderr) == (0, False)
    bad = CliRunner().invoke(main, [*words, "-s", "mine"])
    assert bad.exit_code == 1
    assert "mine/card.yaml" in bad.stderr


def test_a_run_of_all_entries_leaves_a_bad_card_out_and_says_so(broken):
    text = (
        (broken / "params.yaml")
        .read_text()
        .replace("entries: [real-only, replace, accumulate, accumulate-subsample]\n", "\n", 1)
    )
    (broken / "params.yaml").write_text(text)
    outcome = CliRunner().invoke(main, ["run", "-t", "gaussian", "--profile", "smoke", "-j", "1"])
    assert outcome.exit_code != 0
    assert "cards cannot be read: 1." in outcome.output
    assert (broken / "results" / "smoke" / "gaussian" / "scores.parquet").is_file()


def test_a_card_names_the_task_settings_that_it_does_not_fit(mine):
    (mine / "card.yaml").write_text(CARD + "not_for: {language_modle: no text}\n")
    with pytest.raises(BadEntry, match="not_for: .*no task-setting 'language_modle'. Did you mean 'language_model'"):
        _ = Entry(mine).card
    (mine / "card.yaml").write_text(CARD + "not_for: {kde: no kernels}\ncompare_with: [accumulate]\n")
    Entry(mine).must_fit("gaussian")
    with pytest.raises(Unsupported, match="no kernels"):
        Entry(mine).must_fit("kde")


@pytest.mark.parametrize("value", ['!!binary "/w=="', "!!set {a, b}", "2026-01-31"])
def test_hyperparameters_must_be_json(mine, value):
    """The board is written as JSON, and one card must not prevent that."""
    with pytest.raises(BadEntry, match="hyperparameters"):
        _ = with_hyperparameters(mine, f"{{alpha: {value}}}").card


@pytest.mark.parametrize("text", ['"\\e[31mred"', '"turned \\u202e round"', f'"{"long " * 100}"'])
@pytest.mark.parametrize("key", ["description", "licence", "tuned_on"])
def test_text_that_could_move_a_cursor_or_fill_a_page_is_refused(mine, key, text):
    lines = [line for line in CARD.splitlines() if not line.startswith(f"{key}:")]
    (mine / "card.yaml").write_text("\n".join([*lines, f"{key}: {text}"]))
    with pytest.raises(BadEntry, match=key):
        _ = Entry(mine).card


METHOD = "\n    def {name}({parameters}):\n        return None\n"


def with_method(mine: Path, name: str, parameters: str = "self, *anything") -> Entry:
    (mine / "strategy.py").write_text(STRATEGY + METHOD.format(name=name, parameters=parameters))
    return Entry(mine)


@pytest.mark.parametrize(("name", "near"), [
    ("sample_requests", "sample_request"), ("sampleRequest", "sample_request"), ("fit_option", "fit_options"), ("fit_opts", "fit_options"),
    ("keeps", "keep"), ("Keep", "keep"), ("setUp", "setup"), ("set_up", "setup"), ("training_sets", "training_set"),
])  # fmt: skip
def test_a_misspelled_method_is_refused_with_the_right_name(mine, name, near):
    with pytest.raises(
        BadEntry, match=rf"strategy.py: Mine.{name}: the harness calls no method of that name. Did you mean '{near}'"
    ):
        with_method(mine, name).make()


@pytest.mark.parametrize(
    "name",
    ["_keeps", "__keep", "_sample_requests", "distances", "choose", "weights", "train", "select", "fit", "sample"],
)
def test_additional_methods_are_allowed(mine, name):
    assert with_method(mine, name).make().alpha == 0.25


def test_attributes_do_not_count_as_methods(mine):
    (mine / "strategy.py").write_text(
        STRATEGY + "\n    keeps = 0.5\n    keep = staticmethod(lambda context, candidates: candidates.all())\n"
    )
    assert Entry(mine).make().keeps == 0.5


@pytest.mark.parametrize(("name", "parameters"), [
    ("keep", "self, context"), ("keep", "self"), ("keep", ""), ("keep", "self, context, candidates, more"), ("setup", "self"), ("fit_options", "self"),
    ("sample_request", "self, context, *, other"),
])  # fmt: skip
def test_a_method_that_could_not_be_called_is_refused(mine, name, parameters):
    with pytest.raises(BadEntry, match=rf"strategy.py: Mine.{name}: found {name}\(.*\), expected {name}\(self, "):
        with_method(mine, name, parameters).make()


@pytest.mark.parametrize("parameters", ["self, c, x", "self, *a, **k", "self, context, candidates, more=1"])
def test_a_method_may_name_its_parameters_as_it_likes(mine, parameters):
    assert with_method(mine, "keep", parameters).make().alpha == 0.25


def test_a_number_in_place_of_a_method_is_refused(mine):
    (mine / "strategy.py").write_text(STRATEGY + "\n    keep = 0.5\n")
    with pytest.raises(BadEntry, match=r"Mine.keep: found float, expected keep\(self, context, candidates\)"):
        Entry(mine).make()


def test_no_name_in_a_baseline_counts_as_misspelled(root):
    for found in find(root).values():
        assert found.strategy_class


def chain(card: Path) -> None:
    card.unlink()
    card.symlink_to(card.parent / "other")
    (card.parent / "other").symlink_to(card)


def folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


NO_CARD = {
    "deep": lambda card: card.write_text("[" * 100_000),
    "deep pairs": lambda card: card.write_text("{a: " * 3000 + "1" + "}" * 3000),
    "itself": lambda card: card.write_text("&a [*a]"),
    "itself within": lambda card: card.write_text(CARD.replace("{alpha: 4}", "&a {alpha: *a}")),
    "bomb": lambda card: card.write_text(
        "a: &a [x]\n" + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in itertools.pairwise("abcdefghijk"))
    ),
    "binary": lambda card: card.write_bytes(bytes(range(256))),
    "not utf-8": lambda card: card.write_bytes(CARD.replace("Ada", "Adä").encode("latin-1")),
    "large": lambda card: card.write_text(CARD + "# x\n" * 100_000),
    "folder": folder,
    "pipe": pipe,
    "loop": chain,
    "empty": lambda card: card.write_text(""),
    "half a character": lambda card: card.write_text(CARD.replace("For tests.", r'"\ud800"')),
    "reference line": lambda card: card.write_text(CARD + "role: reference\n"),
    "nan": lambda card: card.write_text(CARD.replace("{alpha: 4}", "{alpha: .nan}")),
    "digits": lambda card: card.write_text(CARD.replace("{alpha: 4}", "{alpha: " + "9" * 5000 + "}")),
}  # fmt: skip
NO_ENTRY = {
    "no python": lambda mine: (mine / "strategy.py").write_text("def f(:"),
    "zero byte": lambda mine: (mine / "strategy.py").write_text("x = 1\0"),
    "deep python": lambda mine: (mine / "strategy.py").write_text("x = " + "-" * 20_000 + "1"),
    "wide python": lambda mine: (mine / "strategy.py").write_text("x = " + "+".join("1" * 3000)),
    "strategy folder": lambda mine: folder(mine / "strategy.py"),
    "requirements folder": lambda mine: folder(mine / "requirements.txt"),
    "requirements pipe": lambda mine: os.mkfifo(mine / "requirements.txt"),
    "requirements binary": lambda mine: (mine / "requirements.txt").write_bytes(b"\xff"),
    "requirements": lambda mine: (mine / "requirements.txt").write_text("--index-url x"),
    "loop": lambda mine: (mine / "data").symlink_to(mine / "data"),
    "link out": lambda mine: (mine / "data").symlink_to("/etc"),
}


def spoil(clone: Path, how: str) -> None:
    if how in NO_CARD:
        NO_CARD[how](clone / "submissions" / "mine" / "card.yaml")
    else:
        NO_ENTRY[how](clone / "submissions" / "mine")


@pytest.mark.parametrize("how", ["reference line", "folder", *NO_ENTRY])
def test_naming_an_entry_that_is_left_out_gives_the_reason_in_the_list(root, clone, monkeypatch, how):
    """Nothing of the entry is run, printed or installed."""
    monkeypatch.chdir(clone)
    for id in ("real-only", "replace", "accumulate-subsample"):
        shutil.copytree(root / "baselines" / id, clone / "baselines" / id, ignore=shutil.ignore_patterns("__*"))
    shutil.copy(root / "requirements.lock", clone)
    spoil(clone, how)
    [fault] = CliRunner().invoke(main, ["list"]).stderr.splitlines()
    smoke = ["--profile", "smoke"]
    for words in (
        ["run", "--only", "-s", "mine", "-t", "gaussian", *smoke], ["run", "-s", "mine", "--dry-run", *smoke], ["install", "mine"],
        ["verify", "mine", *smoke], ["check", "mine"], ["new", "yours", "--from", "mine"], ["compare", "mine", "replace", *smoke],
    ):  # fmt: skip
        outcome = CliRunner().invoke(main, words)
        assert outcome.exit_code == 1, words
        assert outcome.stderr.splitlines()[-1] == fault.replace("left out: ", "Error: ", 1), words
        assert outcome.stdout == ""
    assert not (clone / "cells").exists()
    [card] = [
        line for line in CliRunner().invoke(main, ["check", "submissions/mine"]).stdout.splitlines() if "FAIL" in line
    ]
    assert card.split()[1] == "card"


def test_the_projects_own_entries_may_be_reference_lines(mine, clone):
    mine.rename(clone / "baselines" / "mine")
    (clone / "baselines" / "mine" / "card.yaml").write_text(CARD + "role: reference\n")
    assert Entry(clone / "baselines" / "mine").card.role == "reference"


@pytest.mark.parametrize(("change", "reason"), [
    (lambda clone: shutil.rmtree(clone / "submissions" / "mine"), "this clone has no such entry any more."),
    (lambda clone: spoil(clone, "requirements folder"), "the entry or its card cannot be read, see: thrive list"),
    (lambda clone: None, "its cells are kept: to have it there, add -s mine"),
])  # fmt: skip
def test_an_entry_removed_from_the_results_is_reported_with_the_reason(root, clone, monkeypatch, change, reason):
    monkeypatch.chdir(clone)
    shutil.copytree(
        root / "baselines" / "replace", clone / "baselines" / "replace", ignore=shutil.ignore_patterns("__*")
    )
    text = (clone / "params.yaml").read_text()
    text = text.replace("entries: [real-only, replace, accumulate, accumulate-subsample]", "entries: [replace]", 1)
    (clone / "params.yaml").write_text(text)
    words = ["run", "--profile", "smoke", "-t", "gaussian", "-j", "1"]
    assert CliRunner().invoke(main, [*words, "-s", "mine"]).exit_code == 0
    change(clone)
    outcome = CliRunner().invoke(main, words)
    assert f"results/smoke/gaussian no longer holds 'mine': {reason}" in outcome.stderr.splitlines()


REFUSAL = "raise Unsupported('not\\n\\x1b[31mhere')"


def refuse(mine: Path, how: str) -> str:
    """The reason that must be reported."""
    if how == "card":
        (mine / "card.yaml").write_text(CARD + "not_for: {gaussian: 'it needs text'}\n")
        return "it needs text"
    code = STRATEGY.replace("return pool.all()", REFUSAL)
    (mine / "strategy.py").write_text("from benchmark.errors import Unsupported\n" + code)
    return r"not\n\x1b[31mhere"


@pytest.mark.parametrize("how", ["card", "all"])
def test_an_entry_that_refuses_everything_is_reported_with_the_reason(clone, mine, monkeypatch, how):
    """It is reported again when the cells are finished. Entries and task-settings that run are shown in any case."""
    monkeypatch.chdir(clone)
    line = f"gaussian: mine refuses: {refuse(mine, how)}"
    words = ["run", "--only", "-s", "mine", "--profile", "smoke", "-t", "gaussian", "-j", "1"]
    for more in ((), (), ("--seeds", "0:1")):
        alone = CliRunner().invoke(main, [*words, *more])
        assert line in alone.stderr.splitlines()
        assert "no cell is finished" not in alone.output
        assert alone.exit_code == 1
    beside = CliRunner().invoke(main, [*words, "-s", "accumulate"])
    assert line in beside.stdout.splitlines()
    assert re.search("gaussian .* accumulate ", beside.stdout)
    assert beside.exit_code == 0
    if how == "card":
        other = CliRunner().invoke(main, [*words, "-t", "kde"])
        assert line in other.stderr.splitlines()
        assert re.search("kde .* mine ", other.stdout)
        assert other.exit_code == 0


def test_a_failed_task_setting_does_not_hide_those_that_ran(clone, mine, monkeypatch):
    monkeypatch.chdir(clone)
    (mine / "strategy.py").write_text(
        STRATEGY.replace("return pool.all()", "return pool.all() if context.n == 20 else 1 / 0")
    )
    words = ["run", "--only", "-s", "mine", "--profile", "smoke", "-t", "gaussian", "-t", "kde", "-j", "1"]
    outcome = CliRunner().invoke(main, words)
    assert "ZeroDivisionError" in outcome.stderr
    assert re.search("kde .* mine ", outcome.stdout)
    assert "cells failed; the others are kept" in outcome.output


@pytest.mark.parametrize("how", [*NO_CARD, *NO_ENTRY])
def test_a_folder_that_is_not_an_entry_is_left_out_with_one_line(clone, monkeypatch, how):
    monkeypatch.chdir(clone)
    spoil(clone, how)
    text = (clone / "params.yaml").read_text()
    (clone / "params.yaml").write_text(
        text.replace("entries: [real-only, replace, accumulate, accumulate-subsample]\n", "\n", 1)
    )
    started = time.process_time()
    for words in (["list"], ["run", "--profile", "smoke", "-t", "gaussian", "--dry-run"]):
        outcome = CliRunner().invoke(main, words)
        assert isinstance(outcome.exception, SystemExit | None)
        [line] = [line for line in outcome.stderr.splitlines() if line.startswith("left out: ")]
        assert "submissions/mine" in line
        assert "accumulate" in outcome.stdout
    assert time.process_time() - started < 20  # of which most is Python's own parser


@pytest.mark.parametrize(("how", "complaint"), [
    (lambda mine: folder(mine / "card.yaml"), "anchor-0.5/card.yaml: expected a file, found a folder"),
    (NO_ENTRY["no python"], "anchor-0.5/strategy.py: SyntaxError"), (NO_ENTRY["requirements pipe"], "requirements.txt: expected a file, found none"),
])  # fmt: skip
def test_the_board_leaves_out_an_entry_that_the_list_leaves_out(root, tmp_path, monkeypatch, how, complaint):
    for name in ("baselines", "submissions", "params.yaml"):
        (shutil.copytree if (root / name).is_dir() else shutil.copy)(root / name, tmp_path / name)
    for name in ("about.json", "scores.parquet", "curves.parquet"):
        (tmp_path / "leaderboard").mkdir(exist_ok=True)
        shutil.copy(root / "leaderboard" / name, tmp_path / "leaderboard")
    how(tmp_path / "baselines" / "anchor-0.5")
    built = []

    def build(results, cards, known):
        built.append(set(results.scores["entry"]))
        assert built[0] <= set(cards)
        raise ThriveError("enough")

    monkeypatch.setattr("leaderboard.board.project.build_board", build)
    monkeypatch.chdir(tmp_path)
    outcome = CliRunner().invoke(main, ["board"])
    assert "left out: " in outcome.stderr
    assert complaint in outcome.stderr
    assert ["anchor-0.1" in ids and "anchor-0.5" not in ids for ids in built] == [True]


@pytest.mark.parametrize(("code", "complaint"), [
    ("return pool.all() if context.t < 3 else 1 / 0", r"StrategyFailed: ZeroDivisionError: division by zero \(.*strategy.py:9: .*\) \(seed 0, iteration 3\)"),
    ("return pool.all() if context.t < 2 else None", r"ContractBroken: training_set\(\) at iteration 2: returned nothing.* \(seed 0\)"),
    ("raise SystemExit('enough')", r"StrategyFailed: SystemExit: enough \(.*\) \(seed 0, iteration 1\)"),
    ("return pool.sample('x', context.rng)", r"\(.*strategy.py:9: .*\) \(seed 0, iteration 1\)|at iteration 1: .*\(seed 0\)"),
])  # fmt: skip
def test_an_error_of_an_entry_names_seed_and_iteration(clone, mine, monkeypatch, code, complaint):
    monkeypatch.chdir(clone)
    (mine / "strategy.py").write_text(STRATEGY.replace("return pool.all()", code))
    outcome = CliRunner().invoke(
        main, ["run", "--only", "-s", "mine", "--profile", "smoke", "-t", "gaussian", "-j", "1"]
    )
    assert re.search(complaint, outcome.stderr), outcome.stderr
    assert "Traceback" not in outcome.output


def test_a_strategy_without_training_set_is_refused(clone, mine, monkeypatch):
    monkeypatch.chdir(clone)
    (mine / "strategy.py").write_text(
        "from benchmark import Strategy\nclass Mine(Strategy):\n    def __init__(self, alpha): ...\n"
    )
    outcome = CliRunner().invoke(
        main, ["run", "--only", "-s", "mine", "--profile", "smoke", "-t", "gaussian", "-j", "1"]
    )
    assert (
        "ContractBroken: training_set() at iteration 1: Mine must define training_set(context, pool). (seed 0)"
        in outcome.stderr
    )
    assert "Traceback" not in outcome.output
