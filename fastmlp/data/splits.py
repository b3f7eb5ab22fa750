"""Split of the rows into training and validation rows."""

import secrets
from typing import NamedTuple

import numpy as np

from ..fit_warning import warn
from ..settings.auto import training_count
from .arrays import Array, Rows
from .messages import some
from .targets import RawTargets


class Split(NamedTuple):
    """What determines the rows that are held out; those by their hash need the fraction alone."""

    seed: int
    n_rows: int
    fraction: float
    kind: str  # "last", "shuffled", "stratified" or "hash"


def choose_split(
    targets: RawTargets, fraction: float, split: str, seed: int | None, known: Split | None, *,
    are_numbers: bool = False,
) -> Split | None:  # fmt: skip
    """Return the split of the rows, with the seed of a ``known`` one if it is of this kind.

    Parameters
    ----------
    targets : RawTargets
    fraction : float
        Fraction of the rows to hold out; for 0 there is no split.
    split : {"auto", "last", "shuffled", "stratified"}
        Rows to hold out: the last ones, a random choice, or a random choice with the same fraction
        of each class; "auto" is "stratified" for one label per row, else "shuffled".
    seed : int, optional
        Seed of the random choice; None for a new one.
    known : Split, optional
        That of the fit to continue.
    are_numbers : bool
        Whether whole numbers are quantities: held-out rows of each would lack the rare ones.

    Raises
    ------
    ValueError
        If no rows are left for training or for validation.
    """
    n_rows = len(targets)
    n_train = training_count(n_rows, fraction)
    if fraction > 0 and not 0 < n_train < n_rows:
        raise ValueError(f"validation_fraction={fraction} leaves {n_train} of {n_rows} to train on")
    if n_train == n_rows:
        return None
    if split == "auto":
        are_labels = targets.is_flat and targets.are_whole and not are_numbers
        split = "stratified" if are_labels else "shuffled"
    if known is not None and known[1:] == (n_rows, fraction, split):
        return known
    seed = secrets.randbits(64) if seed is None else seed
    return Split(seed, n_rows, fraction, split)


def split_rows(
    targets: RawTargets, split: Split | None, *, are_numbers: bool = False
) -> tuple[Rows, Rows | None]:
    """Return the training rows and the held-out validation rows, or None for no such rows.

    ``are_numbers`` says whether whole numbers are quantities.

    Raises
    ------
    ValueError
        If there are no classes to stratify by.
    """
    if split is None:
        return slice(None), None
    n_train = training_count(split.n_rows, split.fraction)
    if split.kind == "last":
        if not are_numbers:
            _warn_of_order(targets.values, n_train)
        return slice(n_train), slice(n_train, None)
    order = np.random.default_rng(split.seed).permutation(split.n_rows)
    if split.kind == "stratified":
        order = order[_spread_out(_classes(targets)[order])]
    return np.sort(order[:n_train]), np.sort(order[n_train:])


def _classes(targets: RawTargets) -> Array:
    """Index of each row's class, or of its combination of labels."""
    if not targets.are_whole:
        raise ValueError("validation_split='stratified' needs classes; Y holds numbers")
    if targets.is_flat:
        return targets.class_indices(targets.distinct)
    return np.unique(targets.values, axis=0, return_inverse=True)[1].reshape(-1)


def _spread_out(classes: Array) -> Array:
    """An order of the rows in which every part has about the same class frequencies."""
    positions = np.empty(len(classes))
    for label in np.unique(classes):
        rows = np.flatnonzero(classes == label)
        positions[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    return np.argsort(positions, kind="stable")


def _warn_of_order(Y: Array, n_train: int) -> None:
    """Warn if the last rows hold classes that the others lack, as in data sorted by label."""
    if Y.ndim > 1 or Y.dtype.kind == "f":
        return
    unseen = np.setdiff1d(Y[n_train:], Y[:n_train])
    if len(unseen):
        advice = "validation_split='shuffled' or 'stratified' takes rows from everywhere"
        warn(
            "the last rows, kept for validation, hold classes that the others lack: "
            f"{some(unseen)}; {advice}",
            UserWarning,
        )
