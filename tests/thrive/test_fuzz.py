"""Hostile files and arguments: none ends in a traceback, hangs, or leaves a written file behind.

Every field of every schema and every argument of every command gets values that differ from run to run. A failure prints
how to repeat it. THRIVE_FUZZ=5 runs five times as many cases, as `make test-long` does.
"""

import dataclasses
import json
import os
import shutil
import signal
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.conformance import check
from benchmark.entries.card import Card
from benchmark.errors import ThriveError
from benchmark.isolation import verify
from benchmark.results import profile
from benchmark.runs import cell_process, form, sweep
from benchmark.runs.cells import as_bytes, checksum
from benchmark.runs.project import Project
from benchmark.tasks import TASKS, task_class
from paper.plots import figures
from thrive.cli import main

pytestmark = pytest.mark.fuzz
TIMES = int(os.environ.get("THRIVE_FUZZ", "1"))
EXAMPLES = {"field": 5 * TIMES, "file": 24 * TIMES, "argument": 4 * TIMES, "cell": 30 * TIMES}
SECONDS = 20
"""For one case; most take hundredths of one, and the first that names a device imports torch."""
OUTCOMES: Counter[str] = Counter()
HERE = "HERE"

SOME = {"d": 2, "n": 12, "data": "moons", "bandwidth": 0.3, "outcomes": 5, "noise_variance": 1.0, "file": "mine.csv"}
"""Values of the numbers that have no default."""
PIN = {"folder": "assets", "package": None, "source": "somewhere", "files": {"a.bin": "0" * 64}}
CARD = {
    "api": 1, "id": "mine", "name": "Mine", "version": "1.0.0", "authors": ["Ada Lovelace"], "licence": "Apache-2.0",
    "url": "https://example.org", "citation": "-", "description": "For tests.", "track": "blind", "budget": "growing", "role": "entry",
    "hyperparameters": {}, "not_for": {}, "tuned_on": "nothing", "configurations_tried": 1, "compare_with": ["replace"], "same_as": {},
}  # fmt: skip
STRATEGY = """from benchmark import Strategy

class Mine(Strategy):
    def training_set(self, context, pool):
        return pool.all()
"""


def numbers(task_setting: str) -> dict[str, Any]:
    """An instance with all its fields."""
    fields = dataclasses.fields(task_class(task_setting))  # type: ignore[arg-type]
    own = {f.name: SOME[f.name] if f.default is dataclasses.MISSING else f.default for f in fields}
    return {**own, "seconds": 0.1, "ranked": True, "without": ""}


def document(task_setting: str) -> dict[str, Any]:
    """params.yaml with one suite."""
    suite = {"horizon": 3, "seeds": 2, "instances": [numbers(task_setting)]}
    profile = {"about": "for tests", "entries": ["replace", "mine"], "suites": {task_setting: suite}}
    pins = dict.fromkeys(("factbook", "checkpoint"), PIN)
    return {"profile": "tiny", "profiles": {"tiny": profile}, "pins": pins}


SUITE = ("profiles", "tiny", "suites", "gaussian")
SCHEMAS: list[tuple[type[Any], tuple[str | int, ...]]] = [
    (form.Params, ()), (form.Profile, ("profiles", "tiny")), (form.Suite, SUITE), (form.HowItIsRun, (*SUITE, "instances", 0)),
    (form.Pin, ("pins", "factbook")),
]  # fmt: skip
"""The parts of params.yaml, and where they stand in the document."""
FIELDS = [("gaussian", (*place, name)) for schema, place in SCHEMAS for name in schema.model_fields] + [
    (task_setting, ("profiles", "tiny", "suites", task_setting, "instances", 0, field.name))
    for task_setting in TASKS
    for field in dataclasses.fields(task_class(task_setting))  # type: ignore[arg-type]
]
ARGUMENTS = [(name, option.name) for name, command in main.commands.items() for option in command.params]

NASTY = [
    "-1", "0", "1", "2", "1e3", "1e-3", "1e999", "-1e999", ".nan", ".inf", "-.inf", "010", "0o10", "0x1F", "0b1", "1:30", "1:30.5", "1_000", "9" * 20, "9" * 5000,
    "true", "yes", "null", "~", "", "''", "'5'", "'1e-3'", "5.0", "1.5", "2026-01-31", "2026-02-30", "[]", "{}", "[1, 2]", "[1, 1.0]", "[[1]]", "[1, 1]",
    "!!python/object/apply:os.system [true]", "!!int x", "!!float x", "!!timestamp x", "!!bool x", "!!binary x", "!!set {a, b}", "!!omap [a]",
    "!own {}", "&a [*a]", "&a {b: *a}", "*nothing", "{<<: 1}", "{? [a] : b}", "{1: 2, 01: 3}", "{a: 1, a: 2}", "[" * 5000, "{a: " * 500, "[" * 30 + "]" * 30,
    '"\\ud800"', '"\\e[31m"', '"\\0"', '"\\u202e"', '"a\\nb"', f'"{"x" * 500}"', "@", "`", "%", "- a", "key: value: x", "# nothing",
    "cuda", "cuda:7", "cpu:1", "meta", "../..", "/", "/dev/zero", "scott", "silverman", "bfloat16", "minilm", "tiny", "mine", "replace", "gaussian",
    json.dumps([list(range(10))] * 20), json.dumps({str(k): k for k in range(200)}),
]  # fmt: skip
"""YAML that has gone wrong somewhere, or is likely to."""
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda part: st.lists(part, max_size=4) | st.dictionaries(st.text(max_size=8), part, max_size=4),
    max_leaves=8,
).map(json.dumps)
SNIPPETS = st.sampled_from(NASTY) | PLAIN | st.integers(-(10**9), 10**9).map(str) | st.floats(-1e3, 1e3).map(repr)
SNIPPETS |= st.text(st.characters(codec="utf-8"), max_size=30)
WORDS = st.sampled_from([
    "", "-", "--", "-1", "0", "1", "3", "1000000000", "9" * 5000, "nan", "²", "0:1", "0:1000000000000", "5:5", "9:1", "0:²", f"0:{'9' * 5000}", "0:-1", ":", "0:1:2",
    "tiny", "mine", "replace", "ancumulate", "gaussian", "kde", "gausian", "fig1", "fig9", "paper", "slides", "my-idea", "../x", "/", "/dev/null", "/nowhere",
    "params.yaml", "submissions", "submissions/mine", ".", "..", "x" * 300, "a/" * 3000, ",", "mine,", "\x1b[31m", "\n", "ä", "\udcff", "%s", "{}", "$HOME", "*",
]) | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)  # fmt: skip


class Hangs(BaseException):
    """A case took too long."""


@contextmanager
def in_time() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise Hangs(f"more than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[Path]:
    """A root with two entries and a tiny profile, in which nothing is computed, and the current folder."""
    folder = tmp_path_factory.mktemp("fuzz") / "clone"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(root / "baselines" / "replace", folder / "baselines" / "replace", ignore=ignore)
    (folder / "submissions").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sweep, "compute", lambda *_: [])
        patch.setattr(check, "check", lambda _: iter(()))
        patch.setattr(verify, "verify_entry", _not_here)
        patch.setattr(figures, "made", _not_here)
        patch.setattr(profile, "require_writable", lambda *_: None)  # which would make folders wherever --to says
        yield folder


def _not_here(*_: object) -> None:
    raise ThriveError("nothing is computed in this test")


def reset(clone: Path) -> Path:
    """Restore all files; return the folder of the entry to spoil."""
    for name in ("submissions", "cells", "results"):
        shutil.rmtree(clone / name, ignore_errors=True)
    mine = clone / "submissions" / "mine"
    mine.mkdir(parents=True)
    (mine / "strategy.py").write_text(STRATEGY)
    (mine / "card.yaml").write_text(json.dumps(CARD))
    (clone / "params.yaml").write_text(json.dumps(document("gaussian")))
    return mine


def files(clone: Path) -> set[Path]:
    return {path for path in clone.rglob("*") if not path.is_dir() and "__pycache__" not in path.parts}


def survives(clone: Path, *words: str) -> None:
    """The command ends in time and without a traceback. If it fails, it says why and leaves no file behind."""
    OUTCOMES["cases"] += 1
    before = files(clone)
    with in_time():
        outcome = CliRunner().invoke(main, words)
    if outcome.exception is not None and not isinstance(outcome.exception, SystemExit):
        pytest.fail("".join(traceback.format_exception(outcome.exception)))
    assert "Traceback" not in outcome.output
    if outcome.exit_code != 0:
        OUTCOMES["refused"] += 1
        assert outcome.output.strip()
        assert files(clone) == before


def fuzz(kind: str) -> Any:
    """Run other cases every time, and print a line that repeats a case that failed."""
    quiet = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=EXAMPLES[kind], deadline=None, derandomize=False, database=None, print_blob=True,
                    suppress_health_check=quiet)  # fmt: skip


def with_snippet(content: dict[str, Any], place: tuple[str | int, ...], snippet: str, spoil_key: bool) -> str:
    """The document as text, with one of its values, or the key of that value, replaced."""
    content = json.loads(json.dumps(content))
    *parents, last = place
    at: Any = content
    for part in parents:
        at = at[part]
    at[last] = HERE
    text = json.dumps(content)
    return text.replace(f'"{last}": "{HERE}"', f"{snippet}: 1") if spoil_key else text.replace(f'"{HERE}"', snippet)


COMMANDS = st.sampled_from(
    [("list",), ("run", "--dry-run"), ("run", "--dry-run", "--only", "-s", "mine"), ("run",), ("fetch",), ("score",)]
)


@pytest.mark.parametrize(
    ("task_setting", "place"), FIELDS, ids=lambda value: value if isinstance(value, str) else str(value[-1])
)
def test_params(clone, task_setting, place):
    reset(clone)

    @fuzz("field")
    @given(snippet=SNIPPETS, spoil_key=st.integers(0, 9).map(lambda k: k == 0), command=COMMANDS)
    def cases(snippet: str, spoil_key: bool, command: tuple[str, ...]) -> None:
        text = with_snippet(document(task_setting), place, snippet, spoil_key)
        (clone / "params.yaml").write_text(text, encoding="utf-8")
        survives(clone, *command)

    cases()


@pytest.mark.parametrize("field", Card.model_fields)
def test_cards(clone, field):
    mine = reset(clone)

    @fuzz("field")
    @given(snippet=SNIPPETS, spoil_key=st.integers(0, 9).map(lambda k: k == 0), command=COMMANDS)
    def cases(snippet: str, spoil_key: bool, command: tuple[str, ...]) -> None:
        (mine / "card.yaml").write_text(with_snippet(CARD, (field,), snippet, spoil_key), encoding="utf-8")
        survives(clone, *command)

    cases()


LINES = st.sampled_from([
    "numpy", "numpy<2", "numpy==9", "x @ https://example.org", "-r other.txt", "--index-url x", "pot>=0.9; python_version < '3'", "x; extra == 'a'",
    "x; python_version < 'b'", "numpy===x", "numpy~=1", "numpy>=1!2", "[", "a" * 5000, "numpy; " + "(" * 500, "\x00", "# nothing",
]) | st.text(st.characters(codec="utf-8"), max_size=30)  # fmt: skip
CODE = st.sampled_from([
    "", "def f(:", "x = " + "(" * 2000, "x = " + "-" * 900 + "1", "x = " + "-" * 20000 + "1", "\0", "import nothing", "raise SystemExit",
    "x = " + "+".join("1" * 3000), "# -*- coding: nothing -*-",
]) | st.text(st.characters(codec="utf-8"), max_size=60)  # fmt: skip
BYTES = st.binary(max_size=60) | st.sampled_from(
    [b"\xff\xfe", b"\xef\xbb\xbfapi: 1", b"a: 1\n" * 50_000, b"[" * 100_000, b"\0"]
)
BOMB = "a: &a [x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
CONTENTS = {
    "params.yaml": BYTES | SNIPPETS.map(str.encode) | st.just(BOMB.encode()),
    "submissions/mine/card.yaml": BYTES | SNIPPETS.map(str.encode) | st.just(BOMB.encode()),
    "submissions/mine/strategy.py": BYTES | CODE.map(str.encode),
    "submissions/mine/requirements.txt": BYTES | st.lists(LINES, max_size=3).map("\n".join).map(str.encode),
    "requirements.lock": BYTES | st.lists(LINES, max_size=3).map("\n".join).map(str.encode),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_files(clone, name):
    @fuzz("file")
    @given(content=CONTENTS[name], command=COMMANDS | st.just(("new", "my-idea", "--from", "mine")))
    def cases(content: bytes, command: tuple[str, ...]) -> None:
        reset(clone)
        (clone / name).write_bytes(content)
        survives(clone, *command)

    cases()
    (clone / "requirements.lock").unlink(missing_ok=True)


@pytest.mark.parametrize(("command", "argument"), ARGUMENTS, ids=str)
def test_arguments(clone, command, argument):
    options = {option.name: option for option in main.commands[command].params}
    hit = []

    @fuzz("argument")
    @given(
        word=WORDS,
        others=st.dictionaries(st.sampled_from(list(options)), WORDS, max_size=2),
        flags=st.sets(st.sampled_from(list(options))),
    )
    def cases(word: str, others: dict[str, str], flags: set[str]) -> None:
        reset(clone)
        words = [command]
        for name, value in {**others, argument: word}.items():
            option = options[name]
            if getattr(option, "is_flag", False):
                words += [option.opts[0]] if name in flags or name == argument else []
            else:
                words += [option.opts[0], value] if option.param_type_name == "option" else [value]
        hit.append(words)
        survives(clone, *words)

    cases()
    assert len(hit) >= 2  # of a flag there are few


@pytest.fixture(scope="module")
def cell(clone: Path) -> tuple[str, bytes]:
    """A finished cell of the tiny profile: the key in its name, and its content."""
    reset(clone)
    project = Project.load(clone, "tiny")
    [first, *_] = sweep.cells(project, "gaussian", [project.entry("replace")])
    with tempfile.TemporaryDirectory() as folder:
        outcome = cell_process.compute(first, Path(folder), sweep.provenance(clone), 60.0)
    assert isinstance(outcome, cell_process.Finished)
    return first.key, outcome.content


def spoiled(content: bytes, cuts: list[tuple[float, float, bytes]]) -> bytes:
    """Some bytes replaced: at shares of its length, by others of any length."""
    for start, length, new in cuts:
        at = int(start * len(content))
        content = content[:at] + new + content[at + int(length * 50) :]
    return content


CUTS = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.binary(max_size=30)), min_size=1, max_size=3)
COLUMN = st.sampled_from(["seed", "t", "test_loss", "status", "texts", "refused"]) | st.text(
    st.characters(codec="utf-8"), max_size=8
)
TABLES = st.builds(
    lambda columns, provenance: as_bytes(pa.table(columns), provenance),
    st.dictionaries(COLUMN, st.lists(st.integers(0, 3), min_size=3, max_size=3), max_size=6),
    st.dictionaries(
        st.sampled_from(["refused", "cpu_seconds", "versions", "cell"]),
        st.none() | st.text(max_size=5) | st.integers(0, 9),
    ),
)


def test_cell_files(clone, cell):
    """Whatever lies in the store, with a checksum that fits or with none: a command says so in a line and leaves every other file."""
    key, good = cell
    contents = BYTES | TABLES | CUTS.map(lambda cuts: spoiled(good, cuts))
    commands = st.sampled_from(
        [("status",), ("run", "--dry-run"), ("run",), ("import", "other"), ("run", "--only", "-s", "replace")]
    )

    @fuzz("cell")
    @given(
        content=contents,
        fits=st.booleans(),
        command=commands,
        name=st.just(key) | st.text("0123456789abcdef.", max_size=40),
    )
    def cases(content: bytes, fits: bool, command: tuple[str, ...], name: str) -> None:
        reset(clone)
        store = clone / ("other" if command[0] == "import" else "cells")
        store.mkdir(exist_ok=True)
        for path in store.iterdir():
            path.unlink()
        path = store / f"{name}.{checksum(content) if fits else '0' * 16}.parquet"
        path.write_bytes(content)
        before = files(clone) - {path}
        OUTCOMES["cases"] += 1
        with in_time():
            outcome = CliRunner().invoke(main, command)
        if outcome.exception is not None and not isinstance(outcome.exception, SystemExit):
            pytest.fail("".join(traceback.format_exception(outcome.exception)))
        assert "Traceback" not in outcome.output
        assert outcome.output.strip()
        if content != good:
            assert files(clone) - {path} == before  # nothing was taken over, gathered or half written
        shutil.rmtree(clone / "other", ignore_errors=True)

    cases()


def test_there_are_enough_cases():
    """Every field of every schema, by construction of the lists above."""
    assert {place[-1] for _, place in FIELDS} >= {name for schema, _ in SCHEMAS for name in schema.model_fields}
    for task_setting in TASKS:
        assert {place[-1] for other, place in FIELDS if other == task_setting} >= {*numbers(task_setting)} - {
            *form.HowItIsRun.model_fields
        }
    assert set(CARD) == set(Card.model_fields)
    total = (
        EXAMPLES["field"] * (len(FIELDS) + len(CARD))
        + EXAMPLES["file"] * len(CONTENTS)
        + EXAMPLES["argument"] * len(ARGUMENTS)
        + EXAMPLES["cell"]
    )
    assert 5 * total >= 2000 * TIMES  # of `make test-long`
    print(dict(OUTCOMES))
