"""Features as given, opened once: an array or a table."""

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import Array, as_array, element, first_index, with_gaps
from .matrix_features import MatrixFeatures
from .messages import missing_number, not_dense
from .names import column_names
from .pandas_polars_arrow import open_table
from .sparse_features import SparseFeatures, is_sparse
from .tables import Table


class ArrayFeatures(MatrixFeatures):
    """An array of features, with the same methods as :class:`Table`.

    Parameters
    ----------
    X : array
        Bools, integers or real floats in any layout.
    name : str
        Its name in messages.
    """

    def __init__(self, X: Any, name: str) -> None:
        self.name = name
        self.array = as_array(X, name)
        self.shape = self.array.shape
        self.names = column_names(_labels(X), name)

    def numbers(
        self, dtype: npt.DTypeLike | None, skip: Collection[int] = (), room: int = 0
    ) -> tuple[Array, bool]:
        """Convert to an array of numbers, as :meth:`Table.numbers`; no column can be skipped.

        uint8 stays, as kernels read it in place. Without conversion and ``room`` the result is the
        array itself or a view of it.
        """
        assert not skip
        if dtype is None:
            dtype = np.float32 if np.can_cast(self.array.dtype, np.float32) else np.float64
        kept = np.uint8 if self.array.dtype == np.uint8 else dtype
        array, has_gaps = with_gaps(self.array, kept, self.name)
        if room:
            n_rows, n_columns = self.shape
            result = np.zeros((n_rows, n_columns + room), dtype)
            result[:, :n_columns] = array
            return result, has_gaps
        return array, has_gaps

    def shares_memory(self, array: Array) -> bool:
        """Whether an array is the data or a view of them."""
        return np.may_share_memory(array, self.array)

    def missing(self, numbers: Array, skip: Collection[int] = ()) -> ValueError:
        """The error for gaps among the numbers."""
        gaps = np.isnan(numbers)
        columns = np.flatnonzero(gaps.any(axis=0))
        return missing_number(element(self.name, first_index(gaps)), columns.tolist())


Features = ArrayFeatures | Table
AnyFeatures = Features | SparseFeatures


def open_features(X: Any, name: str = "X") -> AnyFeatures:
    """Open an array of numbers, a table (pandas, Polars, PyArrow) of numbers and categories, or a
    sparse matrix of SciPy.

    Raises
    ------
    TypeError, ValueError
        If X is none of these, holds anything but real numbers, or is not 2-D with at least one row
        and one column.
    """
    is_array = type(X) is np.ndarray
    features: AnyFeatures
    if not is_array and is_sparse(X):
        features = SparseFeatures(X, name)
    elif not is_array and (table := open_table(X, name)) is not None:
        features = table
    else:
        features = ArrayFeatures(X, name)
    shape: tuple[int, ...] = features.shape
    if len(shape) != 2 or 0 in shape:
        raise ValueError(f"{name} must be 2-D and not empty; got shape {shape}{_reshape(X, shape)}")
    return features


def open_dense(X: Any, name: str = "X") -> Features:
    """The same for rows that may not be sparse; raises a TypeError for these, too."""
    features = open_features(X, name)
    if isinstance(features, SparseFeatures):
        raise not_dense(X, name)
    return features


def _labels(X: Any) -> list[Any]:
    """Column labels of a table of any other package."""
    columns = getattr(X, "columns", None) if hasattr(X, "__array__") else None
    return list(columns) if isinstance(columns, Iterable) else []


def _reshape(X: Any, shape: tuple[int, ...]) -> str:
    """Advice on how to reshape X, which is not 2-D, to rows."""
    if len(shape) > 2:
        return ": flatten each sample, reshape(len(X), -1)"
    if len(shape) != 1:
        return ""
    if hasattr(X, "to_frame"):  # a series
        return ": to_frame() for one feature"
    return ": reshape(1, -1) for one sample, reshape(-1, 1) for one feature"
