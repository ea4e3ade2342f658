"""The small instances on which `thrive check` runs an entry, with stand-ins for task-settings that are slow to import."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from benchmark.core.history import Examples, Weighted
from benchmark.core.task import Sampled, Start
from benchmark.tasks import TASKS, kde, language_model, small, task_class

if TYPE_CHECKING:
    from numpy.random import Generator

    from benchmark.core.requests import FitOptions, SampleRequest

LETTERS = "abcdef"
LONGEST = 8

Table = NDArray[np.float64]
"""Probability of each letter, and last of the end, after each letter or at the beginning: shape (7, 7)."""


@dataclass(frozen=True)
class KDE(kde.KDE):
    """On a noisy ring: scikit-learn, which has the data sets of the board, takes a second to import."""

    def real_data(self, world: Any, count: int, rng: "Generator", skip: int = 0) -> Examples:
        angle = rng.uniform(0, 2 * np.pi, count)
        return np.column_stack([np.cos(angle), np.sin(angle)]) + 0.1 * rng.standard_normal((count, 2))

    def held_out(self, world: Any, rng: "Generator") -> Examples:
        return self.real_data(world, 100, rng)


@dataclass(frozen=True)
class LanguageModel:
    """A stand-in: words of six letters, and a table of which follows which.

    It takes the knobs of the real one, of which top-p, ridge and clipping change nothing here.
    """

    kind: ClassVar[Literal["vectors", "text"]] = "text"
    unit: ClassVar[str] = "nats per token"
    knobs: ClassVar[frozenset[str]] = language_model.LanguageModel.knobs
    seeds_per_cell: ClassVar[int] = 1
    files: ClassVar[dict[str, Path]] = {}
    dimension: ClassVar[None] = None

    n: int

    @property
    def name(self) -> str:
        return f"letters n={self.n}"

    def world(self, rng: "Generator") -> Table:
        """Which letter follows which."""
        return rng.dirichlet(np.ones(len(LETTERS) + 1), len(LETTERS) + 1)

    def real_data(self, world: Table, count: int, rng: "Generator", skip: int = 0) -> Examples:
        return _words(world, count, rng)

    def held_back(self, world: Table, count: int, rng: "Generator") -> Examples:
        return _words(world, count, rng)

    def held_out(self, world: Table, rng: "Generator") -> Examples:
        return _words(world, 100, rng)

    def fit(self, training_set: Weighted, options: "FitOptions", draw_rng: Callable[[], "Generator"]) -> Table:
        """Weighted counts, each pair counted half a time more."""
        rows, weights = training_set.expanded()
        counts = np.full((len(LETTERS) + 1,) * 2, 0.5)
        for word, weight in zip(training_set.history.examples[rows], weights, strict=True):
            np.add.at(counts, _pairs(word), weight)
        return _normalized(counts)

    def test_loss(self, model: Table, test: Examples) -> float:
        return -float(self.log_likelihood(model, test, True).mean())

    def simplest_loss(self, real: Examples, test: Examples) -> float:
        """Of all letters alike."""
        return self.test_loss(_normalized(np.ones((len(LETTERS) + 1,) * 2)), test)

    def sample(self, model: Table, count: int, request: "SampleRequest", rng: "Generator") -> Sampled:
        return Sampled(_words(_normalized(model ** (1 / request.temperature)), count, rng), {})

    def features(self, examples: Examples, rng: "Generator") -> NDArray[np.float64]:
        """How often each letter occurs, turned: shape (examples, 6)."""
        turned = np.linalg.qr(rng.standard_normal((len(LETTERS),) * 2))[0]
        return np.asarray(np.array([[word.count(letter) for letter in LETTERS] for word in examples]) @ turned)

    def log_likelihood(self, model: Table, examples: Examples, per_token: bool) -> NDArray[np.float64]:
        nats: NDArray[np.float64] = np.array([np.log(model[_pairs(word)]).sum() for word in examples])
        return nats / [len(word) + 1 for word in examples] if per_token else nats

    def log_ratio(self, held_back: Examples, model: Table, examples: Examples) -> NDArray[np.float64]:
        counts = reduce(np.add, (np.bincount(_flat(word), minlength=model.size) for word in held_back))
        real = _normalized(counts.reshape(model.shape) + 0.5)
        return self.log_likelihood(real, examples, False) - self.log_likelihood(model, examples, False)

    def blend(self, model: Table, other: Table, weight: float) -> Table:
        return (1 - weight) * model + weight * other

    def away(self, model: Table, other: Table, weight: float) -> Table:
        """In log-probabilities."""
        return _normalized(model ** (1 + weight) / other**weight)

    def diagnostics(self, model: Table, generation: Examples, start: Start, *, full: bool) -> dict[str, float]:
        return {"mean_length": float(np.mean([len(word) for word in generation]))}

    def show(self, generation: Examples) -> list[str]:
        return list(generation[:3])


def _normalized(table: NDArray[Any]) -> Table:
    normalized: Table = table / table.sum(axis=1, keepdims=True)
    return normalized


def _pairs(word: str) -> tuple[list[int], list[int]]:
    """Each letter with its successor, from the beginning to the end, as indices into a table."""
    places = [LETTERS.index(letter) for letter in word]
    return [len(LETTERS), *places], [*places, len(LETTERS)]


def _flat(word: str) -> list[int]:
    return [a * (len(LETTERS) + 1) + b for a, b in zip(*_pairs(word), strict=True)]


def _words(table: Table, count: int, rng: "Generator") -> Examples:
    """At most `LONGEST` letters each; shape (count,)."""
    words = np.empty(count, object)
    words[:] = [_word(table, rng.random(LONGEST)) for _ in range(count)]
    return words


def _word(table: Table, uniforms: NDArray[np.float64]) -> str:
    word, place = "", len(LETTERS)
    for uniform in uniforms:
        place = min(int(np.searchsorted(table[place].cumsum(), uniform, side="right")), len(LETTERS))
        if place == len(LETTERS):
            break
        word += LETTERS[place]
    return word


STAND_INS: dict[str, type[Any]] = {"kde": KDE, "language_model": LanguageModel}
"""By the name of the task-setting whose class each stands for."""

TASK_SETTINGS = {name: task for task in TASKS for name in small(task)}
"""Of which task-setting each small instance is one."""

INSTANCES: dict[str, Any] = {
    name: (STAND_INS.get(task) or task_class(task))(**small(task)[name]) for name, task in TASK_SETTINGS.items()
}
"""All small instances of all task-settings."""
