"""Rows of features from outside: what columns they have, and one C-contiguous array of numbers."""

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import Array, as_array, element, first_index, with_gaps
from .categories import Coded
from .frames import open_table
from .messages import missing_number
from .tables import Table


class Features:
    """Rows of features, before one knows what becomes of their columns.

    Parameters
    ----------
    X : array or table
        Bools, integers or real floats in any layout, or a table of columns of such, or of
        categories, of pandas, Polars or PyArrow.
    name : str
        What messages call it.
    n_features : int, optional
        How many columns it must have.

    Raises
    ------
    TypeError, ValueError
        If X is sparse or no array, holds anything but real numbers, or is not 2-D with at least
        one row and one column.
    """

    def __init__(self, X: Any, name: str = "X", n_features: int | None = None) -> None:
        self.name = name
        self.table = None if type(X) is np.ndarray else open_table(X, name)
        data = as_array(X, name) if self.table is None else self.table
        self.array = None if isinstance(data, Table) else data
        shape: tuple[int, ...] = data.shape
        if len(shape) != 2 or 0 in shape:
            got = f"got shape {shape}{_reshape(X, shape)}"
            raise ValueError(f"{name} must be 2-D and not empty; {got}")
        if n_features not in (None, shape[1]):
            raise ValueError(f"{name} must have {n_features} features; got {shape[1]}")
        self.shape = shape
        self._coded: dict[int, Coded] = {}

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def categories(self) -> list[int]:
        """The columns that are of categories."""
        return self.table.categories if self.table else []

    def coded(self, j: int) -> Coded:
        """A column of a table as categories, whatever it holds."""
        if j not in self._coded:
            assert self.table is not None
            self._coded[j] = self.table.coded(j)
        return self._coded[j]

    def called(self, j: int) -> str:
        """What messages call a column."""
        return self.table.called(j) if self.table else f"{self.name}[:, {j}]"

    def numbers(
        self, dtype: npt.DTypeLike | None, skip: Collection[int] = (), room: int = 0
    ) -> tuple[Array, bool]:
        """The columns of numbers, without some of a table, and whether there are gaps, as NaNs.

        The result, of shape (rows, columns + `room`), is C-contiguous, aligned and native-endian,
        the last columns being 0, and of type `dtype` (float32 or float64), by default the one of
        both that holds the values of X exactly, as far as either does; but an array of uint8 stays
        so, as the kernels read it in place. An array itself or a view of it is returned when
        nothing has to be converted and there needs to be no room.

        Raises
        ------
        TypeError, ValueError
            If a value is no real number or infinite in `dtype`.
        """
        n_rows, n_columns = self.shape
        if self.table is not None:
            shape = n_rows, n_columns - len(skip) + room
            result = np.zeros(shape, self.table.precision(skip) if dtype is None else dtype)
            return result, self.table.to_array(result[:, : n_columns - len(skip)], skip)
        assert self.array is not None
        if dtype is None:
            dtype = np.float32 if np.can_cast(self.array.dtype, np.float32) else np.float64
        kept = np.uint8 if self.array.dtype == np.uint8 else dtype
        array, has_gaps = with_gaps(self.array, kept, self.name)
        if room:
            result = np.zeros((n_rows, n_columns + room), dtype)
            result[:, :n_columns] = array
            return result, has_gaps
        return array, has_gaps

    def shares_memory(self, array: Array) -> bool:
        """Whether an array is the data or a view of them."""
        return self.array is not None and np.may_share_memory(array, self.array)

    def missing(self, numbers: Array, skip: Collection[int] = ()) -> ValueError:
        """The error for gaps among the numbers."""
        gaps = np.isnan(numbers)
        given = [j for j in range(self.shape[1]) if j not in skip]
        row, j = first_index(gaps)
        columns = [given[k] for k in np.flatnonzero(gaps.any(axis=0))]
        if self.table is None:
            return missing_number(element(self.name, (row, j)), columns)
        labels = self.table.labels
        return missing_number(self.table.place((row, given[j])), [labels[k] for k in columns])


def _reshape(X: Any, shape: tuple[int, ...]) -> str:
    """What makes rows of X, where it has another number of axes."""
    if len(shape) > 2:
        return ": flatten each sample, reshape(len(X), -1)"
    if len(shape) != 1:
        return ""
    if hasattr(X, "to_frame"):  # a series
        return ": to_frame() for one feature"
    return ": reshape(1, -1) for one sample, reshape(-1, 1) for one feature"
