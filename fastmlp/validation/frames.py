"""Tables of pandas, Polars and PyArrow -> one array, a block of rows after another.

None of these packages is imported: of one that is not loaded there can be no table.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from .advice import categories, missing, not_finite, shown
from .arrays import NUMBERS, Array, Index, as_array, first_not_finite

Reader = Callable[[slice], Array]

# Rows that are converted at once: 4,096 to 8,192 took the least time for tables of 5 to 10,000
# columns, half of what whole columns took. Wide tables have shorter blocks to save memory.
_BLOCK_ROWS = 8192
_BLOCK_VALUES = 1 << 20
# Types of columns of PyArrow, and of Polars, that NumPy has as well.
_NUMPY_TYPES = frozenset(
    ["bool", "halffloat", "float", "double", "Boolean", "Float16", "Float32", "Float64"]
    + [f"{kind}{bits}" for kind in ("int", "uint", "Int", "UInt") for bits in (8, 16, 32, 64)]
)


class Table:
    """Columns of numbers under one name, each in its own dtype until it becomes part of a result.

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

    def parts(self) -> Iterator[tuple[slice, Reader]]:
        """Neighbouring columns of one dtype, and what reads rows of them in that dtype.

        Columns of anything but numbers, or in which some are missing, are errors.
        """
        raise NotImplementedError

    def place(self, index: Index) -> str:
        """What messages call a value."""
        row, j = index
        label = self.labels[j]
        which = f" (column {j})" * (self.labels.count(label) > 1)
        return f"{self.name}[{shown(label)}]{which} row {row}"

    def to_array(self, dtype: npt.DTypeLike) -> Array:
        """Return the numbers as a C-contiguous array of `dtype`.

        Raises
        ------
        TypeError, ValueError
            If a value is missing, no real number or not finite in `dtype`, with its column and
            its row, counted from 0.
        """
        parts = list(self.parts())
        result = np.empty(self.shape, dtype)
        n_rows, n_columns = self.shape
        step = max(1, min(_BLOCK_ROWS, _BLOCK_VALUES // max(1, n_columns)))
        with np.errstate(all="ignore"):  # values that overflow are found below
            for start in range(0, n_rows, step):
                rows = slice(start, min(start + step, n_rows))
                block = result[rows]
                for columns, read in parts:
                    _convert(read(rows), block[:, columns])
                if (bad := first_not_finite(block)) is not None:
                    row, j = divmod(bad, n_columns)
                    raise self._not_finite(parts, start + row, j, result.dtype)
        return result

    def _not_finite(
        self, parts: list[tuple[slice, Reader]], row: int, j: int, dtype: npt.DTypeLike
    ) -> ValueError:
        columns, read = next(part for part in parts if j in range(part[0].start, part[0].stop))
        value = read(slice(row, row + 1)).flat[j - columns.start]
        return not_finite(self.place((row, j)), value, dtype, advise=True)

    def _any(self, values: Any, j: int) -> Reader:
        """Reader of a whole column of anything, which must be numbers."""
        array = as_array(values, self.name, place=lambda index: self.place((index[0], j)))
        return array.__getitem__

    def _arrow(self, column: Any, j: int) -> Reader:
        """Reader of a column of PyArrow."""
        if _is_plain(column):
            return lambda rows: column_values(column.slice(rows.start, rows.stop - rows.start))
        if str(column.type).startswith("dictionary"):
            raise self._categories(j, column.to_pylist())
        return self._any(column_values(column), j)

    def _categories(self, j: int, values: Iterable[Any]) -> TypeError:
        column = self.place((0, j)).removesuffix(" row 0")
        return TypeError(f"{self.name} must hold real numbers; {categories(column, values)}")


def _convert(source: Array, target: Array) -> None:
    """Put rows of columns of one dtype in their place in the result; NumPy casts as it copies."""
    target[...] = source.reshape(target.shape)


class _PandasTable(Table):
    def column(self, j: int) -> Any:
        return self.data.iloc[:, j]

    def parts(self) -> Iterator[tuple[slice, Reader]]:
        for dtype, columns in _runs(self.data.dtypes):
            if isinstance(dtype, np.dtype) and dtype.kind in NUMBERS:
                yield columns, _pandas_numbers(self.data, columns)
                continue
            for j in range(columns.start, columns.stop):
                yield slice(j, j + 1), self._other(self.column(j), j)

    def _other(self, series: Any, j: int) -> Reader:
        """Reader of a column that is not one of NumPy's numbers."""
        dtype, array = series.dtype, series.array
        if isinstance(dtype, np.dtype):
            return self._any(series.to_numpy(), j)
        if hasattr(dtype, "pyarrow_dtype"):
            return self._arrow(array.__arrow_array__(), j)
        if dtype.name == "category":
            raise self._categories(j, np.asarray(array))
        is_sparse = isinstance(dtype, sys.modules["pandas"].SparseDtype)
        numbers = dtype.subtype if is_sparse else getattr(dtype, "numpy_dtype", None)
        if not isinstance(numbers, np.dtype) or numbers.kind not in NUMBERS:
            return self._any(array, j)
        gaps = np.asarray(array.isna())
        if gaps.any():
            row = int(gaps.argmax())
            raise missing(self.place((row, j)), array[row])
        if is_sparse:
            return lambda rows: array[rows].to_numpy(dtype=numbers)
        return self._any(array.to_numpy(dtype=numbers), j)  # a view, as nothing is missing


def _pandas_numbers(frame: Any, columns: slice) -> Reader:
    """Reader of columns of one of NumPy's types."""
    if columns.stop - columns.start == 1:
        values: Array = frame.iloc[:, columns.start].to_numpy()  # a view
        return values.__getitem__
    if columns == slice(0, frame.shape[1]):
        return lambda rows: frame.iloc[rows].to_numpy()
    # Rows first: pandas 2 copies the columns that it takes.
    return lambda rows: frame.iloc[rows].iloc[:, columns].to_numpy()


class _PolarsTable(Table):
    def column(self, j: int) -> Any:
        return self.data.to_series(j)

    def parts(self) -> Iterator[tuple[slice, Reader]]:
        gaps = self.data.null_count().row(0)
        plain = [
            None if gap else type_name
            for gap, type_name in zip(gaps, map(_type_name, self.data.dtypes), strict=True)
        ]
        for kind, columns in _runs(plain):
            if kind in _NUMPY_TYPES:
                yield columns, self._numbers(columns)
                continue
            for j in range(columns.start, columns.stop):
                yield slice(j, j + 1), self._other(self.column(j), j)

    def _numbers(self, columns: slice) -> Reader:
        frame = self.data
        if columns != slice(0, self.shape[1]):
            frame = sys.modules["polars"].DataFrame(frame.get_columns()[columns])
        return lambda rows: frame[rows].to_numpy()

    def _other(self, series: Any, j: int) -> Reader:
        if str(series.dtype).startswith(("Categorical", "Enum")):
            raise self._categories(j, series)
        return self._any(column_values(series), j)


class _ArrowTable(Table):
    @property
    def labels(self) -> list[Any]:
        return list(self.data.schema.names)

    def column(self, j: int) -> Any:
        return self.data.column(j)

    def parts(self) -> Iterator[tuple[slice, Reader]]:
        for j in range(self.shape[1]):
            yield slice(j, j + 1), self._arrow(self.column(j), j)


def _runs(kinds: Iterable[Any]) -> Iterator[tuple[Any, slice]]:
    """Each kind, and the columns next to each other that are of it."""
    start = 0
    for kind, group in groupby(kinds):
        stop = start + sum(1 for _ in group)
        yield kind, slice(start, stop)
        start = stop


def _is_plain(column: Any) -> bool:
    """Whether NumPy has the type of a column of Polars or PyArrow, and no value is missing."""
    if hasattr(column, "type"):
        return str(column.type) in _NUMPY_TYPES and column.null_count == 0
    return _type_name(column.dtype) in _NUMPY_TYPES and column.null_count() == 0


def _type_name(dtype: Any) -> str:
    """Int64, say; the text of a type of Polars takes longer, and tells more."""
    return type(dtype).__name__


_TABLES: dict[tuple[str, str], type[Table]] = {
    ("pandas", "DataFrame"): _PandasTable,
    ("polars", "DataFrame"): _PolarsTable,
    ("pyarrow", "Table"): _ArrowTable,
    ("pyarrow", "RecordBatch"): _ArrowTable,
}
_COLUMNS = (("polars", "Series"), ("pyarrow", "Array"), ("pyarrow", "ChunkedArray"))


def take_rows(data: Any, rows: Any) -> Any:
    """Rows of an array or a table, by indices or flags; all of them for None, nothing of None."""
    if data is None or rows is None:
        return data
    if hasattr(data, "iloc"):
        return data.iloc[rows]
    table = open_table(data, "X")
    if table is None and not any(_is_a(data, *kind) for kind in _COLUMNS):
        return np.asarray(data)[rows]
    indices = np.flatnonzero(rows) if np.asarray(rows).dtype == bool else np.asarray(rows)
    return data.take(indices) if hasattr(data, "take") else data[indices]


def open_table(data: Any, name: str) -> Table | None:
    """Return the table that `data` is, or None if it is none."""
    found = (table for kind, table in _TABLES.items() if _is_a(data, *kind))
    table = next(found, None)
    return None if table is None else table(data, name)


def _is_a(value: Any, package: str, kind: str) -> bool:
    wanted = getattr(sys.modules.get(package), kind, None)
    return isinstance(wanted, type) and isinstance(value, wanted)


def column_values(column: Any) -> Any:
    """Return a column of Polars or PyArrow as an array, of objects where it is not plain.

    Their own conversions turn integers beside nulls into floats. Anything else is returned as is.
    """
    if not any(_is_a(column, *kind) for kind in _COLUMNS):
        return column
    is_arrow = hasattr(column, "type")
    if _is_plain(column):
        return column.to_numpy(zero_copy_only=False) if is_arrow else column.to_numpy()
    items = column.to_pylist() if is_arrow else column.to_list()
    return np.fromiter(items, object, len(items))
