"""Kernel density estimation on one's own vectors: the task-setting `kde`, but that real data are rows of a file."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from benchmark.core.history import Examples
from benchmark.tasks.kde.task import KDE
from benchmark.tasks.own_vectors import (
    ColumnNames,
    FileName,
    Split,
    lack_of_rows,
    path_of,
    refuse_odd_names,
    split,
    vectors,
)

if TYPE_CHECKING:
    from numpy.random import Generator


@dataclass(frozen=True, kw_only=True)
class OwnKDE(KDE):
    """An instance: a file, a bandwidth in the units of its columns, n examples in a generation.

    Attributes:
        file: a CSV file with a line of names, or a NumPy array (.npy), under `benchmark/assets` unless absolute.
        columns: names of columns, between spaces; none: all.
    """

    data: ClassVar[Any] = "own"  # type: ignore[misc]
    blobs_share_centres: ClassVar[Any] = True  # type: ignore[misc]
    densities: ClassVar[Any] = "exact"  # type: ignore[misc]

    file: FileName
    columns: ColumnNames = ""

    def __post_init__(self) -> None:
        refuse_odd_names(self.file, self.columns)

    @property
    def name(self) -> str:
        sampler = "" if self.sampler_temperature == 1 else f" τ={self.sampler_temperature}"
        return f"{Path(self.file).stem} h={self.bandwidth} n={self.n}{sampler}"

    @property
    def files(self) -> dict[str, Path]:  # type: ignore[override]
        return {"file": path_of(self.file)}

    @property
    def obstacle(self) -> str | None:
        """What is wrong with the file; None where nothing is."""
        return lack_of_rows(self.file, self.columns, self.n)

    @property
    def _rows(self) -> Examples:
        return vectors(path_of(self.file), self.columns)

    @property
    def dimension(self) -> int:
        return int(self._rows.shape[1])

    def world(self, rng: "Generator") -> Split:  # type: ignore[override]
        return split(self._rows, rng)

    def real_data(self, world: Split, count: int, rng: "Generator", skip: int = 0) -> Examples:  # type: ignore[override]
        """The `count` rows after the first `skip`, shape (count, dimension)."""
        return world.real(count, skip)

    def held_back(self, world: Split, count: int, rng: "Generator") -> Examples:  # type: ignore[override]
        return world.held_back(count)

    def held_out(self, world: Split, rng: "Generator") -> Examples:  # type: ignore[override]
        return world.test
