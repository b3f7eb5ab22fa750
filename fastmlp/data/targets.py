"""Targets from outside -> what a loss takes: shares of classes, labels of 0 and 1, numbers, counts;
and the weights of samples and classes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import Array, as_array, finite
from .frames import column_values
from .labels import is_one_hot
from .messages import some

# More different whole numbers than this are not taken for classes without being told so.
_MANY_CLASSES = 30
# How far the shares of a row may be from 1 in all.
_SUM_TOLERANCE = 1e-5


def guess_loss(targets: Array, name: str = "Y") -> str:
    """The loss that ``loss="auto"`` stands for.

    Raises
    ------
    ValueError
        If the targets could be classes as well as numbers.
    """
    if targets.dtype.kind in "OUb" and targets.ndim == 1:
        return "softmax_cross_entropy"
    if targets.dtype.kind == "f" and (targets != np.trunc(targets)).any():
        return "squared_error"
    if targets.ndim == 2:
        if not _are_zeros_and_ones(targets).all():
            return "squared_error"
        return "softmax_cross_entropy" if is_one_hot(targets).all() else "binary_cross_entropy"
    distinct = len(np.unique(targets))
    if distinct > _MANY_CLASSES:
        raise ValueError(
            f"{name} holds {distinct} different whole numbers, which may be classes or quantities: "
            "say so by loss='softmax_cross_entropy' or loss='squared_error'"
        )
    return "softmax_cross_entropy"


def _are_zeros_and_ones(rows: Array) -> npt.NDArray[np.bool_]:
    good: npt.NDArray[np.bool_] = ((rows == 0) | (rows == 1)).all(axis=1)
    return good


def check_shares(rows: Array, n_classes: int | None, name: str = "Y") -> Array:
    """Return rows of shares of classes, float64.

    Raises
    ------
    ValueError
        If one has another number of columns, a negative share, or a sum other than 1.
    """
    if n_classes is not None and rows.shape[1] != n_classes:
        raise ValueError(f"{name} has {rows.shape[1]} columns, but there are {n_classes} classes")
    rows = rows.astype(np.float64)
    bad = (rows < 0).any(axis=1) | (np.abs(rows.sum(axis=1) - 1) > _SUM_TOLERANCE)
    if bad.any():
        row = int(bad.argmax())
        wanted = "shares of classes, not negative and with a sum of 1"
        raise ValueError(f"{name}[{row}] must be {wanted}; got {some(rows[row])}")
    return rows


def check_labels(rows: Array, n_labels: int | None, name: str = "Y") -> Array:
    """Return rows of 0 and 1 (shape (n, labels)), float64.

    Raises
    ------
    ValueError
        If there is another value, or another number of columns.
    """
    rows = _columns(rows, n_labels, name)
    good = _are_zeros_and_ones(rows)
    if not good.all():
        row = int(good.argmin())
        wanted = "0 or 1 for each label, as loss='binary_cross_entropy' takes it"
        raise ValueError(f"{name}[{row}] must hold {wanted}; got {some(rows[row])}")
    return rows


def check_numbers(
    targets: Array, n_columns: int | None, name: str = "Y", *, counts: bool = False
) -> Array:
    """Return numbers (shape (n, columns)), float64; ``counts`` are not negative.

    Raises
    ------
    TypeError, ValueError
        If they are no numbers, negative counts, or in another number of columns.
    """
    if targets.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold numbers for this loss; got {some(targets[:3])}")
    columns = _columns(targets, n_columns, name)
    if counts and (negative := columns < 0).any():
        row = int(negative.any(axis=1).argmax())
        got = some(columns[row])
        raise ValueError(f"{name}[{row}] must not be negative for loss='poisson'; got {got}")
    return columns


def _columns(targets: Array, wanted: int | None, name: str) -> Array:
    columns = targets.reshape(len(targets), -1).astype(np.float64)
    if wanted is not None and columns.shape[1] != wanted:
        raise ValueError(f"{name} has {columns.shape[1]} columns, but {wanted} were trained on")
    return columns


def check_sample_weight(
    sample_weight: Any, n_rows: int, name: str = "sample_weight"
) -> npt.NDArray[np.float64] | None:
    """Return weights of shape (n_rows,), float64, or None where all are equal.

    Raises
    ------
    TypeError, ValueError
        If they are no finite numbers >= 0 of that shape, or all are 0.
    """
    if sample_weight is None:
        return None
    weights = as_array(column_values(sample_weight), name)
    if weights.shape != (n_rows,):
        raise ValueError(f"{name} must have shape {(n_rows,)}; got {weights.shape}")
    weights = finite(weights, np.float64, name)
    if (weights < 0).any():
        row = int((weights < 0).argmax())
        raise ValueError(f"{name}[{row}] must not be negative; got {weights[row]}")
    if not weights.any():
        raise ValueError(f"{name} must have a weight > 0; got zeros only")
    return weights


def class_weights(
    setting: str | Mapping[Any, float], classes: Array, totals: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Weight of each class: "balanced" gives all classes the same total weight, as in scikit-learn.

    Raises
    ------
    ValueError
        If a mapping names something that is no class.
    """
    if isinstance(setting, str):
        balanced: npt.NDArray[np.float64] = totals.sum() / (
            len(classes) * np.maximum(totals, 1e-300)
        )
        return balanced
    weights, known = np.ones(len(classes)), classes.tolist()
    for label, weight in setting.items():
        if label not in known:
            raise ValueError(f"class_weight names {label!r}; the classes are {some(classes)}")
        weights[known.index(label)] = weight
    return weights
