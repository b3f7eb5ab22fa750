"""Groups of rows, as Parquet calls them: the parts of a source that are read as a whole."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from ..data import Array
from ..data.pandas_polars_arrow import column_values
from ..data.targets import Samples

_GROUP_BYTES = 1 << 20
_NUMBER = 8  # bytes: small numbers become larger ones before they are trained on


class RowGroups(Protocol):
    """Rows in groups, which can be read in any order, also by another thread."""

    @property
    def sizes(self) -> list[int]:
        """Rows of each group."""

    def read(self, number: int) -> Samples:
        """Read a group: X (a table or an array), Y, and weights or None."""


class ArrayGroups:
    """Rows of arrays, such as memory-mapped ones.

    Parameters
    ----------
    X : array of shape (n, d)
    Y : array of shape (n,) or (n, k)
    weights : array of shape (n,), optional
    """

    def __init__(self, X: Any, Y: Any, weights: Any = None) -> None:
        if not hasattr(X, "dtype") or len(X.shape) != 2:
            what = f"shape {X.shape}" if hasattr(X, "dtype") else type(X).__name__
            raise TypeError(
                "chunks must be a path, a dataset, a lazy frame, an array of shape (n, d), or "
                f"parts (X, Y); got {what}"
            )
        Y = _of_rows(Y, len(X), "target")
        weights = None if weights is None else _of_rows(weights, len(X), "sample_weight")
        self._arrays = X, Y, weights
        bytes_per_row = max(1, max(X.dtype.itemsize, _NUMBER) * X.shape[1])
        self._step = max(1, _GROUP_BYTES // bytes_per_row)
        starts = range(0, len(X), self._step)
        self.sizes = [min(self._step, len(X) - start) for start in starts]

    def read(self, number: int) -> Samples:
        """Views of the arrays."""
        rows = slice(number * self._step, (number + 1) * self._step)
        X, Y, weights = self._arrays
        return X[rows], Y[rows], None if weights is None else weights[rows]


def open_groups(
    source: Any, target: Any, features: Sequence[str] | None = None, weights: Any = None, *,
    shuffle: bool = True,
) -> RowGroups:  # fmt: skip
    """Open rows that need not fit into memory, in groups that can be read in any order.

    Parameters
    ----------
    source : path, pyarrow.dataset.Dataset, polars.LazyFrame, array of shape (n, d), or RowGroups
        The path of a Parquet, CSV or Arrow file, or of a folder of Parquet files. Row groups of
        more than a few thousand rows, and the other kinds of files, are copied to a temporary file
        without a name, in the folder that ``TMPDIR`` names.
    target : str, sequence of str, or array
        Columns of targets; for an array, an array.
    features : sequence of str, optional
        By default all other columns.
    weights : str or array, optional
    shuffle : bool
        Whether a copy may mix rows; else groups have the order of the file.

    Raises
    ------
    TypeError, ValueError
        For wrong columns, columns of unusable types, no rows, or a damaged file.
    OSError
        If a file cannot be read, or there is no room for a copy.
    ImportError
        Without pyarrow.
    """
    if hasattr(source, "sizes"):
        groups: RowGroups = source
        return groups
    if hasattr(source, "tocsr"):
        raise TypeError(
            f"chunks must be an array, not a sparse {type(source).__name__}, which is in memory: "
            "call fit, or give chunks of its rows"
        )
    if hasattr(source, "shape") and hasattr(source, "dtype"):
        if features is not None:
            raise TypeError(
                f"features must be None for an array, whose columns are all used; got {features!r}"
            )
        return ArrayGroups(source, target, weights)
    from .file_groups import open_files  # pyarrow is imported here

    names = [target] if isinstance(target, str) else target
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"target must name columns of the file; got {type(target).__name__}")
    if isinstance(features, str):
        raise TypeError(f"features must be a sequence of names; got {features!r}")
    if not isinstance(weights, str | None):
        raise TypeError(
            f"sample_weight must name a column of the file; got {type(weights).__name__}"
        )
    return open_files(source, names, features, weights, shuffle=shuffle)


def _of_rows(values: Any, n_rows: int, name: str) -> Array:
    if values is None or isinstance(values, str):
        wanted = "an array with a value for each row of the array of features"
        raise TypeError(f"{name} must be {wanted}; got {values!r}")
    array = np.asarray(column_values(values))
    if array.shape[:1] != (n_rows,):
        raise ValueError(f"{name} must have {n_rows} rows, as X; got shape {array.shape}")
    return array
