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
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from benchmark.entries import environment
from benchmark.entries.environment import PACKAGE
from benchmark.errors import ThriveError
from benchmark.isolation import syscalls
from benchmark.isolation.confined import Confined, Limits

LIMITED = Path(__file__).with_name("launcher.py")
NOBODIES = range(61184, 65520)  # ids that systemd, too, gives to passing strangers
_strangers = itertools.count(os.getpid())


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
    `launcher.py` becomes a stranger's id there instead, and for that alone two capabilities are left.
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
