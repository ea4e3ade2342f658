"""Kernel density estimation on one's own vectors: the task-setting `kde`, but that real data are rows of a file."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from benchmark.core.history import Examples
from benchmark.tasks.kde.task import KDE
from benchmark.tasks.own_vectors import OwnVectors, Split

if TYPE_CHECKING:
    from numpy.random import Generator


@dataclass(frozen=True, kw_only=True)
class OwnKDE(OwnVectors, KDE):  # type: ignore[misc, override]
    """An instance: a file, a bandwidth in the units of its columns, n examples in a generation."""

    data: ClassVar[Any] = "own"  # type: ignore[misc]
    blobs_share_centres: ClassVar[Any] = True  # type: ignore[misc]
    densities: ClassVar[Any] = "exact"  # type: ignore[misc]

    @property
    def name(self) -> str:
        sampler = "" if self.sampler_temperature == 1 else f" τ={self.sampler_temperature}"
        return f"{Path(self.file).stem} h={self.bandwidth} n={self.n}{sampler}"

    def held_out(self, world: Split, rng: "Generator") -> Examples:  # type: ignore[override]
        return world.test
