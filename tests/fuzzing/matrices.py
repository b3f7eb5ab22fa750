"""Random sparse matrices in all forms that SciPy has, and broken ones."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator
from scipy import sparse

from tests.helpers.basics import INF, NAN, Array

TYPES = ("float64", "float32", "int8", "uint16", "int64", "bool")


def random_array(rng: Generator, n: int, d: int) -> Array:
    """Numbers in eighths, of which sums are exact; some rows and columns are 0."""
    X = rng.integers(-40, 40, (n, d)) * (rng.random((n, d)) < rng.choice([0.0, 0.05, 0.3, 1.0]))
    X[rng.random(n) < 0.2] = 0
    X[:, rng.random(d) < 0.2] = 0
    dtype = rng.choice(TYPES)
    return (X / 8 if dtype.startswith("float") else np.abs(X)).astype(dtype)


def shuffled(X: Any, rng: Generator) -> Any:
    """Columns of a row in any order."""
    for first, last in zip(X.indptr, X.indptr[1:], strict=False):
        order = first + rng.permutation(last - first)
        X.indices[first:last], X.data[first:last] = X.indices[order], X.data[order]
    X.has_sorted_indices = False
    return X


def halved(X: Any, rng: Generator) -> Any:
    """Each entry twice, with half of its value."""
    parts = np.repeat(X.data / 2, 2), np.repeat(X.indices, 2), 2 * X.indptr
    return shuffled(sparse.csr_matrix(parts, X.shape), rng)


def with_zeros(X: Any, rng: Generator) -> Any:
    """Zeros are stored in one column."""
    if X.dtype == bool:
        return X
    column, kept = int(rng.integers(X.shape[1])), X.toarray().astype(X.dtype)
    ones = (kept[:, column] == 0).astype(X.dtype)
    kept[:, column] += ones
    new = sparse.csr_matrix(kept)
    new.data[new.indices == column] -= ones
    return new


def with_room(X: Any, rng: Generator) -> Any:
    """Arrays longer than what they hold."""
    X.data = np.append(X.data, np.full(3, 77, X.dtype))
    X.indices = np.append(X.indices, np.full(3, -5, X.indices.dtype))
    return X


def with_views(X: Any, rng: Generator) -> Any:
    """Arrays that are neither contiguous nor writeable."""
    X.data, X.indices = np.repeat(X.data, 2)[::2], np.repeat(X.indices, 3)[::3]
    X.data.flags.writeable = X.indptr.flags.writeable = False
    return X


def with_long_indices(X: Any, rng: Generator) -> Any:
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def _in(form: str) -> Callable[[Any, Generator], Any]:
    def make(X: Any, rng: Generator) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", sparse.SparseEfficiencyWarning)
            return X.asformat(form)

    return make


FORMS: dict[str, Callable[[Any, Generator], Any]] = {
    **{form: _in(form) for form in ("csr", "csc", "coo", "bsr", "lil", "dok", "dia")},
    "array": lambda X, rng: sparse.csr_array(X),
    "coo array": lambda X, rng: sparse.coo_array(X),
    "shuffled": shuffled,
    "halved": halved,
    "zeros": with_zeros,
    "room": with_room,
    "views": with_views,
    "int64": with_long_indices,
}


def in_form(X: Array, form: str, rng: Generator) -> Any:
    return FORMS[form](sparse.csr_matrix(X), rng)


# ----------------------------------------------------------------------------------------- broken

Change = Callable[[Any, Generator], Any]


def _with_index(beyond: int) -> Change:
    """An index below 0, or beyond the last one."""

    def make(X: Any, rng: Generator) -> Any:
        last = X.shape[X.format == "csr"] - 1
        X.indices[rng.integers(X.nnz)] = beyond if beyond < 0 else min(last + beyond, 2**31 - 1)
        return X

    return make


def _with_ends(change: Callable[[Array, Generator], Array]) -> Change:
    def make(X: Any, rng: Generator) -> Any:
        X.indptr = change(X.indptr.copy(), rng)
        return X

    return make


def _at(place: Any, value: int) -> Callable[[Array, Generator], Array]:
    def change(ends: Array, rng: Generator) -> Array:
        ends[place] = value
        return ends

    return change


def _with_data(change: Callable[[Array], Any]) -> Change:
    def make(X: Any, rng: Generator) -> Any:
        X.data = change(X.data.astype(float))
        return X

    return make


def _with_value(value: Any) -> Change:
    return _with_data(lambda data: np.where(np.arange(len(data)) == len(data) // 2, value, data))


BROKEN: dict[str, Change] = {
    **{f"an index at {k}": _with_index(k) for k in (-1, -(2**31), 1, 1000, 2**31 - 1)},
    "float indices": lambda X, rng: _set(X, "indices", X.indices.astype(float)),
    "fewer indices": lambda X, rng: _set(X, "indices", X.indices[:-1]),
    "ends that fall": _with_ends(_at(2, 0)),
    "ends below 0": _with_ends(_at(1, -3)),
    "a first end": _with_ends(_at(0, 2)),
    "a last end": _with_ends(_at(-1, 10**6)),
    "a huge end": _with_ends(_at(1, 2**31 - 1)),
    "fewer ends": _with_ends(lambda ends, rng: ends[:-1]),
    "more ends": _with_ends(lambda ends, rng: np.append(ends, ends[-1:])),
    "float ends": _with_ends(lambda ends, rng: ends.astype(float)),
    "fewer values": _with_data(lambda data: data[:-2]),
    "values in columns": _with_data(lambda data: data[:, None]),
    "objects": _with_data(lambda data: np.full(data.shape, object(), object)),
    "text": _with_data(lambda data: data.astype(str)),
    "complex": _with_data(lambda data: data * 1j),
    "dates": _with_data(lambda data: data.astype("datetime64[s]")),
    **{f"a value of {value}": _with_value(value) for value in (NAN, INF, -INF)},
    "a row number": lambda X, rng: _set(X.tocoo(), "row", np.full(X.nnz, 10**6, np.int32)),
    "one dimension": lambda X, rng: sparse.coo_array(X.toarray()[0]),
    "three dimensions": lambda X, rng: sparse.coo_array(X.toarray()[..., None]),
    "no rows": lambda X, rng: X[:0],
    "no columns": lambda X, rng: X[:, :0],
    "wide": lambda X, rng: sparse.csr_matrix((len(X.indptr) - 1, 2**31 + 5), dtype=float),
}  # fmt: skip


def _set(X: Any, name: str, value: Any) -> Any:
    setattr(X, name, value)
    return X


def broken(X: Array, way: str, form: str, rng: Generator) -> Any:
    """A matrix that is none, or not one of finite numbers."""
    return BROKEN[way](sparse.csr_matrix(X).asformat(form), rng)
