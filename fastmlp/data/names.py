"""Names of columns, kept from a fit and compared with those of other rows; labels of rows."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..fit_warning import warn
from .messages import some

Names = npt.NDArray[np.object_]


def column_names(labels: Sequence[Any], name: str = "X") -> Names | None:
    """Return the column labels of a table as names, or None if there are none.

    Strings, numbers and tuples stay; other labels, such as dates, become strings.

    Raises
    ------
    TypeError
        If some labels are strings and some are anything else.
    """
    strings = [isinstance(label, str) for label in labels]
    if any(strings) and not all(strings):
        kinds = ", ".join(sorted({type(label).__name__ for label in labels}))
        advice = "X.columns = X.columns.map(str) makes strings of all"
        raise TypeError(
            f"{name} must have only strings as column names, or none; got {kinds}: {advice}"
        )
    names = np.empty(len(labels), object)
    names[:] = [_plain(label) for label in labels]
    return names if len(names) else None


def _plain(label: Any) -> Any:
    if isinstance(label, np.generic):
        label = label.item()
    if isinstance(label, tuple):
        return tuple(map(_plain, label))
    return label if type(label) in (int, float) and label == label else str(label)


def are_numbers(names: Names | None) -> bool:
    """Whether names are 0, 1, ..., which columns without names have in tables of pandas."""
    return names is not None and names.tolist() == list(range(len(names)))


def _numbers_in_some_order(names: Names | None) -> bool:
    return names is not None and set(names) == set(range(len(names)))


def check_names(known: Names | None, got: Names | None, name: str = "X") -> None:
    """Compare column names with those of the fit, which are None for 0, 1, ... too.

    If only one side has names, a UserWarning says that columns are matched by order.

    Raises
    ------
    ValueError
        If names or their order differ.
    """
    if known is None and got is not None and _numbers_in_some_order(got):
        known = np.arange(len(got)).astype(object)
    if are_numbers(got) and not _numbers_in_some_order(known):
        got = None
    if known is None and got is None:
        return
    if known is None or got is None:
        have, had = ("has", "had none") if known is None else ("has no", "had some")
        message = f"{name} {have} column names, but the fit {had}: columns are taken by their order"
        warn(message, UserWarning)
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
    sorted_by = "sorted(X)" if are_numbers(known) else "list(feature_names_in_)"
    return f"{order}: X[{sorted_by}] restores it"


def check_row_order(X: Any, Y: Any, sample_weight: Any = None, prefix: str = "") -> None:
    """Warn of tables and columns of pandas whose indexes have the same labels in another order."""
    given = {"X": X, "Y": Y, "sample_weight": sample_weight}
    indexes = {name: index for name, value in given.items() if (index := _index(value)) is not None}
    first = next(iter(indexes), "")
    for name, index in indexes.items():
        if _is_reordered(index, indexes[first]):
            warn(
                f"the index of {prefix}{name} has the labels of that of {prefix}{first} in another "
                "order: rows are taken by their position, not by their labels",
                UserWarning,
            )


def _index(value: Any) -> Any:
    """The index of a table or column of pandas, else None."""
    index = getattr(value, "index", None)
    return index if type(index).__module__.partition(".")[0] == "pandas" else None


def _is_reordered(one: Any, other: Any) -> bool:
    """Whether two indexes have the same labels in another order."""
    if len(one) != len(other) or one.nlevels != other.nlevels or one.equals(other):
        return False
    # The first labels alone mostly tell, in less time.
    if one[0] not in other or not (one.isin(other).all() and other.isin(one).all()):
        return False
    # Indexes of NumPy's and of pandas' integers are not equal.
    return not one.astype(object).equals(other.astype(object))
