"""Plain messages between the harness and a process that it does not trust: a line of JSON each, arrays as base64.

Nothing is ever unpickled. Input that is not a message raises an error that quotes it.
"""

import base64
import json
import math
import os
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import BadMessage

DTYPES = ("<f8", "<f4", "<i8", "<i4", "|b1", "|u1")
SHOWN = 80
MOST_DIGITS = 40  # a generator's state has 39
MOST_PIECES = 200_000  # of lists and tables: each costs many times its bytes in memory, so arrays hold the numbers


def encode(message: Any) -> bytes:
    """A message as a line of JSON. It may also hold numpy numbers, and arrays of `DTYPES` or of strings."""
    return json.dumps(message, default=_plain, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> Any:
    """The message of a line; its arrays are read-only.

    Raises:
        BadMessage: the line is not a message.
    """
    try:
        pieces = sum(line.count(sign) for sign in (b",", b"[", b"{"))
        if pieces > MOST_PIECES:
            raise ValueError(f"{pieces:,} pieces, and a message has at most {MOST_PIECES:,}")
        return json.loads(line, object_hook=_rich, parse_int=_whole)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadMessage(f"found {shown(line)}, expected a message: {type(error).__name__}: {error}"[:400]) from error


def shown(found: bytes) -> str:
    """The first bytes of some input, for an error."""
    return repr(found[:SHOWN]) + (f" and {len(found) - SHOWN:,} bytes more" if len(found) > SHOWN else "")


def one_line(text: str, longest: int = 400) -> str:
    """A stranger's text as one line of plain characters, for errors, tables and terminals.

    Characters that would end a line, move a cursor or reverse the text are escaped as Python does.
    """
    cut = text if len(text) <= longest else f"{text[:longest]}… and {len(text) - longest:,} characters more"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in cut)


def _plain(value: object) -> object:
    """A value that JSON cannot hold, as one that it can."""
    if isinstance(value, np.generic):
        return value.item()
    if not isinstance(value, np.ndarray):
        raise TypeError(f"a message cannot hold a {type(value).__name__}")
    if value.dtype == object and value.ndim == 1:
        return {"strings": [_string(part) for part in value]}
    little = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
    if little.dtype.str not in DTYPES:
        raise TypeError(f"a message cannot hold an array of {value.dtype}")
    return {"dtype": little.dtype.str, "shape": value.shape, "base64": base64.b64encode(little.tobytes()).decode()}


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _rich(found: dict[str, Any]) -> object:
    """An array if these are the keys of an encoded array, else the dictionary."""
    if set(found) == {"strings"}:
        return np.array([_string(part) for part in found["strings"]], object)
    if set(found) != {"dtype", "shape", "base64"}:
        return found
    return _array(found["dtype"], found["shape"], base64.b64decode(found["base64"], validate=True))


def _array(dtype: object, shape: object, content: bytes) -> NDArray[Any]:
    if dtype not in DTYPES:
        raise ValueError(f"an array of dtype {dtype!r}")
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape) or len(shape) > 32:
        raise ValueError(f"an array of shape {shape!r}")
    kind = np.dtype(str(dtype))
    if math.prod(shape) * kind.itemsize != len(content):
        raise ValueError(f"an array of shape {shape} and dtype {dtype} in {len(content)} bytes")
    return np.frombuffer(content, kind).reshape(shape)


def _string(part: object) -> str:
    if not isinstance(part, str):
        raise TypeError(f"an array of strings that holds a {type(part).__name__}")
    return part


class Line:
    """The confined process's end of the line."""

    def __init__(self, inbox: BinaryIO, outbox: BinaryIO) -> None:
        self._inbox = inbox
        self._outbox = outbox

    def receive(self) -> Any:
        """The next message; EOFError if the harness has hung up."""
        line = self._inbox.readline()
        if not line:
            raise EOFError("the harness has hung up")
        return decode(line)

    def send(self, message: Any) -> None:
        self._outbox.write(encode(message))
        self._outbox.flush()


def take_the_line() -> Line:
    """Reserve standard input and output for messages; everything printed from now on goes to standard error.

    Call it before a stranger's code is imported: its prints would garble the messages.
    """
    inbox, outbox = os.dup(0), os.dup(1)  # copies are not inherited by the process's own children
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    return Line(os.fdopen(inbox, "rb"), os.fdopen(outbox, "wb"))
