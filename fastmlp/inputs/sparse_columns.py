"""Rows of a table with many categories as sparse rows, which are the inputs of a network."""

from typing import Any

import numpy as np

from ..data import Array, Features, SparseRows, blocks
from ..member import check_interrupt
from .categories_and_gaps import Columns
from .scaling import Scaling


def sparse_rows(
    columns: Columns, rows: Array, features: Features, scaling: Scaling, dtype: np.dtype[Any]
) -> SparseRows:
    """The inputs of a network of ``dtype``: scaled numbers, a 1 for each category, marks of gaps,
    and the inputs of bins; without zeros.

    Only numbers are scaled. A missing or unknown category has no entry.

    Parameters
    ----------
    columns : Columns
    rows : array of shape (n, columns.n_dense)
        As :meth:`Columns.encode` gives them.
    features : Features
        The rows as given, for their categories.
    scaling : Scaling
        Of the columns of numbers.
    """
    codes, count = columns.codes(features), columns.n_numbers
    n_inputs = scaling.n_inputs(columns.n_inputs)
    one_hot = range(count, count + len(codes))
    places = np.concatenate([
        np.arange(count), np.zeros(len(codes)), np.arange(count + columns.n_one_hot, n_inputs),
    ]).astype(np.int32)  # fmt: skip
    ends = np.zeros(len(rows) + 1, np.int64)
    entries = np.empty(len(rows) * len(places), np.int32)
    values = np.empty(len(entries), dtype)
    stop = 0
    for part in blocks(len(rows), len(places)):
        check_interrupt()
        own = rows[part]
        scaled = own[:, :count]
        if count:
            scaled = scaling.as_read(scaling.apply(scaled, dtype, features.name), dtype)
        at = np.tile(places, (len(own), 1))
        block = np.empty(at.shape, dtype)
        block[:, :count] = scaled[:, :count]
        for k, (codes_of_rows, positions, known) in zip(one_hot, codes, strict=True):
            code = codes_of_rows[part]
            at[:, k], block[:, k] = positions.take(code), known.take(code)
        block[:, one_hot.stop :] = np.hstack([own[:, count:], scaled[:, count:]])
        kept = block != 0
        start, stop = stop, stop + int(np.count_nonzero(kept))
        entries[start:stop], values[start:stop] = at[kept], block[kept]
        ends[part.start + 1 : part.stop + 1] = start + np.cumsum(kept.sum(axis=1))
    return SparseRows(ends, entries[:stop], values[:stop], n_inputs)
