"""Rows of features from outside -> one C-contiguous array of finite numbers."""

from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import Array, as_array, finite
from .frames import Table, open_table


def check_features(
    X: Any, dtype: npt.DTypeLike | None, *, n_features: int | None = None, name: str = "X"
) -> Array:
    """Return X, shape (rows, features), finite, C-contiguous, aligned and native-endian.

    X may be bools, integers or real floats in any layout, or a table of columns of such, of
    pandas, Polars or PyArrow. The result has type `dtype` (float32 or float64), but an array of
    uint8 stays uint8, as the kernels read it in place. An array itself or a view of it is returned
    when nothing has to be converted; X is never modified. Without a `dtype` it is the one of both
    that holds the values of X exactly, as far as either does.

    Raises
    ------
    TypeError, ValueError
        If X is sparse or no array, holds anything but real numbers, is not 2-D with at least one
        row and one column (`n_features` columns when given), or has a value that is missing or
        not finite in `dtype`.
    """
    table = None if type(X) is np.ndarray else open_table(X, name)
    data = as_array(X, name) if table is None else table
    shape = data.shape
    if len(shape) != 2 or 0 in shape:
        raise ValueError(f"{name} must be 2-D and not empty; got shape {shape}{_reshape(X, shape)}")
    if n_features not in (None, shape[1]):
        raise ValueError(f"{name} must have {n_features} features; got {shape[1]}")
    if isinstance(data, Table):
        return data.to_array(np.float64 if dtype is None else dtype)
    if data.dtype == np.uint8:
        dtype = np.uint8
    elif dtype is None:
        dtype = np.float32 if np.can_cast(data.dtype, np.float32) else np.float64
    return finite(data, dtype, name)


def _reshape(X: Any, shape: tuple[int, ...]) -> str:
    """What makes rows of X, where it has another number of axes."""
    if len(shape) > 2:
        return ": flatten each sample, reshape(len(X), -1)"
    if len(shape) != 1:
        return ""
    if hasattr(X, "to_frame"):  # a series
        return ": to_frame() for one feature"
    return ": reshape(1, -1) for one sample, reshape(-1, 1) for one feature"
