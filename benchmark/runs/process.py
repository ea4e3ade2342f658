"""Running a function in a process of its own, forked from this one: whatever it does to its process ends with it.

Its answer comes back as a plain message (`benchmark.messages`): nothing is unpickled.
"""

import contextlib
import ctypes
import os
import select
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple, NoReturn

from benchmark.messages import decode, encode

LAST = 2000
"""Bytes of what a process printed that are shown where it failed."""
GLANCE = 0.2
"""Seconds between two looks at whether a silent process still lives: one that it has started may hold the pipe open."""
KILL_AT_PARENTS_DEATH = 1  # PR_SET_PDEATHSIG of Linux


class Ended(NamedTuple):
    """How a process ended."""

    answer: Any
    """None where there is none."""
    status: int | None
    """Exit status of the process, as the shell counts it: -9 means killed by signal 9. None: it gave no answer in time, and was killed."""
    cpu_seconds: float


def in_a_process_of_its_own(
    work: Callable[[], Any], seconds: float, home: Path, printed: IO[bytes] | None = None
) -> Ended:
    """The answer of `work`, a message, or how its process ended without one.

    All that it has started and that is still of its process group ends with it.

    Args:
        seconds: after which it is killed.
        home: folder in which it runs, and in which it finds HOME and temporary files.
        printed: takes what it prints.

    Raises:
        BadMessage: it sent what is no message.
    """
    reader, writer = os.pipe()
    child = _fork()
    if child == 0:
        os.close(reader)
        _work(work, writer, home, printed)
    os.close(writer)
    try:
        line = _line(reader, child, time.monotonic() + seconds)
    finally:
        os.close(reader)
        for kill in (os.killpg, os.kill):  # it may have left the group
            with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: of a group of zombies
                kill(child, signal.SIGKILL)
        _, status, used = os.wait4(child, 0)
    in_time = line is not None
    answer = decode(line) if line else None
    return Ended(answer, os.waitstatus_to_exitcode(status) if in_time else None, used.ru_utime + used.ru_stime)


def last_lines(printed: IO[bytes]) -> str:
    """The end of what a process has printed."""
    size = printed.seek(0, os.SEEK_END)
    printed.seek(max(0, size - LAST))
    return printed.read().decode(errors="replace").strip()


def _fork() -> int:
    with warnings.catch_warnings():
        # Python 3.12 warns where the process has threads. Those of pyarrow and tqdm are idle, and the child uses none.
        warnings.simplefilter("ignore", DeprecationWarning)
        # An interrupt amid what libraries do at a fork would leave their locks taken.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
        try:
            return os.fork()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _line(pipe: int, child: int, ends: float) -> bytes | None:
    """The line that comes through the pipe: empty where the child ended without one, None where time is over."""
    found = bytearray()
    while (left := ends - time.monotonic()) > 0:
        if select.select([pipe], [], [], min(left, GLANCE))[0]:
            chunk = os.read(pipe, 1 << 16)
            found += chunk
            if not chunk or chunk.endswith(b"\n"):
                return bytes(found) if chunk else b""
        elif _is_dead(child):
            return b""
    return None


def _is_dead(child: int) -> bool:
    if not hasattr(os, "waitid"):  # macOS before Python 3.13: then the limit ends the waiting
        return False
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _work(work: Callable[[], Any], writer: int, home: Path, printed: IO[bytes] | None) -> NoReturn:
    """Do the work in the new process. It never returns."""
    status = 1
    try:
        os.setpgid(0, 0)
        _die_first()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        if printed is not None:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # whoever waits for input would wait for ever
            os.dup2(printed.fileno(), 1)
            os.dup2(printed.fileno(), 2)
            sys.stdin = os.fdopen(0, closefd=False)
            sys.stdout = sys.stderr = os.fdopen(2, "w", errors="replace", closefd=False)
        _close_all_but(writer)
        os.environ.update(HOME=str(home), TMPDIR=str(home))
        tempfile.tempdir = None
        os.chdir(home)
        message = encode(work())
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(message)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _close_all_but(kept: int) -> None:
    """Files of the process that forked this one, the sweep's own pipes among them: what is written into these stops all workers."""
    os.closerange(3, kept)
    os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))


def _die_first() -> None:
    """Where memory runs out, and at the latest with the parent."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(KILL_AT_PARENTS_DEATH, signal.SIGKILL)
        with contextlib.suppress(OSError):  # not to be written in some containers
            Path("/proc/self/oom_score_adj").write_text("1000")
