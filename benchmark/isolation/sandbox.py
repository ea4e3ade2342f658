"""A process for a stranger's code: confined as far as the system can, and spoken to by plain messages alone.

With bubblewrap the process has no network, sees no other processes and no files but the interpreter and those that it is
given (read-only, with one folder to write to), has an empty environment, and cannot make namespaces, mount, trace or use the
kernel's keyrings (`benchmark.isolation.syscalls`). Without bubblewrap, time, memory, file sizes and open files are still limited, and
nothing else is: the process can reach the network and read and write what the user can. `Confined.warning` says so.

Nothing here makes Python a security boundary. Bubblewrap shares the kernel, memory is limited by process (so all in all to
`processes` times as much), and a scratch folder can be filled with many small files. For code that you have
reason to fear, use a virtual machine. docs/security.md says what is tested of this.
"""

import contextlib
import itertools
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NoReturn, Self

from benchmark.entries import environment
from benchmark.entries.environment import PACKAGE
from benchmark.errors import Stopped, ThriveError
from benchmark.isolation import syscalls
from benchmark.messages import decode, encode, one_line, shown

LIMITED = Path(__file__).with_name("launcher.py")
KEPT_OF_PRINTS = 16_384
GLANCE = 0.2  # seconds between two looks at whether the process still lives
NOBODIES = range(61184, 65520)  # ids that systemd, too, gives to passing strangers
_strangers = itertools.count(os.getpid())


@dataclass(frozen=True)
class Limits:
    """What a confined process may use. Memory, CPU time and open files: each process in it.

    Attributes:
        wall_seconds: from its start; looked at whenever an answer is awaited.
        processes: with their threads. Not limited for root without bubblewrap, whom the system exempts.
        file_bytes: size of one file.
        message_bytes: size of one answer.
        line_bytes: size of all answers together, and of all that it prints; the rest of its prints is lost.
    """

    cpu_seconds: int = 60
    wall_seconds: float = 120.0
    memory_bytes: int = 4 << 30
    processes: int = 16
    file_bytes: int = 16 << 20
    open_files: int = 128
    message_bytes: int = 64 << 20
    line_bytes: int = 1 << 30

    def of_the_system(self, processes: int | None) -> dict[str, tuple[int, int]]:
        """As `limited.py` takes them: soft and hard."""
        limits = {
            "RLIMIT_CPU": (
                self.cpu_seconds,
                self.cpu_seconds + 1,
            ),  # SIGXCPU tells why, SIGKILL a second later does not ask
            "RLIMIT_AS": (self.memory_bytes,) * 2,
            "RLIMIT_FSIZE": (self.file_bytes,) * 2,
            "RLIMIT_NOFILE": (self.open_files,) * 2,
            "RLIMIT_CORE": (0, 0),
        }
        return limits if processes is None else {**limits, "RLIMIT_NPROC": (processes,) * 2}


class Confined:
    """A confined process and the line to it. Leaving its `with` block kills it and all that it started.

    Attributes:
        isolation: "bubblewrap", or "limits only: " and why.
        warning: what does not hold here, as a sentence for console and result; None under bubblewrap.
    """

    def __init__(self, process: subprocess.Popen[bytes], limits: Limits, isolation: str, warning: str | None) -> None:
        self.isolation = isolation
        self.warning = warning
        self._process = process
        self._killed = False
        self._limits = limits
        self._ends = time.monotonic() + limits.wall_seconds
        self._unread = bytearray()
        self._received = 0
        self._prints = bytearray()
        self._stdin, self._stdout = _pipe(process.stdin), _pipe(process.stdout)
        os.set_blocking(self._stdin.fileno(), False)
        self._reader = threading.Thread(target=self._keep_prints, args=(_pipe(process.stderr),), daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._reader.join(1)
        self._stdin.close()
        self._stdout.close()

    @property
    def printed(self) -> str:
        """The end of what it printed, to standard output and standard error alike."""
        return bytes(self._prints).decode(errors="replace")

    def ask(self, message: Any, seconds: float | None = None) -> Any:
        """Send a message and wait for the answer.

        Args:
            seconds: most to wait, within `Limits.wall_seconds`.

        Raises:
            Stopped: there was no answer, or none that is a message; the process is killed.
        """
        ends = self._ends if seconds is None else min(self._ends, time.monotonic() + seconds)
        self._send(encode(message), ends)
        line = self._line(ends)
        try:
            return decode(line)
        except Stopped:
            self.kill()
            raise

    def kill(self) -> None:
        """Kill the process and, as one group or one namespace, all that it started."""
        if self._killed:  # the number of the group may be somebody else's by now
            return
        self._killed = True
        with contextlib.suppress(ProcessLookupError, PermissionError):  # all of the group are gone: so Linux, so macOS
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _send(self, line: bytes, ends: float) -> None:
        rest = memoryview(line)
        while rest:
            self._wait(self._stdin, selectors.EVENT_WRITE, ends)
            try:
                rest = rest[os.write(self._stdin.fileno(), rest[:65536]) :]
            except BlockingIOError:  # less room in the pipe than a page: wait again
                time.sleep(0.001)
            except BrokenPipeError:
                self._died()

    def _line(self, ends: float) -> bytes:
        """What it sends, up to the end of a line."""
        searched = 0  # so that a long line is not searched from its beginning with every piece
        while True:
            end = self._unread.find(b"\n", searched)
            if max(end, searched) > self._limits.message_bytes:
                start = bytes(self._unread[:200])
                self._stop(f"sent a message of more than {self._limits.message_bytes:,} bytes: {shown(start)}")
            if end >= 0:
                line = bytes(self._unread[:end])
                del self._unread[: end + 1]
                return line
            searched = len(self._unread)
            self._wait(self._stdout, selectors.EVENT_READ, ends)
            chunk = os.read(self._stdout.fileno(), 1 << 20)
            if not chunk:
                self._died()
            self._unread += chunk
            self._received += len(chunk)
            if self._received > self._limits.line_bytes:
                self._stop(f"sent more than {self._limits.line_bytes:,} bytes in all")

    def _wait(self, pipe: IO[bytes], event: int, ends: float) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, event)
            while not selector.select(min(GLANCE, max(0.0, ends - time.monotonic()))):
                if self._process.poll() is not None:  # children that it left behind may hold the line open
                    self._died()
                if time.monotonic() >= ends:
                    self._stop("gave no answer in the seconds that it has")

    def _died(self) -> NoReturn:
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._stop("closed the line")
        self._stop(_how_it_ended(self._process.returncode, self._limits))

    def _stop(self, why: str) -> NoReturn:
        self.kill()
        self._reader.join(1)
        words = self.printed.strip().splitlines()
        last = f" Its last words: {one_line(words[-1], 300)}" if words else ""
        raise Stopped(f"the confined process {why}; it was stopped.{last}")

    def _keep_prints(self, pipe: IO[bytes]) -> None:
        printed = 0
        with pipe:
            while printed <= self._limits.line_bytes and (chunk := os.read(pipe.fileno(), 1 << 16)):
                printed += len(chunk)
                self._prints += chunk
                del self._prints[:-KEPT_OF_PRINTS]


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


def _how_it_ended(status: int, limits: Limits) -> str:
    """In words. Bubblewrap reports a signal as a shell does, as 128 and its number."""
    number = -status if status < 0 else status - 128
    if number == signal.SIGXCPU:
        return f"used up its {limits.cpu_seconds} s of CPU time"
    if number in set(signal.Signals):
        return f"was ended by {signal.Signals(number).name}"
    return f"ended with status {status}"


def confined(command: Sequence[str], readable: Sequence[Path], scratch: Path, limits: Limits) -> Confined:
    """Start a command in a confined process; it must speak as `benchmark.messages.take_the_line` does.

    Args:
        command: the interpreter, `sys.executable`, and its arguments.
        readable: files and folders that it may read beside what every entry's process has (`benchmark.entries.environment`).
        scratch: the folder that it may write to, and starts in.

    Raises:
        ThriveError: a path lacks, or holds the user's home.
    """
    for path in (*readable, scratch):
        _check(path)
    reason = why_no_bubblewrap()
    if reason is None:
        inner = _limited(limits, limits.processes, _stranger(scratch))
        with _filter() as number:
            process = _start([*_bubblewrap(readable, scratch, number), *inner, *command], scratch, number)
        return Confined(process, limits, "bubblewrap", None)
    allowance = None if os.geteuid() == 0 else _tasks_of_this_user() + limits.processes
    words = [*_limited(limits, allowance, None), *command]
    return Confined(_start(words, scratch), limits, f"limits only: {reason}", _warning(reason, allowance is not None))


def _check(path: Path) -> None:
    if not path.exists():
        raise ThriveError(f"{path}: no such file or folder to give to a confined process.")
    if Path.home().is_relative_to(path.resolve()):
        raise ThriveError(f"{path}: holds the home directory, which a confined process must not see.")


def _warning(reason: str, counted: bool) -> str:
    held = "time, memory, file sizes" + (" and processes" if counted else "")
    return (
        f"no sandbox ({reason}): {held} are limited, but the entry's code can reach the network and read and write "
        "whatever you can. Run it only if you have read it, or install bubblewrap."
    )


def _limited(limits: Limits, processes: int | None, uid: int | None) -> list[str]:
    return [sys.executable, "-I", "-S", str(LIMITED), json.dumps(limits.of_the_system(processes)), str(uid or "")]


def _start(words: list[str], scratch: Path, *inherited: int) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        words, stdin=pipe, stdout=pipe, stderr=pipe, cwd=scratch, env=_environment(scratch), start_new_session=True,
        pass_fds=inherited,
    )  # fmt: skip


@contextlib.contextmanager
def _filter() -> Iterator[int]:
    """A pipe that holds the filter of system calls, which bubblewrap reads; it is not left open to the command."""
    reader, writer = os.pipe()
    try:
        os.write(writer, syscalls.program())  # of a few hundred bytes: a pipe has room for them
        os.close(writer)
        yield reader
    finally:
        os.close(reader)


def _environment(scratch: Path) -> Mapping[str, str]:
    """Nothing of the user's: neither tokens nor proxies nor a home."""
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(PACKAGE.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONSAFEPATH": "1",  # `python -m` would put the scratch folder first
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "LANG": "C.UTF-8",
        "JOBLIB_MULTIPROCESSING": "0",  # scikit-learn's joblib would warn that it finds no semaphores
        **one_thread,
    }


def _bubblewrap(readable: Sequence[Path], scratch: Path, filter_number: int) -> list[str]:
    """The command line of bubblewrap, up to the command.

    Root gets no user namespace: root outside is exempt from the limit on processes whatever id it has inside.
    `limited.py` becomes a stranger's id there instead, and for that alone two capabilities are left.
    """
    if os.geteuid() == 0:
        spaces = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
        rights = ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        spaces = ["--unshare-all", "--unshare-user", "--uid", "65534", "--gid", "65534"]
        rights = ["--cap-drop", "ALL"]
    interpreter, emptied = environment.interpreter()
    system = [path for path in map(Path, environment.SYSTEM) if path.exists()]
    given = list(dict.fromkeys(path.absolute() for path in (*environment.of_entries(), *readable)))
    folders = dict.fromkeys(folder for path in (*system, *interpreter, *given, scratch) for folder in _above(path))
    return [
        "bwrap", *spaces, *rights, "--die-with-parent", "--new-session", "--hostname", "thrive",
        "--seccomp", str(filter_number), "--proc", "/proc", "--dev", "/dev", "--perms", "0755", "--tmpfs", "/tmp",
        *(word for folder in folders for word in ("--perms", "0755", "--dir", str(folder))),
        *(word for path in system for word in ("--ro-bind", str(path), str(path))),
        *(word for path in interpreter for word in _linked(path)),
        *(word for path in emptied for word in ("--perms", "0755", "--tmpfs", str(path))),
        *(word for path in given for word in ("--ro-bind", str(path), str(path))),
        *(word for path in emptied for word in ("--remount-ro", str(path))),
        "--bind", str(scratch), str(scratch),
        "--remount-ro", "/tmp", "--remount-ro", "/dev", "--remount-ro", "/", "--",
    ]  # fmt: skip


def _above(path: Path) -> list[Path]:
    """The folders above a path, outermost first. Bubblewrap itself would make them for root alone."""
    return list(reversed(path.parents[:-1]))


def _linked(path: Path) -> list[str]:
    """A link stays a link: the interpreter finds its own folders by where it leads."""
    return ["--symlink", str(path.readlink()), str(path)] if path.is_symlink() else ["--ro-bind", str(path), str(path)]


def _stranger(scratch: Path) -> int | None:
    """An id of its own for a process that root starts, who owns the scratch folder and nothing else."""
    if os.geteuid() != 0:
        return None
    uid = NOBODIES[next(_strangers) % len(NOBODIES)]
    os.chown(scratch, uid, uid)
    return uid


def _tasks_of_this_user() -> int:
    """Processes and threads that the user has now: the system counts them together with new ones."""
    found = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.stat().st_uid == os.getuid():
                found += len(list((process / "task").iterdir()))
        except OSError:  # it has ended meanwhile
            continue
    return found


@lru_cache(maxsize=1)
def why_no_bubblewrap() -> str | None:
    """None where bubblewrap works, found out by starting the interpreter in it; else the reason why it does not."""
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed"
    if reason := syscalls.why_no_filter():
        return reason
    with tempfile.TemporaryDirectory() as folder, _filter() as number:
        scratch = Path(folder)
        words = _bubblewrap([], scratch, number)
        words += _limited(Limits(), Limits.processes, _stranger(scratch))
        try:
            done = subprocess.run(
                [*words, sys.executable, "-c", "import benchmark.messages"], pass_fds=(number,),
                cwd=scratch, env=_environment(scratch), capture_output=True, text=True, timeout=60,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"bubblewrap does not work here: {error}"
    last = done.stderr.strip().splitlines()[-1:] or [f"status {done.returncode}"]
    return None if done.returncode == 0 else f"bubblewrap does not work here: {last[0][:200]}"
