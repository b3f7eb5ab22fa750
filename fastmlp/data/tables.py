"""Tables of any package: columns that become one array, and columns of categories.

The tables of each package are in ``pandas_polars_arrow``.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import Array, Index, as_array, first_index, first_infinite
from .categories import Coded
from .messages import categories, missing_number, not_finite, shown
from .names import Names, column_names

ToArray = Callable[[slice], Array]  # some rows of columns as an array
Part = tuple[slice, ToArray]

# Rows that are converted at once: 4,096 to 8,192 took the least time for tables of 5 to 10,000
# columns, half of the time of whole columns. Wide tables have shorter blocks to save memory.
_BLOCK_ROWS = 8192
_BLOCK_VALUES = 1 << 20
# Types of columns whose values float32 holds; PyArrow calls it float.
_SINGLE = frozenset(
    ["bool", "boolean", "Boolean", "halffloat", "float", "float16", "float32", "Float16", "Float32"]
    + [f"{kind}{bits}" for kind in ("int", "uint", "Int", "UInt") for bits in (8, 16)]
)


class Table:
    """Columns under one name, each in its own dtype until it becomes part of a result.

    Parameters
    ----------
    data : DataFrame of pandas or Polars, or Table or RecordBatch of PyArrow
    name : str
        Its name in messages.
    """

    def __init__(self, data: Any, name: str) -> None:
        self.data = data
        self.name = name
        self.shape: tuple[int, int] = tuple(data.shape)
        self._coded: dict[int, Coded] = {}

    @property
    def labels(self) -> list[Any]:
        """Labels of the columns."""
        return list(self.data.columns)

    @cached_property
    def names(self) -> Names | None:
        """The labels of the columns, if they are names."""
        return column_names(self.labels, self.name)

    def column(self, j: int) -> Any:
        """One column, in the terms of its package."""
        raise NotImplementedError

    @cached_property
    def categories(self) -> list[int]:
        """The columns that are of categories."""
        return [j for j, kind in enumerate(self.kinds) if is_category(kind)]

    @property
    def kinds(self) -> list[Any]:
        """Types of the columns, in the terms of its package."""
        return list(self.data.dtypes)

    def coded(self, j: int) -> Coded:
        """A column as categories, whatever it holds; coded once."""
        if j not in self._coded:
            self._coded[j] = self.code(j)
        return self._coded[j]

    def code(self, j: int) -> Coded:
        """Code a column as categories."""
        raise NotImplementedError

    def parts(self, skip: Collection[int] = ()) -> Iterator[Part]:
        """Neighbouring columns of one dtype, and a function that gives rows of them in that dtype,
        or as floats where some are missing; without the columns ``skip``.

        Columns of anything but numbers are errors.
        """
        raise NotImplementedError

    def __len__(self) -> int:
        return self.shape[0]

    def called(self, j: int) -> str:
        """Name of a column in messages."""
        label = self.labels[j]
        which = f" (column {j})" * (self.labels.count(label) > 1)
        return f"{self.name}[{shown(label)}]{which}"

    def place(self, index: Index) -> str:
        """Name of a value in messages."""
        row, j = index
        return f"{self.called(j)} row {row}"

    def numbers(
        self, dtype: npt.DTypeLike | None, skip: Collection[int] = (), room: int = 0
    ) -> tuple[Array, bool]:
        """The columns of numbers, without the columns ``skip``, and whether there are gaps, as NaN.

        The result, of shape (rows, columns + `room`), is C-contiguous, aligned and native-endian,
        the last columns being 0, and of type `dtype` (float32 or float64), by default the one of
        both that holds the values exactly, as far as either does.

        Raises
        ------
        TypeError, ValueError
            If a value is no real number or infinite in `dtype`, with its column and its row,
            counted from 0.
        """
        n_rows, n_columns = self.shape
        count = n_columns - len(skip)
        result = np.zeros((n_rows, count + room), self._precision(skip) if dtype is None else dtype)
        return result, self._write(result[:, :count], skip)

    def shares_memory(self, array: Array) -> bool:
        """Whether an array is the data or a view of them: a table is copied."""
        return False

    def missing(self, numbers: Array, skip: Collection[int] = ()) -> ValueError:
        """The error for gaps among the numbers."""
        gaps = np.isnan(numbers)
        given = [j for j in range(self.shape[1]) if j not in skip]
        row, k = first_index(gaps)
        labels = [self.labels[given[i]] for i in np.flatnonzero(gaps.any(axis=0))]
        return missing_number(self.place((row, given[k])), labels)

    def _precision(self, skip: Collection[int]) -> npt.DTypeLike:
        kinds = {str(kind) for j, kind in enumerate(self.kinds) if j not in skip}
        return np.float32 if kinds <= _SINGLE else np.float64

    def _write(self, result: Array, skip: Collection[int]) -> bool:
        """Write the numbers to an array; returns whether some are missing."""
        parts = list(self.parts(skip))
        has_gaps = False
        with np.errstate(all="ignore"):  # values that overflow are found below
            for rows in blocks(*self.shape):
                block = result[rows]
                stop = 0
                for columns, read in parts:
                    start, stop = stop, stop + columns.stop - columns.start
                    _convert(read(rows), block[:, start:stop])
                bad, found = first_infinite(block)
                has_gaps |= found
                if bad is not None:
                    row, k = divmod(bad, block.shape[1])
                    raise self._infinite(parts, rows.start + row, k, result.dtype)
        return has_gaps

    def _infinite(self, parts: list[Part], row: int, k: int, dtype: npt.DTypeLike) -> ValueError:
        """The error for a value of the k-th column of the result."""
        given = [
            (j, j - columns.start, read) for columns, read in parts for j in columns_of(columns)
        ]
        j, own, read = given[k]
        value = read(slice(row, row + 1)).reshape(-1)[own]
        return not_finite(self.place((row, j)), value, dtype)

    def _any(self, values: Any, j: int) -> ToArray:
        """A whole column of anything, which must be numbers."""
        array = as_array(values, self.name, place=lambda index: self.place((index[0], j)))
        return array.__getitem__

    def _categories(self, j: int, values: Iterable[Any]) -> TypeError:
        return TypeError(
            f"{self.name} must hold real numbers; {categories(self.called(j), values)}"
        )


def columns_of(part: slice) -> range:
    return range(part.start, part.stop)


def _convert(source: Array, target: Array) -> None:
    """Copy rows of columns of one dtype to the result; NumPy casts as it copies."""
    target[...] = source.reshape(target.shape)


def blocks(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Rows that are worked on at once."""
    step = max(1, min(_BLOCK_ROWS, _BLOCK_VALUES // max(1, n_columns)))
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def is_category(kind: Any) -> bool:
    """Whether a type of a column is that of categories."""
    name = dtype_name(getattr(kind, "pyarrow_dtype", kind))
    return name in ("CategoricalDtype", "Categorical", "Enum", "DictionaryType")


def dtype_name(dtype: Any) -> str:
    """Such as Int64; the text of a type of Polars takes longer, and has details."""
    return type(dtype).__name__
