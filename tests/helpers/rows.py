"""Rows of features as a fit reads them."""

from typing import Any

from fastmlp.data import open_dense
from fastmlp.inputs import learn_columns


def check_features(X: Any, dtype: Any, *, name: str = "X", missing: str = "error") -> Any:
    """All rows as numbers, of columns that were learned of them."""
    return learn_columns(open_dense(X, name), slice(None), None, dtype, missing)[1]
