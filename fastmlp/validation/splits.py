"""Rows that are kept for validation: given as a pair, or the last of those given."""

import math
from typing import Any


def check_pair(value: Any, name: str) -> tuple[Any, Any]:
    """Return the two elements of (X, Y).

    Raises
    ------
    TypeError
        If `value` is not a tuple or list of two.
    """
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise TypeError(f"{name} must be a pair (X, Y); got {type(value).__name__}")
    return value[0], value[1]


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
