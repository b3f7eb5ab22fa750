"""Tables and columns of pandas, Polars and PyArrow.

None of these packages is imported: data of a package exist only if it is loaded.
"""

import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from .arrays import NUMBERS, Array
from .categories import Coded, of_arrow, of_pandas, of_polars, of_values
from .sampling import take_rows
from .sparse_features import compressed
from .tables import Part, Table, ToArray, columns_of, dtype_name

# Column types of PyArrow and Polars that NumPy has too.
_NUMPY_TYPES = frozenset(
    ["bool", "halffloat", "float", "double", "Boolean", "Float16", "Float32", "Float64"]
    + [f"{kind}{bits}" for kind in ("int", "uint", "Int", "UInt") for bits in (8, 16, 32, 64)]
)


class _WithArrow(Table):
    """A table that may have PyArrow columns."""

    def _arrow(self, column: Any, j: int) -> ToArray:
        """A function that reads rows of a PyArrow column."""
        if j in self.categories:
            raise self._refused_categories(j, column.to_pylist())
        if str(column.type) not in _NUMPY_TYPES:
            return self._whole_column(column_values(column), j)
        has_gaps = column.null_count > 0

        def read(rows: slice) -> Array:
            part = column.slice(rows.start, rows.stop - rows.start)
            if has_gaps:  # NumPy's integers and bools have no NaN
                part = part.cast("double", safe=False)
            values: Array = part.to_numpy(zero_copy_only=False)
            return values

        return read


class _PandasTable(_WithArrow):
    def column(self, j: int) -> Any:
        return self.data.iloc[:, j]

    def code(self, j: int) -> Coded:
        series = self.column(j)
        if j not in self.categories:
            return of_values(series)
        if hasattr(series.dtype, "pyarrow_dtype"):
            return of_arrow(series.array.__arrow_array__())
        return of_pandas(series)

    def parts(self, skip: Collection[int] = ()) -> Iterator[Part]:
        for dtype, columns in _runs(self.data.dtypes, skip):
            if isinstance(dtype, np.dtype) and dtype.kind in NUMBERS:
                yield columns, _pandas_numbers(self.data, columns)
                continue
            for j in columns_of(columns):
                yield slice(j, j + 1), self._other(self.column(j), j)

    def _other(self, series: Any, j: int) -> ToArray:
        """A function that reads rows of a column that is not of a NumPy number type."""
        dtype, array = series.dtype, series.array
        if isinstance(dtype, np.dtype):
            return self._whole_column(series.to_numpy(), j)
        if j in self.categories:
            raise self._refused_categories(j, np.asarray(array))
        if hasattr(dtype, "pyarrow_dtype"):
            return self._arrow(array.__arrow_array__(), j)
        is_sparse = isinstance(dtype, sys.modules["pandas"].SparseDtype)
        numbers = dtype.subtype if is_sparse else getattr(dtype, "numpy_dtype", None)
        if not isinstance(numbers, np.dtype) or numbers.kind not in NUMBERS:
            return self._whole_column(array, j)
        if is_sparse:
            return lambda rows: array[rows].to_numpy(dtype=numbers)
        if array.isna().any():
            return lambda rows: array[rows].to_numpy(dtype=np.float64, na_value=np.nan)
        return self._whole_column(array.to_numpy(dtype=numbers), j)  # a view, as nothing is missing


def _pandas_numbers(frame: Any, columns: slice) -> ToArray:
    """A function that reads rows of columns of one NumPy type."""
    if columns.stop - columns.start == 1:
        values: Array = frame.iloc[:, columns.start].to_numpy()  # a view
        return values.__getitem__
    if columns == slice(0, frame.shape[1]):
        return lambda rows: frame.iloc[rows].to_numpy()
    # Rows first, as pandas 2 copies selected columns.
    return lambda rows: frame.iloc[rows].iloc[:, columns].to_numpy()


class _PolarsTable(Table):
    def column(self, j: int) -> Any:
        return self.data.to_series(j)

    def code(self, j: int) -> Coded:
        series = self.column(j)
        return of_polars(series) if j in self.categories else of_values(series.to_list())

    def parts(self, skip: Collection[int] = ()) -> Iterator[Part]:
        gaps = self.data.null_count().row(0)
        plain = [
            None if gap else name
            for gap, name in zip(gaps, map(dtype_name, self.data.dtypes), strict=True)
        ]
        for kind, columns in _runs(plain, skip):
            if kind in _NUMPY_TYPES:
                yield columns, self._numbers(columns)
                continue
            for j in columns_of(columns):
                yield slice(j, j + 1), self._other(self.column(j), j)

    def _numbers(self, columns: slice) -> ToArray:
        frame = self.data
        if columns != slice(0, self.shape[1]):
            frame = sys.modules["polars"].DataFrame(frame.get_columns()[columns])
        return lambda rows: frame[rows].to_numpy()

    def _other(self, series: Any, j: int) -> ToArray:
        if j in self.categories:
            raise self._refused_categories(j, series)
        if dtype_name(series.dtype) in _NUMPY_TYPES:  # with gaps
            double = sys.modules["polars"].Float64
            return lambda rows: series[rows].cast(double).to_numpy()
        return self._whole_column(column_values(series), j)


class _ArrowTable(_WithArrow):
    @property
    def labels(self) -> list[Any]:
        return list(self.data.schema.names)

    def column(self, j: int) -> Any:
        return self.data.column(j)

    def code(self, j: int) -> Coded:
        column = self.column(j)
        return of_arrow(column) if j in self.categories else of_values(column.to_pylist())

    @property
    def kinds(self) -> list[Any]:
        return list(self.data.schema.types)

    def parts(self, skip: Collection[int] = ()) -> Iterator[Part]:
        for j in range(self.shape[1]):
            if j not in skip:
                yield slice(j, j + 1), self._arrow(self.column(j), j)


def _runs(kinds: Iterable[Any], skip: Collection[int]) -> Iterator[tuple[Any, slice]]:
    """Runs of neighbouring columns of the same kind, without the columns ``skip``."""
    start = 0
    for (kind, skipped), group in groupby((kind, j in skip) for j, kind in enumerate(kinds)):
        stop = start + sum(1 for _ in group)
        if not skipped:
            yield kind, slice(start, stop)
        start = stop


def _is_plain(column: Any) -> bool:
    """Whether a column of Polars or PyArrow has a type of NumPy and no missing values."""
    if hasattr(column, "type"):
        return str(column.type) in _NUMPY_TYPES and column.null_count == 0
    return dtype_name(column.dtype) in _NUMPY_TYPES and column.null_count() == 0


_TABLES: dict[tuple[str, str], type[Table]] = {
    ("pandas", "DataFrame"): _PandasTable,
    ("polars", "DataFrame"): _PolarsTable,
    ("pyarrow", "Table"): _ArrowTable,
    ("pyarrow", "RecordBatch"): _ArrowTable,
}
_COLUMNS = (("polars", "Series"), ("pyarrow", "Array"), ("pyarrow", "ChunkedArray"))


def gather_rows(data: Any, rows: Any) -> Any:
    """Select rows of an array, a sparse matrix or a table by indices or flags; None selects all.
    None stays None."""
    if data is None or rows is None:
        return data
    if hasattr(data, "iloc"):
        return data.iloc[rows]
    if hasattr(data, "tocsr"):
        return compressed(data, "X")[np.asarray(rows)]
    table = open_table(data, "X")
    if table is None and not any(_is_a(data, *kind) for kind in _COLUMNS):
        array, chosen = np.asarray(data), np.asarray(rows)
        return array[chosen] if chosen.dtype == bool else take_rows(array, chosen)
    indices = np.flatnonzero(rows) if np.asarray(rows).dtype == bool else np.asarray(rows)
    return data.take(indices) if hasattr(data, "take") else data[indices]


def concat_rows(parts: Sequence[Any]) -> Any:
    """Rows of several arrays, or of several tables of one package, one after another."""
    if _is_a(parts[0], "pandas", "DataFrame"):
        return _concat_frames(parts, sys.modules["pandas"])
    if _is_a(parts[0], "polars", "DataFrame"):
        return sys.modules["polars"].concat(parts)
    if _is_a(parts[0], "pyarrow", "Table"):
        return sys.modules["pyarrow"].concat_tables(parts)
    if _is_a(parts[0], "pyarrow", "RecordBatch"):
        return sys.modules["pyarrow"].Table.from_batches(parts)
    return np.concatenate([np.asarray(part) for part in parts])


def _concat_frames(frames: Sequence[Any], pandas: Any) -> Any:
    """Frames of pandas, one after another; it makes objects of categories that differ."""
    parts = [frame.copy(deep=False) for frame in frames]
    for j, dtype in enumerate(frames[0].dtypes):
        dtypes = [frame.dtypes.iloc[j] for frame in frames]
        if isinstance(dtype, pandas.CategoricalDtype) and any(d != dtype for d in dtypes):
            categories = pandas.Index(dict.fromkeys(c for d in dtypes for c in d.categories))
            for part in parts:
                part.isetitem(j, part.iloc[:, j].cat.set_categories(categories))
    return pandas.concat(parts, ignore_index=True)


def open_table(data: Any, name: str) -> Table | None:
    """Wrap a table of a known package; return None for other data."""
    found = (table for kind, table in _TABLES.items() if _is_a(data, *kind))
    table = next(found, None)
    return None if table is None else table(data, name)


def _is_a(value: Any, package: str, kind: str) -> bool:
    wanted = getattr(sys.modules.get(package), kind, None)
    return isinstance(wanted, type) and isinstance(value, wanted)


def column_values(column: Any) -> Any:
    """Convert a column of Polars or PyArrow to an array, of objects if NumPy lacks its type or
    values are missing; return anything else unchanged.

    Their own conversions turn integers with nulls into floats.
    """
    if not any(_is_a(column, *kind) for kind in _COLUMNS):
        return column
    is_arrow = hasattr(column, "type")
    if _is_plain(column):
        return column.to_numpy(zero_copy_only=False) if is_arrow else column.to_numpy()
    items = column.to_pylist() if is_arrow else column.to_list()
    return np.fromiter(items, object, len(items))
