"""Scaling of sparse rows, whose zeros must stay zeros."""

import numpy as np

from ..data import Numbers, SparseRows
from .scaling import Scaling

# About unit size: a row is at least so long, and the values of no column larger, as root mean
# squares. Words of 5 sets of texts, as counts, TF-IDF and hashed, gave accuracy +0.007 to +0.067 as
# they came, one-hot columns beside standardised numbers +0.012; beside an income, which is not of
# unit size, -0.029.
_SHORT, _LARGE = 0.1, 30.0


def learn_sparse_scaling(setting: str, rows: SparseRows, *, open_ended: bool = False) -> Scaling:
    """Learn a scaling from the training rows.

    Parameters
    ----------
    setting : {"auto", "max_abs"}
        "auto" leaves rows of about unit size as they come; others get "max_abs".
    rows : SparseRows
    open_ended : bool
        Whether more rows may follow: "auto" then gives columns without values the median factor of
        the others.
    """
    if setting == "auto" and _are_of_unit_size(rows):
        return Scaling(reason="auto: sparse rows of about unit size")
    largest = np.zeros(rows.n_columns, rows.dtype)
    np.maximum.at(largest, rows.columns, np.abs(rows.values))
    with np.errstate(all="ignore"):
        factors = 1 / largest.astype(np.float64)
    known = np.isfinite(factors)
    is_first_chunk = setting == "auto" and open_ended and known.any()
    factors[~known] = np.median(factors[known]) if is_first_chunk else 0
    return Scaling("max_abs", "auto: sparse rows" if setting == "auto" else "", factors)


def _are_of_unit_size(rows: SparseRows) -> bool:
    with np.errstate(over="ignore"):
        squares = rows.values.astype(np.float64) ** 2
    sums, counts = (np.bincount(rows.columns, w, rows.n_columns) for w in (squares, None))
    of_columns: Numbers = sums / np.maximum(counts, 1)
    return bool(sums.sum() >= _SHORT**2 * len(rows) and of_columns.max() <= _LARGE**2)
