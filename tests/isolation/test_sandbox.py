"""What a stranger's process can do to the user: nothing under bubblewrap, and less than usual without it."""

import os
import socket
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmark.entries import environment
from benchmark.entries.entry import Entry
from benchmark.errors import BadMessage, Stopped, ThriveError
from benchmark.isolation import sandbox
from benchmark.isolation.confined import KEPT_OF_PRINTS, Confined, Limits
from benchmark.isolation.sandbox import confined
from benchmark.messages import decode, encode

PRELUDE = """
import os, sys
from benchmark.messages import take_the_line
line = take_the_line()
"""
LIMITS = Limits(cpu_seconds=20, wall_seconds=60, memory_bytes=2 << 30, processes=8, file_bytes=1 << 20)
BUBBLEWRAP = sandbox.why_no_bubblewrap() is None
MODES = [
    pytest.param("bubblewrap", marks=pytest.mark.skipif(not BUBBLEWRAP, reason=str(sandbox.why_no_bubblewrap()))),
    "limits only",
]


@pytest.fixture(params=MODES)
def mode(request, monkeypatch) -> str:
    """With bubblewrap and without it."""
    if request.param == "limits only":
        monkeypatch.setattr(sandbox, "why_no_bubblewrap", lambda: "bubblewrap is not installed")
    return request.param


@pytest.fixture
def start(tmp_path):
    """A confined process that runs a program, from a folder that others may read."""
    begun: list[Confined] = []

    def go(program: str, limits: Limits = LIMITS, prelude: str = PRELUDE) -> Confined:
        entry, scratch = tmp_path / "entry", tmp_path / "scratch"
        for folder in (tmp_path, entry, scratch):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)
        (entry / "child.py").write_text(prelude + program)
        begun.append(confined([sys.executable, str(entry / "child.py")], [entry], scratch, limits))
        return begun[-1]

    yield go
    for process in begun:
        process.kill()


def left_over(tmp_path: Path) -> list[int]:
    """Processes of this test, by command line or working folder, that are still alive after killed ones have gone."""
    for _ in range(100):
        found = [int(p.name) for p in Path("/proc").glob("[0-9]*") if _is_of(p, str(tmp_path))]
        if not found:
            break
        time.sleep(0.05)
    return found


def _is_of(process: Path, name: str) -> bool:
    try:
        return name in (process / "cmdline").read_text() or name in str((process / "cwd").readlink())
    except OSError:
        return False


def stopped(process: Confined, complaint: str, tmp_path: Path) -> None:
    with process, pytest.raises(Stopped, match=complaint):
        process.ask("go")
    assert left_over(tmp_path) == []


def test_messages_come_back_as_they_were_sent(mode, start):
    """Bit for bit, with non-finite numbers and empty arrays. Prints in between garble nothing."""
    sent = {
        "numbers": [1, -0.5, float("inf"), None, "σ"],
        "floats": np.array([[0.1, -np.inf], [np.nan, -0.0]]),
        "ids": np.arange(5),
        "none": np.empty((0, 3), np.float32),
        "texts": np.array(["a", "é\n", "\ud800"], object),
        "mask": np.array([True, False]),
        "one": np.float32(0.1),
    }
    with start("""
os.system("echo from a child of mine")
while True:
    print("this is no message")
    sys.stdout.flush()
    line.send(line.receive())
""") as process:  # fmt: skip
        for _ in range(2):
            back = process.ask(sent)
            for name in ("floats", "ids", "none", "mask"):
                assert back[name].dtype == sent[name].dtype
                np.testing.assert_array_equal(back[name], sent[name])
            assert np.signbit(back["floats"][1, 1])
            assert list(back["texts"]) == list(sent["texts"])
            assert back["numbers"] == sent["numbers"]
            assert back["one"] == float(np.float32(0.1))
    assert process.isolation.startswith(mode)
    assert "this is no message" in process.printed
    assert "from a child of mine" in process.printed


def test_the_warning_says_what_is_not_protected(mode, start):
    with start("line.send(1)") as process:
        if mode == "bubblewrap":
            assert process.warning is None
        else:
            assert "can reach the network and read and write whatever you can" in process.warning
            assert "bubblewrap is not installed" in process.warning
            assert ("and processes are limited" in process.warning) == (os.geteuid() != 0)


@pytest.mark.parametrize("found", [
    b"", b"hello", b"\x80\x04K\x01.", b"[" * 100_000, b'{"dtype": "|O", "shape": [1], "base64": ""}',
    b'{"dtype": "<f8", "shape": [2], "base64": "AAAAAAAAAAA="}', b'{"dtype": "<f8", "shape": [-1], "base64": ""}',
    b'{"dtype": "<f8", "shape": 3, "base64": ""}', b'{"dtype": "<f8", "shape": [1], "base64": 7}',
    b'{"dtype": ["<f8"], "shape": [0], "base64": ""}', b'{"strings": [1]}', b'{"strings": 1}', b"9" * 10_000,
])  # fmt: skip
def test_garbage_is_an_error_that_shows_it(found):
    with pytest.raises(BadMessage, match="found b'") as error:
        decode(found)
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("value", [{1, 2}, np.array([1j]), np.array([object()]), open, np.array(["a"])])
def test_only_plain_values_can_be_sent(value):
    with pytest.raises(TypeError, match="a message cannot hold|an array of strings that holds"):
        encode(value)


def test_garbage_sent_to_the_harness_stops_the_process(mode, start, tmp_path):
    stopped(start("print('hello, world', flush=True); input(); input()", prelude=""), "found b'hello, world'", tmp_path)


def test_a_gigantic_message_is_not_read(mode, start, tmp_path):
    program = "line.receive()\nwhile True: os.write(line._outbox.fileno(), b'x' * 65536)"
    limits = Limits(cpu_seconds=20, wall_seconds=60, message_bytes=1 << 20)
    stopped(start(program, limits), "message of more than 1,048,576 bytes: b'xxx", tmp_path)


def test_the_total_of_all_messages_is_limited(mode, start, tmp_path):
    program = "line.receive()\nwhile True: line.send('x' * 100_000); line.receive()"
    limits = Limits(cpu_seconds=20, wall_seconds=60, line_bytes=1 << 20)
    with start(program, limits) as process, pytest.raises(Stopped, match="more than 1,048,576 bytes in all"):
        [process.ask("go") for _ in range(20)]
    assert left_over(tmp_path) == []


def test_a_long_message_is_read_in_time_with_its_length(start):
    """A third of the largest message arrives in seconds, together with what was sent after it."""
    with start("line.receive(); line.send(line.receive()); line.send('and more')") as process:
        long = np.zeros(2_000_000)
        process._send(encode("go"), process._ends)
        assert len(process.ask(long)) == len(long)
        assert decode(process._line(process._ends)) == "and more"


def test_endless_prints_do_not_block_the_harness(mode, start):
    """Prints beyond the limit are lost, and the connection still works."""
    program = """
line.receive()
try:
    for _ in range(100):
        os.write(2, b"x" * 65_536)
except OSError:
    pass
line.send("done")
"""
    with start(program, Limits(cpu_seconds=20, wall_seconds=60, line_bytes=1 << 20)) as process:
        assert process.ask("go") == "done"
        assert 0 < len(process.printed) <= KEPT_OF_PRINTS


def test_last_words_are_plain(mode, start, tmp_path):
    program = "line.receive(); raise SystemExit('\\x1b[2J d=2 \\u202e')"
    stopped(start(program), r"words: \\x1b\[2J d=2 \\u202e", tmp_path)


def test_death_is_reported_with_its_last_words(mode, start, tmp_path):
    stopped(start("line.receive(); raise SystemExit('I am no more')"), "status 1; .*words: I am no more", tmp_path)
    stopped(start("line.receive(); os.abort()"), "ended by SIGABRT", tmp_path)


def test_an_endless_loop_ends_by_cpu_time(mode, start, tmp_path):
    limits = Limits(cpu_seconds=1, wall_seconds=60)
    stopped(start("line.receive()\nwhile True: pass", limits), "used up its 1 s of CPU time", tmp_path)


def test_a_process_that_says_nothing_ends_by_the_clock(mode, start, tmp_path):
    program = "import time; line.receive(); time.sleep(3600)"
    stopped(start(program, Limits(wall_seconds=1)), "gave no answer", tmp_path)
    with start("import time; line.send(line.receive()); time.sleep(3600)") as process:
        assert process.ask(1) == 1
        with pytest.raises(Stopped, match="gave no answer"):
            process.ask(2, seconds=0.2)
    assert left_over(tmp_path) == []


def test_a_process_that_does_not_listen_ends_by_the_clock(mode, start, tmp_path):
    with (
        start("import time; time.sleep(3600)", Limits(wall_seconds=1)) as process,
        pytest.raises(Stopped, match="no answer"),
    ):
        process.ask("x" * 10_000_000)
    assert left_over(tmp_path) == []


@pytest.mark.parametrize("gigabytes", [2, 64])
def test_memory_beyond_the_limit_is_refused(mode, start, tmp_path, gigabytes):
    limits = Limits(memory_bytes=1 << 30)
    stopped(start(f"line.receive(); x = bytearray({gigabytes} << 30)", limits), "status 1; .*MemoryError", tmp_path)


def test_a_file_cannot_grow_beyond_its_limit(mode, start, tmp_path):
    stopped(start("line.receive(); open('big', 'wb').write(bytes(2 << 20))"), "File too large", tmp_path)
    assert (tmp_path / "scratch" / "big").stat().st_size <= 1 << 20


ENTERED = """
import pathlib
from benchmark.entries.entry import Entry
entry = Entry(pathlib.Path(line.receive()))
line.send([entry.make().alpha, entry.rules.track])
"""


def test_an_entry_can_be_loaded_in_it(mode, tmp_path, root):
    """From its own folder and the target of a link in it; nothing else of the clone is visible."""
    entry = Entry(root / "baselines" / "anchor-0.5")
    (tmp_path / "scratch").mkdir()
    command = [sys.executable, "-c", PRELUDE + ENTERED]
    readable = [*environment.of_the_harness(), *entry.sources]
    with confined(command, readable, tmp_path / "scratch", LIMITS) as process:
        assert process.ask(str(entry.folder)) == [0.5, "labelled"]


FORKING = """
import time
line.receive()
children = 0
try:
    while children < 100:  # without end, but for the machine of whoever finds the limit broken
        if os.fork() == 0:
            time.sleep(3600)
        children += 1
except OSError as error:
    line.send([children, str(error)])
line.send([children, "no limit"])
"""


def test_forks_are_limited_and_none_is_left(mode, start, tmp_path):
    """Root without bubblewrap is exempt from the limit, and the warning says so. Time limit and kill apply in every case."""
    with start(FORKING) as process:
        children, error = process.ask("go")
        if mode == "limits only" and os.geteuid() == 0:
            assert (children, error) == (100, "no limit")
        else:
            assert children < 100
            assert "temporarily unavailable" in error
    assert left_over(tmp_path) == []


def test_children_that_outlive_their_parent_are_killed(mode, start, tmp_path):
    program = "import time\nline.receive()\nif os.fork() == 0: time.sleep(3600)\nos._exit(3)"
    with start(program) as process, pytest.raises(Stopped, match="status 3"):
        process.ask("go")
    assert left_over(tmp_path) == []


CONNECTING = """
import socket
try:
    with socket.create_connection(("127.0.0.1", line.receive()), 5):
        line.send("connected")
except OSError as error:
    line.send(str(error))
"""


def test_the_network_is_out_of_reach(mode, start):
    """Even a listener on this machine. Without bubblewrap it is reached, as the warning says."""
    with socket.create_server(("127.0.0.1", 0)) as server, start(CONNECTING) as process:
        answer = process.ask(server.getsockname()[1])
    assert (answer == "connected") == (mode == "limits only")


READING = """
for path in iter(line.receive, None):
    try:
        line.send(open(path).read())
    except OSError as error:
        line.send(type(error).__name__)
"""


@pytest.fixture
def planted(tmp_path):
    """Files that an entry must not see: in the real home, next to the entry, and named by the environment."""
    files = [Path.home() / f".thrive-test-{os.getpid()}", tmp_path / "private"]
    for file in files:
        file.write_text("a secret")
    yield files
    for file in files:
        file.unlink()


def test_files_of_the_user_cannot_be_read(mode, start, planted, root):
    """Not the home, other entries or held-out data. The interpreter and the strategy's side of the harness can be read."""
    assets = next((root / "benchmark" / "assets").glob("*/README.md"))
    hidden = [*planted, root / "README.md", assets, Path("/etc/passwd")]
    with start(READING) as process:
        answers = [process.ask(str(path)) for path in hidden]
        ours = root / "benchmark" / "messages.py"
        assert process.ask(str(ours)) == ours.read_text()
    if mode == "bubblewrap":
        assert set(answers) <= {"FileNotFoundError", "PermissionError"}
    else:
        assert answers[0] == answers[1] == "a secret"


def test_the_environment_is_empty_of_the_users(mode, start, monkeypatch):
    monkeypatch.setenv("A_TOKEN", "a secret")
    with start("line.receive(); line.send(dict(os.environ))") as process:
        found = process.ask("go")
    assert "A_TOKEN" not in found
    assert found["OMP_NUM_THREADS"] == "1"
    assert Path(found["HOME"]).name == "scratch"


WRITING = """
def attempt(action, *arguments):
    try:
        action(*arguments)
        return "done"
    except OSError as error:
        return type(error).__name__

attempt(open("inside", "w").write, "x")
for path in iter(line.receive, None):
    line.send([attempt(open, path, "a"), attempt(open, path + ".new", "a"), attempt(os.unlink, path), attempt(os.chmod, path, 0)])
"""


def test_nothing_is_written_outside_the_scratch_folder(start, planted, tmp_path, root):
    if not BUBBLEWRAP:
        pytest.skip(str(sandbox.why_no_bubblewrap()))
    paths = [*planted, tmp_path / "entry" / "child.py", root / "benchmark" / "loop.py", Path("/usr/new"), Path("/tmp/new"),
             Path("/dev/shm/new"), Path("/new")]  # fmt: skip
    with start(WRITING) as process:
        for path in paths:
            assert "done" not in process.ask(str(path)), path
    assert [file.read_text() for file in planted] == ["a secret"] * 2
    assert (tmp_path / "scratch" / "inside").read_text() == "x"


def test_other_processes_are_not_seen(start):
    if not BUBBLEWRAP:
        pytest.skip(str(sandbox.why_no_bubblewrap()))
    with start("line.receive(); line.send([p for p in os.listdir('/proc') if p.isdigit()])") as process:
        assert len(process.ask("go")) <= 3  # bubblewrap's own, and itself


def test_a_folder_that_contains_the_home_is_not_mounted(start, tmp_path):
    for readable, complaint in (
        ([Path.home()], "holds the home"),
        ([Path("/")], "holds the home"),
        ([tmp_path / "no"], "no such"),
    ):
        with pytest.raises(ThriveError, match=complaint):
            confined([sys.executable, "-c", ""], readable, tmp_path, LIMITS)


@pytest.mark.parametrize(("says", "expected"), [
    ("exit 1", "does not work here: status 1"),
    ("echo No permissions to create new namespace >&2; exit 1", "does not work here: No permissions"),
    (None, "not installed"),
])  # fmt: skip
def test_a_broken_bubblewrap_is_detected(says, expected, tmp_path, monkeypatch):
    if says:
        (tmp_path / "bwrap").write_text(f"#!/bin/sh\n{says}\n")
        (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sandbox, "_environment", lambda scratch: {"PATH": str(tmp_path)})
    assert expected in sandbox.why_no_bubblewrap.__wrapped__()
