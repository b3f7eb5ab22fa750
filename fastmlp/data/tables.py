"""What tables of any package have in common: columns that become one array, and categories."""

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import Array, Index, as_array, first_infinite
from .categories import Coded
from .messages import categories, not_finite, shown

Reader = Callable[[slice], Array]
Part = tuple[slice, Reader]

# Rows that are converted at once: 4,096 to 8,192 took the least time for tables of 5 to 10,000
# columns, half of what whole columns took. Wide tables have shorter blocks to save memory.
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
        What messages call it.
    """

    def __init__(self, data: Any, name: str) -> None:
        self.data = data
        self.name = name
        self.shape: tuple[int, int] = tuple(data.shape)

    @property
    def labels(self) -> list[Any]:
        """What the columns are called."""
        return list(self.data.columns)

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
        """A column as categories, whatever it holds."""
        raise NotImplementedError

    def parts(self, skip: Collection[int] = ()) -> Iterator[Part]:
        """Neighbouring columns of one dtype, and what reads rows of them in that dtype, or as
        floats where some are missing; without some columns.

        Columns of anything but numbers are errors.
        """
        raise NotImplementedError

    def precision(self, skip: Collection[int] = ()) -> npt.DTypeLike:
        """Float32, where that holds all numbers exactly, without some columns; else float64."""
        kinds = {str(kind) for j, kind in enumerate(self.kinds) if j not in skip}
        return np.float32 if kinds <= _SINGLE else np.float64

    def called(self, j: int) -> str:
        """What messages call a column."""
        label = self.labels[j]
        which = f" (column {j})" * (self.labels.count(label) > 1)
        return f"{self.name}[{shown(label)}]{which}"

    def place(self, index: Index) -> str:
        """What messages call a value."""
        row, j = index
        return f"{self.called(j)} row {row}"

    def to_array(self, result: Array, skip: Collection[int] = ()) -> bool:
        """Put the numbers, without some columns, into an array; tells whether some are missing.

        Raises
        ------
        TypeError, ValueError
            If a value is no real number or infinite in the dtype of the array, with its column and
            its row, counted from 0.
        """
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

    def _any(self, values: Any, j: int) -> Reader:
        """Reader of a whole column of anything, which must be numbers."""
        array = as_array(values, self.name, place=lambda index: self.place((index[0], j)))
        return array.__getitem__

    def _categories(self, j: int, values: Iterable[Any]) -> TypeError:
        return TypeError(
            f"{self.name} must hold real numbers; {categories(self.called(j), values)}"
        )


def columns_of(part: slice) -> range:
    return range(part.start, part.stop)


def _convert(source: Array, target: Array) -> None:
    """Put rows of columns of one dtype in their place in the result; NumPy casts as it copies."""
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
    """Int64, say; the text of a type of Polars takes longer, and tells more."""
    return type(dtype).__name__
