"""Rows of features as a fit reads them."""

from typing import Any

from fastmlp.data import Features
from fastmlp.inputs import learn_columns


def check_features(
    X: Any, dtype: Any, *, n_features: int | None = None, name: str = "X", missing: str = "error"
) -> Any:
    """All rows as numbers, of columns that were learned of them."""
    features = Features(X, name, n_features)
    return learn_columns(features, slice(None), None, dtype, missing)[1]
