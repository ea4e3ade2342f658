"""thrive verify --salt: a written result is read, run again as it was run, and compared number by number."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmark.errors import ThriveError
from benchmark.isolation import repeat
from benchmark.results import verified
from tests.conftest import ROOT
from thrive import cli

PARAMS = """
profile: other
profiles:
  other: {about: not the one, suites: {gaussian: {horizon: 2, seeds: 2, instances: [{d: 3, n: 9, seconds: 0.1}]}}}
  tiny:
    about: for tests
    suites:
      gaussian: {horizon: 3, seeds: 2, instances: [{d: 2, n: 12, seconds: 0.1}]}
      kde: {horizon: 2, seeds: 2, instances: [{data: moons, bandwidth: 0.3, n: 12, seconds: 0.1}]}
pins: {}
verification:
  fresh:
    gaussian: {instances: 1, seconds: 0.1, draw: {d: [2, 3], n: [12, 20]}}
"""


def thrive(*words: str):
    return CliRunner().invoke(cli.main, words, catch_exceptions=False)


@pytest.fixture(scope="module")
def verified_once(tmp_path_factory):
    """A clone with a result whose profile, seeds and instances are not the defaults, so that only its content says how to run it."""
    home = tmp_path_factory.mktemp("once")
    for id in ("replace", "accumulate", "accumulate-subsample"):
        shutil.copytree(ROOT / "baselines" / id, home / "baselines" / id)
    (home / "params.yaml").write_text(PARAMS)
    for folder in (home, *home.parents[:2]):
        folder.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        done = thrive(
            "verify", "accumulate", "--profile", "tiny", "-t", "gaussian", "--seeds", "3", "--fresh-instances"
        )
    assert done.exit_code == 0, done.output
    return home, done.stdout


@pytest.fixture
def clone(verified_once, tmp_path, monkeypatch) -> Path:
    home = tmp_path / "clone"
    shutil.copytree(verified_once[0], home)
    monkeypatch.chdir(home)
    return home


def written(clone: Path) -> Path:
    [path] = (clone / "results/tiny/verified").glob("*.json")
    return path


def rewrite(path: Path, change) -> None:
    result = json.loads(path.read_text())
    change(result)
    path.write_text(json.dumps(result))


def test_the_whole_salt_is_printed_at_the_end_and_the_files_name_has_its_beginning(verified_once):
    home, printed = verified_once
    path = written(home)
    assert printed.splitlines()[-1] == f"salt: {json.loads(path.read_text())['salt']}"
    assert path.name == f"accumulate-{printed.split()[-1][:8]}.json"


@pytest.mark.parametrize("how", ["whole", "eight", "path", "--to", "leaderboard"])
def test_a_result_is_found_and_run_again_as_it_was_run(clone, how):
    path = written(clone)
    salt, more = json.loads(path.read_text())["salt"], []
    if how in ("--to", "leaderboard"):
        folder = Path("elsewhere" if how == "--to" else "leaderboard/verified")
        folder.mkdir(parents=True)
        path = path.rename(folder / path.name)
        more = ["--to", str(folder)] if how == "--to" else []
    before = path.read_bytes()
    again = thrive("verify", "accumulate", "--salt", {"eight": salt[:8], "path": str(path)}.get(how, salt), *more)
    assert again.exit_code == 0, again.output
    assert again.stdout.splitlines()[-2].startswith("same: every number is that of ")
    assert again.stdout.splitlines()[-2].endswith(path.name)
    assert path.read_bytes() == before
    assert len(list(clone.glob("**/verified/*.json")) + list(clone.glob("elsewhere/*"))) == 1


def test_options_that_contradict_the_result_are_refused_before_anything_runs(clone, monkeypatch):
    words = ["verify", "accumulate", "--salt", json.loads(written(clone).read_text())["salt"]]
    for option in (["--profile", "other"], ["-t", "kde"], ["-t", "gaussian", "-t", "kde"], ["--seeds", "2"]):
        refused = thrive(*words, *option)
        assert refused.exit_code == 1
        [line] = refused.stderr.splitlines()
        name = {"-t": "--task"}.get(option[0], option[0])
        assert line.startswith(f"Error: {name}: found ")
        assert line.endswith(": leave the option out.")
    agreeing = ["--profile", "tiny", "-t", "gaussian", "--seeds", "3", "--fresh-instances"]
    assert thrive(*words, *agreeing).exit_code == 0
    rewrite(written(clone), lambda result: result.update(instances=[i for i in result["instances"] if not i["fresh"]]))
    assert "--fresh-instances: found True, and " in thrive(*words, "--fresh-instances").stderr


CHANGES = {
    "gaussian d=2 n=12: final[1]": lambda one: one["final"].__setitem__(1, one["final"][1] * (1 + 2**-52)),
    "gaussian d=2 n=12: base_slope[0]": lambda one: one["base_slope"].__setitem__(0, 0.5),
    "gaussian d=2 n=12: damage[2]": lambda one: one["damage"].__setitem__(2, 1.0),
    "gaussian d=2 n=12: diverged_at[0]": lambda one: one["diverged_at"].__setitem__(0, 2),
    "gaussian d=2 n=12: seeds[0]": lambda one: one["seeds"].__setitem__(0, 7),
    "gaussian d=2 n=12: numbers.n": lambda one: one["numbers"].__setitem__("n", 13),
    "gaussian d=2 n=12: real_loss, how many": lambda one: one["real_loss"].pop(),
    "gaussian d=2 n=12: score[1]": lambda one: one["score"].__setitem__(1, -9.0),
    "gaussian d=2 n=12: outcome": lambda one: one.update(outcome="failed"),
}  # fmt: skip


@pytest.mark.parametrize("place", CHANGES)
def test_an_edited_number_is_named(verified_once, tmp_path, place):
    """Even if one bit differs. Unedited numbers agree, and so does a result with itself."""
    path = written(verified_once[0])
    again = json.loads(path.read_text())
    assert repeat.first_difference(verified.read_form(path), again) is None
    edited = Path(shutil.copy(path, tmp_path))
    rewrite(edited, lambda result: CHANGES[place](result["instances"][0]))
    line = repeat.first_difference(verified.read_form(edited), again)
    assert line is not None
    assert line.startswith(f"{place}: found ")
    assert line.endswith(" is written.")


def test_a_difference_ends_with_a_status_and_says_if_the_entry_has_changed(clone):
    path = written(clone)
    rewrite(path, lambda result: result["instances"][0]["final"].__setitem__(0, 1.5))
    done = thrive("verify", "accumulate", "--salt", path.stem[-8:])
    assert done.exit_code == 1
    [line] = [line for line in done.output.splitlines() if line.startswith("differs from ")]
    assert "gaussian d=2 n=12: final[0]: found " in line
    assert line.endswith(", and 1.5 is written.")
    assert "same: " not in done.output
    strategy = clone / "baselines/accumulate/strategy.py"
    strategy.write_text(strategy.read_text().replace("return pool", "return pool.sample(6, context.rng) or pool"))
    changed = thrive("verify", "accumulate", "--salt", path.stem[-8:])
    assert "The entry has changed since." in changed.output
    assert changed.exit_code == 1


def test_a_missing_or_strange_result_is_reported_in_one_line(clone):
    path = written(clone)
    salt = json.loads(path.read_text())["salt"]
    for given, complaint in {
        "0" * 32: f"--salt {'0' * 32}: no written result of 'accumulate' has it in ",
        salt[:8] + "0" * 24: "no written result of 'accumulate' has it in ",
        "abc": "--salt: found 'abc', expected 32 hexadecimal digits",
        "nowhere/x.json": "nowhere/x.json: expected a file",
    }.items():
        done = thrive("verify", "accumulate", "--salt", given)
        assert done.exit_code == 1
        [line] = done.output.splitlines()
        assert complaint in line
    assert "entry: found 'accumulate', expected 'replace'" in thrive("verify", "replace", "--salt", str(path)).output
    assert "no written result of 'replace'" in thrive("verify", "replace", "--salt", salt).output


def test_copies_count_as_one_result_and_different_results_of_one_salt_are_refused(clone):
    path = written(clone)
    folder = clone / "leaderboard" / "verified"
    folder.mkdir(parents=True)
    copy = Path(shutil.copy(path, folder))
    folders = [folder, path.parent]
    assert repeat.find("accumulate", path.stem[-8:], folders)[0] in (path, copy)
    rewrite(copy, lambda result: result["instances"][0]["final"].__setitem__(0, 1.5))
    with pytest.raises(ThriveError, match="differ: name one by its path"):
        repeat.find("accumulate", path.stem[-8:], folders)
