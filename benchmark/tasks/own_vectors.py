"""One's own vectors: a table of numbers in a file, and how its rows become real data and test data."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
from annotated_types import Len
from numpy.typing import NDArray

from benchmark.core.history import Examples
from benchmark.errors import ThriveError
from benchmark.tasks.assets import ASSETS

if TYPE_CHECKING:
    from numpy.random import Generator

FileName = Annotated[str, Len(1, 1000)]
ColumnNames = Annotated[str, Len(0, 1000)]
MOST_HELD_OUT = 500


class Split(NamedTuple):
    """The rows of a file in the random order of a seed.

    Attributes:
        train: generation 0 is the first of them, what is held back the last.
        test: a third of all rows, at most 500, which no strategy can reach.
    """

    train: Examples
    test: Examples

    def real(self, count: int, skip: int) -> Examples:
        return self._given(self.train, skip, count)

    def held_back(self, count: int) -> Examples:
        return self._given(self.train[::-1], 0, count)

    def _given(self, rows: Examples, skip: int, count: int) -> Examples:
        if skip + count > len(rows):
            raise ThriveError(
                f"{skip + count} real rows asked for, and the file has {len(rows)} that are no test data. "
                "Lower n, or leave out entries that buy real rows."
            )
        return rows[skip : skip + count]


def split(rows: Examples, rng: "Generator") -> Split:
    """The rows in a random order, the last third of them, but at most 500, as test data."""
    order = rows[rng.permutation(len(rows))]
    held_out = number_held_out(len(rows))
    return Split(order[:-held_out], order[-held_out:])


def number_held_out(rows: int) -> int:
    return min(MOST_HELD_OUT, rows // 3)


def refuse_odd_names(file: str, columns: str) -> None:
    """Raises ValueError where a name would move a cursor or end a line."""
    for key, text in (("file", file), ("columns", columns)):
        if not text.isprintable():
            raise ValueError(f"{key}: found {text!r}, expected a name without control characters")


def path_of(file: str) -> Path:
    """Under benchmark/assets unless it is absolute."""
    return ASSETS / file


def lack_of_rows(file: str, columns: str, n: int) -> str | None:
    """Why a file cannot be the real data of n examples; None where it can."""
    try:
        rows = len(vectors(path_of(file), columns))
    except ThriveError as problem:
        return str(problem)
    most = rows - number_held_out(rows)
    if n > most or number_held_out(rows) < 2:
        return f"n: found {n}, expected at most {most}: {path_of(file)} has {rows} rows, of which a third, at most 500, are test data."
    return None


@functools.cache
def vectors(path: Path, columns: str) -> Examples:
    """The rows of a CSV file with a line of names, or of a NumPy array; shape (rows, columns), finite.

    Args:
        columns: names, between spaces, of the columns of a CSV file; none: all.

    Raises:
        ThriveError: it is none, or a column is missing, not numeric, or has empty, infinite or only equal cells.
    """
    if not path.is_file():
        raise ThriveError(f"{path}: no such file. file: a CSV file with a line of names, or a NumPy array (.npy)")
    if path.suffix == ".npy":
        names, rows = _of_array(path, columns)
    elif path.suffix == ".csv":
        names, rows = _of_csv(path, columns)
    else:
        raise ThriveError(f"{path}: found a file of another kind, expected .csv or .npy.")
    if rows.size == 0:
        raise ThriveError(f"{path}: no rows, or no columns.")
    for name, column in zip(names, rows.T, strict=True):
        bad = np.flatnonzero(~np.isfinite(column))
        if len(bad):
            raise ThriveError(
                f"{path}: {name}, row {bad[0] + 1}: found {column[bad[0]]} (an empty cell is nan), expected a finite number. Leave out or fill "
                f"such rows: there are {len(bad)}."
            )
        if len(column) > 1 and np.ptp(column) == 0:
            raise ThriveError(f"{path}: {name}: all cells are {column[0]:g}. Leave the column out.")
    return rows


def _of_array(path: Path, columns: str) -> tuple[list[str], NDArray[np.float64]]:
    if columns:
        raise ThriveError(f"columns: found '{columns}', and {path} is an array, whose columns have no names.")
    try:
        found: Any = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as problem:
        raise ThriveError(f"{path}: no NumPy array that can be read: {_first_line(problem)}") from None
    if not isinstance(found, np.ndarray) or found.ndim != 2 or found.dtype.kind not in "fiu":
        kind = f"{found.dtype} of shape {found.shape}" if isinstance(found, np.ndarray) else type(found).__name__
        raise ThriveError(f"{path}: found {kind}, expected numbers of shape (rows, columns).")
    return [f"column {k}" for k in range(found.shape[1])], found.astype(np.float64)


def _of_csv(path: Path, columns: str) -> tuple[list[str], NDArray[np.float64]]:
    import pandas as pd

    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as problem:  # pandas's own errors, and those of the encoding, are ValueErrors
        raise ThriveError(f"{path}: no CSV file that can be read: {_first_line(problem)}") from None
    names = columns.split() or list(map(str, table.columns))
    for name in names:
        if name not in table:
            raise ThriveError(
                f"{path}: columns: found no '{name}', expected some of {', '.join(map(str, table.columns))}."
            )
        if table[name].dtype.kind not in "fiu":
            raise ThriveError(
                f"{path}: {name}: found {table[name].dtype}, expected numbers in every row. Name the numeric columns, as in columns: 'height width'."
            )
    return names, table[names].to_numpy(np.float64)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


@dataclass(frozen=True, kw_only=True)
class OwnVectors:
    """What the task-settings of one's own vectors share: where their rows come from.

    Attributes:
        file: a CSV file with a line of names, or a NumPy array (.npy), under `benchmark/assets` unless absolute.
        columns: names of columns, between spaces; none: all.
    """

    file: FileName
    columns: ColumnNames = ""

    def __post_init__(self) -> None:
        refuse_odd_names(self.file, self.columns)

    @property
    def files(self) -> dict[str, Path]:
        return {"file": path_of(self.file)}

    @property
    def obstacle(self) -> str | None:
        """What is wrong with the file; None where nothing is."""
        return lack_of_rows(self.file, self.columns, self.n)  # type: ignore[attr-defined]  # the task-setting has n

    @property
    def _rows(self) -> Examples:
        return vectors(path_of(self.file), self.columns)

    @property
    def dimension(self) -> int:
        return int(self._rows.shape[1])

    def world(self, rng: "Generator") -> Split:
        return split(self._rows, rng)

    def real_data(self, world: Split, count: int, rng: "Generator", skip: int = 0) -> Examples:
        """The `count` rows after the first `skip`, shape (count, dimension)."""
        return world.real(count, skip)

    def held_back(self, world: Split, count: int, rng: "Generator") -> Examples:
        return world.held_back(count)
