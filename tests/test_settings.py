"""Bad input: a clear error that names file, key, what was found, what was expected, and the nearest right name."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmark import params, pins
from benchmark.cli import main
from benchmark.entries import Entry, find, named
from benchmark.errors import BadEntry, BadParams, PinMismatch


def test_params_of_the_project_hold(root):
    found = params.load(root)
    for profile in found.profiles:
        for task in found.profiles[profile].suites:
            assert params.instances(found, profile, task)


@pytest.mark.parametrize(("old", "new", "complaint"), [
    ("profile: standard", "profile: standrad", "no profile 'standrad'. Did you mean 'standard'?"),
    ("    about: seconds", "    abuot: seconds", "unknown key 'profiles.smoke.abuot'. Did you mean 'about'?"),
    ("horizon: 6", "horizn: 6", "unknown key 'profiles.smoke.suites.gaussian.horizn'. Did you mean 'horizon'?"),
    ("horizon: 6", "horizon: 1", "profiles.smoke.suites.gaussian.horizon: found 1"),
    ("      gaussian:", "      gausian:", "no task-setting 'gausian'. Did you mean 'gaussian'?"),
    ("profile: standard", "profile: [", "not valid YAML"),
    ("profile: standard\n", "", "key 'profile' is missing"),
])  # fmt: skip
def test_bad_params(tmp_path, root, old, new, complaint):
    text = (root / "params.yaml").read_text()
    assert old in text
    (tmp_path / "params.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(BadParams, match="params.yaml") as error:
        params.load(tmp_path)
    assert complaint in str(error.value)


@pytest.mark.parametrize(("old", "new", "complaint"), [
    ("d: 2, n: 12", "d: 2, n: 12, rankd: true", "unknown key 'rankd'. Did you mean 'ranked'?"),
    ("d: 2, n: 12", "d: 2", "key 'n' is missing"),
    ("d: 2, n: 12", "d: two, n: 12", "d: found 'two'"),
    ("d: 2, n: 12, seconds: 0.01", "d: 2, n: 12", "seconds: found None"),
    ("data: moons, bandwidth: 0.2", "data: mons, bandwidth: 0.2", "data: found 'mons'"),
])  # fmt: skip
def test_bad_instances(tmp_path, root, old, new, complaint):
    text = (root / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace(old, new, 1))
    task = "gaussian" if old.startswith("d:") else "kde"
    with pytest.raises(BadParams, match=f"profiles.smoke.suites.{task}.instances.0") as error:
        params.load(tmp_path)
    assert complaint in str(error.value)


@pytest.fixture
def entry(tmp_path: Path, root: Path) -> Path:
    folder = tmp_path / "baselines" / "anchor-0.1"
    shutil.copytree(root / "baselines" / "anchor-0.1", folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.parametrize(("old", "new", "complaint"), [
    ("track: labelled", "track: labeled", "track: found 'labeled'"),
    ("budget: fixed", "buget: fixed", "unknown key 'buget'. Did you mean 'budget'?"),
    ("budget: fixed\n", "", "key 'budget' is missing"),
    ("id: anchor-0.1", "id: anchor", "id: found 'anchor', expected the folder's name 'anchor-0.1'"),
    ("api: 1", "api: 2", "api: found 2. This Thrive knows api 1: for a later one, get a newer Thrive"),
    ("api: 1", "api: true", "api: found True. This Thrive knows api 1"),
    ("version: 1.0.0", "version: 1.0", "version: found 1.0. Expected MAJOR.MINOR.PATCH, such as 1.0.0"),
    ("version: 1.0.0", "version: 1.0.0-beta", "version: found '1.0.0-beta'. Expected MAJOR.MINOR.PATCH"),
    ("version: 1.0.0", "version: 01.0.0", "version: found '01.0.0'. Expected MAJOR.MINOR.PATCH"),
    ("budget: fixed", "budget: fixed\nbudget: growing", "key 'budget' stands twice"),
    ("{alpha: 0.1}", "{alpha: 0.1, alpha: 0.2}", "key 'alpha' stands twice"),
    ("authors: [Thrive]", "authors: !!python/object/apply:os.system [true]", "not valid YAML"),
    ("configurations_tried: 1", "configurations_tried: -1", "configurations_tried: found -1"),
])  # fmt: skip
def test_bad_cards(entry, old, new, complaint):
    card = entry / "card.yaml"
    assert old in card.read_text()
    card.write_text(card.read_text().replace(old, new))
    with pytest.raises(BadEntry, match=r"anchor-0.1/card.yaml: ") as error:
        _ = Entry(entry).card
    assert complaint in str(error.value)


@pytest.mark.parametrize(("text", "complaint"), [
    ("import nothing_of_the_kind", "ModuleNotFoundError at import"),
    ("def f(:", "SyntaxError at import"),
    ("x = 1", "found none, expected exactly one subclass"),
    ("from benchmark import Strategy\nclass A(Strategy): ...\nclass B(Strategy): ...", "found A, B, expected exactly one"),
    ("from benchmark import Strategy\nclass A(Strategy): ...", "hyperparameters: A(): got an unexpected keyword argument 'alpha'."),
])  # fmt: skip
def test_bad_strategies(entry, text, complaint):
    (entry / "strategy.py").write_text(text)
    with pytest.raises(BadEntry, match="anchor-0.1/") as error:
        Entry(entry).make()
    assert complaint in str(error.value)


def test_unknown_entries_and_two_of_one_id(entry, tmp_path):
    with pytest.raises(BadEntry, match=r"no entry 'ancor-0.1'. Did you mean 'anchor-0.1'\?"):
        named(find(tmp_path), ["ancor-0.1"])
    shutil.copytree(entry, tmp_path / "submissions" / "anchor-0.1")
    with pytest.raises(BadEntry, match="have one id"):
        find(tmp_path)


def test_pins_are_checked(root, tmp_path):
    found = params.load(root)
    pins.verify(root, found, [name for name, pin in found.pins.items() if pin.package is None])
    name, pin = next(iter(found.pins.items()))
    shutil.copytree(root / pin.folder, tmp_path / pin.folder)
    file = tmp_path / pin.folder / next(iter(pin.files))
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(PinMismatch, match=f"sha256 is .* and params.yaml pins .*pins.{name}"):
        pins.verify(tmp_path, found, [name])
    file.unlink()
    with pytest.raises(PinMismatch, match="no such file"):
        pins.verify(tmp_path, found, [name])


def test_pins_may_be_in_a_package(root, tmp_path, monkeypatch):
    pin = params.Pin(
        folder="model", package="some_encoder", source="pip install some-encoder", files={"a.bin": "0" * 64}
    )
    found = params.load(root).model_copy(update={"pins": {"some": pin}})
    with pytest.raises(
        PinMismatch, match="no package 'some_encoder' is installed. Install it: pip install some-encoder"
    ):
        pins.verify(root, found, ["some"])
    model = tmp_path / "some_encoder" / "model"
    model.mkdir(parents=True)
    (model.parent / "__init__.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PinMismatch, match="a.bin: no such file .pin 'some'.. Restore it: pip install some-encoder"):
        pins.verify(root, found, ["some"])
    (model / "a.bin").write_bytes(b"")
    with pytest.raises(PinMismatch, match="sha256 is e3b0c4"):
        pins.verify(root, found, ["some"])


@pytest.mark.parametrize(("words", "complaint"), [
    (["run", "--profile", "quik"], "Did you mean 'quick'?"),
    (["run", "-t", "kd"], "Did you mean 'kde'?"),
    (["run", "-s", "replce", "--dry-run"], "Did you mean 'replace'?"),
    (["run", "--seeds", "10"], "expected FIRST:END"),
    (["figures", "--only", "fig9"], "no figure 'fig9'"),
    (["board", "--at", "paper"], "no results there"),
])  # fmt: skip
def test_the_command_line_says_what_to_do(root, monkeypatch, words, complaint):
    monkeypatch.chdir(root)
    outcome = CliRunner().invoke(main, words)
    assert outcome.exit_code != 0
    assert complaint in outcome.output
    assert "Traceback" not in outcome.output


def test_outside_a_clone_the_command_line_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "Run thrive inside a clone" in CliRunner().invoke(main, ["list"]).output
