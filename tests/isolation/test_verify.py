"""thrive verify: secret seeds, a confined process, and a result that anybody can run again."""

import json
import re
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from benchmark.core.loop import run
from benchmark.core.rules import BASE_WORKFLOW, Budget
from benchmark.entries.catalogue import find
from benchmark.errors import BudgetExceeded
from benchmark.isolation import sandbox, verify
from benchmark.results import scoring
from benchmark.runs.params import instances, load
from tests.conftest import ROOT
from thrive import cli

PARAMS = """
profile: tiny
profiles:
  tiny:
    about: for tests
    suites:
      gaussian: {horizon: 4, seeds: 2, instances: [{d: 2, n: 12, seconds: 0.1}]}
      kde: {horizon: 3, seeds: 2, instances: [{data: moons, bandwidth: 0.3, n: 12, seconds: 0.1}]}
pins: {}
"""


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A root with three workflows and small instances, which a stranger's user may read."""
    for id in ("replace", "accumulate", "accumulate-subsample"):
        shutil.copytree(ROOT / "baselines" / id, tmp_path / "baselines" / id)
    (tmp_path / "params.yaml").write_text(PARAMS)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(clone) -> dict:
    """The newest result."""
    newest = max((clone / "results/tiny/verified").glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    return json.loads(newest.read_text())


def thrive(*words: str):
    return CliRunner().invoke(cli.main, words, catch_exceptions=False)


def test_the_result_can_be_run_again_from_its_salt(clone, monkeypatch):
    """Outside the sandbox, on the seeds of the salt, the entry gives exactly the numbers that it gave inside."""
    monkeypatch.setattr(verify.secrets, "token_hex", lambda size: "0" * 2 * size)  # replace does damage on its seeds
    done = thrive("verify", "accumulate-subsample")
    assert done.exit_code == 0, done.output
    result = written(clone)
    entry = find(clone)["accumulate-subsample"]
    for one, task in zip(result["instances"], ("gaussian", "kde"), strict=True):
        [instance] = instances(load(clone), "tiny", task)
        assert one["seeds"] == verify.seeds_of(result["salt"], 2)
        losses = [
            [r["test_loss"] for r in run(instance.task, entry.make, entry.rules, seed, instance.horizon)]
            for seed in verify.secret(result["salt"], one["seeds"])
        ]
        assert one["final"] == [run[-1] for run in losses]
        steps = np.arange(1.0, instance.horizon + 1)
        assert one["slope"] == [
            scoring.slope_from_real(steps, np.array(run), real)
            for run, real in zip(losses, one["real_loss"], strict=True)
        ]
        assert one["above_base"] == [0, 0, 0]  # it is its division's base workflow
    assert result["digest"] == entry.digest
    known = sandbox.why_no_bubblewrap()
    assert result["isolation"] == ("bubblewrap" if known is None else f"limits only: {known}")


def test_seeds_are_secret_and_new_each_time(clone):
    salts = []
    for _ in range(2):
        thrive("verify", "accumulate", "-t", "gaussian")
        salts.append(written(clone)["salt"])
    assert salts[0] != salts[1]
    assert len(list((clone / "results/tiny/verified").glob("accumulate-*.json"))) == 2  # none replaces another
    assert set(verify.seeds_of(salts[0], 3)).isdisjoint(verify.seeds_of(salts[1], 3))
    assert verify.seeds_of(salts[0], 2) == verify.seeds_of(salts[0], 3)[:2]
    assert all(len(bytes.fromhex(salt)) >= 16 for salt in salts)


def test_the_number_of_a_secret_seed_is_nothing_without_its_salt(clone):
    """Whoever knows only the number in a record draws other data."""
    thrive("verify", "accumulate", "-t", "gaussian")
    result = written(clone)
    [one], accumulate = result["instances"], find(clone)["accumulate"]
    [instance] = instances(load(clone), "tiny", "gaussian")
    other = f"{1:032x}"
    for seeds in (one["seeds"], verify.secret(other, one["seeds"])):
        losses = [list(run(instance.task, accumulate.make, accumulate.rules, s, 4))[-1]["test_loss"] for s in seeds]
        assert not np.isclose(losses, one["final"]).any()


def test_a_written_result_is_run_again_by_its_salt_and_nothing_is_written(clone):
    thrive("verify", "accumulate", "-t", "gaussian")
    salt = written(clone)["salt"]
    again = thrive("verify", "accumulate", "-t", "gaussian", "--salt", salt)
    assert again.exit_code == 0, again.output
    assert f"{np.mean(written(clone)['instances'][0]['final']):12.4g}" in again.output
    assert len(list((clone / "results/tiny/verified").glob("*.json"))) == 1
    assert "expected 32 hexadecimal digits" in thrive("verify", "accumulate", "--salt", "abc").output


INTRUDERS = ROOT / "tests" / "fixtures" / "intruders"


def enter(clone, id: str, code: str | None = None) -> None:
    """An adversary of the fixtures in this clone, or an entry of its card with other code."""
    folder = clone / "submissions" / id
    shutil.copytree(INTRUDERS / id, folder)
    if code is not None:
        (folder / "strategy.py").write_text(code)


def test_an_entry_that_inverts_the_seed_finds_none(clone):
    """The entry would stop and show a seed if it found one."""
    enter(clone, "inverts-the-seed")
    done = thrive("verify", "inverts-the-seed")
    assert done.exit_code == 0, done.output
    assert [one["outcome"] for one in written(clone)["instances"]] == ["ok", "ok"]


@pytest.mark.skipif(sandbox.why_no_bubblewrap() is not None, reason=str(sandbox.why_no_bubblewrap()))
def test_a_refusal_that_the_card_does_not_announce_is_a_failure_in_one_line(clone):
    """The entry refuses only in the sandbox, with a line that looks like a score."""
    enter(clone, "refuses-in-the-sandbox")
    entry, [instance] = find(clone)["refuses-in-the-sandbox"], instances(load(clone), "tiny", "gaussian")
    assert len(list(run(instance.task, entry.make, entry.rules, 0, 2))) == 2
    done = thrive("verify", "refuses-in-the-sandbox", "-t", "gaussian")
    assert done.exit_code != 0
    [one] = written(clone)["instances"]
    assert one["outcome"].startswith("unexpected refusal: not here\\ngaussian ")
    assert "card.yaml: not_for: {gaussian: why}" in one["outcome"]
    assert not [line for line in done.output.splitlines() if line.startswith("gaussian        d=2 n=12            0.1")]


def test_a_refusal_that_the_card_announces_is_not_a_failure(clone):
    enter(clone, "refuses-in-the-sandbox")
    with (clone / "submissions/refuses-in-the-sandbox/card.yaml").open("a") as card:
        card.write('not_for: {gaussian: "it needs\n  text"}\n')
    done = thrive("verify", "refuses-in-the-sandbox", "-t", "gaussian")
    assert done.exit_code == 0, done.output
    [one] = written(clone)["instances"]
    assert one["outcome"] == "refused: it needs text"


def test_a_number_beyond_all_floats_is_refused_in_a_line(clone):
    """Outside by the budget, inside already by the connection."""
    enter(clone, "asks-for-too-much")
    entry, [instance] = find(clone)["asks-for-too-much"], instances(load(clone), "tiny", "gaussian")
    with pytest.raises(BudgetExceeded, match=r"candidates: 1e\+300, and the track and budget allow 48"):
        list(run(instance.task, entry.make, entry.rules, 0, 2))
    done = thrive("verify", "asks-for-too-much", "-t", "gaussian")
    assert done.exit_code != 0
    [one] = written(clone)["instances"]
    assert "a number of 401 digits" in one["outcome"]


HEAD = "import numpy as np\nfrom benchmark import FitOptions, SampleRequest, Strategy, TrainingSet\n\n\nclass Hostile(Strategy):\n"
HOSTILE = {
    "a dict as weights": ("return TrainingSet(pool.all(), {})", "weights of type dict"),
    "words as weights": ("return TrainingSet(pool.all(), ['a'] * len(pool))", "weights of type list"),
    "400,000 parts": (
        "rows = pool.all()\n        rows = type(rows)(rows.line, rows.parts * 400_000, 1)\n        return rows",
        "expected a message|a list of at most 4096",
    ),
    "rows without end": (
        "rows = pool.all()\n        return type(rows)(rows.line, rows.parts * 4_000, 1)",
        "rows in one selection",
    ),
    "one array a thousand times": (
        "rows = pool.rows(pool.ids)\n        return type(rows)(rows.line, rows.parts * 1_000, 1)",
        "rows in one selection",
    ),
    "questions without end": ("while True: pool._ask('rows', pool.ids)", "more than 10,000 questions|no answer"),
    "what the track withholds": ("pool._ask('latest')", "withholds"),
    "colours": ("raise RuntimeError('\\x1b[2J\\x1b[31m ok \\u202e \\r')", r"\\x1b\[2J\\x1b\[31m ok \\u202e \\r"),
    "a book": ("raise RuntimeError('x' * 10_000_000)", "characters more"),
    "last words": (
        "import os, sys\n        sys.stderr.write('\\x1b[2J d=2 n=12')\n        sys.stderr.flush(); os._exit(3)",
        r"words: \\x1b\[2J",
    ),
    "an error of ours": ("from benchmark.errors import Stopped\n        raise Stopped('ok')", "StrategyFailed|Stopped"),
    "ids of no kind": ("return [{}, {}]", "expected a 1-D array of integers"),
    "texts as ids": ("return ['a', 'b']", "expected a 1-D array of integers"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_answer_ends_in_one_plain_line_and_a_result(clone, kind):
    code, complaint = HOSTILE[kind]
    enter(clone, "asks-for-too-much", f"{HEAD}    def training_set(self, context, pool):\n        {code}\n")
    done = thrive("verify", "asks-for-too-much", "-t", "gaussian")
    assert done.exit_code != 0
    [one] = written(clone)["instances"]
    assert one["outcome"].isprintable()
    assert len(one["outcome"]) < 4000
    assert re.search(complaint, one["outcome"]), one["outcome"]
    assert "\x1b" not in done.output


@pytest.mark.parametrize(("limit", "seconds", "complaint"), [
    ("SECONDS_PER_CALL", 2.0, "gave no answer in the seconds that it has"),
    ("SECONDS_PER_RUN", 1.0, "used up the 2 s that it has for all its runs here"),
])  # fmt: skip
def test_an_entry_that_takes_its_time_is_stopped(clone, monkeypatch, limit, seconds, complaint):
    """In one call or in many short ones, also if it keeps asking through the pipe."""
    monkeypatch.setattr(verify, limit, seconds)
    code = (
        "import time\n        time.sleep(30 if len(pool) else 0)"
        if limit == "SECONDS_PER_CALL"
        else "while True: pool.ids; pool._ask('ids')"
    )
    enter(clone, "asks-for-too-much", f"{HEAD}    def training_set(self, context, pool):\n        {code}\n")
    monkeypatch.setattr("benchmark.isolation.harness_side.QUESTIONS", 10**9)
    done = thrive("verify", "asks-for-too-much", "-t", "gaussian")
    assert done.exit_code != 0
    [one] = written(clone)["instances"]
    assert complaint in one["outcome"]


def test_a_fault_of_the_harness_is_a_failure_with_a_result(clone, monkeypatch):
    """NumPy may raise any error on an entry's answer. The other instances continue."""
    monkeypatch.setattr("benchmark.tasks.gaussian.Gaussian.sample", lambda *of: np.linalg.inv(np.zeros((2, 2))))
    done = thrive("verify", "accumulate")
    assert done.exit_code != 0
    assert [one["outcome"][:11] for one in written(clone)["instances"]] == ["LinAlgError", "ok"]


def test_without_bubblewrap_it_says_so_on_the_console_and_in_the_result(clone, monkeypatch):
    monkeypatch.setattr(sandbox, "why_no_bubblewrap", lambda: "bubblewrap is not installed")
    done = thrive("verify", "accumulate", "-t", "gaussian")
    assert done.exit_code == 0
    result = written(clone)
    assert result["isolation"] == "limits only: bubblewrap is not installed"
    assert "no sandbox (bubblewrap is not installed)" in result["warning"]
    assert "no sandbox (bubblewrap is not installed)" in done.output
    assert "isolation: limits only" in done.output


def test_a_failure_is_reported_and_stops_no_other_instance(clone):
    path = clone / "baselines/accumulate/strategy.py"
    path.write_text(path.read_text().replace("return pool", "assert context.t < 4, 'tired'\n        return pool"))
    done = thrive("verify", "accumulate")
    assert done.exit_code != 0
    result = written(clone)
    assert "AssertionError: tired" in result["instances"][0]["outcome"]
    assert "strategy.py:" in result["instances"][0]["outcome"]
    assert "isolation" in result  # its code has run, and what held it is told
    assert "no process was started" not in done.output
    assert result["instances"][1]["outcome"] == "ok"
    assert len(result["instances"][1]["final"]) == 2


def test_every_budget_has_a_base_workflow(root):
    for budget, id in BASE_WORKFLOW.items():
        assert find(root)[id].rules.budget == budget
    assert set(BASE_WORKFLOW) == set(Budget)
