"""Column names: kept from a fit, and compared with those of other rows."""

import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..fit_warning import caller
from .messages import some

Names = npt.NDArray[np.object_]


def column_names(labels: Sequence[Any], name: str = "X") -> Names | None:
    """Return the column labels of a table as names, or None if no label is a string.

    Raises
    ------
    TypeError
        If some labels are strings and some are anything else.
    """
    strings = [isinstance(label, str) for label in labels]
    if not any(strings):
        return None
    if not all(strings):
        kinds = ", ".join(sorted({type(label).__name__ for label in labels}))
        advice = "X.columns = X.columns.map(str) makes strings of all"
        raise TypeError(
            f"{name} must have only strings as column names, or none; got {kinds}: {advice}"
        )
    return np.array([str(label) for label in labels], dtype=object)


def check_names(known: Names | None, got: Names | None, name: str = "X") -> None:
    """Compare column names with those of the fit.

    If only one side has names, a UserWarning says that columns are matched by order.

    Raises
    ------
    ValueError
        If names or their order differ.
    """
    if known is None and got is None:
        return
    if known is None or got is None:
        have, had = ("has", "had none") if known is None else ("has no", "had some")
        message = f"{name} {have} column names, but the fit {had}: columns are taken by their order"
        warnings.warn_explicit(message, UserWarning, *caller())
    elif known.tolist() != got.tolist():
        raise ValueError(f"{name} must have the columns of the fit; {_changes(known, got)}")


def _changes(known: Names, got: Names) -> str:
    unseen = list((Counter(got.tolist()) - Counter(known.tolist())).elements())
    gone = list((Counter(known.tolist()) - Counter(got.tolist())).elements())
    if unseen or gone:
        lists = (("not seen at the fit", unseen), ("missing", gone))
        return "; ".join(f"{what}: {some(names)}" for what, names in lists if names)
    j = int((known != got).argmax())
    now, then = (some(names[j:]) for names in (got, known))
    order = f"the same names are in another order, from column {j} on {now} instead of {then}"
    return f"{order}: X[list(feature_names_in_)] restores it"
