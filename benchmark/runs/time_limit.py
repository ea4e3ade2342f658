"""A limit on the seconds that a stranger's code may take, in the process that runs it."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager


class TimedOut(BaseException):
    """The time is over. Not an Exception, which a strategy might catch and go on."""


@contextmanager
def time_limit(seconds: float, message: str) -> Iterator[None]:
    """Raise TimedOut in the midst of what runs here, once so many seconds are over.

    It sets the alarm of the whole process, in its main thread. Code that catches TimedOut, or stops the clock, goes on: only who waits for
    its process outside can end that (`benchmark.runs.process`).

    Args:
        message: what TimedOut says.
    """
    began = time.monotonic()

    def stop(*_: object) -> None:
        if time.monotonic() - began < 0.9 * seconds:
            raise TimedOut("an alarm rang that is not the harness's: the entry has set one")
        raise TimedOut(message)

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
