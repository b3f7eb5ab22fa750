"""Rows of features as a fit reads them."""

from typing import Any

import numpy as np

from fastmlp.data import SparseRows, open_dense
from fastmlp.inputs import learn_columns
from tests.helpers.basics import Array


def check_features(X: Any, dtype: Any, *, name: str = "X", missing: str = "error") -> Any:
    """All rows as numbers, of columns that were learned of them."""
    return learn_columns(open_dense(X, name), slice(None), None, dtype, missing)[1]


def mostly_zero(rng: np.random.Generator, n: int, d: int, density: float) -> Array:
    """Numbers of which few are not zero; some rows and columns are empty."""
    X = rng.normal(size=(n, d)) * (rng.random((n, d)) < density)
    X[3::11], X[:, 2::7] = 0, 0
    return X


def sparse_rows(rng: np.random.Generator, n: int, d: int, density: float) -> SparseRows:
    """The same in compressed form."""
    X = mostly_zero(rng, n, d, density)
    rows, columns = X.nonzero()
    ends = np.searchsorted(rows, np.arange(n + 1))
    return SparseRows(ends, columns.astype(np.int32), X[rows, columns], d)
