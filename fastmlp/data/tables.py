"""Base of tables of any package: columns of numbers as one array, and columns of categories.

The subclasses for each package are in ``pandas_polars_arrow``.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..cached import cached_property
from .arrays import Array, Index, as_array, first_index, first_infinite
from .categories import Coded
from .messages import categories, missing_number, not_finite, shown
from .names import Names, column_names

ToArray = Callable[[slice], Array]  # reads rows of some columns
Part = tuple[slice, ToArray]

# Rows converted at once: 4,096 to 8,192 were fastest for tables of 5 to 10,000 columns, in half the
# time of whole columns. Wide tables have shorter blocks to save memory.
_BLOCK_ROWS = 8192
_BLOCK_VALUES = 1 << 20
# Column types whose values float32 holds exactly; PyArrow calls it float.
_SINGLE = frozenset(
    ["bool", "boolean", "Boolean", "halffloat", "float", "float16", "float32", "Float16", "Float32"]
    + [f"{kind}{bits}" for kind in ("int", "uint", "Int", "UInt") for bits in (8, 16)]
)


class Table:
    """A table, whose columns keep their types until they are converted.

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
        """The labels of the columns if they are strings, else None."""
        return column_names(self.labels, self.name)

    def column(self, j: int) -> Any:
        """Column ``j``, as an object of its package."""
        raise NotImplementedError

    @cached_property
    def categories(self) -> list[int]:
        """Numbers of the columns of categories."""
        return [j for j, kind in enumerate(self.kinds) if is_category(kind)]

    @property
    def kinds(self) -> list[Any]:
        """Types of the columns, as objects of the package."""
        return list(self.data.dtypes)

    def coded(self, j: int) -> Coded:
        """Column ``j`` of any type as categories; coded once."""
        if j not in self._coded:
            self._coded[j] = self.code(j)
        return self._coded[j]

    def code(self, j: int) -> Coded:
        """Code column ``j`` as categories."""
        raise NotImplementedError

    def parts(self, skip: Collection[int] = ()) -> Iterator[Part]:
        """Yield runs of columns of one dtype, each with a function that reads rows of them in that
        dtype, or as floats if values are missing; without the columns ``skip``.

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
        """Convert the columns except ``skip`` to an array; return also whether there are NaNs.

        The array has shape (rows, columns + `room`), with zeros in the last `room` columns, is
        C-contiguous, aligned and native-endian, and of `dtype` float32 or float64, by default
        float32 if that holds all values exactly.

        Raises
        ------
        TypeError, ValueError
            If a value is no real number, or infinite in `dtype`; names its column and its row,
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
        """Write the numbers to ``result``; return whether some are missing."""
        parts = list(self.parts(skip))
        has_gaps = False
        with np.errstate(all="ignore"):  # values that overflow are found below
            for rows in blocks(*self.shape):
                block = result[rows]
                stop = 0
                for columns, read in parts:
                    start, stop = stop, stop + columns.stop - columns.start
                    target = block[:, start:stop]
                    target[...] = read(rows).reshape(target.shape)
                bad, found = first_infinite(block)
                has_gaps |= found
                if bad is not None:
                    row, k = divmod(bad, block.shape[1])
                    raise self._infinite(parts, rows.start + row, k, result.dtype)
        return has_gaps

    def _infinite(self, parts: list[Part], row: int, k: int, dtype: npt.DTypeLike) -> ValueError:
        """The error for an infinite value in column ``k`` of the result."""
        given = [
            (j, j - columns.start, read) for columns, read in parts for j in columns_of(columns)
        ]
        j, own, read = given[k]
        value = read(slice(row, row + 1)).reshape(-1)[own]
        return not_finite(self.place((row, j)), value, dtype)

    def _whole_column(self, values: Any, j: int) -> ToArray:
        """A function that reads rows of a column of any type, which must hold numbers."""
        array = as_array(values, self.name, place=lambda index: self.place((index[0], j)))
        return array.__getitem__

    def _refused_categories(self, j: int, values: Iterable[Any]) -> TypeError:
        return TypeError(
            f"{self.name} must hold real numbers; {categories(self.called(j), values)}"
        )


def columns_of(part: slice) -> range:
    """The numbers of the columns of a part."""
    return range(part.start, part.stop)


def blocks(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Slices of rows to process at once."""
    step = max(1, min(_BLOCK_ROWS, _BLOCK_VALUES // max(1, n_columns)))
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def is_category(kind: Any) -> bool:
    """Whether a column type is one of categories."""
    name = dtype_name(getattr(kind, "pyarrow_dtype", kind))
    return name in ("CategoricalDtype", "Categorical", "Enum", "DictionaryType")


def dtype_name(dtype: Any) -> str:
    """Name of a column type, such as Int64; the str of a Polars type is slower, and has details."""
    return type(dtype).__name__
