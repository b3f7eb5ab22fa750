"""Which rows are kept for validation."""

import math
import warnings

import numpy as np

from .arrays import Array, Rows
from .messages import outside, some
from .targets import RawTargets


def split_rows(
    targets: RawTargets, fraction: float, split: str, seed: int | None
) -> tuple[Rows, Rows | None]:
    """Rows to train on, and rows to validate on, if any are kept.

    Parameters
    ----------
    targets : RawTargets
        "stratified" keeps the same part of each of their classes.
    fraction : float
        Part of the rows that is kept.
    split : {"auto", "last", "shuffled", "stratified"}
        Which rows are kept: the last ones, any, or any with as many of each class; "auto" is the
        latter where targets are one whole number or label each.
    seed : int, optional
        Of the choice.

    Raises
    ------
    ValueError
        If no rows are left to train on or none to validate on, or there are no classes to stratify
        by.
    """
    n_rows = len(targets)
    n_train = training_count(n_rows, fraction)
    if n_train == n_rows:
        return slice(None), None
    if split == "last":
        _warn_of_order(targets.values, n_train)
        return slice(n_train), slice(n_train, None)
    if split == "auto":
        split = "stratified" if targets.is_flat and targets.are_whole else "shuffled"
    order = np.random.default_rng(seed).permutation(n_rows)
    if split == "stratified":
        order = order[_spread_out(_classes(targets)[order])]
    return np.sort(order[:n_train]), np.sort(order[n_train:])


def training_count(n_rows: int, fraction: float) -> int:
    """Return how many rows are trained on: floor(n_rows * (1 - fraction)).

    A `fraction` > 0 that leaves no row for training or none for validation is a ValueError.
    """
    wanted = n_rows * (1 - fraction)
    # 10 * (1 - 0.9) is 0.9999999999999998, but 1 is meant.
    n_train = round(wanted) if math.isclose(wanted, round(wanted)) else math.floor(wanted)
    if fraction > 0 and not 0 < n_train < n_rows:
        raise ValueError(f"validation_fraction={fraction} leaves {n_train} of {n_rows} to train on")
    return n_train


def _classes(targets: RawTargets) -> Array:
    """Number of each row's class, or combination of labels."""
    if not targets.are_whole:
        raise ValueError("validation_split='stratified' needs classes; Y holds numbers")
    if targets.is_flat:
        return targets.class_indices(targets.distinct)
    return np.unique(targets.values, axis=0, return_inverse=True)[1].reshape(-1)


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
            stacklevel=outside(),
        )
