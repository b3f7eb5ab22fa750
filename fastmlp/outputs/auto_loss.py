"""The loss that "auto" stands for: whether targets are classes, labels or numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..data import RawTargets, gather_rows, read_targets
from ..fit_warning import warn
from ..losses import LOSSES, Loss

# More different whole numbers than these may be classes or quantities. Digits have 10 values,
# letters, grades and small counts up to 30, ages and larger counts more.
_SOME_CLASSES, _MANY_CLASSES = 10, 30
# A value of fewer rows is rare for a class.
_RARE = 5
# Rows in which numbers as text are looked for: sorting all labels would take longer than an epoch.
_FIRST_ROWS = 1000
_NUMBERS = "loss='poisson' for counts, loss='squared_error' for other quantities"
_WAYS = f"loss='softmax_cross_entropy' for classes, {_NUMBERS}"


def suitable_loss(targets: RawTargets) -> Loss:
    """The loss for "auto"; a FitWarning says if whole numbers may be meant as something else.

    Raises
    ------
    ValueError
        If there are too many different whole numbers for classes.
    """
    name = "squared_error"
    if targets.is_flat and targets.are_whole:
        name = "softmax_cross_entropy"
        if targets.values.dtype.kind in "iuf":
            _check_classes(targets)
        elif targets.values.dtype.kind != "b":
            _check_text(targets)
    elif targets.is_one_hot:
        name = "softmax_cross_entropy"
    elif not targets.is_flat and targets.are_zeros_and_ones:
        name = "binary_cross_entropy"
    elif targets.are_whole:
        warn(
            f"{targets.name} holds {targets.values.shape[1]} columns of whole numbers, taken as "
            f"quantities: say what they are by {_NUMBERS}; columns of classes need a network each"
        )
    return LOSSES[name]()


def _check_classes(targets: RawTargets) -> None:
    """Refuse or warn of whole numbers in one column that are perhaps no classes."""
    values, rows = np.unique(targets.values, return_counts=True)
    got = f"{targets.name} holds {len(values)} different whole numbers"
    if len(values) > _MANY_CLASSES:
        raise ValueError(f"{got}, which may be classes or quantities: say so by {_WAYS}")
    has_gaps = int(values[-1]) - int(values[0]) >= len(values)
    if len(values) > _SOME_CLASSES and (has_gaps or values.dtype.kind == "f" or rows.min() < _RARE):
        warn(f"{got}, taken as classes: say what they are by {_WAYS}")


def _check_text(targets: RawTargets) -> None:
    """Warn of many numbers with decimals, read as text. Text of whole numbers means classes."""
    labels = np.unique(targets.values[:_FIRST_ROWS])
    try:
        numbers = labels.astype(np.float64)
    except ValueError:  # not all are numbers
        return
    # Words such as "nan" are read as numbers, too.
    decimals = labels[np.isfinite(numbers) & (np.floor(numbers) != numbers)]
    if len(labels) > _MANY_CLASSES and len(decimals):
        warn(
            f"{targets.name} holds numbers as text, such as {str(decimals[-1])!r}, taken as "
            "classes: for quantities make numbers of them first, as pd.to_numeric does"
        )


def loss_of_parts(Y: Any, sample_weight: Any, parts: Sequence[Any]) -> Loss:
    """The loss for "auto" in fits of some rows of Y, each by indices or flags, or None for all.

    Raises
    ------
    TypeError, ValueError
        For unusable targets, or too many different whole numbers.
    """
    rows = None
    if not any(part is None for part in parts):
        numbers = np.arange(len(Y))
        rows = np.unique(np.concatenate([numbers[part] for part in parts]))
    return suitable_loss(read_targets(gather_rows(Y, rows), None, gather_rows(sample_weight, rows)))
