"""Sparse rows in libsvm's format: in each line a target, and index:value of what is not 0."""

import bz2
import gzip
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..data import Array
from ..trainer import Trainer

ENDINGS = ".svm", ".libsvm", ".svmlight"
_COMPRESSED: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open}
# Characters of a line in an error.
_SHOWN = 60
# Attribute of a trainer, kept in its file: the index of its first feature in files, 0 or 1.
FIRST_INDEX = "first_index"
# In messages, in place of the name of the target's column.
TARGET = "first in each line"


def ending_of(path: str) -> str:
    """The ending of a file of this format, compressed or not; otherwise an empty string."""
    stem, ending = os.path.splitext(path)
    ending = os.path.splitext(stem)[1] if ending in _COMPRESSED else ending
    return ending if ending in ENDINGS else ""


def is_libsvm(path: str) -> bool:
    """Whether the name of a file is one of this format."""
    return bool(ending_of(path))


def refuse(given: dict[str, Any], options: Sequence[str]) -> None:
    """Raise a ValueError for the first of the options that is given."""
    for name in options:
        if name in given:
            raise ValueError(
                f"--{name} has no effect on {given['data']}: files of libsvm have no columns, but "
                "the target in each line, then index:value"
            )


def read_libsvm(
    path: str, n_features: int | None = None, first_index: int | None = None
) -> tuple[Any, Array, int]:
    """Read a matrix of CSR, the targets, and the index of the first feature, 0 or 1.

    Parameters
    ----------
    path : str
    n_features : int, optional
        By default as many as the file has.
    first_index : {0, 1}, optional
        By default 0 if it occurs in the file, otherwise 1.

    Raises
    ------
    OSError, ValueError, ImportError
        If the file cannot be read, has other features, and without scikit-learn.
    """
    X, y = _load(path)
    least = X.indices.min(initial=X.shape[1])
    first = int(least > 0) if first_index is None else first_index
    if least < first:
        raise ValueError(f"{path} has the index 0; those of the model start at 1")
    count = X.shape[1] - first
    if n_features is not None and count > n_features:
        raise ValueError(f"{path} has {count:,} features; the model has {n_features:,}")
    shape = len(y), n_features or max(count, 1)
    return type(X)((X.data, X.indices - first, X.indptr), shape=shape), y, first


def read_for(path: str, trainer: Trainer) -> tuple[Any, Array]:
    """Read a matrix of the features of a trainer, and the targets; errors as above."""
    first = getattr(trainer, FIRST_INDEX, None)
    return read_libsvm(path, trainer.n_features_in_, first)[:2]


def shown(X: Any) -> str:
    """What is said of a matrix."""
    return (
        f"{X.shape[0]:,} rows of {X.shape[1]:,} features, {X.nnz / X.shape[0]:,.1f} of them a row"
    )


class _Lines:
    """Lines of a file, which knows the one that was read last."""

    def __init__(self, file: Any) -> None:
        self.read = file.read  # by which scikit-learn knows a file
        self._file = file
        self.number, self.text = 0, b""

    def __iter__(self) -> Iterator[bytes]:
        for number, text in enumerate(self._file, 1):
            self.number, self.text = number, text
            if b"qid:" in text.partition(b"#")[0]:
                raise ValueError
            yield text


def _load(path: str) -> tuple[Any, Array]:
    """Read the indices as they are."""
    try:
        from sklearn.datasets import load_svmlight_file
    except ImportError as error:
        message = "files of libsvm need scikit-learn: pip install 'fastmlp[sklearn]'"
        raise ImportError(message) from error
    opener = _COMPRESSED.get(os.path.splitext(path)[1], open)
    with opener(path, "rb") as file:
        lines = _Lines(file)
        try:
            X, y = load_svmlight_file(lines, zero_based=True)
        except (EOFError, OSError, zlib.error) as error:
            raise ValueError(f"{path} cannot be read: {error}") from error
        except (ValueError, OverflowError) as error:
            got = lines.text.decode(errors="replace").strip()[:_SHOWN]
            raise ValueError(
                f"{path}, line {lines.number}: must be one target and index:value, with rising "
                f"indices and without qid; got {got!r}"
            ) from error
    if not len(y):
        raise ValueError(f"{path} has no rows")
    with np.errstate(invalid="ignore"):
        whole = y.astype(np.int64)
    return X, whole if (whole == y).all() else y
