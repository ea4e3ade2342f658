"""What a confined process says, held against its form: a stranger's code may send anything that reads as a message.

Every function returns what it was given, or raises BadMessage. Nothing here knows what an answer means.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import BadMessage
from benchmark.messages import one_line

MOST_PARTS = 4096
"""Of one selection: one for each generation, in runs of any length that anybody has made."""
MOST_TEXT = 2000
LARGEST = 1 << 62


def expected(holds: bool, found: object, words: str) -> None:
    """Refuse what does not hold.

    Raises:
        BadMessage: shows the beginning of what was found.
    """
    if not holds:
        beginning = one_line(f"{found!r:.100}" if not isinstance(found, np.ndarray) else f"an array of {found.shape}")
        raise BadMessage(f"the confined process sent {beginning}, expected {words}.")


def table(found: object, *keys: str) -> dict[str, Any]:
    """Keys and values; these keys are there."""
    expected(isinstance(found, dict), found, "keys and values")
    assert isinstance(found, dict)
    for key in keys:
        expected(key in found, sorted(found)[:5], f"the key '{key}'")
    return found


def listed(found: object, most: int = MOST_PARTS) -> list[Any]:
    """A list of no more than so many."""
    expected(isinstance(found, list) and len(found) <= most, found, f"a list of at most {most}")
    assert isinstance(found, list)
    return found


def whole(found: object) -> int:
    """A whole number that numpy holds."""
    expected(type(found) is int and abs(found) <= LARGEST, found, "a whole number below 2^62")
    assert isinstance(found, int)
    return found


def number(found: object) -> float:
    """A number, which may be infinite or none at all."""
    if type(found) is int:
        return whole(found)
    expected(type(found) is float, found, "a number")
    assert isinstance(found, float)
    return found


def word(found: object) -> str:
    """A short text."""
    expected(isinstance(found, str) and len(found) <= 100, found, "a word")
    return str(found)


def text(found: object) -> str:
    """What is to be told, as one plain line."""
    expected(isinstance(found, str), found, "a text")
    return one_line(str(found), MOST_TEXT)


def array(found: object) -> NDArray[Any]:
    """An array of numbers."""
    expected(isinstance(found, np.ndarray) and found.dtype.kind in "iufb", found, "an array of numbers")
    assert isinstance(found, np.ndarray)
    return found


def different(found: object, size: int) -> NDArray[np.int64]:
    """Different whole numbers below a size; there may be none."""
    numbers = array(found)
    expected(numbers.ndim == 1 and numbers.dtype.kind == "i", found, "whole numbers in one row")
    holds = not numbers.size or (
        numbers.min() >= 0 and numbers.max() < size and len(np.unique(numbers)) == len(numbers)
    )
    expected(bool(holds), found, f"different numbers of a view of {size} rows")
    return numbers.astype(np.int64)


def setting(found: object) -> Any:
    """One of a knob's values: a number, a word, yes or no, or none."""
    if found is None or isinstance(found, bool):
        return found
    return word(found) if isinstance(found, str) else number(found)


def settings(found: object, *names: str) -> dict[str, Any]:
    """The values of knobs, all of which have these names."""
    known = table(found)
    expected(set(known) <= set(names), sorted(known)[:20], f"no other keys than {', '.join(names)}")
    return {name: setting(value) for name, value in known.items()}
