"""Rows of which most values are zero: only the others are kept."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .arrays import Array, Rows


@dataclass(frozen=True, eq=False)
class SparseRows:
    """Rows in compressed form (CSR).

    Parameters
    ----------
    ends : array of int64, shape (n + 1,)
        Row s has the entries from ``ends[s]`` to ``ends[s + 1]``.
    columns : array of int32, shape (nnz,)
        The column of each entry, rising within a row.
    values : array of float, shape (nnz,)
        Its value; all others are 0.
    n_columns : int
    """

    ends: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int32]
    values: Array
    n_columns: int

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""
        return len(self), self.n_columns

    @property
    def dtype(self) -> np.dtype:
        """Type of the values."""
        return self.values.dtype

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return self.ends.nbytes + self.columns.nbytes + self.values.nbytes

    def __len__(self) -> int:
        return len(self.ends) - 1

    def __getitem__(self, rows: Rows) -> "SparseRows":
        """Some rows; neighbouring ones are views."""
        if isinstance(rows, slice) and rows.step in (None, 1):
            first, last, _ = rows.indices(len(self))
            ends = self.ends[first : max(first, last) + 1]
            own = slice(ends[0], ends[-1])
            return replace(
                self, ends=ends - ends[0], columns=self.columns[own], values=self.values[own]
            )
        chosen = np.arange(len(self))[rows]
        lengths = np.diff(self.ends)[chosen]
        ends = np.concatenate([[0], np.cumsum(lengths)])
        places = np.arange(ends[-1]) + np.repeat(self.ends[chosen] - ends[:-1], lengths)
        return replace(self, ends=ends, columns=self.columns[places], values=self.values[places])

    def copy(self) -> "SparseRows":
        """A copy that shares no memory."""
        arrays = self.ends.copy(), self.columns.copy(), self.values.copy()
        return SparseRows(*arrays, self.n_columns)

    def with_values(self, values: Array) -> "SparseRows":
        """Rows with other values at the same places."""
        return replace(self, values=values)

    def dense(self) -> Array:
        """All values, as an array."""
        array = np.zeros(self.shape, self.dtype)
        array[np.repeat(np.arange(len(self)), np.diff(self.ends)), self.columns] = self.values
        return array

    @classmethod
    def joined(cls, parts: "Sequence[SparseRows]") -> "SparseRows":
        """Rows of several, one after another."""
        starts = np.cumsum([0, *(part.ends[-1] for part in parts)])
        ends = [part.ends[1:] + start for part, start in zip(parts, starts, strict=False)]
        return cls(
            np.concatenate([[0], *ends]), np.concatenate([part.columns for part in parts]),
            np.concatenate([part.values for part in parts]), parts[0].n_columns,
        )  # fmt: skip


EncodedRows = Array | SparseRows
