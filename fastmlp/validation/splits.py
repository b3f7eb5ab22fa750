"""Rows that are kept for validation: given as a pair, or the last of those given."""

import math
from typing import Any


def check_validation_data(value: Any) -> tuple[Any, Any, Any]:
    """Return X, Y and the weights of samples, or None, of (X, Y) or (X, Y, sample_weight).

    Raises
    ------
    TypeError
        If `value` is not a tuple or list of two or three.
    """
    if not isinstance(value, tuple | list) or len(value) not in (2, 3):
        wanted = "(X, Y) or (X, Y, sample_weight)"
        raise TypeError(f"validation_data must be {wanted}; got {type(value).__name__}")
    return value[0], value[1], value[2] if len(value) == 3 else None


def split_validation(n_rows: int, fraction: float) -> int:
    """Return how many of the first rows are for training: floor(n_rows * (1 - fraction)).

    A `fraction` > 0 that leaves no row for training or none for validation is a ValueError.
    """
    wanted = n_rows * (1 - fraction)
    # 10 * (1 - 0.9) is 0.9999999999999998, but 1 is meant.
    n_train = round(wanted) if math.isclose(wanted, round(wanted)) else math.floor(wanted)
    if fraction > 0 and not 0 < n_train < n_rows:
        raise ValueError(f"validation_fraction={fraction} leaves {n_train} of {n_rows} to train on")
    return n_train
