"""Rows of which most values are zero: only the others are kept."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..member import check_interrupt
from .arrays import Array, Rows

_BLOCK_ENTRIES = 1 << 17


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
    def arrays(self) -> tuple[Array, ...]:
        """The arrays."""
        return self.ends, self.columns, self.values

    def __len__(self) -> int:
        return len(self.ends) - 1

    def __getitem__(self, rows: Rows) -> "SparseRows":
        """Some rows; neighbouring ones are views, others are copied in blocks, between which Python
        handles interrupts."""
        if isinstance(rows, slice) and rows.step in (None, 1):
            first, last, _ = rows.indices(len(self))
            ends = self.ends[first : max(first, last) + 1]
            own = slice(ends[0], ends[-1])
            return replace(
                self, ends=ends - ends[0], columns=self.columns[own], values=self.values[own]
            )
        chosen = np.arange(len(self))[rows]
        starts, lengths = self.ends[chosen], np.diff(self.ends)[chosen]
        ends = np.concatenate([[0], np.cumsum(lengths)])
        columns, values = np.empty(ends[-1], np.int32), np.empty(ends[-1], self.dtype)
        step = max(1, _BLOCK_ENTRIES * len(chosen) // max(1, len(values)))
        for first in range(0, len(chosen), step):
            check_interrupt()
            block = slice(first, first + step)
            own = slice(ends[first], ends[min(first + step, len(chosen))])
            places = np.arange(own.start, own.stop)
            places += np.repeat(starts[block] - ends[:-1][block], lengths[block])
            columns[own], values[own] = self.columns[places], self.values[places]
        return replace(self, ends=ends, columns=columns, values=values)

    def copy(self) -> "SparseRows":
        """A copy that shares no memory."""
        ends, columns, values = (array.copy() for array in self.arrays)
        return SparseRows(ends, columns, values, self.n_columns)

    def with_values(self, values: Array) -> "SparseRows":
        """Rows with other values at the same places."""
        return replace(self, values=values)

    def dense(self) -> Array:
        """All values, as an array."""
        array = np.zeros(self.shape, self.dtype)
        array[np.repeat(np.arange(len(self)), np.diff(self.ends)), self.columns] = self.values
        return array

    def compact(self) -> tuple[Array, Array]:
        """The columns with entries, as an array of all rows, and their numbers."""
        used, own = np.unique(self.columns, return_inverse=True)
        return replace(self, columns=own.astype(np.int32), n_columns=len(used)).dense(), used

    @classmethod
    def of(cls, rows: "EncodedRows") -> "SparseRows":
        """Rows that may be an array."""
        if isinstance(rows, SparseRows):
            return rows
        which, columns = np.nonzero(rows)
        ends = np.concatenate([[0], np.cumsum(np.bincount(which, minlength=len(rows)))])
        return cls(ends, columns.astype(np.int32), rows[which, columns], rows.shape[1])

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
