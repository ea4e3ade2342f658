"""A confined process and the line to it: what it may use, messages to it and from it, and how it ends."""

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Any, NoReturn, Self

from benchmark.errors import Stopped
from benchmark.messages import decode, encode, one_line, shown

KEPT_OF_PRINTS = 16_384
GLANCE = 0.2  # seconds between two looks at whether the process still lives


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
        """The soft and the hard limit by name, as `launcher.py` reads them."""
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
        """The next line that the process sends, without its end."""
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
    """How a process ended, in words. Bubblewrap reports a signal as a shell does: 128 plus its number."""
    number = -status if status < 0 else status - 128
    if number == signal.SIGXCPU:
        return f"used up its {limits.cpu_seconds} s of CPU time"
    if number in set(signal.Signals):
        return f"was ended by {signal.Signals(number).name}"
    return f"ended with status {status}"
