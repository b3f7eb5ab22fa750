"""Sparse matrices of SciPy, and frames of pandas whose columns are all sparse.

SciPy is not imported: data of a package exist only if it is loaded.
"""

import sys
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .arrays import UNREADABLE, Array, all_finite, as_array, element, first_index
from .matrix_features import MatrixFeatures
from .messages import not_an_array, not_finite
from .names import column_names
from .sparse_rows import SparseRows

# Of the arrays that kernels read: C order, aligned.
_LAYOUT: tuple[Literal["C"], Literal["A"]] = "C", "A"
_MOST_COLUMNS = np.iinfo(np.int32).max


class SparseFeatures(MatrixFeatures):
    """A sparse matrix or array, with methods of :class:`Table`.

    Parameters
    ----------
    X : sparse matrix or array of SciPy, or DataFrame of sparse columns
        Of any format.
    name : str
        Its name in messages.
    """

    def __init__(self, X: Any, name: str) -> None:
        self.name, self._given = name, X
        self.shape = tuple(X.shape)
        labels = [] if hasattr(X, "tocsr") else list(X.columns)
        self.names = column_names(labels, name)

    def rows(self, dtype: npt.DTypeLike | None) -> SparseRows:
        """Convert to rows of ``dtype``, by default float32 if that holds all values exactly.

        Shares memory with a matrix in CSR format whose columns rise within each row, of int32 and
        ``dtype``; others are copied, and duplicates summed.

        Raises
        ------
        TypeError, ValueError
            For an invalid matrix, or values that are not finite real numbers in ``dtype``.
        """
        is_frame = not hasattr(self._given, "tocsr")
        matrix = compressed(self._given.sparse.to_coo() if is_frame else self._given, self.name)
        if not matrix.has_canonical_format:
            matrix = matrix.copy()  # which shared memory with the given one
            matrix.sum_duplicates()
        if dtype is None:
            dtype = np.float32 if np.can_cast(matrix.dtype, np.float32) else np.float64
        ends = np.require(matrix.indptr, np.int64, _LAYOUT)
        columns = np.require(matrix.indices[: ends[-1]], np.int32, _LAYOUT)
        given = matrix.data[: ends[-1]]
        with np.errstate(all="ignore"):  # values that overflow are found below
            values = np.require(given, dtype, _LAYOUT)
        rows = SparseRows(ends, columns, values, self.shape[1])
        if values.size and not all_finite(values):
            raise self._not_finite(rows, given)
        return rows

    def _not_finite(self, rows: SparseRows, given: Array) -> ValueError:
        (k,) = first_index(~np.isfinite(rows.values))
        row = int(np.searchsorted(rows.ends, k, "right")) - 1
        place = element(self.name, (row, int(rows.columns[k])))
        if np.isnan(given[k]):
            return ValueError(f"{place} is missing; sparse {self.name} may have no gaps: fill them")
        return not_finite(place, given[k], rows.dtype)


def is_sparse(X: Any) -> bool:
    """Whether X is a sparse matrix or array, or a frame whose columns are all sparse numbers with
    0 for the others."""
    if hasattr(X, "tocsr"):
        return True
    frame = getattr(sys.modules.get("pandas"), "DataFrame", ())
    if not isinstance(X, frame) or not hasattr(X, "dtypes"):
        return False
    kinds = set(X.dtypes)
    return bool(kinds) and all(_is_sparse_number(kind) for kind in kinds)


def _is_sparse_number(kind: Any) -> bool:
    subtype = getattr(kind, "subtype", None)  # intervals have one, too
    is_number = isinstance(subtype, np.dtype) and subtype.kind in "biuf"
    return is_number and getattr(kind, "fill_value", None) == 0


def compressed(X: Any, name: str) -> Any:
    """X in CSR format, whose indices are valid, as SciPy's code and kernels rely on them.

    Shares memory with X where that is in CSR format.

    Raises
    ------
    TypeError, ValueError
        For an invalid matrix, too many columns, or values that are not real numbers.
    """
    if len(X.shape) != 2:
        raise ValueError(f"{name} must be 2-D and not empty; got shape {X.shape}")
    if X.shape[1] > _MOST_COLUMNS:
        raise ValueError(f"{name} must have at most {_MOST_COLUMNS} columns; got {X.shape[1]}")
    try:
        if X.format in ("coo", "csc", "bsr", "dia"):
            X = _checked(X, name)
        if X.format == "lil" and [*map(len, X.rows)] != [*map(len, X.data)]:
            raise ValueError("rows and data of other lengths")
        return _checked(X.tocsr(), name)
    except UNREADABLE as error:
        if isinstance(error, ValueError):
            raise ValueError(f"{name} must be a valid sparse matrix; got {error}") from error
        if isinstance(error, TypeError):
            raise
        raise not_an_array(X, name, error) from error


def _checked(X: Any, name: str) -> Any:
    """A matrix of the same arrays, which have been checked, without flags of the given one."""
    data = as_array(X.data, name, place=lambda index: f"a value of {name}")
    if data.dtype == np.float16:  # SciPy adds no duplicates of these
        data = data.astype(np.float32)
    if X.format == "dia":
        return type(X)((data, X.offsets), shape=X.shape)  # SciPy checks them
    if X.format == "coo":
        for indices, count in zip((X.row, X.col), X.shape, strict=True):
            _check_indices(indices, count, len(data))
        return type(X)((data, (X.row, X.col)), shape=X.shape)
    rows, columns = X.shape[::-1] if X.format == "csc" else X.shape
    if X.format == "bsr":
        rows, columns = rows // X.blocksize[0], columns // X.blocksize[1]
    _check_ends(X.indptr, rows, len(data))
    _check_indices(X.indices, columns, len(data), X.indptr[-1])
    return type(X)((data, X.indices, X.indptr), shape=X.shape)


def _check_ends(ends: Any, rows: int, count: int) -> None:
    if ends.dtype.kind not in "iu" or ends.shape != (rows + 1,):
        raise ValueError(f"indptr of {ends.dtype} and shape {ends.shape} for {rows} rows")
    # Differences could overflow.
    if ends[0] != 0 or ends[-1] > count or (ends[1:] < ends[:-1]).any():
        raise ValueError(f"indptr that does not rise from 0 to at most {count}")


def _check_indices(indices: Any, limit: int, count: int, used: int | None = None) -> None:
    if indices.dtype.kind not in "iu" or indices.shape != (count,):
        raise ValueError(f"indices of {indices.dtype} and shape {indices.shape} for {count} values")
    indices = indices[:used]
    if indices.size and not 0 <= indices.min() <= indices.max() < limit:
        raise ValueError(f"indices that are not between 0 and {limit - 1}")
