"""Rows that go together: (X, Y) or (X, Y, sample_weight), and the weights of samples."""

from typing import Any

import numpy as np

from .arrays import Numbers, as_array, finite
from .pandas_polars_arrow import column_values

Samples = tuple[Any, Any, Any]


def as_samples(value: Any, name: str) -> Samples:
    """Return X, Y and the weights of samples, or None, of (X, Y) or (X, Y, sample_weight).

    Raises
    ------
    TypeError
        If `value` is not a tuple or list of two or three.
    """
    if not isinstance(value, tuple | list) or len(value) not in (2, 3):
        wanted = "(X, Y) or (X, Y, sample_weight)"
        raise TypeError(f"{name} must be {wanted}; got {type(value).__name__}")
    return value[0], value[1], value[2] if len(value) == 3 else None


def read_weights(sample_weight: Any, n_rows: int, name: str = "sample_weight") -> Numbers | None:
    """Return weights of shape (n_rows,), float64, or None where none are given.

    Raises
    ------
    TypeError, ValueError
        If they are no finite numbers >= 0 of that shape, or all are 0.
    """
    if sample_weight is None:
        return None
    weights = as_array(column_values(sample_weight), name)
    if weights.shape != (n_rows,):
        raise ValueError(f"{name} must have shape {(n_rows,)}; got {weights.shape}")
    weights = finite(weights, np.float64, name)
    if (weights < 0).any():
        row = int((weights < 0).argmax())
        raise ValueError(f"{name}[{row}] must not be negative; got {weights[row]}")
    if not weights.any():
        raise ValueError(f"{name} must have a weight > 0; got zeros only")
    return weights
