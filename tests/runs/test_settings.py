"""Bad input: a clear error that names file, key, what was found, what was expected, and the nearest right name."""

import dataclasses
import errno
import math
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
import yaml
from annotated_types import Ge, Gt, Interval, Le, Len, Lt, MaxLen
from click.testing import CliRunner
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from benchmark.core.loop import run
from benchmark.entries.card import Card
from benchmark.entries.catalogue import find, named
from benchmark.entries.entry import Entry
from benchmark.errors import BadEntry, BadParams, PinMismatch
from benchmark.runs import form, params, pins
from benchmark.runs.form import HowItIsRun, Params, Profile, Suite
from benchmark.tasks import TASKS, language_model, task_class
from tests.conftest import entry as baseline
from thrive.cli import main


def test_the_projects_params_are_valid(root):
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
    ("d: 2, n: 12, seconds: 0.01", "d: 2, n: 12", "key 'seconds' is missing"),
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
    pins.verify(root, found, [name for name, pin in found.pins.items() if pin.package is None and pin.embedded])
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
    pin = form.Pin(folder="model", package="some_encoder", source="pip install some-encoder", files={"a.bin": "0" * 64})
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


RANGED = [(task_class(name), field.name) for name in TASKS for field in dataclasses.fields(task_class(name))] + [
    (model, name) for model in (Suite, HowItIsRun, Card) for name in model.model_fields
]


def alternatives(kind: type, name: str) -> list[tuple[Any, tuple[Any, ...]]]:
    """The types that a field may have, each with its constraints."""
    hint = get_type_hints(kind, include_extras=True)[name]
    parts = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    own = tuple(getattr(getattr(kind, "model_fields", {}).get(name), "metadata", ()))
    return [(getattr(part, "__origin__", part), (*getattr(part, "__metadata__", ()), *own)) for part in parts]


def ends(constraints: tuple[Any, ...]) -> tuple[float | None, float | None]:
    """Least and largest value."""
    flat = [one for c in constraints for one in (c if isinstance(c, Interval) else [c])]
    low = [c.ge if isinstance(c, Ge) else c.gt for c in flat if isinstance(c, (Ge, Gt))]
    high = [c.le if isinstance(c, Le) else c.lt for c in flat if isinstance(c, (Le, Lt))]
    return (low or [None])[0], (high or [None])[0]


@pytest.mark.parametrize(("kind", "name"), RANGED, ids=lambda value: getattr(value, "__name__", value))
def test_every_number_has_a_range_and_every_text_of_an_instance_an_end(kind, name):
    for part, constraints in alternatives(kind, name):
        if part in (int, float):
            assert None not in ends(constraints)
        if part is str and dataclasses.is_dataclass(kind):
            assert any(isinstance(c, (Len, MaxLen)) for c in constraints)


NUMBERS = {
    "gaussian": {"d": 2, "n": 12}, "kde": {"data": "moons", "bandwidth": 0.3, "n": 12}, "language_model": {"n": 24},
    "linear_regression": {"d": 2, "n": 12, "noise_variance": 1.0}, "discrete": {"outcomes": 5, "n": 12},
    "own_gaussian": {"file": "mine.csv", "n": 12}, "own_kde": {"file": "mine.csv", "bandwidth": 0.3, "n": 12},
}  # fmt: skip


def of(task_setting: str, *instances: dict[str, Any], **profile: Any) -> Params:
    """A params.yaml with one profile, whose suite has these instances."""
    whole = [{"seconds": 1, **NUMBERS[task_setting], **instance} for instance in instances]
    suite = Suite(horizon=3, seeds=2, instances=whole)
    return Params(profile="p", profiles={"p": Profile(about="-", suites={task_setting: suite}, **profile)}, pins={})


def instances_of(task_setting: str, *grids: dict[str, Any]) -> list[params.Instance]:
    return params.instances(of(task_setting, *grids), "p", task_setting)


NUMERIC = [(name, f.name, part, ends(constraints)) for name in TASKS for f in dataclasses.fields(task_class(name))
           for part, constraints in alternatives(task_class(name), f.name) if part in (int, float)]  # fmt: skip


@pytest.mark.parametrize(("task_setting", "key", "part", "range_"), NUMERIC, ids=str)
def test_a_number_out_of_its_range_is_refused_and_one_within_is_not(task_setting, key, part, range_):
    low, high = range_
    below, above = (
        (low - 1, high + 1) if part is int else (math.nextafter(low, -math.inf), math.nextafter(high, math.inf))
    )
    for value in (
        below,
        above,
        math.nan,
        math.inf,
        -math.inf,
        True,
        "3",
        "x",
        None,
        {},
        [[low]],
        10**400,
        *([low + 0.5, float(low)] if part is int else []),
    ):
        with pytest.raises(
            BadParams, match=rf"params.yaml: profiles.p.suites.{task_setting}.instances.0: {key}: found "
        ) as error:
            instances_of(task_setting, {key: value})
        assert "\n" not in str(error.value)
    others = {"d": 1, "n": 2} if task_setting == "linear_regression" else {}  # which needs more rows than columns
    [one] = instances_of(task_setting, {**others, key: low})
    assert getattr(one.task, key) == low


@pytest.mark.parametrize("task_setting", ["gaussian", "kde", "linear_regression", "discrete"])
@pytest.mark.parametrize("id", ["replace", "accumulate", "real-only"])
def test_the_least_sizes_can_be_fitted_and_diagnosed(task_setting, id):
    ranges = {key: low for name, key, part, (low, _) in NUMERIC if name == task_setting and part is int}
    task = task_class(task_setting)(**{**NUMBERS[task_setting], **ranges})
    found = baseline(id)
    assert len(list(run(task, found.make, found.rules, 0, 3))) == 3


@pytest.mark.parametrize(("beside", "complaint"), [
    ({"seconds": math.nan}, "seconds: found nan"), ({"seconds": 0}, "seconds: found 0"), ({"seconds": True}, "seconds: found True"),
    ({"ranked": "no"}, "ranked: found 'no'"), ({"without": ["a", "b"]}, "without: found"), ({"n": []}, "lists that stand for 0 instances"),
    ({"n": list(range(10, 1010)), "d": [1, 2]}, r"lists that stand for 2e\+03 instances"),
])  # fmt: skip
def test_settings_next_to_the_numbers_are_checked_too(beside, complaint):
    with pytest.raises(BadParams, match=complaint):
        instances_of("gaussian", beside)


def test_names_of_the_projects_profiles_are_short(root):
    """They must stay as they are on the committed board."""
    found = params.load(root)
    for profile in found.profiles:
        for task in found.profiles[profile].suites:
            assert all(one.name == one.task.name for one in params.instances(found, profile, task))


def test_names_show_a_number_that_is_swept_and_usually_hidden():
    found = instances_of("language_model", {"n": 200, "learning_rate": [0.0012, 0.003], "data": "factbook"}, {"n": 100})
    assert [one.name for one in found] == [
        "factbook n=200 learning_rate=0.0012", "factbook n=200 learning_rate=0.003", "factbook n=100",
    ]  # fmt: skip
    found = instances_of("language_model", {"epochs": [1, 2], "batch": [4, 8], "separator": ["\n", ": "]})
    assert found[0].name == "factbook n=24 epochs=1.0 batch=4 separator='\\n'"
    assert len({one.name for one in found}) == 8


def test_rounded_values_keep_their_names_apart():
    found = instances_of("linear_regression", {"noise_variance": [1.0, 1.0000001]})
    assert [one.name for one in found] == [
        "d=2 n=12 σ²=1 noise_variance=1.0", "d=2 n=12 σ²=1 noise_variance=1.0000001",
    ]  # fmt: skip


@pytest.mark.parametrize("more", [{"sampler_temperature": 1}, {"ranked": False}, {"n": [12, 13]}])
def test_instances_with_all_numbers_alike_are_refused_with_both_keys(more):
    with pytest.raises(BadParams, match=r"instances.0: d=2 n=12: all numbers are those of .*instances.1. Leave one"):
        instances_of("gaussian", {}, more)


@pytest.mark.parametrize(("key", "values", "repeated"), [
    ("n", [12, 12], "12"), ("sampler_temperature", [1, 1.0], "1.0"), ("d", [1, 2, 3, 2], "2"),
])  # fmt: skip
def test_a_list_that_repeats_a_value_is_named(key, values, repeated):
    """The error names the value, and does not say that the instance has the name of another, which would be itself."""
    with pytest.raises(BadParams) as error:
        instances_of("gaussian", {"d": [2, 3], "n": [20, 30], key: values})
    [line] = str(error.value).splitlines()
    assert line.endswith(f"instances.0: {key}: found {values}, which repeats {repeated}. Leave one out.")


VALUES = {"n": st.integers(5, 40), "d": st.integers(1, 4), "noise_variance": st.floats(0.1, 10) | st.sampled_from([1.0, 1 + 1e-9]),
          "learning_rate": st.floats(1e-4, 1e-2), "data": st.sampled_from(["a", "a b", "a b=1"]), "head": st.text(st.characters(codec="ascii"), max_size=3),
          "separator": st.sampled_from([" ", "  ", "\n"]), "max_tokens": st.integers(3, 5), "warmup": st.sampled_from([0, 0.0, 0.5])}  # fmt: skip
GRIDS = {name: st.fixed_dictionaries({}, optional={key: values | st.lists(values, min_size=1, max_size=3) for key, values in VALUES.items()
                                                    if key in {f.name for f in dataclasses.fields(task_class(name))}})
         for name in ("linear_regression", "language_model")}  # fmt: skip


@hypothesis_settings(deadline=None)
@given(
    st.sampled_from(sorted(GRIDS)).flatmap(
        lambda name: st.tuples(st.just(name), st.lists(GRIDS[name], min_size=1, max_size=3))
    )
)
def test_names_are_unique_or_the_profile_is_refused(case):
    task_setting, grids = case
    pinned = {name: form.Pin(folder="x", source="x", files={"x": "0" * 64}) for name in ("factbook", "checkpoint")}
    try:
        wanted = of(task_setting, *grids).model_copy(update={"pins": pinned})
        params.check_profile(wanted, "p")
        found = params.instances(wanted, "p", task_setting)
    except BadParams:
        return
    assert len({one.name for one in found}) == len(found)


def test_names_are_unique_over_the_suites_of_a_profile():
    """A data set may have the name of another task-setting's instance."""
    text = Suite(horizon=3, seeds=2, instances=[{"n": 12, "data": "d=2", "seconds": 1}])
    both = of("gaussian", {}).profiles["p"].suites | {"language_model": text}
    found = Params(profile="p", profiles={"p": Profile(about="-", suites=both)}, pins={})
    with pytest.raises(
        BadParams, match=r"language_model.instances.0: its name is 'd=2 n=12', and so is that of .*gaussian.instances.0"
    ):
        params.check_profile(found, "p")


SMOKE = "entries: [real-only, replace, accumulate, accumulate-subsample]"
GAUSSIAN = "{d: 2, n: 12, seconds: 0.01}"


@pytest.mark.parametrize(("old", "new", "complaint"), [
    (SMOKE, "entries: [real-only, accumulate]", "profiles.smoke.entries: found ['real-only', 'accumulate'], expected 'replace' among them"),
    (SMOKE, "entries: []", "profiles.smoke.entries: found []"),
    (GAUSSIAN, "{d: 2, n: 12, seconds: 0.01, without: replace}", "profiles.smoke.suites.gaussian.instances.0: without: found 'replace'"),
    (GAUSSIAN, "{d: 2, n: 12, seconds: 0.01, only: replace}", "instances.0: only: found 'replace' where all are ranked"),
    ("horizon: 6", "horizon: true", "horizon: found True"),
    ("horizon: 6", "horizon: 6.0", "horizon: found 6.0"),
    ("horizon: 6", "horizon: '6'", "horizon: found '6'"),
    ("horizon: 6", "horizon: 1000000000", "horizon: found 1000000000"),
    ("horizon: 6", "horizon: 010", "found the number '010', expected a decimal"),
    ("horizon: 6", "horizon: 1:30", "found the number '1:30', expected a decimal"),
    ("horizon: 6", f"horizon: {'9' * 5000}", "expected a decimal of at most 15 digits"),
    ("seeds: 4", "seeds: 1000000000000", "seeds: found 1000000000000"),
    ("  smoke:", "  ../smoke:", "profiles.../smoke"),
    ("about: seconds; for the tests", "about: *x", "found the alias *x: write the value out"),
    ("about: seconds", "about: " + "[" * 10_000, "nested more than 20 deep"),
    ("about: seconds", "about: !!python/name:os.system x", "found the tag"),
    ("about: seconds", "about: !!int x", "found the tag"),
    ("about: seconds; for the tests", "about: 2026-02-30", "not valid YAML"),
    ("train.parquet: d5", "train.parquet: x5", "pins.factbook.files.train.parquet: found 'x525"),
    ("profile: standard", "profile: unranked", "none of whose instances is ranked"),
])  # fmt: skip
def test_profiles_that_could_not_be_run_or_ranked_are_refused_at_once(tmp_path, root, old, new, complaint):
    text = (root / "params.yaml").read_text()
    assert old in text
    unranked = "\n  unranked:\n    about: x\n    suites: {gaussian: {horizon: 2, seeds: 1, instances: [{d: 1, n: 9, ranked: false, seconds: 1}]}}\n\n  smoke:"
    text = text.replace("\n  smoke:", unranked, 1) if "unranked" in new else text
    (tmp_path / "params.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(BadParams, match="params.yaml") as error:
        params.load(tmp_path)
    assert complaint in str(error.value)
    assert all("params.yaml" in line for line in str(error.value).splitlines())


def test_an_exponent_makes_a_number_without_a_dot_too():
    """As in YAML 1.2; PyYAML would read 1e-3 as text."""
    from benchmark.strict_yaml import PlainLoader

    assert yaml.load("[1e-3, 2E5, '1e-3', 1e, e1]", PlainLoader) == [0.001, 2e5, "1e-3", "1e", "e1"]


@pytest.mark.parametrize("number", [
    "1_0", "+1_000", "-1_0", "1_", "0_1", "1_0.5", "1.5_0", "1_0.", ".5_0", "1_0.0e+3", "010", "010.5", "01e3", "0b1", "0b1_0", "0x1F",
    "1:30", "1:30.5", "1_0:30",
])  # fmt: skip
def test_ambiguous_numbers_are_refused(number):
    from benchmark.strict_yaml import PlainLoader

    for text in (number, f"{{a: [{number}]}}", f"{number}: a"):
        with pytest.raises(yaml.MarkedYAMLError, match="expected a decimal"):
            yaml.load(text, PlainLoader)
    assert yaml.load(f"'{number}'", PlainLoader) == number


@given(st.integers(-(10**15) + 1, 10**15 - 1) | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_as_python_writes_them_are_read(number):
    from benchmark.strict_yaml import PlainLoader

    assert yaml.load(f"[{number!r}, {number:e}]", PlainLoader) == [number, float(f"{number:e}")]


@pytest.fixture
def clone(tmp_path: Path, root: Path, monkeypatch) -> Path:
    """A root with two entries and the project's params.yaml, and the current folder."""
    for id in ("replace", "accumulate"):
        shutil.copytree(root / "baselines" / id, tmp_path / "baselines" / id, ignore=shutil.ignore_patterns("__*"))
    text = (root / "params.yaml").read_text().replace(SMOKE, "entries: [replace, accumulate]", 1)
    (tmp_path / "params.yaml").write_text(text.replace("profile: standard", "profile: smoke", 1))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def change(clone: Path, old: str, new: str) -> None:
    text = (clone / "params.yaml").read_text()
    assert old in text
    (clone / "params.yaml").write_text(text.replace(old, new, 1))


def refused(*words: str) -> str:
    """The one line with which a command ends."""
    outcome = CliRunner().invoke(main, words)
    assert outcome.exit_code != 0, outcome.output
    assert isinstance(outcome.exception, SystemExit), outcome.exception
    [line] = [
        line
        for line in outcome.output.splitlines()
        if line.startswith(("Error: ", "profile ")) and not line.endswith("processes.")
    ]
    return line


@pytest.mark.parametrize(("old", "new", "complaint"), [
    ("entries: [replace, accumulate]", "entries: [replace, acumulate]", "profiles.smoke.entries: no entry 'acumulate'. Did you mean 'accumulate'?"),
    (GAUSSIAN, GAUSSIAN.replace("}", ", without: acumulate}"), "instances.0: without: no entry 'acumulate'. Did you mean 'accumulate'?"),
    (GAUSSIAN, GAUSSIAN.replace("}", ", ranked: false, only: acumulate}"), "instances.0: only: no entry 'acumulate'. Did you mean 'accumulate'?"),
    (GAUSSIAN, "{d: 1000, n: 100000000, seconds: 1}", "needs about 5.6e+03 GB, and this machine has"),
])  # fmt: skip
def test_a_run_is_refused_before_it_computes(clone, old, new, complaint):
    change(clone, old, new)
    assert complaint in refused("run", "-t", "gaussian")
    assert not (clone / "cells").exists()


@pytest.mark.parametrize(("more", "complaint"), [
    ("device: cuda:977", "device: found 'cuda:977', and this machine has "), ("device: toaster", "device: found 'toaster', expected cpu"),
    ("data: /nowhere", "data: no such file: /nowhere/train.parquet"), ("checkpoint: nowhere", "checkpoint: no such file: "),
    ("head_as_characters: true", "there is no head"), ("n: 10000000", "n: found 10000000, expected at most 5000, the rows of "),
    ("precision: float16", "precision: found 'float16'"), ('separator: ""', "separator: found ''"),
])  # fmt: skip
def test_a_language_model_that_cannot_be_run_here_is_refused_before_it_computes(clone, more, complaint):
    change(clone, "{n: 24, ", "{" + ("" if more.startswith("n:") else "n: 24, ") + more + ", ")
    assert complaint in refused("run", "-t", "language_model")
    assert not (clone / "cells").exists()


def test_bfloat16_is_refused_where_the_device_lacks_it(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *a, **k: False)
    of_device = dataclasses.replace(language_model.LanguageModel(24), device="cuda:1")
    assert of_device.obstacle is None
    assert dataclasses.replace(of_device, precision="bfloat16").obstacle.startswith(
        "precision: found 'bfloat16', which cuda:1"
    )
    assert "this machine has 2 of cuda" in dataclasses.replace(of_device, device="cuda:2").obstacle


@pytest.mark.parametrize(("words", "complaint"), [
    (["run", "--profile", ""], "no profile ''"), (["verify", "replace", "--profile", ""], "no profile ''"), (["score", "--profile", ""], "no profile ''"),
    (["run", "-j", "0"], "found 0, expected 1 to"), (["run", "-j", "-5"], "found -5, expected 1 to"), (["run", "-j", "1000000000"], "expected 1 to"),
    *[(["run", "--seeds", seeds], "expected FIRST:END") for seeds in ("0:1000000000000", "0:10001", "5:5", "9:1", "²:9", f"0:{'9' * 5000}", "-1:3", "0:1:2")],
    (["verify", "replace", "--seeds", "1000000000"], "Invalid value"), (["figures", "--entries", ""], "found '', expected entries"),
    (["run", "--only", "-s", "accumulate", "-t", "kde"], "nothing to run: every instance leaves out accumulate"),
])  # fmt: skip
def test_absurd_arguments_are_refused_before_anything_is_computed(clone, words, complaint):
    change(
        clone,
        "{data: moons, bandwidth: 0.2, n: 20, seconds: 0.01}",
        "{data: moons, bandwidth: 0.2, n: 20, seconds: 0.01, without: accumulate}",
    )
    assert complaint in refused(*words)
    assert not (clone / "cells").exists()


@pytest.mark.parametrize(
    ("words", "in_the_way"),
    [
        (["run", "-t", "gaussian"], "cells"),
        (["run", "-t", "gaussian"], "results"),
        (["new", "x", "--from", "accumulate"], "submissions"),
    ],
)
def test_a_file_where_a_folder_is_expected_is_named(clone, words, in_the_way):
    (clone / in_the_way).write_text("")
    assert f"/{in_the_way}: File exists" in refused(*words)


@pytest.mark.parametrize(
    ("number", "complaint"),
    [
        (errno.ENOSPC, "No space left on device. Free some space"),
        (errno.EROFS, "Read-only file system. Use a clone on a writable disk"),
    ],
)
def test_a_full_or_read_only_disk_is_found_before_anything_is_computed(clone, monkeypatch, number, complaint):
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    assert complaint in refused("run", "-t", "gaussian")
    assert not list(clone.rglob("*.parquet"))


def test_a_disk_that_takes_no_file_ends_in_one_line(clone):
    """Simulated by the system's limit on the size of a file."""
    outcome = subprocess.run(
        [sys.executable, "-m", "thrive.cli", "run", "-t", "gaussian"], capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
    )  # fmt: skip
    assert outcome.returncode == 1
    assert outcome.stderr.splitlines() == ["Error: File too large."]
