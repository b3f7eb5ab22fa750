"""Rows that are kept for validation: given as a pair, or the last of those given."""

import math
import warnings
from typing import Any

import numpy as np

from .arrays import Array
from .messages import some


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


def split_rows(
    Y: Array, n_train: int, split: str, seed: int | None
) -> tuple[slice | Array, slice | Array]:
    """Rows to train on and rows to validate on, ``n_train`` and the rest.

    Parameters
    ----------
    Y : array
        Targets, whose classes are shared evenly by "stratified".
    split : {"auto", "last", "shuffled", "stratified"}
        Which rows are kept for validation: the last ones, any, or any with as many of each class;
        "auto" is the latter where targets are one whole number or label each.
    seed : int, optional
        Of the choice.

    Raises
    ------
    ValueError
        If there are no classes to stratify by.
    """
    n_rows = len(Y)
    if n_train == n_rows:
        return slice(None), slice(n_rows, None)
    if split == "last":
        _warn_of_order(Y, n_train)
        return slice(n_train), slice(n_train, None)
    if split == "auto":
        split = "stratified" if Y.ndim == 1 and not _is_numbers(Y) else "shuffled"
    order = np.random.default_rng(seed).permutation(n_rows)
    if split == "stratified":
        order = order[_spread_out(_classes(Y)[order])]
    return np.sort(order[:n_train]), np.sort(order[n_train:])


def _is_numbers(Y: Array) -> bool:
    return Y.dtype.kind == "f" and bool((np.trunc(Y) != Y).any())


def _classes(Y: Array) -> Array:
    """Number of each row's class, or combination of labels."""
    if _is_numbers(Y):
        raise ValueError("validation_split='stratified' needs classes; Y holds numbers")
    return np.unique(Y, axis=0, return_inverse=True)[1].reshape(-1)


def _spread_out(classes: Array) -> Array:
    """An order in which each part has about as many of each class as the whole."""
    positions = np.empty(len(classes))
    for label in np.unique(classes):
        rows = np.flatnonzero(classes == label)
        positions[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    return np.argsort(positions, kind="stable")


def _warn_of_order(Y: Array, n_train: int) -> None:
    """Data that are sorted by label have other classes at the end."""
    if Y.ndim > 1 or Y.dtype.kind == "f":
        return
    unseen = np.setdiff1d(Y[n_train:], Y[:n_train])
    if len(unseen):
        advice = "validation_split='shuffled' or 'stratified' takes rows from everywhere"
        warnings.warn(
            "the last rows, kept for validation, hold classes that the others lack: "
            f"{some(unseen)}; {advice}",
            UserWarning,
            stacklevel=6,
        )
