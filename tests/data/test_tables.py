"""Tables in place of arrays: the same numbers, names of columns, and errors that say what to do."""

import array
import datetime as dt
import io
import itertools
import pathlib
import pickle
import re
import subprocess
import sys
import time
import tracemalloc
import warnings
from collections import OrderedDict, UserDict, UserList, deque
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import ml_dtypes
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from fastmlp.data import check_names, open_features
from fastmlp.inputs import Columns, Inputs
from tests.helpers.basics import INF, NAN
from tests.helpers.labels import encode_labels
from tests.helpers.rows import check_features

NA = pd.NA
FLOATS = (np.float32, np.float64)
NUMPY_TYPES = ["?", "b", "B", "h", "H", "i", "I", "q", "Q", "e", "f", "d", "g", ">f8", ">i4"]
DATE, MOMENT = dt.date(2020, 2, 29), dt.datetime(2020, 2, 29, 12)


def numbers(kind: str, n: int = 20_000) -> Any:
    """Values of which many are rounded in float32, some twice if they go there by float64."""
    rng = np.random.default_rng(0)
    dtype = np.dtype(kind)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, n, dtype.newbyteorder("="), True).astype(dtype)
    return (rng.normal(size=n) > 0) if dtype.kind == "b" else rng.normal(size=n).astype(dtype)


def assert_is_cast(table: Any, columns: list[Any], dtype: Any) -> None:
    result = check_features(table, dtype)
    expected = np.stack([np.asarray(column).astype(dtype) for column in columns], axis=1)
    assert type(result) is np.ndarray
    assert result.flags.c_contiguous
    assert result.flags.aligned
    assert result.dtype == dtype
    assert result.tobytes() == expected.tobytes()


# ---------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("kind", NUMPY_TYPES)
def test_pandas_columns(kind: str, dtype: Any) -> None:
    columns = [numbers(kind), numbers("d"), numbers(kind)[::-1], numbers(kind)]
    frame = pd.DataFrame(dict(enumerate(columns)))
    assert_is_cast(frame, columns, dtype)
    assert_is_cast(frame[::3], [column[::3] for column in columns], dtype)
    assert_is_cast(frame[[0]], columns[:1], dtype)
    assert_is_cast(frame[[0, 2]], columns[::2], dtype)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (8192, 3), (8193, 3), (30, 200_000)])
def test_blocks_of_rows(shape: tuple[int, int], dtype: Any) -> None:
    values = np.random.default_rng(0).normal(size=shape)
    assert_is_cast(pd.DataFrame(values), list(values.T), dtype)
    assert_is_cast(pd.DataFrame(values.copy("F")), list(values.T), dtype)


NULLABLE = {
    "Int8": "b", "UInt16": "H", "Int64": "q", "UInt64": "Q", "Float32": "f", "Float64": "d",
    "boolean": "?", "int64[pyarrow]": "q", "uint8[pyarrow]": "B", "double[pyarrow]": "d",
    "halffloat[pyarrow]": "e", "bool[pyarrow]": "?",
}  # fmt: skip


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("kind", NULLABLE)
def test_nullable_and_arrow_columns_of_pandas(kind: str, dtype: Any) -> None:
    values = numbers(NULLABLE[kind])
    frame = pd.DataFrame({"a": numbers("d"), "b": pd.array(values, dtype=kind)})
    assert_is_cast(frame, [numbers("d"), values], dtype)
    assert_is_cast(frame[::-2], [numbers("d")[::-2], values[::-2]], dtype)


@pytest.mark.parametrize("kind", ["?", "q", "d"])
def test_sparse_columns_of_pandas_among_others(kind: str) -> None:
    values = np.where(np.arange(20_000) % 7, 0, numbers(kind)).astype(kind)
    frame = pd.DataFrame({"a": pd.arrays.SparseArray(values), "b": values})
    assert_is_cast(frame, [values, values], np.float32)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("kind", ["?", "b", "B", "h", "H", "i", "I", "q", "Q", "f", "d"])
def test_polars_and_arrow_tables(kind: str, dtype: Any) -> None:
    columns = [numbers(kind), numbers("d"), numbers(kind)[::-1].copy(), numbers(kind)]
    named = dict(zip("abcd", columns, strict=True))
    frame, table = pl.DataFrame(named), pa.table(named)
    assert_is_cast(frame, columns, dtype)
    assert_is_cast(frame[["a", "c"]], columns[::2], dtype)
    chunks = pl.concat([frame[:777], frame[777:]], rechunk=False)
    assert_is_cast(chunks, columns, dtype)
    assert_is_cast(table, columns, dtype)
    assert_is_cast(pa.concat_tables([table[:777], table[777:]]), columns, dtype)
    assert_is_cast(table.to_batches()[0], columns, dtype)


def test_wide_integers_of_polars() -> None:
    frame = pl.DataFrame({"a": pl.Series([1, 2**63, 2], dtype=pl.UInt64), "b": [1.5, 2, 3]})
    assert_is_cast(frame.with_columns(pl.col("a").cast(pl.Int128)), list(frame), np.float32)


@pytest.mark.parametrize("kind", [list, deque, UserList, tuple])
def test_objects_that_are_numbers(kind: Any) -> None:
    values = [1, 2.5, True, np.int8(3), np.float32(0.1)]
    frame = pd.DataFrame({"a": [1.0] * 5, "b": np.array(values, dtype=object)})
    assert_is_cast(frame, [np.ones(5), np.array(values)], np.float32)
    np.testing.assert_array_equal(check_features(kind([values]), np.float64), [values])


def test_frames_with_odd_columns() -> None:
    values = np.arange(6.0).reshape(2, 3)
    for names in (["a", "a", "b"], [0, "a", None], [("a", 1), ("a", 2), ("b", 1)], [NAN, NAN, 1]):
        assert check_features(pd.DataFrame(values, columns=names), np.float32).tolist() == (
            values.tolist()
        )
    levels = pd.MultiIndex.from_product([["a"], ["x", "y", "z"]])
    assert check_features(pd.DataFrame(values, columns=levels), np.float32)[1, 2] == 5


class Subclass(pd.DataFrame):
    """Its constructor and its items are its own."""

    def __init__(self, data: Any, *, needed: int) -> None:
        super().__init__(data)

    def __getitem__(self, key: Any) -> Any:
        raise AssertionError


def test_a_subclass_is_a_frame() -> None:
    frame = Subclass({"a": [1, 2], "b": [0.5, 1], "c": [True, False]}, needed=1)
    assert check_features(frame, np.float32).tolist() == [[1, 0.5, 1], [2, 1, 0]]
    assert open_features(frame).names.tolist() == ["a", "b", "c"]


class Arrays:
    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.ones((2, 3))

    def compute(self) -> None:
        raise AssertionError("not needed")


def matrix(values: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its use is discouraged
        return np.asmatrix(values)


@pytest.mark.parametrize(
    "X",
    [
        Arrays(),
        matrix(np.ones((2, 3))),
        memoryview(np.ones((2, 3))),
        deque([[1, 1, 1]] * 2),
        [array.array("d", [1, 1, 1])] * 2,
        [pd.Series([1, 1, 1])] * 2,
    ],
    ids=lambda X: type(X).__name__,
)
def test_other_arrays(X: Any) -> None:
    np.testing.assert_array_equal(check_features(X, np.float32), np.ones((2, 3)))


def test_frames_are_not_modified() -> None:
    frame = pd.DataFrame({"a": [1.0, 2], "b": [True, False]})
    before = frame.copy()
    check_features(frame, np.float64)[:] = 7
    check_features(frame[["a"]], np.float64)[:] = 7
    pd.testing.assert_frame_equal(frame, before)


# --------------------------------------------------------------------------------- speed and memory


def mixed_frame(n_rows: int) -> pd.DataFrame:
    frame = pd.DataFrame({f"f{i}": numbers("d", n_rows) for i in range(20)})
    return frame.assign(flag=frame["f0"] > 0)


def separate_columns(n_rows: int) -> pd.DataFrame:
    frame = pd.DataFrame(index=range(n_rows))
    for i in range(21):
        frame[f"f{i}"] = numbers("d", n_rows)
    return frame


TABLES = {
    "mixed": mixed_frame,
    "separate": separate_columns,
    "nullable": lambda n: mixed_frame(n).convert_dtypes(),
    "polars": lambda n: pl.DataFrame({c: v.to_numpy() for c, v in mixed_frame(n).items()}),
    "pyarrow": lambda n: pa.table({c: v.to_numpy() for c, v in mixed_frame(n).items()}),
}


@pytest.mark.parametrize("kind", TABLES)
def test_memory_is_the_result_and_a_few_columns(kind: str) -> None:
    table = TABLES[kind](100_000)
    check_features(table[:9], np.float32)  # what is imported on the way
    tracemalloc.start()
    try:
        result = check_features(table, np.float32)
        assert tracemalloc.get_traced_memory()[1] < result.nbytes + 3 * 100_000 * 8
    finally:
        tracemalloc.stop()


def test_a_mixed_frame_takes_about_the_time_of_an_array() -> None:
    """0.9 to 2.1 times, where objects in between took 150 times; six leaves room for others."""
    frame, fortran = mixed_frame(200_000), numbers("d", 200_000 * 21).reshape(21, -1).T

    def seconds(X: Any) -> float:
        start = time.perf_counter()
        check_features(X, np.float32)
        return time.perf_counter() - start

    assert min(seconds(frame) for _ in range(5)) < 6 * min(seconds(fortran) for _ in range(5))


# ------------------------------------------------------------------------------ values out of range

FILL = ': fit with missing="impute", which fills them with medians, or fill them first'
TO_TABLE = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}


def assert_rejected(X: Any, error: type[Exception], message: str, **options: Any) -> Exception:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(error, match=f"^{re.escape(message)}") as caught:
            check_features(X, np.float32, **options)
    return caught.value


@pytest.mark.parametrize("package", TO_TABLE)
@pytest.mark.parametrize("row", [0, 17, 8191, 8192, 19_999])
@pytest.mark.parametrize("value", [NAN, INF, -INF, 1e39, -3.5e38])
def test_a_bad_value_is_named_by_column_and_row(value: float, row: int, package: str) -> None:
    age = np.ones(20_000)
    age[row] = value
    X = TO_TABLE[package]({"id": np.arange(20_000), "age": age, "more": age, "flag": age > 0})
    message = f"X['age'] row {row} is {value}; it must be finite in float32"
    if value != value:
        message = f"X['age'] row {row} is missing; there are gaps in 'age', 'more'{FILL}"
    assert_rejected(X, ValueError, message)
    assert_rejected(X, ValueError, f"validation {message}", name="validation X")


@pytest.mark.parametrize(
    ("columns", "called"),
    [
        ([0, 1], "X[1] row 1"),
        (["a", 'it\'s "b"'], "X['it\\'s \"b\"'] row 1"),
        (["a", "a b"], "X['a b'] row 1"),
        (np.array(["a", "b"]), "X['b'] row 1"),
        (np.array([np.str_("a"), np.str_("b")], dtype=object), "X['b'] row 1"),
        (["a", "a"], "X['a'] (column 1) row 1"),
        ([("a", "x"), ("a", "y")], "X[('a', 'y')] row 1"),
        (pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")]), "X[('a', 'y')] row 1"),
        (pd.Index(["a", None], dtype=object), "X[None] row 1"),
    ],
)
def test_what_columns_are_called(columns: Any, called: str) -> None:
    X = pd.DataFrame([[1, 2], [3, NAN], [5, 6]], columns=columns, index=["p", "q", "r"])
    error = assert_rejected(X, ValueError, f"{called} is missing; there are gaps in ")
    assert str(error).endswith(FILL)


def column(values: Any, **options: Any) -> pd.DataFrame:
    """A frame whose second column is the one in question."""
    return pd.DataFrame({"a": np.arange(3.0), "b": pd.Series(values, **options)})


MISSING = {
    "Int64": column([1, NA, 2], dtype="Int64"),
    "boolean": column([True, NA, False], dtype="boolean"),
    "Float64": column([1, NA, 2], dtype="Float64"),
    "sparse": column(pd.arrays.SparseArray([0, NAN, 1])),
    "int64[pyarrow]": column([1, None, 2], dtype="int64[pyarrow]"),
    "double[pyarrow]": column([1, None, 2], dtype="double[pyarrow]"),
    "bool[pyarrow]": column([True, None, False], dtype="bool[pyarrow]"),
    "object None": column([1, None, 2], dtype=object),
    "object NA": column([1, NA, 2], dtype=object),
    "object NaT": column([1, pd.NaT, 2], dtype=object),
    "polars": pl.DataFrame({"a": [1.0, 2, 3], "b": [1, None, 2]}),
    "polars bool": pl.DataFrame({"a": [1.0, 2, 3], "b": [True, None, False]}),
    "pyarrow": pa.table({"a": [1.0, 2, 3], "b": [1, None, 2]}),
    "pyarrow bool": pa.table({"a": [1.0, 2, 3], "b": [True, None, False]}),
}


@pytest.mark.parametrize("kind", MISSING)
def test_a_missing_value_is_named(kind: str) -> None:
    error = assert_rejected(MISSING[kind], ValueError, "X['b'] row 1 is missing; ")
    assert str(error).endswith(FILL)


@pytest.mark.parametrize("kind", ["d", "O"])
def test_a_missing_number_of_an_object_column(kind: str) -> None:
    assert_rejected(column([1, NAN, 2], dtype=kind), ValueError, "X['b'] row 1 is missing; ")


def test_a_column_of_nothing_is_missing() -> None:
    nothing = [None, None, None]
    for X in (column(nothing), pl.DataFrame({"b": nothing}), pa.table({"b": nothing})):
        assert_rejected(X, ValueError, "X['b'] row 0 is missing; there are gaps in 'b'")
    assert_rejected([[None]], ValueError, "X[0, 0] is missing; there are gaps in 0" + FILL)


@pytest.mark.parametrize(
    ("X", "shape"),
    [
        (pd.DataFrame(), "(0, 0)"),
        (pd.DataFrame({"a": [], "b": []}), "(0, 2)"),
        (pd.DataFrame(index=[1, 2]), "(2, 0)"),
        (pd.DataFrame({"a": pd.Series([], dtype="Int64")}), "(0, 1)"),
        (pl.DataFrame(), "(0, 0)"),
        (pl.DataFrame({"a": []}), "(0, 1)"),
        (pa.table({}), "(0, 0)"),
        (pa.table({"a": pa.array([], pa.int8())}), "(0, 1)"),
        (pd.Series([1.0, 2]), "(2,): to_frame()"),
        (pd.Index([1.0, 2]), "(2,): to_frame()"),
        (pl.Series([1.0, 2]), "(2,): to_frame()"),
        (array.array("d", [1, 2]), "(2,): reshape(1, -1)"),
        (np.empty((0, 2), dtype=object), "(0, 2)"),
    ],
)
def test_tables_without_rows_or_columns(X: Any, shape: str) -> None:
    assert_rejected(X, ValueError, f"X must be 2-D and not empty; got shape {shape}")


@pytest.mark.parametrize("package", TO_TABLE)
def test_number_of_columns(package: str) -> None:
    X = TO_TABLE[package]({"a": [1.0], "b": ["text"]})
    with pytest.raises(ValueError, match=r"^X must have 3 features; got 2$"):
        Inputs(Columns(3)).open(X, named=False)


# --------------------------------------------------------------------------- columns of other kinds

ENCODE = 'make it a category first, as .astype("category") of pandas does'
UNMIX = "make all of them numbers first, as pd.to_numeric does, or strings, as .astype(str) does"
PARTS = "take its parts first, such as .dt.year, .dt.month and .dt.dayofweek"
LENGTH = "take its length first: .dt.total_seconds()"
ARROW_LIST, ARROW_STRUCT = pa.list_(pa.int64()), pa.struct([("x", pa.int64())])
OTHERS: dict[str, tuple[Any, str, str]] = {
    "str": (column(["Paris", "b", "c"]), "row 0 is text, 'Paris'", ENCODE),
    "str with a gap": (column([None, "b", "c"]), "row 1 is text, 'b'", ENCODE),
    "string": (column([NA, "b", "c"], dtype="string"), "row 1 is text, 'b'", ENCODE),
    "mixed": (column([1, "b", 2], dtype=object), "row 0 is 1 and X['b'] row 1 is 'b'", UNMIX),
    "mixed with gaps": (
        column([None, "b", 2.5], dtype=object),
        "row 2 is 2.5 and X['b'] row 1 is 'b'",
        UNMIX,
    ),
    "mixed with numbers as text": (
        column(["1", 2, True], dtype=object),
        "row 1 is 2 and X['b'] row 0 is '1'",
        UNMIX,
    ),
    "object with nan": (column([NAN, "b", None], dtype=object), "row 1 is text, 'b'", ENCODE),
    "numbers as text": (column(["1", "2", "?"]), "row 0 is text, '1'", "make numbers of it first"),
    "arrow string": (column(["x"] * 3, dtype=pd.ArrowDtype(pa.string())), "row 0 is text", ENCODE),
    "bytes": (column([b"x"] * 3), "row 0 is bytes, b'x'", ENCODE),
    "datetime": (column([pd.Timestamp(MOMENT)] * 3), "row 0 is a date", PARTS),
    "time zone": (column([pd.Timestamp(MOMENT, tz="UTC")] * 3), "row 0 is a date", PARTS),
    "date": (column([DATE] * 3), "row 0 is a date", PARTS),
    "arrow timestamp": (column([MOMENT] * 3, dtype="timestamp[us][pyarrow]"), "row 0 is a", PARTS),
    "arrow date": (column([DATE] * 3, dtype="date32[pyarrow]"), "row 0 is a date", PARTS),
    "timedelta": (column([pd.Timedelta("1s")] * 3), "row 0 is a duration", LENGTH),
    "time": (column([dt.time(1)] * 3), "row 0 is a time of day", "take its parts first"),
    "period": (column(pd.period_range(DATE, periods=3)), "row 0 is of type pandas.Period", "turn"),
    "interval": (column(pd.interval_range(0, 3)), "row 0 is of type pandas.Interval", "turn"),
    "complex": (
        column([1j, 2, 3]),
        "row 0 is complex, 1j",
        "take its parts first: .real and .imag",
    ),
    "Decimal": (
        column([Decimal("1.5")] * 3),
        "row 0 is a Decimal",
        "convert it first, as .astype(",
    ),
    "arrow decimal": (
        column([Decimal("1.5")] * 3, dtype=pd.ArrowDtype(pa.decimal128(5, 2))),
        "row 0 is a Decimal",
        "convert it first, as .astype(float) does",
    ),
    "list": (column([[1], [2], [3]]), "row 0 is a list, [1]", "give each of its elements"),
    "dict": (column([{"x": 1}] * 3), "row 0 is a record, {'x': 1}", "give each of its fields"),
    "arrow list": (column([[1]] * 3, dtype=pd.ArrowDtype(ARROW_LIST)), "row 0 is a list", "give"),
    "arrow struct": (
        column([{"x": 1}] * 3, dtype=pd.ArrowDtype(ARROW_STRUCT)),
        "row 0 is a record",
        "give each of its fields a column",
    ),
    "object()": (column([SimpleNamespace()] * 3), "row 0 is of type types.SimpleNamespace", "turn"),
}
POLARS = {
    "text": (pl.Series([None, "b", "c"]), "row 1 is text, 'b'", ENCODE),
    "date": (pl.Series([DATE] * 3), "row 0 is a date", PARTS),
    "datetime": (pl.Series([MOMENT] * 3), "row 0 is a date", PARTS),
    "duration": (pl.Series([dt.timedelta(1)] * 3), "row 0 is a duration", LENGTH),
    "time": (pl.Series([dt.time(1)] * 3), "row 0 is a time of day", "take its parts first"),
    "decimal": (pl.Series([Decimal("1.5")] * 3), "row 0 is a Decimal", "convert it first"),
    "binary": (pl.Series([b"x"] * 3), "row 0 is bytes", ENCODE),
    "list": (pl.Series([[1], [2], [3]]), "row 0 is a list, [1]", "give each of its elements"),
    "array": (pl.Series([[1, 2]] * 3, dtype=pl.Array(pl.Int8, 2)), "row 0 is a list", "give each"),
    "struct": (pl.Series([{"x": 1}] * 3), "row 0 is a record, {'x': 1}", "give each of its fields"),
    "object": (pl.Series([SimpleNamespace()] * 3, dtype=pl.Object), "row 0 is of type", "turn it"),
}
OTHERS |= {f"polars {k}": (pl.DataFrame({"b": s}), *rest) for k, (s, *rest) in POLARS.items()}
ARROW = {
    "text": (pa.array([None, "b"]), "row 1 is text, 'b'", ENCODE),
    "date": (pa.array([DATE]), "row 0 is a date", PARTS),
    "timestamp": (pa.array([MOMENT]), "row 0 is a date", PARTS),
    "duration": (pa.array([dt.timedelta(1)]), "row 0 is a duration", LENGTH),
    "decimal": (pa.array([Decimal("1.5")]), "row 0 is a Decimal", "convert it first"),
    "list": (pa.array([[1]]), "row 0 is a list, [1]", "give each of its elements"),
    "struct": (pa.array([{"x": 1}]), "row 0 is a record, {'x': 1}", "give each of its fields"),
}
OTHERS |= {f"pyarrow {k}": (pa.table({"b": s}), *rest) for k, (s, *rest) in ARROW.items()}


@pytest.mark.parametrize("kind", OTHERS)
def test_columns_of_other_kinds(kind: str) -> None:
    X, what, advice = OTHERS[kind]
    error = assert_rejected(X, TypeError, "X must hold real numbers; ")
    assert f"X['b'] {what}" in str(error)
    assert f": {advice}" in str(error) or f" and {advice}" in str(error)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([[1, "Paris"], [2, None]], f"X[0, 1] is text, 'Paris': {ENCODE}"),
        (
            [["x", 1], ["y", "Paris"], ["z", 3]],
            f"X[0, 1] is 1 and X[1, 1] is 'Paris', a number and a string in one column: {UNMIX}",
        ),
        (np.array([[1, None], [2, "Paris"]], dtype=object), f"X[1, 1] is text, 'Paris': {ENCODE}"),
        ([["Paris"]], f"got dtype <U5: X[0, 0] is text, 'Paris': {ENCODE}"),
        (np.array([["Paris"]]), f"got dtype <U5: X[0, 0] is text, 'Paris': {ENCODE}"),
        (np.array([["1.5"]]), "got dtype <U3: X[0, 0] is text, '1.5': make numbers of it first"),
        (np.array([["x" * 999]]), "got dtype <U999: X[0, 0] is text, 'xxx"),
        ([[MOMENT, 1]], f"X[0, 0] is a date, datetime.datetime(2020, 2, 29, 12, 0): {PARTS}"),
        (np.zeros((1, 1), "M8[s]"), "got dtype datetime64[s]: X[0, 0] is a date, "),
        (np.zeros((1, 1), "m8[s]"), "got dtype timedelta64[s]: X[0, 0] is a duration, "),
        (np.zeros((1, 1), complex), "got dtype complex128: X[0, 0] is complex, 0j: take its parts"),
        ([{"a": 1}, {"a": 2}], "X[0] is a record, {'a': 1}: give each of its fields a column"),
        ([[Decimal(1)]], "X[0, 0] is a Decimal, Decimal('1'): convert it first"),
    ],
)
def test_arrays_and_lists_of_other_kinds(X: Any, message: str) -> None:
    error = assert_rejected(X, TypeError, f"X must hold real numbers; {message}")
    assert len(str(error)) < 300


@pytest.mark.parametrize("value", [10**400, 2**70, Fraction(1, 2)])
def test_numbers_without_64_bits(value: Any) -> None:
    got = f"X must hold 64-bit numbers only; got {type(value).__name__}: X"
    assert_rejected([[value]], TypeError, f"{got}[0, 0] is ")
    assert_rejected(column([1.5, value, 2], dtype=object), TypeError, "X must hold 64-bit numbers")
    assert_rejected(column([value] * 3, dtype=object), TypeError, f"{got}['b'] row 0 is ")


@pytest.mark.parametrize("X", [np.zeros(2, "f4,f8"), np.rec.array([(1, 2.0)], names="a,b")])
def test_structured_arrays(X: Any) -> None:
    error = assert_rejected(X, TypeError, "X must hold real numbers; got dtype ")
    assert "np.lib.recfunctions.structured_to_unstructured" in str(error)


@pytest.mark.parametrize("kind", ["bfloat16", "float8_e4m3fn", "float8_e5m2", "int4", "uint4"])
def test_types_that_numpy_has_no_name_for(kind: str) -> None:
    values = np.ones((2, 2), getattr(ml_dtypes, kind))
    message = f'real numbers; got dtype {kind}, which is not one of NumPy: call .astype("float32")'
    assert_rejected(values, TypeError, f"X must hold {message}")
    with pytest.raises(TypeError, match=r'Y must hold .*: call \.astype\("float32"\) first'):
        encode_labels(values[0], 2)
    assert check_features(values.astype("float32"), np.float32).tolist() == [[1, 1], [1, 1]]


# ------------------------------------------------------------------------------------- no array


def fake(module: str, kind: str, **members: Any) -> Any:
    """An object of a class that stands for one of a package too big to install."""

    def no_use(self: Any, *arguments: Any) -> Any:
        raise AssertionError("must not be touched")

    members = {k: no_use if v is None else v for k, v in members.items()}
    return type(kind, (), {"__module__": module, **members})()


def tensor(error: Exception, **members: Any) -> Any:
    def no_array(self: Any, dtype: Any = None, copy: Any = None) -> Any:
        raise error

    return fake("torch", "Tensor", __array__=no_array, detach=None, **members)


class OwnDataset(type(fake("torch.utils.data.dataset", "Dataset", __getitem__=None))):  # type: ignore[misc]
    def __len__(self) -> int:
        return 3


GATHER = "gather it first: np.stack(list({0})) for rows, list({0}) for labels"
BATCHES = {"__iter__": None, "__len__": None}
CONTAINERS: dict[str, tuple[Any, str, str]] = {
    "None": (None, "NoneType", ""),
    "dict": ({"a": [1]}, "dict", "give pd.DataFrame({0}) for rows, list({0}.values()) for labels"),
    "OrderedDict": (OrderedDict(a=[1]), "collections.OrderedDict", "give pd.DataFrame({0})"),
    "UserDict": (UserDict(a=[1]), "collections.UserDict", "give pd.DataFrame({0})"),
    "set": ({1}, "set", "give a list, as a set has no order"),
    "frozenset": (frozenset({1}), "frozenset", "give a list, as a set has no order"),
    "keys": ({1: 2}.keys(), "dict_keys", "give a list, as a set has no order"),
    "values": ({1: 2}.values(), "dict_values", GATHER),
    "str": ("X.csv", "str", "load the data first, as np.load or pd.read_csv do"),
    "bytes": (b"X", "bytes", "load the data first, as np.load or pd.read_csv do"),
    "path": (pathlib.Path("X.csv"), "pathlib.", ""),
    "file": (io.StringIO("1,2"), "_io.StringIO", "load the data first"),
    "generator": ((row for row in [[1]]), "generator", GATHER),
    "iterator": (iter([[1]]), "list_iterator", GATHER),
    "map": (map(int, "12"), "map", GATHER),
    "filter": (filter(None, [1]), "filter", GATHER),
    "zip": (zip([1], [2], strict=True), "zip", GATHER),
    "without an end": (itertools.count(), "itertools.count", GATHER),
    "iterable": (fake("rows", "Rows", __iter__=None), "rows.Rows", GATHER),
    "object": (object(), "object", ""),
    "type": (int, "type", ""),
    "function": (len, "builtin_function_or_method", ""),
    "polars.LazyFrame": (pl.LazyFrame({"a": [1]}), "polars.LazyFrame", "call {0}.collect() first"),
    "torch Dataset": (OwnDataset(), "tests.OwnDataset", "gather it first: np.stack([x for x, y in"),
    "torch DataLoader": (
        fake("torch.utils.data.dataloader", "DataLoader", **BATCHES),
        "torch.DataLoader",
        "gather it first: np.concatenate([x for x, y in {0}])",
    ),
    "tf.data.Dataset": (
        fake("tensorflow.python.data.ops", "Dataset", as_numpy_iterator=None, **BATCHES),
        "tensorflow.Dataset",
        "gather it first: np.stack([x for x, y in {0}.as_numpy_iterator()])",
    ),
    "dask frame": (
        fake("dask.dataframe.core", "DataFrame", compute=None, columns=["a"], __array__=None),
        "dask.DataFrame",
        "call {0}.compute() first",
    ),
    "dask-expr frame": (
        fake("dask_expr._collection", "DataFrame", compute=None, __array__=None),
        "dask_expr.DataFrame",
        "call {0}.compute() first",
    ),
    "dask bag": (fake("dask.bag", "Bag", compute=None), "dask.Bag", "call {0}.compute() first"),
    "spark": (
        fake("pyspark.sql.dataframe", "DataFrame", toPandas=None, collect=None, columns=["a"]),
        "pyspark.DataFrame",
        "call {0}.toPandas() first",
    ),
    "ray": (
        fake("ray.data.dataset", "Dataset", to_pandas=None, **BATCHES),
        "ray.Dataset",
        "call {0}.to_pandas() first",
    ),
}


@pytest.mark.parametrize("name", ["X", "Y", "validation X", "validation Y"])
@pytest.mark.parametrize("kind", CONTAINERS)
def test_containers_that_are_no_arrays(kind: str, name: str) -> None:
    values, got, advice = CONTAINERS[kind]
    advice = f": {advice.format(name[-1])}" if advice else ""
    message = f"^{re.escape(f'{name} must be an array or a table; got {got}{advice}')}"
    check = check_features if name.endswith("X") else encode_labels
    argument: Any = np.float32 if name.endswith("X") else 1
    with pytest.raises(TypeError, match=message):
        check(values, argument, name=name)


GRAPH = RuntimeError("Can't call numpy() on Tensor that requires grad")
SPARSE = TypeError("can't convert Sparse layout tensor to numpy")
ON_GPU, SCALAR = TypeError("can't convert cuda:0 device type tensor"), TypeError("BFloat16")


@pytest.mark.parametrize(
    ("error", "members", "calls"),
    [
        (GRAPH, {"requires_grad": True, "device": "cpu"}, ".detach()"),
        (SPARSE, {"layout": "torch.sparse_coo"}, ".to_dense()"),
        (ON_GPU, {"is_cuda": True}, ".cpu()"),
        (ON_GPU, {"device": SimpleNamespace(type="cuda")}, ".cpu()"),
        (ON_GPU, {"device": SimpleNamespace(type="mps")}, ".cpu()"),
        (ON_GPU, {"device": "cuda:0", "requires_grad": True}, ".detach().cpu()"),
        (SCALAR, {"dtype": "torch.bfloat16", "device": "cpu"}, ".float()"),
        (GRAPH, {"dtype": "torch.bfloat16", "requires_grad": True}, ".detach().float()"),
    ],
)
def test_tensors_say_how_they_become_arrays(error: Any, members: Any, calls: str) -> None:
    values = tensor(error, **members)
    got = "must be an array or a table; got torch.Tensor: call"
    assert assert_rejected(values, TypeError, f"X {got} X{calls}.numpy() first").__cause__ is error
    with pytest.raises(TypeError, match=re.escape(f"Y {got} Y{calls}.numpy() first")) as caught:
        encode_labels(values, 3)
    assert caught.value.__cause__ is error
    several = "X must be an array or a table; got list: call"
    assert_rejected([values], TypeError, f"{several} X[0]{calls}.numpy() first")


@pytest.mark.parametrize("kind", [TypeError, ValueError, RuntimeError, NotImplementedError])
def test_an_array_method_that_raises(kind: Any) -> None:
    def no_array(self: Any, dtype: Any = None, copy: Any = None) -> Any:
        raise kind("cannot be an array now")

    values = fake("xarray.core", "Dataset", __array__=no_array)
    message = "X must be an array or a table; got xarray.Dataset: cannot be an array now"
    assert type(assert_rejected(values, TypeError, message).__cause__) is kind
    values = fake("xarray.core", "Dataset", __array__=no_array, to_dataframe=None)
    message = "X must be an array or a table; got xarray.Dataset: call X.to_dataframe() first"
    assert type(assert_rejected(values, TypeError, message).__cause__) is kind


@pytest.mark.parametrize("kind", [KeyboardInterrupt, MemoryError, TimeoutError])
def test_what_is_not_about_the_data_passes_through(kind: Any) -> None:
    def no_array(self: Any, dtype: Any = None, copy: Any = None) -> Any:
        raise kind

    with pytest.raises(kind):
        check_features(fake("other", "Array", __array__=no_array), np.float32)


# ---------------------------------------------------------------------------------------- labels

LETTERS = ["b", "a", "b"]
LABELS: dict[str, Any] = {
    "Series": pd.Series(LETTERS),
    "Index": pd.Index(LETTERS),
    "string": pd.Series(LETTERS, dtype="string"),
    "Categorical": pd.Categorical(LETTERS),
    "category": pd.Series(LETTERS, dtype="category"),
    "arrow": pd.Series(LETTERS, dtype=pd.ArrowDtype(pa.string())),
    "arrow dictionary": pd.Series(
        LETTERS, dtype=pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string()))
    ),
    "frame": pd.DataFrame({"y": LETTERS}),
    "category frame": pd.DataFrame({"y": pd.Categorical(LETTERS)}),
    "polars": pl.Series(LETTERS),
    "polars categorical": pl.Series(LETTERS, dtype=pl.Categorical),
    "polars enum": pl.Series(LETTERS, dtype=pl.Enum(["b", "a"])),
    "polars frame": pl.DataFrame({"y": LETTERS}),
    "pyarrow": pa.array(LETTERS),
    "pyarrow chunks": pa.chunked_array([LETTERS[:1], LETTERS[1:]]),
    "pyarrow dictionary": pa.array(LETTERS).dictionary_encode(),
    "pyarrow table": pa.table({"y": LETTERS}),
    "StringDType": np.array(LETTERS, dtype=np.dtypes.StringDType()),
}
NUMBERED = {
    "Series": pd.Series([7, 2, 7]),
    "Int64": pd.Series([7, 2, 7], dtype="Int64"),
    "arrow": pd.Series([7, 2, 7], dtype="int64[pyarrow]"),
    "category": pd.Series([7, 2, 7], dtype="category"),
    "sparse": pd.Series(pd.arrays.SparseArray([7, 2, 7])),
    "frame": pd.DataFrame({"y": [7, 2, 7]}, index=[5, 5, 5]),
    "polars": pl.Series([7, 2, 7]),
    "pyarrow": pa.array([7, 2, 7]),
    "batch": pa.record_batch({"y": [7, 2, 7]}),
    "memoryview": memoryview(np.array([7, 2, 7])),
    "array.array": array.array("i", [7, 2, 7]),
    "matrix": matrix([[7], [2], [7]]),
    "deque": deque([7, 2, 7]),
}


@pytest.mark.parametrize(
    ("Y", "classes"),
    [(Y, ["a", "b"]) for Y in LABELS.values()] + [(Y, [2, 7]) for Y in NUMBERED.values()],
    ids=[*LABELS, *NUMBERED],
)
def test_columns_of_labels(Y: Any, classes: list[Any]) -> None:
    indices, found = encode_labels(Y, 3)
    assert indices.tolist() == [1, 0, 1]
    assert found.tolist() == classes
    assert encode_labels(Y, 3, classes=found)[0].tolist() == [1, 0, 1]


@pytest.mark.parametrize("kind", ["boolean", "bool", "bool[pyarrow]"])
def test_columns_of_truth_values(kind: str) -> None:
    indices, found = encode_labels(pd.Series([True, False, True], dtype=kind), 3)
    assert (indices.tolist(), found.tolist()) == ([1, 0, 1], [False, True])


@pytest.mark.parametrize("table", [pd.DataFrame, pl.DataFrame, pa.table])
def test_tables_of_one_hot_columns(table: Any) -> None:
    for one, zero in ((1, 0), (1.0, 0.0), (True, False)):
        Y = table({"p": [zero, one, zero], "q": [one, zero, one]})
        assert encode_labels(Y, 3)[0].tolist() == [1, 0, 1]
    mixed = table({"p": [0, 1, 0], "q": [True, False, True]})
    assert encode_labels(mixed, 3)[0].tolist() == [1, 0, 1]
    with pytest.raises(ValueError, match=r"Y\[0\] is not one-hot"):
        encode_labels(table({"p": [1, 1], "q": [1, 0]}), 2)
    with pytest.raises(ValueError, match=r"^Y\['q'\] row 1 is missing \(nan\): drop"):
        encode_labels(table({"p": [1, 1], "q": [0.0, NAN]}), 2)


@pytest.mark.parametrize("table", [pd.DataFrame, pl.DataFrame, pa.table])
def test_tables_without_labels(table: Any) -> None:
    for columns in ({"y": []}, {"p": [], "q": []}):
        with pytest.raises(ValueError, match="Y has 0 rows, but X has 3"):
            encode_labels(table(columns), 3)
    with pytest.raises(
        ValueError, match=r"^Y must be a label or a number for each row.*; got shape"
    ):
        encode_labels(table({}), 3)


def test_dummies_are_one_hot() -> None:
    assert encode_labels(pd.get_dummies(pd.Series(LETTERS)), 3)[0].tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    "Y",
    [
        ["b", None, "a"],
        ["b", NAN, "a"],
        [2, None, 7],
        [True, NA, False],
        np.array(["b", None, "a"], dtype=np.dtypes.StringDType(na_object=None)),
        pd.Series(["b", None, "a"]),
        pd.Series(["b", NA, "a"], dtype="string"),
        pd.Series(["b", None, "a"], dtype=pd.ArrowDtype(pa.string())),
        pd.Series([True, NA, False], dtype="boolean"),
        pd.Categorical(["b", None, "a"]),
        pd.DataFrame({"y": ["b", None, "a"]}),
        pl.Series(["b", None, "a"]),
        pl.Series([2, None, 7]),
        pl.Series([True, None, False]),
        pl.Series(["b", None, "a"], dtype=pl.Categorical),
        pl.DataFrame({"y": ["b", None, "a"]}),
        pa.array(["b", None, "a"]),
        pa.array([2, None, 7]),
        pa.chunked_array([["b"], [None, "a"]]),
        pa.table({"y": ["b", None, "a"]}),
    ],
)
def test_a_missing_label_is_named(Y: Any) -> None:
    with pytest.raises(ValueError, match=r"^Y\[1\] is missing \(.*\): drop the rows without a l"):
        encode_labels(Y, 3)


@pytest.mark.parametrize("kind", ["Int64", "Float64", "int64[pyarrow]", "category"])
def test_a_missing_number_among_labels_is_named(kind: str) -> None:
    with pytest.raises(ValueError, match=r"^Y\[1\] is (missing|nan)"):
        encode_labels(pd.Series([2, None, 7], dtype=kind), 3)


@pytest.mark.parametrize(
    ("Y", "message"),
    [
        ([DATE] * 3, r"real numbers or strings; Y\[0\] is a date, .*\.astype\(str\)"),
        (pd.Series(pd.to_datetime([MOMENT] * 3)), r"Y\[0\] is a date, .*\.astype\(str\)"),
        (pd.Series(pd.period_range(DATE, periods=3)), r"Y\[0\] is of type pandas\.Period"),
        (pd.Series([Decimal(1)] * 3), r"Y\[0\] is a Decimal, Decimal\('1'\): labels are numbers"),
        (pl.Series([DATE] * 3), r"Y\[0\] is a date"),
        (pl.Series([[1], [2], [3]]), r"Y\[0\] is a list"),
        (pl.Series([{"a": 1}] * 3), r"Y\[0\] is a record"),
        (np.array([b"a", b"b", b"c"]), r"got dtype \|S1: Y\[0\] is bytes"),
        (["a", 1, 2], r"all numbers or all strings; got int, str: Y\[1\] is 1 and Y\[0\]"),
        (pd.Series(["a", 1, 2], dtype=object), "all numbers or all strings; got int, str"),
        ([Fraction(1, 2), 1, 2], r"64-bit numbers only or strings; got .* Y\[0\] is Fraction"),
    ],
)
def test_labels_of_other_kinds(Y: Any, message: str) -> None:
    with pytest.raises(TypeError, match=f"^Y must .*{message}"):
        encode_labels(Y, 3)


# ----------------------------------------------------------------------------------------- names


def frame(names: Any) -> pd.DataFrame:
    return pd.DataFrame(np.ones((2, len(names))), columns=names)


def ones(self: Any, dtype: Any = None, copy: Any = None) -> Any:
    return np.ones((2, 2))


@pytest.mark.parametrize(
    "X",
    [
        frame(["a", "b"]),
        frame(np.array(["a", "b"])),
        frame(np.array([np.str_("a"), np.str_("b")], dtype=object)),
        frame(pd.CategoricalIndex(["a", "b"])),
        frame(["a", "b"]).iloc[:1],
        pl.DataFrame({"a": [1], "b": ["text"]}),
        pa.table({"a": [1], "b": [2]}),
        pa.record_batch({"a": [1], "b": [2]}),
        fake("modin.pandas", "DataFrame", columns=pd.Index(["a", "b"]), __array__=ones),
    ],
)
def test_names_are_kept(X: Any) -> None:
    names = open_features(X).names
    assert names is not None
    assert names.dtype == object
    assert [type(name) for name in names] == [str, str]
    assert names.tolist() == ["a", "b"]
    assert pickle.loads(pickle.dumps(names)).tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("labels", "kept"),
    [
        ([0, 1], [0, 1]), ([7, 5], [7, 5]), ([0.5, 1.5], [0.5, 1.5]), ([NAN, 2.0], ["nan", 2.0]),
        (pd.Index(np.array([3, 4], np.int8)), [3, 4]),
        (pd.MultiIndex.from_tuples([("a", 1), ("a", 2)]), [("a", 1), ("a", 2)]),
        ([dt.date(2020, 1, 1), dt.date(2020, 1, 2)], ["2020-01-01", "2020-01-02"]),
        ([True, False], ["True", "False"]),
    ],
)  # fmt: skip
def test_names_that_are_no_strings(labels: Any, kept: list[Any]) -> None:
    names = open_features(frame(labels)).names
    assert names is not None
    assert names.tolist() == kept
    assert list(map(type, names)) == list(map(type, kept))
    assert pickle.loads(pickle.dumps(names)).tolist() == kept


@pytest.mark.parametrize("X", [np.ones((2, 2)), [[1, 2]], Arrays()])
def test_without_names(X: Any) -> None:
    assert open_features(X).names is None


@pytest.mark.parametrize(
    "X",
    [
        frame(["a"]).iloc[:, :0], None, "X", pd.Series([1]), pl.LazyFrame({"a": [1]}),
        pl.DataFrame(), {"a": [1]}, np.rec.array([(1, 2.0)], names="a,b"), object(), iter([[1]]),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_before_its_names_are(X: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"^X must (be|hold) "):
        open_features(X)


@pytest.mark.parametrize(
    ("names", "got"),
    [(["a", 1], "int, str"), (["a", None], "float|NoneType"), (["a", ("b",)], "str, tuple")],
)
def test_names_of_several_types(names: Any, got: str) -> None:
    message = rf"^test X must have only strings as column names, or none; got .*({got})"
    with pytest.raises(TypeError, match=rf"{message}.*X\.columns\.map\(str\)"):
        open_features(frame(pd.Index(names, tupleize_cols=False)), "test X").names  # noqa: B018


ABC = np.array(["a", "b", "c"], dtype=object)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "b", "x"], "not seen at the fit: 'x'; missing: 'c'"),
        (["a", "b"], "missing: 'c'"),
        (["a", "b", "c", "d"], "not seen at the fit: 'd'"),
        (["a", "b", "b"], "not seen at the fit: 'b'; missing: 'c'"),
        (["A", "B", "C"], "not seen at the fit: 'A', 'B', 'C'; missing: 'a', 'b', 'c'"),
        (["a", "b", "c", *"uvwxyz"], "not seen at the fit: 'u', 'v', 'w', 'x', 'y', ..."),
        (
            ["a", "c", "b"],
            "the same names are in another order, from column 1 on 'c', 'b' instead of 'b', 'c': "
            "X[list(feature_names_in_)] restores it",
        ),
    ],
)
def test_other_names(names: list[str], message: str) -> None:
    for X in (frame(names), pa.Table.from_arrays([pa.array([1])] * len(names), names=names)):
        got = open_features(X).names
        with pytest.raises(
            ValueError, match=re.escape(f"my X must have the columns of the fit; {message}")
        ):
            check_names(ABC, got, "my X")


def test_the_same_names_pass_in_silence() -> None:
    for X in (frame(list("abc")), pl.DataFrame({"a": [1], "b": [1], "c": [1]})):
        check_names(ABC, open_features(X).names)
    check_names(None, None)
    check_names(open_features(frame(["a", "a"])).names, open_features(frame(["a", "a"])).names)


def test_names_on_one_side_only_are_a_warning() -> None:
    order = "columns are taken by their order"
    with pytest.warns(UserWarning, match=f"^X has no column names, but the fit had some: {order}"):
        check_names(ABC, None)
    with pytest.warns(UserWarning, match=f"^X has column names, but the fit had none: {order}"):
        check_names(None, ABC)


def test_the_warning_points_to_the_caller() -> None:
    with pytest.warns(UserWarning, match="no column names") as caught:
        check_names(ABC, None)
    assert caught[0].filename == __file__


# ---------------------------------------------------------------------------------------- imports


def test_no_package_of_tables_is_imported() -> None:
    code = """
import sys
import numpy as np
import fastmlp
from fastmlp.data import open_features
from tests.helpers.labels import encode_labels
from tests.helpers.rows import check_features
check_features([[1, 2.5], [3, 4]], np.float32)
encode_labels(["a", "b"], 2)
open_features([[1]])
try:
    check_features([[None]], np.float32)
except ValueError:
    pass
print(sorted({"pandas", "polars", "pyarrow", "sklearn", "ml_dtypes", "torch"} & set(sys.modules)))
"""
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert output.stdout.strip() == "[]"
