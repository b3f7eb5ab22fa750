"""Labels from outside -> the index of each row's class."""

from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import LABELS, Array, as_array, finite, first_index
from .frames import column_values, open_table
from .messages import missing_label, some


def read_targets(Y: Any, n_rows: int, *, name: str = "Y") -> Array:
    """Return Y as an array of shape (n_rows,), or (n_rows, outputs >= 2) if it has columns.

    Y holds numbers, booleans or strings, those in one column only; it may be a table or a column of
    pandas, Polars or PyArrow.

    Raises
    ------
    TypeError, ValueError
        If Y has a wrong shape, mixes types, or holds a value that is missing or not finite.
    """
    targets = _read(Y, name)
    several = targets.ndim == 2 and targets.shape[1] > 1 and targets.dtype.kind in "biuf"
    if targets.ndim == 0 or not (several or targets.shape[1:] in ((), (1,))):
        wanted = "a label or a number for each row, or columns of numbers"
        raise ValueError(f"{name} must be {wanted}; got shape {targets.shape}")
    if len(targets) != n_rows:
        raise ValueError(f"{name} has {len(targets)} rows, but X has {n_rows}")
    targets = finite(targets, targets.dtype.newbyteorder("="), name)
    return targets if several else targets.ravel()


def encode_labels(
    targets: Array, *, classes: Array | None = None, name: str = "Y"
) -> tuple[Array, Array]:
    """Return the class index of each row, int32, and the classes.

    ``targets`` are labels (ints, bools, strings or floats with integer values) or one-hot rows, as
    :func:`read_targets` leaves them. The classes are those given, by default the sorted unique
    labels, or 0, 1, ... for one-hot rows.

    Raises
    ------
    TypeError, ValueError
        If a label is no integer or not among `classes`, a row is not one-hot, or there are fewer
        than 2 classes.
    """
    if targets.ndim == 2:
        return _decode_one_hot(targets, classes, name)
    _check_whole(targets, name)
    if classes is None:
        classes = np.unique(targets)
        if len(classes) < 2:
            raise ValueError(f"{name} must hold at least 2 classes; got {some(classes)}")
    return _class_indices(targets, classes, name), classes


def is_one_hot(rows: Array) -> npt.NDArray[np.bool_]:
    """Whether each row has one 1 and else zeros."""
    ones: npt.NDArray[np.bool_] = (np.count_nonzero(rows, axis=1) == 1) & (rows.max(axis=1) == 1)
    return ones


def check_classes(classes: Any, n_classes: int, *, name: str = "classes") -> Array:
    """Return the labels of the output columns, shape (n_classes,).

    Raises
    ------
    TypeError, ValueError
        If they are no labels, not as many, or not sorted without repetition, as a fit leaves them.
    """
    labels = np.array(_read(classes, name))
    if labels.shape != (n_classes,):
        raise ValueError(f"{name} must have shape {(n_classes,)}; got {labels.shape}")
    labels = finite(labels, labels.dtype.newbyteorder("="), name)
    _check_whole(labels, name)
    if not np.array_equal(labels, np.unique(labels)):
        wanted = "be sorted, without repetition, as the output columns are"
        raise ValueError(f"{name} must {wanted}; got {some(labels)}")
    return labels


def _read(Y: Any, name: str) -> Array:
    """Labels as an array: one column of a table is 1-D, several are numbers."""
    table = None if type(Y) is np.ndarray else open_table(Y, name)
    if table is not None and table.shape[1] != 1:
        numbers = np.empty(table.shape)
        if table.to_array(numbers):
            raise missing_label(table.place(first_index(np.isnan(numbers))), np.nan)
        return numbers
    return as_array(column_values(Y if table is None else table.column(0)), name, LABELS)


def _check_whole(labels: Array, name: str) -> None:
    if labels.dtype.kind == "f" and (fractional := labels != np.trunc(labels)).any():
        got = f"got {labels[fractional][0]}"
        raise ValueError(f"{name} must hold class labels, which are whole numbers; {got}")


def _decode_one_hot(rows: Array, classes: Array | None, name: str) -> tuple[Array, Array]:
    columns = np.arange(rows.shape[1])
    if classes is not None and not np.array_equal(classes, columns):
        raise ValueError(f"{name} has {len(columns)} one-hot columns, not classes {some(classes)}")
    one_hot = is_one_hot(rows)
    if not one_hot.all():
        raise ValueError(f"{name}[{one_hot.argmin()}] is not one-hot (one 1, the rest 0)")
    indices = rows.argmax(axis=1)
    return indices.astype(np.int32), columns if classes is None else classes


def _class_indices(labels: Array, classes: Array, name: str) -> Array:
    unseen = np.full(len(labels), True)
    if (labels.dtype.kind in "OU") == (classes.dtype.kind in "OU"):
        with np.errstate(all="ignore"):  # a label that the cast changes is found to be unseen
            same = labels.astype(classes.dtype, copy=False)
        indices = np.searchsorted(classes, same).clip(max=len(classes) - 1)
        unseen = classes[indices] != labels
    if unseen.any():
        got = f"unseen labels {some(np.unique(labels[unseen]))}"
        raise ValueError(f"{name} has {got}; the known classes are {some(classes)}")
    return indices.astype(np.int32)
