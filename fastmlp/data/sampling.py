"""Random samples of rows, and copies of some rows."""

from functools import lru_cache
from typing import overload

import numpy as np
import numpy.typing as npt

from ..member import check_interrupt
from .arrays import Array, Numbers, Rows
from .sparse_rows import EncodedRows, SparseRows

_BLOCK_BYTES = 1 << 24


def sample_rows(n_rows: int, count: int, weights: Numbers | None = None) -> Rows:
    """At most ``count`` random rows in rising order, the same in every call.

    Not evenly spaced ones, which all have the same place in a period of the data. Of more rows with
    ``weights``, those are drawn with these probabilities, some repeatedly.
    """
    if n_rows <= count:
        return slice(None)
    if weights is None:
        return _without_weights(n_rows, count)
    rng = np.random.default_rng(0)
    return np.sort(rng.choice(n_rows, count, p=weights / weights.sum()))


@lru_cache(maxsize=8)  # a fit asks several times, the next one again: 20 us each
def _without_weights(n_rows: int, count: int) -> npt.NDArray[np.intp]:
    rows = np.random.default_rng(0).choice(n_rows, count, replace=False, shuffle=False)
    rows.sort()
    rows.flags.writeable = False
    return rows


@overload
def take_rows(array: Array, rows: Rows) -> Array: ...
@overload
def take_rows(array: SparseRows, rows: Rows) -> SparseRows: ...
def take_rows(array: EncodedRows, rows: Rows) -> EncodedRows:
    """``array[rows]``; copied in blocks, between which Python handles interrupts."""
    if isinstance(rows, slice) or isinstance(array, SparseRows):
        return array[rows]
    result = np.empty((len(rows), *array.shape[1:]), array.dtype)
    step = max(1, _BLOCK_BYTES * len(rows) // max(1, result.nbytes))
    for start in range(0, len(rows), step):
        check_interrupt()
        result[start : start + step] = array[rows[start : start + step]]
    return result
