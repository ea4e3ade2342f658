"""What a confined process says, checked against its form: a stranger's code may send any message.

Every function returns what it received, or raises BadMessage. Nothing here knows what an answer means.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import BadMessage
from benchmark.messages import one_line

MOST_PARTS = 4096
"""Most parts of one selection. A selection has one for each generation; no run so far was as long."""
MOST_TEXT = 2000
LARGEST = 1 << 62


def expected(holds: bool, received: object, words: str) -> None:
    """Refuse what does not hold.

    Raises:
        BadMessage: shows the beginning of what was received.
    """
    if not holds:
        beginning = one_line(
            f"{received!r:.100}" if not isinstance(received, np.ndarray) else f"an array of {received.shape}"
        )
        raise BadMessage(f"the confined process sent {beginning}, expected {words}.")


def table(received: object, *keys: str) -> dict[str, Any]:
    """Keys and values; these keys are there."""
    expected(isinstance(received, dict), received, "keys and values")
    assert isinstance(received, dict)
    for key in keys:
        expected(key in received, sorted(received)[:5], f"the key '{key}'")
    return received


def listed(received: object, most: int = MOST_PARTS) -> list[Any]:
    """A list of no more than so many."""
    expected(isinstance(received, list) and len(received) <= most, received, f"a list of at most {most}")
    assert isinstance(received, list)
    return received


def whole(received: object) -> int:
    """A whole number that numpy holds."""
    expected(type(received) is int and abs(received) <= LARGEST, received, "a whole number below 2^62")
    assert isinstance(received, int)
    return received


def number(received: object) -> float:
    """A number, which may be infinite or none at all."""
    if type(received) is int:
        return whole(received)
    expected(type(received) is float, received, "a number")
    assert isinstance(received, float)
    return received


def word(received: object) -> str:
    """A short text."""
    expected(isinstance(received, str) and len(received) <= 100, received, "a word")
    return str(received)


def text(received: object) -> str:
    """A message for people, as one plain line."""
    expected(isinstance(received, str), received, "a text")
    return one_line(str(received), MOST_TEXT)


def array(received: object) -> NDArray[Any]:
    """An array of numbers."""
    expected(isinstance(received, np.ndarray) and received.dtype.kind in "iufb", received, "an array of numbers")
    assert isinstance(received, np.ndarray)
    return received


def different(received: object, size: int) -> NDArray[np.int64]:
    """Different whole numbers below a size; there may be none."""
    numbers = array(received)
    expected(numbers.ndim == 1 and numbers.dtype.kind == "i", received, "whole numbers in one row")
    holds = not numbers.size or (
        numbers.min() >= 0 and numbers.max() < size and len(np.unique(numbers)) == len(numbers)
    )
    expected(bool(holds), received, f"different numbers of a view of {size} rows")
    return numbers.astype(np.int64)


def setting(received: object) -> Any:
    """One of a knob's values: a number, a word, yes or no, or none."""
    if received is None or isinstance(received, bool):
        return received
    return word(received) if isinstance(received, str) else number(received)


def settings(received: object, *names: str) -> dict[str, Any]:
    """The values of knobs, all of which have these names."""
    values = table(received)
    expected(set(values) <= set(names), sorted(values)[:20], f"no other keys than {', '.join(names)}")
    return {name: setting(value) for name, value in values.items()}
