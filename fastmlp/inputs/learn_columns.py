"""Categories and medians, learned from the training rows."""

import numpy as np
import numpy.typing as npt

from ..data import Array, Features, Numbers, Rows
from ..member import check_interrupt
from .categories_and_gaps import Columns


def learn_columns(
    features: Features,
    train: Rows,
    weights: Numbers | None,
    dtype: npt.DTypeLike | None,
    missing: str,
) -> tuple[Columns, Array]:
    """Learn categories and medians from the training rows; return them and all encoded rows, see
    :meth:`Columns.encode`.

    Parameters
    ----------
    features : Features
    train : slice or array of int
        The training rows.
    weights : array, optional
        Weights of the training rows; k counts as k rows.
    dtype : dtype, optional
        Dtype of the encoded rows, see :meth:`Table.numbers`.
    missing : {"error", "impute"}

    Raises
    ------
    TypeError, ValueError
        For columns that hold neither numbers nor categories, or gaps that are an error.
    """
    categories = {
        j: tuple(dict.fromkeys(features.coded(j).present_in(train).values()))
        for j in features.categories
    }
    columns = Columns(features.shape[1], categories)
    if columns.n_inputs == 0:
        raise ValueError(f"{features.name} must have some categories; got columns of gaps alone")
    if missing == "error":
        return columns, columns.encode(features, dtype)
    rows, has_gaps = features.numbers(dtype, categories, columns.n_dense - columns.n_numbers)
    medians, gaps = np.zeros(columns.n_numbers), []
    for k in range(columns.n_numbers):
        check_interrupt()
        medians[k], found = _median(rows[train, k], weights)
        gaps += [k] * found
    columns = Columns(columns.n_given, categories, medians, tuple(gaps))
    return columns, columns.complete(rows, features, has_gaps)


def _median(column: Array, weights: Numbers | None) -> tuple[float, bool]:
    """Median of a column without its gaps, 0 for an empty one, and whether there are gaps."""
    gaps = np.isnan(column)
    has_gaps = bool(gaps.any())
    if has_gaps:
        column = column[~gaps]
        weights = None if weights is None else weights[~gaps]
    if len(column) == 0:
        return 0.0, has_gaps
    if weights is None:
        return float(np.median(column.astype(np.float64))), has_gaps
    order = np.argsort(column, kind="stable")
    sums = np.cumsum(weights[order])
    middle = [np.searchsorted(sums, sums[-1] / 2, side) for side in ("left", "right")]
    return float(column[order[middle]].mean(dtype=np.float64)), has_gaps
