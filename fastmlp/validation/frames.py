"""Tables of pandas, Polars and PyArrow -> one array, a block of rows after another, and categories.

None of these packages is imported: of one that is not loaded there can be no table.
"""

import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from .advice import categories, not_finite, shown
from .arrays import NUMBERS, Array, Index, as_array, first_infinite
from .categories import Coded, of_arrow, of_pandas, of_polars, of_values

Reader = Callable[[slice], Array]
Part = tuple[slice, Reader]

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
        return [j for j, kind in enumerate(self.kinds) if _is_category(kind)]

    @property
    def kinds(self) -> list[Any]:
        """Types of the columns, in the terms of its package."""
        return list(self.data.dtypes)

    def coded(self, j: int) -> Coded:
        """A column as categories, whatever it holds."""
        column = self.column(j)
        if hasattr(getattr(column, "dtype", None), "pyarrow_dtype"):
            column = column.array.__arrow_array__()
        if j in self.categories:
            return next(read for kind, read in _CODED.items() if _is_a(column, *kind))(column)
        return of_values(column_values(column))

    def parts(self, skip: Collection[int] = ()) -> Iterator[Part]:
        """Neighbouring columns of one dtype, and what reads rows of them in that dtype, or as
        floats where some are missing; without some columns.

        Columns of anything but numbers are errors.
        """
        raise NotImplementedError

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
        given = [(j, j - columns.start, read) for columns, read in parts for j in _range(columns)]
        j, own, read = given[k]
        value = read(slice(row, row + 1)).reshape(-1)[own]
        return not_finite(self.place((row, j)), value, dtype)

    def _any(self, values: Any, j: int) -> Reader:
        """Reader of a whole column of anything, which must be numbers."""
        array = as_array(values, self.name, place=lambda index: self.place((index[0], j)))
        return array.__getitem__

    def _arrow(self, column: Any, j: int) -> Reader:
        """Reader of a column of PyArrow."""
        if j in self.categories:
            raise self._categories(j, column.to_pylist())
        if str(column.type) not in _NUMPY_TYPES:
            return self._any(column_values(column), j)
        if column.null_count:  # as double: NumPy's integers and bools have no NaN
            column = column.cast("double", safe=False)
        return lambda rows: column.slice(rows.start, rows.stop - rows.start).to_numpy(
            zero_copy_only=False
        )

    def _categories(self, j: int, values: Iterable[Any]) -> TypeError:
        return TypeError(
            f"{self.name} must hold real numbers; {categories(self.called(j), values)}"
        )


def _range(columns: slice) -> range:
    return range(columns.start, columns.stop)


def _convert(source: Array, target: Array) -> None:
    """Put rows of columns of one dtype in their place in the result; NumPy casts as it copies."""
    target[...] = source.reshape(target.shape)


def blocks(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Rows that are worked on at once."""
    step = max(1, min(_BLOCK_ROWS, _BLOCK_VALUES // max(1, n_columns)))
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


class _PandasTable(Table):
    def column(self, j: int) -> Any:
        return self.data.iloc[:, j]

    def parts(self, skip: Collection[int] = ()) -> Iterator[Part]:
        for dtype, columns in _runs(self.data.dtypes, skip):
            if isinstance(dtype, np.dtype) and dtype.kind in NUMBERS:
                yield columns, _pandas_numbers(self.data, columns)
                continue
            for j in _range(columns):
                yield slice(j, j + 1), self._other(self.column(j), j)

    def _other(self, series: Any, j: int) -> Reader:
        """Reader of a column that is not one of NumPy's numbers."""
        dtype, array = series.dtype, series.array
        if isinstance(dtype, np.dtype):
            return self._any(series.to_numpy(), j)
        if j in self.categories:
            raise self._categories(j, np.asarray(array))
        if hasattr(dtype, "pyarrow_dtype"):
            return self._arrow(array.__arrow_array__(), j)
        is_sparse = isinstance(dtype, sys.modules["pandas"].SparseDtype)
        numbers = dtype.subtype if is_sparse else getattr(dtype, "numpy_dtype", None)
        if not isinstance(numbers, np.dtype) or numbers.kind not in NUMBERS:
            return self._any(array, j)
        if is_sparse:
            return lambda rows: array[rows].to_numpy(dtype=numbers)
        if array.isna().any():
            return lambda rows: array[rows].to_numpy(dtype=np.float64, na_value=np.nan)
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

    def parts(self, skip: Collection[int] = ()) -> Iterator[Part]:
        gaps = self.data.null_count().row(0)
        plain = [
            None if gap else type_name
            for gap, type_name in zip(gaps, map(_type_name, self.data.dtypes), strict=True)
        ]
        for kind, columns in _runs(plain, skip):
            if kind in _NUMPY_TYPES:
                yield columns, self._numbers(columns)
                continue
            for j in _range(columns):
                yield slice(j, j + 1), self._other(self.column(j), j)

    def _numbers(self, columns: slice) -> Reader:
        frame = self.data
        if columns != slice(0, self.shape[1]):
            frame = sys.modules["polars"].DataFrame(frame.get_columns()[columns])
        return lambda rows: frame[rows].to_numpy()

    def _other(self, series: Any, j: int) -> Reader:
        if j in self.categories:
            raise self._categories(j, series)
        if _type_name(series.dtype) in _NUMPY_TYPES:  # with gaps
            double = sys.modules["polars"].Float64
            return lambda rows: series[rows].cast(double).to_numpy()
        return self._any(column_values(series), j)


class _ArrowTable(Table):
    @property
    def labels(self) -> list[Any]:
        return list(self.data.schema.names)

    def column(self, j: int) -> Any:
        return self.data.column(j)

    @property
    def kinds(self) -> list[Any]:
        return list(self.data.schema.types)

    def parts(self, skip: Collection[int] = ()) -> Iterator[Part]:
        for j in range(self.shape[1]):
            if j not in skip:
                yield slice(j, j + 1), self._arrow(self.column(j), j)


def _is_category(kind: Any) -> bool:
    """Whether a type of a column is that of categories."""
    name = _type_name(getattr(kind, "pyarrow_dtype", kind))
    return name in ("CategoricalDtype", "Categorical", "Enum", "DictionaryType")


def _runs(kinds: Iterable[Any], skip: Collection[int]) -> Iterator[tuple[Any, slice]]:
    """Each kind, and the columns next to each other that are of it, without some."""
    start = 0
    for (kind, skipped), group in groupby((kind, j in skip) for j, kind in enumerate(kinds)):
        stop = start + sum(1 for _ in group)
        if not skipped:
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
_CODED: dict[tuple[str, str], Callable[[Any], Coded]] = {
    ("pandas", "Series"): of_pandas,
    ("polars", "Series"): of_polars,
    ("pyarrow", "Array"): of_arrow,
    ("pyarrow", "ChunkedArray"): of_arrow,
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
