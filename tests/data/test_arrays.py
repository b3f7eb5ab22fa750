"""Rows and labels in arrays and lists: what is accepted, converted, and rejected with a reason."""

import re
import tracemalloc
import warnings
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from fastmlp.inputs import Columns, Inputs
from tests.helpers.basics import INF, NAN
from tests.helpers.labels import encode_labels
from tests.helpers.rows import check_features

FLOATS = (np.float32, np.float64)


class Frame:
    """Stands for a DataFrame, Series or Categorical: only __array__ is relied on."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.values.astype(dtype or self.values.dtype)


# ---------------------------------------------------------------------------------------- features


def unaligned(values: Any) -> Any:
    buffer = np.zeros(values.nbytes + 1, dtype=np.uint8)
    result = buffer[1:].view(values.dtype).reshape(values.shape)
    result[...] = values
    assert not result.flags.aligned
    return result


def read_only(values: Any) -> Any:
    values.flags.writeable = False
    return values


def memmap(values: Any, folder: Any) -> Any:
    path = folder / "X.bin"
    values.tofile(path)
    return np.memmap(path, dtype=values.dtype, mode="r", shape=values.shape)


LAYOUTS: dict[str, Callable[[Any, Any], Any]] = {
    "C": lambda X, _: X,
    "F": lambda X, _: np.asfortranarray(X),
    "rows[::2]": lambda X, _: X[::2],
    "columns[::2]": lambda X, _: X[:, ::2],
    "reversed": lambda X, _: X[::-1, ::-1],
    "zero stride": lambda X, _: np.broadcast_to(X[:1], X.shape),
    "zero stride columns": lambda X, _: np.broadcast_to(X[:, :1], X.shape),
    "unaligned": lambda X, _: unaligned(X),
    "big-endian": lambda X, _: X.astype(X.dtype.newbyteorder(">")),
    "read-only": lambda X, _: read_only(X.copy()),
    "memmap": memmap,
    "one row": lambda X, _: X[:1],
    "one column": lambda X, _: X[:, 3:4],
}
KINDS = ("?", "b", "B", "h", "H", "i", "I", "l", "L", "q", "Q", "e", "f", "d")


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("source", ["f", "d", "q"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_features_layouts(layout: str, source: str, dtype: Any, tmp_path: Any) -> None:
    values = np.random.default_rng(0).integers(-1000, 1000, (9, 6)) / (1 if source == "q" else 7)
    X = LAYOUTS[layout](values.astype(source), tmp_path)
    before, strides = X.copy(), X.strides
    result = check_features(X, dtype)
    expected = np.ascontiguousarray(X.astype(dtype))
    assert type(result) is np.ndarray
    assert result.dtype == np.dtype(dtype)
    assert result.dtype.isnative
    assert result.flags.c_contiguous
    assert result.flags.aligned
    assert result.tobytes() == expected.tobytes()
    assert result.shape == X.shape
    np.testing.assert_array_equal(X, before)
    assert X.strides == strides


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("kind", KINDS)
def test_features_dtypes(kind: str, dtype: Any) -> None:
    special = {"?": 1, "e": 65504, "f": np.finfo("f").max, "d": -1.5}
    largest = special[kind] if kind in special else np.iinfo(kind).max
    X = np.array([[0, 1, largest]], dtype=kind)
    result = check_features(X, dtype)
    assert result.dtype == (np.uint8 if kind == "B" else dtype)
    np.testing.assert_array_equal(result, X.astype(dtype))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("source", ["own", "uint8"])
def test_features_are_not_copied(source: str, dtype: Any) -> None:
    X = np.ones((5, 3), dtype=dtype if source == "own" else np.uint8)
    result = check_features(X, dtype)
    assert np.shares_memory(result, X)
    assert result.dtype == X.dtype
    assert np.shares_memory(check_features(read_only(X), dtype), X)


def test_memmap_is_not_copied(tmp_path: Any) -> None:
    X = memmap(np.ones((5, 3), dtype=np.float32), tmp_path)
    assert np.shares_memory(check_features(X, np.float32), X)


def test_uint8_becomes_contiguous() -> None:
    X = np.arange(24, dtype=np.uint8).reshape(4, 6)[:, ::-2]
    result = check_features(X, np.float32)
    assert result.dtype == np.uint8
    assert result.flags.c_contiguous
    np.testing.assert_array_equal(result, X)


@pytest.mark.parametrize(
    "X",
    [
        [[1, 2.5], [3, 4]],
        Frame([[1, 2.5], [3, 4]]),
        np.array([[1, 2.5], [3, np.int8(4)]], dtype=object),
        np.array([[True, 2.5], [np.float32(3), np.int8(4)]], dtype=object),
        np.ma.masked_array([[1, 2.5], [3, 4]]),
    ],
    ids=["list", "frame", "object", "mixed object", "unmasked"],
)
def test_features_from_containers(X: Any) -> None:
    result = check_features(X, np.float32)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, [[1, 2.5], [3, 4]])


@pytest.mark.parametrize("shape", [(3, 4), (700, 600), (1, 300_000), (300_000, 1)])
@pytest.mark.parametrize("value", [NAN, INF, -INF, 1e39, -3.5e38])
@pytest.mark.parametrize("dtype", FLOATS)
def test_first_bad_value_is_named(dtype: Any, value: float, shape: tuple[int, int]) -> None:
    X = np.ones(shape)
    row, column = shape[0] * 2 // 3, shape[1] * 2 // 3
    X[row, column] = value
    X[-1, -1] = NAN
    if dtype == np.float64 and np.isfinite(value):
        row, column, value = shape[0] - 1, shape[1] - 1, NAN
    message = f"my X[{row}, {column}] is {value}; it must be finite in {np.dtype(dtype)}"
    if np.isnan(value):
        gaps = ", ".join(map(str, sorted({column, shape[1] - 1})))
        message = f"my X[{row}, {column}] is missing; there are gaps in {gaps}: fit with missing="
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        check_features(X, dtype, name="my X")
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        check_features(np.asfortranarray(X), dtype, name="my X")


@pytest.mark.parametrize("dtype", FLOATS)
def test_opposite_infinities_are_found(dtype: Any) -> None:
    with pytest.raises(ValueError, match=r"X\[0, 1\] is inf"):
        check_features(np.array([[1, INF, -INF]], dtype=dtype), dtype)


@pytest.mark.parametrize("dtype", FLOATS)
def test_finite_values_with_an_overflowing_sum_pass(dtype: Any) -> None:
    X = np.full((600, 700), np.finfo(dtype).max, dtype=dtype)
    X[::2] *= -1
    X[:3] = np.finfo(dtype).max
    assert check_features(X, dtype) is X


def test_half_precision_infinity_is_named() -> None:
    with pytest.raises(ValueError, match=r"X\[1, 0\] is inf"):
        check_features(np.array([[1], [INF]], dtype=np.float16), np.float32)


@pytest.mark.parametrize("bad", [False, True])
def test_finite_check_needs_little_memory(bad: bool) -> None:
    X = np.ones((1000, 4000), dtype=np.float32)
    X[-1, -1] = np.inf if bad else 1
    tracemalloc.start()
    try:
        if bad:
            with pytest.raises(ValueError, match=re.escape("X[999, 3999] is inf")):
                check_features(X, np.float32)
        else:
            check_features(X, np.float32)
        assert tracemalloc.get_traced_memory()[1] < X.nbytes / 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("X", "match"),
    [
        (np.ones(5), r"2-D .*\(5,\).*reshape\(1, -1\).*reshape\(-1, 1\)"),
        (np.ones((2, 3, 4)), r"2-D .*\(2, 3, 4\).*flatten each sample"),
        (np.ones((2, 3, 4, 5)), r"\(2, 3, 4, 5\).*flatten each sample"),
        (np.float32(3), r"shape \(\)$"),
        (np.ones((0, 3)), r"not empty; got shape \(0, 3\)$"),
        (np.ones((3, 0)), r"not empty; got shape \(3, 0\)$"),
        ([], r"shape \(0,\)"),
        ([[1, 2], [3]], "cannot be read as one array"),
        ([[1, 2], 3], "cannot be read as one array"),
        (np.ma.masked_array([[1.0, 2.0]], mask=[[False, True]]), "masked"),
        (np.array([[1, None]], dtype=float), r"\[0, 1\] is missing; there are gaps in 1: fit"),
        (np.array([[1.0, NAN]], dtype=object), r"\[0, 1\] is missing"),
        (np.array([[1.0, None]], dtype=object), r"\[0, 1\] is missing; there are gaps in 1: fit"),
    ],
)
def test_features_rejects_values(X: Any, match: str) -> None:
    with pytest.raises(ValueError, match=rf"^test X.*{match}"):
        check_features(X, np.float32, name="test X")


class Sparse:
    shape = (2, 2)

    def toarray(self) -> Any:
        raise AssertionError("not to be made dense")


@pytest.mark.parametrize(
    ("X", "match"),
    [
        (Sparse(), "be dense; got a sparse Sparse"),
        ([["a", "b"]], "real numbers; got dtype <U1"),
        (["a text", "b"], r"test X\[0\] is text, 'a text': .*need scikit-learn's TfidfVectorizer"),
        ([[b"a"]], r"real numbers; got dtype \|S1"),
        ([["1", "2"]], "real numbers; got dtype <U1"),
        ([[1, "2"]], r"real numbers; test X\[0, 1\] is text, '2': make numbers"),
        (np.array([["1", "2"]], dtype=object), r"real numbers; test X\[0, 0\] is text, '1'"),
        (
            np.array([[1, "b"]], dtype=object),
            r"real numbers; test X\[0, 1\] is text, 'b': make",
        ),
        (np.array([[1.0, 1j]], dtype=object), r"real numbers; test X\[0, 1\] is complex, 1j"),
        ([[10**400, 1]], "64-bit numbers .*; got int"),
        ([[1j]], "real numbers; got dtype complex128"),
        (np.zeros((2, 2), "M8[D]"), "real numbers; got dtype datetime64"),
        (np.zeros((2, 2), "m8[s]"), "real numbers; got dtype timedelta64"),
        (np.zeros(2, "f4,f4"), "real numbers; got dtype"),
        (None, "got NoneType"),
        ({"a": 1}, "got dict"),
        ((row for row in [[1]]), "got generator"),
        ("X", "an array or a table; got str: load the data first"),
    ],
)
def test_features_rejects_types(X: Any, match: str) -> None:
    with pytest.raises(TypeError, match=f"^test X must .*{match}"):
        check_features(X, np.float32, name="test X")


def test_sparse_matrices_are_rejected_where_rows_must_be_dense() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    for X in (sparse.csr_matrix(np.eye(2)), sparse.csr_array(np.eye(2))):
        with pytest.raises(TypeError, match="X must be dense"):
            check_features(X, np.float32)
        with pytest.raises(TypeError, match=r"Y must be dense; .* call Y\.toarray\(\) first"):
            encode_labels(X, 2)
        with pytest.raises(TypeError, match=r"join the rows to one matrix first, as scipy\.sparse"):
            check_features([X, X], np.float32)


def test_number_of_features() -> None:
    assert Inputs(Columns(3)).open(np.ones((2, 3))).shape == (2, 3)
    with pytest.raises(ValueError, match="X must have 4 features; got 3"):
        Inputs(Columns(4)).open(np.ones((2, 3)))


def test_no_warnings_leak() -> None:
    X = np.array([[1e300, -1e300], [1e-300, 2.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=r"X\[0, 0\] is 1e\+300"):
            check_features(X, np.float32)


# ---------------------------------------------------------------------------------------- labels


@pytest.mark.parametrize(
    ("Y", "classes"),
    [
        ([3, 1, 3, 2], [1, 2, 3]),
        ([-1, 1, -1, 1], [-1, 1]),
        ([0, 10**9, 10**9, 0], [0, 10**9]),
        ([0, 2**62 + 1, 2**62, 0], [0, 2**62, 2**62 + 1]),
        ([True, False, True, True], [False, True]),
        ([0.0, 2.0, -1.0, 2.0], [-1.0, 0.0, 2.0]),
        (["cat", "dog", "cat", "a"], ["a", "cat", "dog"]),
        (["", "ä", "", "ä"], ["", "ä"]),
        (np.array(["dog", "cat", "dog", "z" * 99], dtype=object), ["cat", "dog", "z" * 99]),
        (np.array([2, 7, 2, 7], dtype=object), [2, 7]),
        (np.array([2, 7, 2.0, np.int8(7)], dtype=object), [2, 7]),
        (np.array([True, False, True, True], dtype=object), [False, True]),
        (np.array([[4], [5], [4], [4]]), [4, 5]),
        (np.array([["b"], ["a"], ["b"], ["b"]]), ["a", "b"]),
        (np.array([4, 5, 4, 4], dtype=">i2"), [4, 5]),
        (np.array([0, 2**64 - 1, 0, 0], dtype=np.uint64), [0, 2**64 - 1]),
        (np.array([4, 0, 5, 0, 4, 0, 4, 0])[::2], [4, 5]),
        (np.array([4, 5, 4, 5], dtype=np.float16)[::-1], [4, 5]),
        (Frame(["x", "y", "x", "x"]), ["x", "y"]),
        ((7, 8, 9, 9), [7, 8, 9]),
    ],
)
def test_labels_round_trip(Y: Any, classes: list[Any]) -> None:
    indices, found = encode_labels(Y, 4)
    assert indices.dtype == np.int32
    assert indices.shape == (4,)
    assert indices.flags.c_contiguous
    assert found.tolist() == classes
    assert found[indices].tolist() == np.asarray(Y).ravel().tolist()
    again, same = encode_labels(Y, 4, classes=found)
    assert same is found
    np.testing.assert_array_equal(again, indices)


@pytest.mark.parametrize("kind", ["?", "b", "B", "q", "e", "d", "O", ">f4"])
def test_one_hot_rows(kind: str) -> None:
    expected = [2, 0, 1, 2]
    Y = np.eye(3)[expected].astype(bool).astype(kind)
    indices, classes = encode_labels(Y, 4)
    np.testing.assert_array_equal(indices, expected)
    assert indices.dtype == np.int32
    assert classes.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(encode_labels(Y.tolist(), 4)[0], expected)
    np.testing.assert_array_equal(encode_labels(np.asfortranarray(Y), 4)[0], expected)


def test_one_hot_and_labels_for_known_range() -> None:
    classes = np.arange(3)
    for Y in ([0, 2], [0.0, 2.0], [[1, 0, 0], [0, 0, 1]]):
        indices, same = encode_labels(Y, 2, classes=classes)
        assert indices.tolist() == [0, 2]
        assert same is classes


def test_wide_strings_need_little_memory() -> None:
    Y = np.array(["a", "b"] * 5000 + ["c" * 300_000], dtype=object)
    tracemalloc.start()
    try:
        indices, classes = encode_labels(Y, len(Y))
        assert tracemalloc.get_traced_memory()[1] < 10e6
    finally:
        tracemalloc.stop()
    assert len(classes) == 3
    assert indices[-1] == 2
    assert len(encode_labels(["a", "c" * 300_000], 2)[1]) == 2


def test_memory_follows_the_number_of_classes() -> None:
    Y = np.array([0, 10**9] * 50)
    tracemalloc.start()
    try:
        encode_labels(Y, 100)
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("Y", "match"),
    [
        ([0.0, 1.0, NAN], r"test Y\[2\] is nan; .* float64: drop rows without a target"),
        ([[0.0], [INF], [1.0]], r"test Y\[1, 0\] is inf; it must be finite in float64$"),
        (np.array([0, NAN, 1], dtype=object), r"test Y\[1\] is nan"),
        (["a", NAN, "b"], r"test Y\[1\] is missing \(nan\): drop the rows without a label"),
        (["a", None, "b"], r"test Y\[1\] is missing \(None\)"),
        ([1, None, 2], r"test Y\[1\] is missing \(None\)"),
        ([0.0, 1.5, 2.0], r"test Y must hold class labels, which are whole numbers; got 1.5"),
        ([0, 1], "test Y has 2 rows, but X has 3"),
        ([[1, 0]] * 4, "test Y has 4 rows, but X has 3"),
        ([], "test Y has 0 rows, but X has 3"),
        ([5, 5, 5], "test Y holds one class only, 5: at least 2 are needed"),
        (["a", "a", "a"], "test Y holds one class only, 'a': at least 2 are needed"),
        ([[1, 0], [1, 1], [0, 0]], r"test Y\[1\] is not one-hot \(one 1, the rest 0\)"),
        ([[1, 0], [0, 1], [0, 0]], r"test Y\[2\] is not one-hot"),
        ([[0, 2], [0, 1], [0, 1]], r"test Y\[0\] is not one-hot"),
        ([[0, -1], [0, 1], [0, 1]], r"test Y\[0\] is not one-hot"),
        ([[0.5, 0.5], [0, 1], [0, 1]], r"test Y\[0\] is not one-hot"),
        ([[0, 1], [0, 1], [NAN, 1]], r"test Y\[2, 0\] is nan"),
        (np.zeros((3, 0)), r"test Y must be .*; got shape \(3, 0\)"),
        (np.zeros((3, 2, 2)), r"test Y must be .*; got shape \(3, 2, 2\)"),
        (np.zeros((3, 1, 1)), r"test Y must be .*; got shape \(3, 1, 1\)"),
        ([["a", "b"]] * 3, r"test Y must be .*; got shape \(3, 2\)"),
        (7, r"test Y must be .*; got shape \(\)"),
        ([[1], [0, 1], [1]], "test Y cannot be read as one array"),
        (np.ma.masked_array([0, 1, 1], mask=[True, False, False]), "test Y has masked"),
    ],
)
def test_labels_rejects_values(Y: Any, match: str) -> None:
    with pytest.raises(ValueError, match=f"^{match}"):
        encode_labels(Y, 3, name="test Y")


@pytest.mark.parametrize(
    ("Y", "match"),
    [
        (np.array(["a", 1, "b"], dtype=object), "got int, str"),
        (["a", 1, "b"], "got int, str"),
        ([2**70, 1, 2], "64-bit numbers .*; got int"),
        ([Fraction(1, 2), 1, 2], "64-bit numbers .*; got Fraction, int"),
        ([b"a", b"b", b"b"], r"got dtype \|S1"),
        ([1j, 2, 3], "got dtype complex128"),
        (np.zeros(3, "M8[D]"), "got dtype datetime64"),
        (None, "got NoneType"),
        ({"a", "b", "c"}, "got set"),
    ],
)
def test_labels_rejects_types(Y: Any, match: str) -> None:
    with pytest.raises(TypeError, match=f"^test Y must .*{match}"):
        encode_labels(Y, 3, name="test Y")


@pytest.mark.parametrize(
    ("classes", "Y", "match"),
    [
        ([0, 1], [0, 2], r"unseen labels 2; the known classes are 0, 1$"),
        ([0, 1], [-1, 0], "unseen labels -1;"),
        ([0, 1], ["0", "1"], "unseen labels '0', '1';"),
        (["0", "1"], [0, 1], "unseen labels 0, 1;"),
        (["a", "bc"], ["a", "bcd"], "unseen labels 'bcd';"),
        ([False, True], [0, 2], "unseen labels 2;"),
        ([0, 1], [0.0, 1e300], r"unseen labels 1e\+300;"),
        ([0.0, 1.0], np.array([0, 2], dtype=np.float16), r"unseen labels 2.0;"),
        ([5, 9], [7, 7], "unseen labels 7;"),
        ([0, 1], list(range(9)), r"unseen labels 2, 3, 4, 5, 6, \.\.\.;"),
        ([0, 1], [[1, 0, 0], [0, 0, 1]], "has 3 one-hot columns"),
        ([0, 1, 2], [[1, 0], [0, 1]], "has 2 one-hot columns.* 0, 1, 2$"),
        ([-1, 1], [[1, 0], [0, 1]], "has 2 one-hot columns.* -1, 1$"),
        (["a", "b"], [[1, 0], [0, 1]], "has 2 one-hot columns.* 'a', 'b'$"),
        ([0, 1], [0.0, NAN], r"\[1\] is nan"),
    ],
)
def test_unknown_labels_are_named(classes: list[Any], Y: list[Any], match: str) -> None:
    with pytest.raises(ValueError, match=rf"^validation Y.*{match}"):
        encode_labels(Y, len(Y), classes=np.array(classes), name="validation Y")


@pytest.mark.parametrize(
    ("kind", "label", "got"), [("B", 257, "257"), ("f", 1e300, r"1e\+300"), ("?", 2, "2")]
)
def test_a_label_beyond_the_type_of_the_classes_is_unseen(kind: str, label: Any, got: str) -> None:
    with pytest.raises(ValueError, match=f"unseen labels {got};"):
        encode_labels([1, label], 2, classes=np.array([0, 1], dtype=kind))


@pytest.mark.parametrize("dtype", [object, "U9"])
def test_known_strings_in_another_string_type(dtype: Any) -> None:
    for classes in (np.array(["a", "bc"]), np.array(["a", "bc"], dtype=object)):
        assert encode_labels(np.array(["bc", "a"], dtype=dtype), 2, classes=classes)[0][0] == 1
        with pytest.raises(ValueError, match="unseen labels 'bcd';"):
            encode_labels(np.array(["bcd", "a"], dtype=dtype), 2, classes=classes)


def test_labels_are_not_modified() -> None:
    Y = read_only(np.array([3, 1, 2]))
    encode_labels(Y, 3)
    assert Y.tolist() == [3, 1, 2]
