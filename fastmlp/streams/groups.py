"""Groups of rows, as Parquet calls them: the parts of a source that are read as a whole."""

from typing import Any, Protocol

from ..data.targets import Samples

_GROUP_BYTES = 1 << 20


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
        self._arrays = X, Y, weights
        bytes_per_row = max(1, X.shape[1] * X.dtype.itemsize)
        self._step = max(1, _GROUP_BYTES // bytes_per_row)
        starts = range(0, len(X), self._step)
        self.sizes = [min(self._step, len(X) - start) for start in starts]

    def read(self, number: int) -> Samples:
        """Views of the arrays."""
        rows = slice(number * self._step, (number + 1) * self._step)
        X, Y, weights = self._arrays
        return X[rows], Y[rows], None if weights is None else weights[rows]
