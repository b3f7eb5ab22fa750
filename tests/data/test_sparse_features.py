"""Sparse matrices of SciPy, and frames of sparse columns, are opened as SciPy means them."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from fastmlp.data import SparseRows, open_dense, open_features
from tests.helpers.basics import INF, NAN

FORMATS = "csr", "csc", "coo", "bsr", "dia", "lil", "dok"
DENSE = np.random.default_rng(0).integers(-3, 4, (7, 5)) * (np.arange(35).reshape(7, 5) % 3 == 0)
DENSE[3] = DENSE[:, 2] = 0
BROKEN = "^X must be a valid sparse matrix; got "


def opened(X: Any, dtype: Any = np.float64) -> SparseRows:
    """The rows of X, after a check that it stays as it is."""
    before = {k: getattr(X, k).copy() for k in ("data", "indices", "indptr") if hasattr(X, k)}
    flags = {k: v for k, v in vars(X).items() if "has_" in k}
    rows = open_features(X).rows(dtype)
    assert isinstance(rows, SparseRows)
    assert {k: v for k, v in vars(X).items() if "has_" in k} == flags
    for name, array in before.items():
        np.testing.assert_array_equal(getattr(X, name), array)
    assert rows.ends.dtype == np.int64
    assert rows.columns.dtype == np.int32
    within = np.ones(len(rows.columns), bool)
    within[rows.ends[:-1][np.diff(rows.ends) > 0]] = False
    assert (np.diff(rows.columns, prepend=0) > 0)[within].all()
    assert all(a.flags.c_contiguous and a.flags.aligned for a in rows.arrays)
    return rows


@pytest.mark.parametrize("kind", [sp.csr_matrix, sp.csr_array])
@pytest.mark.parametrize("form", FORMATS)
def test_formats(form: str, kind: Any) -> None:
    X = kind(DENSE.astype(float)).asformat(form)
    rows = opened(X)
    assert rows.shape == DENSE.shape
    np.testing.assert_array_equal(rows.dense(), DENSE)


@pytest.mark.parametrize("dtype", [*"?bBhHiIqQfdg", ">f8", ">i2"])
def test_types_of_values(dtype: str) -> None:
    values = np.abs(DENSE).astype(dtype)
    X = sp.csr_matrix(values.astype(float))
    X.data = X.data.astype(dtype)
    np.testing.assert_array_equal(opened(X).dense(), values)
    exact = np.can_cast(dtype, np.float32)
    assert opened(X, None).dtype == (np.float32 if exact else np.float64)


@pytest.mark.parametrize("dtype", [np.float16, object])
def test_types_that_scipy_cannot_add(dtype: Any) -> None:
    matrix = sp.csr_matrix(np.ones((2, 2)))
    matrix.data = np.array([1, 2, 4, 8], dtype)
    matrix.indices[:] = [1, 1, 1, 0]
    np.testing.assert_array_equal(opened(matrix).dense(), [[0, 3], [8, 4]])


@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_unsorted_and_duplicate_entries(index: Any) -> None:
    rng = np.random.default_rng(1)
    ends = np.array([0, 5, 5, 9, 20], index)
    X = sp.csr_matrix((rng.normal(size=20), rng.integers(0, 6, 20).astype(index), ends), (4, 6))
    X.indptr, X.indices = X.indptr.astype(index), X.indices.astype(index)
    X.has_sorted_indices = X.has_canonical_format = True  # wrong flags are not relied on
    wanted = sp.coo_matrix((X.data, (np.repeat(range(4), np.diff(ends)), X.indices)), (4, 6))
    rows = opened(X)
    np.testing.assert_allclose(rows.dense(), wanted.toarray(), rtol=1e-15)
    assert len(rows.values) < 20
    np.testing.assert_allclose(opened(wanted).dense(), wanted.toarray(), rtol=1e-15)
    np.testing.assert_allclose(opened(X.tocsc()).dense(), wanted.toarray(), rtol=1e-15)


def test_stored_zeros_and_spare_room() -> None:
    X = sp.csr_matrix(DENSE.astype(float))
    X.data[:2] = 0
    np.testing.assert_array_equal(opened(X).dense(), X.toarray())
    longer = X.copy()
    longer.data, longer.indices = np.append(X.data, NAN), np.append(X.indices, 99)
    np.testing.assert_array_equal(open_features(longer).rows(np.float64).dense(), X.toarray())
    assert opened(sp.csr_matrix((3, 4))).dense().tolist() == [[0] * 4] * 3


def test_no_copy_of_what_fits() -> None:
    X = sp.random(50, 30, 0.2, format="csr", dtype=np.float32, random_state=0)
    rows = opened(X, np.float32)
    assert np.shares_memory(rows.values, X.data)
    assert np.shares_memory(rows.columns, X.indices)
    assert np.shares_memory(opened(X, None).values, X.data)
    X.data.flags.writeable = False
    assert np.shares_memory(opened(X, np.float32).values, X.data)


@pytest.mark.parametrize("kind", [sp.csr_matrix, sp.csc_array, sp.bsr_matrix])
@pytest.mark.parametrize(
    ("field", "place", "value"),
    [
        ("indices", 1, 99), ("indices", 1, -1), ("indices", 0, 2**31 - 1), ("indptr", 1, 99),
        ("indptr", 1, -5), ("indptr", 0, 1), ("indptr", -1, 99), ("indptr", -1, 0),
        ("indptr", slice(1, 3), [2**31 - 1, -2]),  # of which wrapped differences are positive
    ],
)  # fmt: skip
def test_broken_indices(kind: Any, field: str, place: Any, value: Any) -> None:
    X = kind(np.ones((4, 6)))
    getattr(X, field)[place] = value
    with pytest.raises(ValueError, match=BROKEN):
        open_features(X).rows(np.float64)


@pytest.mark.parametrize("field", ["data", "indices", "indptr"])
@pytest.mark.parametrize(
    "change", [lambda a: a[:-1], lambda a: a[:, None], lambda a: a[:0], lambda a: a.astype(str)]
)
def test_arrays_of_other_shapes_and_types(field: str, change: Any) -> None:
    X = sp.csr_matrix(np.ones((4, 6)))
    setattr(X, field, change(getattr(X, field)))
    with pytest.raises((TypeError, ValueError), match=f"{BROKEN}|X must hold real numbers"):
        open_features(X).rows(np.float64)


@pytest.mark.parametrize(("field", "value"), [("row", 9), ("row", -1), ("col", 6), ("col", -7)])
def test_broken_coordinates(field: str, value: int) -> None:
    X = sp.coo_matrix(np.ones((4, 6)))
    getattr(X, field)[3] = value
    with pytest.raises(ValueError, match=BROKEN):
        open_features(X).rows(np.float64)
    X = sp.coo_matrix(np.ones((4, 6)))
    X.data = X.data[:-1]
    with pytest.raises(ValueError, match=BROKEN):
        open_features(X).rows(np.float64)


@pytest.mark.parametrize(
    ("field", "value"),
    [("data", [1.0] * 300), ("data", []), ("rows", [0, 1, 99]), ("rows", [0, -1, 2])],
)
def test_broken_lists(field: str, value: Any) -> None:
    X = sp.lil_matrix(np.ones((4, 3)))
    getattr(X, field)[1] = value
    with pytest.raises(ValueError, match=BROKEN):
        open_features(X).rows(np.float64)


def test_too_many_columns() -> None:
    X = sp.csr_matrix(([1.0], [2**31], [0, 1]), shape=(1, 2**31 + 1))
    with pytest.raises(ValueError, match="X must have at most 2147483647 columns; got 2147483649"):
        open_features(X).rows(np.float64)
    X = sp.csr_matrix(([1.0], [2**31 - 2], [0, 1]), shape=(1, 2**31 - 1))
    assert opened(X).columns.tolist() == [2**31 - 2]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (NAN, "test X[4, 1] is missing; sparse test X may have no gaps: fill them"),
        (INF, "test X[4, 1] is inf; it must be finite in float32"),
        (-1e39, "test X[4, 1] is -1e+39; it must be finite in float32"),
    ],
)
def test_values_that_are_not_finite(form: str, value: float, message: str) -> None:
    dense = DENSE.astype(float)
    dense[4, 1] = value
    X = sp.csr_matrix(dense).asformat(form)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        open_features(X, "test X").rows(np.float32)
    if value < 0:
        np.testing.assert_array_equal(opened(X).dense(), dense)


@pytest.mark.parametrize("form", ["csr", "coo", "lil"])
def test_complex_numbers(form: str) -> None:
    X = sp.csr_matrix(DENSE * 1j).asformat(form)
    with pytest.raises(TypeError, match="X must hold real numbers; got dtype complex128"):
        open_features(X).rows(np.float64)


def test_text() -> None:
    X = sp.csr_matrix(np.ones((1, 2)))
    X.data = np.array(["b", "a"], object)
    with pytest.raises(TypeError, match="X must hold real numbers; a value of X is text, 'b'"):
        open_features(X).rows(np.float64)


@pytest.mark.parametrize(
    ("X", "match"),
    [
        (sp.coo_array(np.ones(3)), r"2-D and not empty; got shape \(3,\): reshape\(1, -1\)"),
        (sp.csr_matrix((0, 3)), r"2-D and not empty; got shape \(0, 3\)"),
        (sp.csr_matrix((3, 0)), r"2-D and not empty; got shape \(3, 0\)"),
    ],
)
def test_shapes(X: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        open_features(X)


def test_frames_of_sparse_columns() -> None:
    frame = pd.DataFrame.sparse.from_spmatrix(sp.csr_matrix(DENSE), columns=list("abcde"))
    features = open_features(frame)
    assert features.names is not None
    assert features.names.tolist() == list("abcde")
    rows = features.rows(None)
    assert isinstance(rows, SparseRows)
    np.testing.assert_array_equal(rows.dense(), DENSE)
    dummies = pd.get_dummies(pd.Series(["x", "y", "x"]), sparse=True)
    rows = open_features(dummies).rows(np.float32)
    np.testing.assert_array_equal(rows.dense(), dummies.to_numpy(float))


def test_frames_with_other_columns_are_dense() -> None:
    """With a column that is not sparse, or other values than 0 left out."""
    sparse = pd.arrays.SparseArray([0.0, 2, 0], fill_value=0)
    gaps = pd.arrays.SparseArray([NAN, 2, NAN])
    ones = pd.arrays.SparseArray([1.0, 2, 1], fill_value=1)
    for other in (np.array([1.0, 0, 0]), gaps, ones):
        frame = pd.DataFrame({"a": sparse, "b": other})
        numbers, has_gaps = open_dense(frame).numbers(np.float64)
        np.testing.assert_array_equal(numbers, np.c_[[0.0, 2, 0], np.asarray(other, float)])
        assert has_gaps == (other is gaps)


def test_where_rows_must_be_dense() -> None:
    matrix = sp.csr_matrix(DENSE)
    frame = pd.DataFrame.sparse.from_spmatrix(matrix)
    for X, call in ((matrix, "toarray"), (frame, "sparse.to_dense")):
        wanted = f"X must be dense; got a sparse {type(X).__name__}: call X.{call}() first"
        with pytest.raises(TypeError, match=re.escape(wanted)):
            open_dense(X)
