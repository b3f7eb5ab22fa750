"""Scaling of sparse rows, whose zeros must stay zeros."""

import numpy as np

from ..data import SparseRows
from .scaling import Scaling


def learn_sparse_scaling(setting: str, rows: SparseRows, *, open_ended: bool = False) -> Scaling:
    """Learn a scaling from the training rows.

    Parameters
    ----------
    setting : {"auto", "max_abs"}
        "auto" is "max_abs"; of a first chunk, which lacks the values of many columns, one factor
        for all columns: 1 by the largest value.
    rows : SparseRows
    open_ended : bool
        Whether more rows may follow.
    """
    largest = np.zeros(rows.n_columns, rows.dtype)
    np.maximum.at(largest, rows.columns, np.abs(rows.values))
    largest, of_all = largest.astype(np.float64), float(largest.max())
    if setting == "auto" and open_ended and of_all >= np.finfo(np.float64).tiny:
        return Scaling("factor", f"auto: sparse rows up to {of_all:.6g}", 1 / of_all)
    with np.errstate(all="ignore"):
        factors = 1 / largest
    factors[~np.isfinite(factors)] = 0
    return Scaling("max_abs", "auto: sparse rows" if setting == "auto" else "", factors)
