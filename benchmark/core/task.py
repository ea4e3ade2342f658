"""What a task-setting must be able to do."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmark.core.history import Examples, Weighted
from benchmark.errors import Unsupported

if TYPE_CHECKING:
    from numpy.random import Generator

    from benchmark.core.requests import FitOptions, SampleRequest


class Sampled(NamedTuple):
    """What a model drew, and what is to be known of the drawing (a rejection rate, say)."""

    examples: Examples
    diagnostics: dict[str, float]


class Start(NamedTuple):
    """What all strategies of a seed share: real data, test data, and the harness's own neutral fit on generation 0."""

    world: Any
    real: Examples
    test: Any
    model: Any
    loss: float  # of that fit
    simplest_loss: float


class Task(Protocol):
    """An instance of a task-setting: where real data come from, and how a model is fitted to them.

    A task knows nothing of generations in time or of strategies; `benchmark.core.loop` brings those. Every
    instance is a frozen dataclass whose fields are its numbers in params.yaml. A model is whatever `fit`
    returns. Every test loss is a mean negative log-likelihood of held-out real data, in nats per example
    (text: per token).
    """

    kind: ClassVar[Literal["vectors", "text"]]
    unit: ClassVar[str]
    """Of the test loss."""
    knobs: ClassVar[frozenset[str]]
    """Names of the fit options and sample requests that this task-setting honours."""
    seeds_per_cell: ClassVar[int]
    """How many seeds make one unit of work."""
    n: int

    def __hash__(self) -> int:
        """Of its numbers, as a frozen dataclass has it."""

    @property
    def name(self) -> str:
        """The instance's name on the board, such as "d=10 n=100"."""

    @property
    def files(self) -> dict[str, Path]:
        """Every file that this instance reads, by a name that does not depend on where it is.

        Raises:
            ThriveError: one is missing.
        """

    @property
    def dimension(self) -> int | None:
        """Number of features; None for text."""

    def world(self, rng: "Generator") -> Any:
        """What is fixed behind a run's real data: cluster centres, a shuffled corpus; None where nothing is."""

    def real_data(self, world: Any, count: int, rng: "Generator", skip: int = 0) -> Examples:
        """`count` real examples; a finite corpus leaves out the `skip` that it has given before."""

    def held_back(self, world: Any, count: int, rng: "Generator") -> Examples:
        """`count` real examples that only verifiers are trained on."""

    def held_out(self, world: Any, rng: "Generator") -> Any:
        """The real test data: no strategy can reach them."""

    def fit(self, training_set: Weighted, options: "FitOptions", draw_rng: Callable[[], "Generator"]) -> Any:
        """The model of maximum weighted likelihood.

        `draw_rng` gives the noise of fitting, the same at every iteration of a run, to tasks whose fit has any.
        """

    def test_loss(self, model: Any, test: Any) -> float:
        """Mean negative log-likelihood of the test data, in nats; +inf where the model has collapsed for good."""

    def simplest_loss(self, real: Examples, test: Any) -> float:
        """Test loss of the simplest model that one could do with instead, in nats: to do worse is a catastrophe."""

    def sample(self, model: Any, count: int, request: "SampleRequest", rng: "Generator") -> Sampled:
        """`count` synthetic examples."""

    def features(self, examples: Examples, rng: "Generator") -> NDArray[np.float64]:
        """Vectors that describe examples, shape (count, k), under a map drawn from rng."""

    def log_likelihood(self, model: Any, examples: Examples, per_token: bool) -> NDArray[np.float64]:
        """Of each example, in nats; text with `per_token`: divided by its number of tokens."""

    def log_ratio(self, held_back: Examples, model: Any, examples: Examples) -> NDArray[np.float64]:
        """log p(real) - log p(model) at each example, as estimated from held-back real ones."""

    def blend(self, model: Any, other: Any, weight: float) -> Any:
        """1 - weight of a model and weight of the other; only where `knobs` has "blend"."""

    def away(self, model: Any, other: Any, weight: float) -> Any:
        """model + weight·(model - other); only where `knobs` has "negative"."""

    def diagnostics(self, model: Any, generation: Examples, start: Start, *, full: bool) -> dict[str, float]:
        """What else describes model and generation; without `full` only what costs next to nothing."""

    def show(self, generation: Examples) -> list[str]:
        """A few examples as text, for people to read; empty where there is no text."""


def refuse_unsupported(task: Task, asked: set[str]) -> None:
    """Refuse knobs that a task-setting does not have.

    Raises:
        Unsupported: names the knobs.
    """
    missing = sorted(asked - task.knobs)
    if missing:
        raise Unsupported(
            f"{type(task).__name__} has no {', '.join(missing)} (it has: {', '.join(sorted(task.knobs))})."
        )


def refuse_copies(task: Task, generation: Examples, start: Start) -> None:
    """Refuse a generation that hands back real rows as synthetic, where a task-setting's models can and it shows.

    Raises:
        ContractBroken: how many, and how many there may be.
    """
    check = getattr(task, "refuse_copies", None)
    if check is not None:
        check(generation, start)
