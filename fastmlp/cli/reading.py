"""Rows of a file for a fit, read whole; what is done to them is printed."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..data import Array, some
from ..streams.array_files import ENDINGS as ARRAYS
from ..streams.array_files import read_arrays
from .rows import Rows, check_columns, check_weights, missing, useful, values
from .say import say, say_lines

# Larger files are read in pieces.
LARGE = 100_000_000


def size_of(path: str) -> int:
    """Bytes of a file, or of the files of a folder; raises an OSError if there is none."""
    if os.path.isdir(path):
        return sum(file.stat().st_size for file in Path(path).rglob("*") if file.is_file())
    return os.stat(path).st_size


def read_rows(path: str, target: str, weights: str | None, like: Any = None) -> Rows:
    """Read the rows that have a target; features are all other columns, as they are in the file,
    or the converted columns of the table ``like``.

    Raises
    ------
    OSError, ValueError, TypeError
        If the file cannot be read, or lacks a column.
    """
    size_of(path)
    if path.endswith(ARRAYS):
        return _of_arrays(read_arrays(path), path, target, weights)
    from ..streams.arrow import pa
    from ..streams.columns import select
    from ..streams.csv_files import Expected
    from ..streams.opened import read_table

    expected = None
    if like is not None:
        text = [field.name for field in like.schema if pa.types.is_dictionary(field.type)]
        expected = Expected(like.column_names, text)
    table = read_table(path, expected=expected)
    say("read", f"{path}: {table.num_rows:,} rows, {table.num_columns} columns")
    others = [name for name in (target, weights) if name is not None]
    check_columns(others, table.column_names, path)
    gaps = missing(table[target])
    if gaps.any():
        if gaps.all():
            raise ValueError(f"{path}: no row has a value of {target!r}")
        say("left out", f"{gaps.sum():,} rows without {target}")
        table = table.take(np.flatnonzero(~gaps))
    y, w = (None if name is None else values(table[name], name) for name in (target, weights))
    assert y is not None
    check_weights(w, weights)
    X = table.drop_columns(others) if like is None else select(table, like.column_names)
    return Rows(X, y, w)


def with_features(rows: Rows, drop: Sequence[str], keep: Sequence[str]) -> Rows:
    """The rows with the columns of use, converted; arrays stay.

    Raises
    ------
    ValueError, TypeError
        If a column is unknown, or of a type that cannot be used, or none is left.
    """
    if isinstance(rows.X, np.ndarray):
        if drop or keep:
            raise ValueError("--drop and --keep have no effect on arrays, which have no columns")
        return rows
    from ..streams.columns import convert

    names = rows.X.column_names
    check_columns(drop, names, "--drop")
    check_columns(keep, names, "--keep")
    table = rows.X.drop_columns(list(dict.fromkeys(drop)))
    kept, notes = useful(table, keep, whole=True)
    say_lines("left out", notes)
    if not kept:
        raise ValueError("there are no columns to learn from")
    X, notes = convert(table.select(kept))
    say("features", counted(X))
    say_lines("", [*notes, *gaps(X)])
    return rows._replace(X=X)


def _of_arrays(arrays: dict[str, Array], path: str, target: str, weights: str | None) -> Rows:
    """Rows of the arrays of an npz file, of which one holds the targets."""
    if path.endswith(".npy"):
        raise ValueError(f"{path} holds one array, without targets: train takes arrays in .npz")
    check_columns([name for name in (target, weights) if name], list(arrays), path)
    y = arrays.pop(target)
    w = None if weights is None else arrays.pop(weights)
    fitting = {name: X for name, X in arrays.items() if X.ndim > 1 and len(X) == len(y)}
    if len(fitting) != 1:
        raise ValueError(
            f"{path} must have one array of {len(y)} rows beside {target!r}; got {some([*fitting])}"
        )
    (name, X), *_ = fitting.items()
    say("read", f"{path}: {name} of shape {' × '.join(f'{n:,}' for n in X.shape)}, {X.dtype}")
    return Rows(X.reshape(len(X), -1), y, w)


def counted(X: Any) -> str:
    """How many columns there are of each kind."""
    from ..streams.arrow import pa

    n_categories = sum(pa.types.is_dictionary(kind) for kind in X.schema.types)
    return f"{X.num_columns - n_categories} of numbers, {n_categories} of categories"


def gaps(X: Any) -> list[str]:
    """What is said of columns with gaps."""
    from ..streams.arrow import pa

    notes = []
    for name, column in zip(X.column_names, X.columns, strict=True):
        if count := missing(column).sum():
            is_category = pa.types.is_dictionary(column.type)
            how = "of no category" if is_category else "filled with the median, and marked"
            notes.append(f"{name}: {count:,} gaps, {how}")
    return notes
