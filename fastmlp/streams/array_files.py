"""Arrays in files of NumPy."""

import os
from typing import Any

import numpy as np

from ..data import Array, some
from ..did_you_mean import did_you_mean

ENDINGS = ".npy", ".npz"


def read_arrays(path: str | os.PathLike[str], target: str | None = None) -> tuple[Array, Any]:
    """Read features, flattened to rows, and targets.

    A .npy file holds features, and is mapped into memory. In a .npz file targets are the array
    named by ``target``, by default "Y" or "y", if any; features are "X", or the only other array of
    as many rows.

    Returns
    -------
    X : array of shape (n, d)
    Y : array or None

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is damaged or empty, holds Python objects, or arrays cannot be told apart.
    """
    name = os.fspath(path)
    try:
        file = np.load(name, mmap_mode="r", allow_pickle=False)
        arrays = dict(file) if hasattr(file, "files") else None
    except (ValueError, EOFError, KeyError, NotImplementedError) as error:
        raise ValueError(f"{name} cannot be read: {error}") from error
    if arrays is None:
        return _rows(file, name), None
    targets = _targets(arrays, target, name)
    return _rows(arrays[_features(arrays, targets, name)], name), arrays.get(targets)


def _targets(arrays: dict[str, Array], target: str | None, name: str) -> str:
    if target is None:
        return "Y" if "Y" in arrays else "y"
    if target not in arrays:
        hint = did_you_mean(target, arrays)
        raise ValueError(f"{name} has no array {target!r}; got {some(list(arrays))}{hint}")
    return target


def _features(arrays: dict[str, Array], targets: str, name: str) -> str:
    if "X" in arrays:
        return "X"
    rows = len(arrays[targets]) if targets in arrays else None
    found = [
        other for other, array in arrays.items()
        if other != targets and array.ndim > 1 and rows in (None, len(array))
    ]  # fmt: skip
    if len(found) != 1:
        raise ValueError(f"{name} must have one array of features, or name it X; got {some(found)}")
    return found[0]


def _rows(array: Array, name: str) -> Array:
    if array.ndim < 2 or 0 in array.shape:
        raise ValueError(f"{name}: features must have rows and columns; got shape {array.shape}")
    return array.reshape(len(array), -1)
