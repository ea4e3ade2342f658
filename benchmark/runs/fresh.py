"""Instances that nobody knew before: their numbers are drawn from ranges of params.yaml by a verification's salt.

The public instances can be overfitted. A fresh one cannot: its numbers follow from the salt by a one-way function, so
nobody knows them before the salt is written, and everybody can draw them again afterwards.
"""

import hashlib
import itertools
import math
from typing import Any

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from benchmark.strict_yaml import Settings

SIGNIFICANT_DIGITS = 2  # of a drawn number that is not whole


class Fresh(Settings):
    """Fresh instances of one task-setting."""

    instances: int = Field(ge=1, le=16)
    seconds: float = Field(gt=0, allow_inf_nan=False)
    """Estimated cost of one run on one core."""
    draw: dict[str, Any]
    """For each number of the task-setting: [low, high] for a range (both ends belong to it, and its logarithm is drawn uniformly), a
    list of names to choose from, or one value for all."""

    @field_validator("draw")
    @classmethod
    def ranges(cls, draw: dict[str, Any]) -> dict[str, Any]:
        for name, value in draw.items():
            if isinstance(value, list) and not (_is_choice(value) or _is_range(value)):
                raise PydanticCustomError("range", f"{name}: {_EXPECTED}")
            if isinstance(value, dict) or value is None:
                raise PydanticCustomError("range", f"{name}: {_EXPECTED}")
        if not any(isinstance(value, list) for value in draw.values()):
            raise PydanticCustomError("range", "Nothing to draw: expected a range or a list of names for some number")
        return draw

    def corners(self) -> list[dict[str, Any]]:
        """The numbers at all ends of the ranges, with every name: where these are valid, all between them are."""
        ends = [value if isinstance(value, list) else [value] for value in self.draw.values()]
        return [dict(zip(self.draw, values, strict=True)) for values in itertools.product(*ends)]

    def numbers(self, *names: object) -> dict[str, Any]:
        """The numbers of one instance: a function of these names alone."""
        return {key: _drawn(value, _uniform(*names, key)) for key, value in self.draw.items()}


class Verification(Settings):
    """What `thrive verify` does where its options leave it open."""

    seeds: int = Field(default=2, ge=2)
    fresh: dict[str, Fresh] = {}


_EXPECTED = "Expected [low, high] with 0 < low < high, two numbers of one type; a list of different names; or one value"


def _is_choice(value: list[Any]) -> bool:
    return len(value) > 0 and all(isinstance(v, str) for v in value) and len(set(value)) == len(value)


def _is_range(value: list[Any]) -> bool:
    if len(value) != 2 or type(value[0]) is not type(value[1]) or type(value[0]) not in (int, float):
        return False
    return bool(0 < value[0] < value[1] < math.inf)


def _uniform(*names: object) -> float:
    """A number in [0, 1) that these names decide."""
    named = hashlib.sha256(repr(names).encode()).digest()
    return int.from_bytes(named[:6]) / 2**48


def _drawn(value: Any, uniform: float) -> Any:
    if not isinstance(value, list):
        return value
    if _is_choice(value):
        return value[int(uniform * len(value))]
    low, high = value
    if isinstance(low, int):
        return min(high, int(low * ((high + 1) / low) ** uniform))
    return min(high, max(low, float(f"{low * (high / low) ** uniform:.{SIGNIFICANT_DIGITS}g}")))
