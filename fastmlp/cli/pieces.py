"""Rows of a file for a model that is there: read in pieces, as the model needs them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..data import Array, gather_rows
from ..data.targets import Samples
from ..streams.array_files import ENDINGS as ARRAYS
from ..streams.array_files import read_arrays
from ..trainer import Trainer
from .reading import size_of
from .rows import check_columns, missing, values

_ROWS = 8192


@dataclass(frozen=True)
class Pieces:
    """Pieces of the rows of a file; they can be read again and again.

    Parameters
    ----------
    path : str
    trainer : Trainer
        Its columns are read.
    others : sequence of str
        Further columns, which come as arrays.
    array : str, optional
        Name of the array of features in an npz file.
    """

    path: str
    trainer: Trainer
    others: Sequence[str] = ()
    array: str | None = None

    def __iter__(self) -> Iterator[tuple[Any, dict[str, Any]]]:
        """Yield features, and the other columns by name; a ValueError if there are no rows."""
        size_of(self.path)
        pieces = self._of_arrays() if self.path.endswith(ARRAYS) else self._of_tables()
        n_rows = 0
        for X, others in pieces:
            n_rows += len(X)
            if len(X):
                yield X, others
        if n_rows == 0:
            raise ValueError(f"{self.path} has no rows")

    def _of_tables(self) -> Iterator[tuple[Any, dict[str, Any]]]:
        from ..streams.columns import convert, needed, select
        from ..streams.opened import open_scan

        scan = open_scan(self.path, _expected(self.trainer))
        given = scan.schema.names
        check_columns(self.others, given, self.path)
        names = getattr(self.trainer, "feature_names_in_", None)
        if names is None:
            own = [name for name in given if name not in self.others]
        else:
            names = names.tolist()
            select(scan.schema.empty_table(), names)  # an error names columns that are missing
            own = needed(given, names)
        for table in scan.batches(list(dict.fromkeys([*own, *self.others]))):
            X = convert(table.select(own))[0] if names is None else select(table, names)
            yield X, {name: table[name] for name in self.others}

    def _of_arrays(self) -> Iterator[tuple[Any, dict[str, Any]]]:
        arrays = read_arrays(self.path)
        check_columns(self.others, list(arrays), self.path)
        X = self._features(arrays)
        for start in range(0, len(X), _ROWS):
            rows = slice(start, start + _ROWS)
            yield (
                X[rows].reshape(len(X[rows]), -1),
                {name: arrays[name][rows] for name in self.others},
            )

    def _features(self, arrays: dict[str, Array]) -> Array:
        """The array of features: the one named, or the only one of as many columns."""
        if self.array is not None:
            check_columns([self.array], list(arrays), "--array")
            return arrays[self.array]
        count = self.trainer.n_features_in_
        fitting = [
            name for name, X in arrays.items()
            if X.ndim > 1 and len(X) and X[0].size == count and name not in self.others
        ]  # fmt: skip
        lengths = {len(arrays[name]) for name in self.others}
        fitting = [name for name in fitting if not lengths or {len(arrays[name])} == lengths]
        if len(fitting) != 1:
            got = ", ".join(f"{name} {X.shape}" for name, X in arrays.items())
            raise ValueError(
                f"{self.path} must have one array with {count} values a row, or --array its name; "
                f"got {got}"
            )
        return arrays[fitting[0]]


def _expected(trainer: Trainer) -> Any:
    """What a trainer expects of the columns of a file, if it knows their names."""
    from ..streams.csv_files import Expected

    names = getattr(trainer, "feature_names_in_", None)
    if names is None:
        return None
    categories = trainer.model_.encoding.inputs.columns.categories
    text = [names[j] for j, keys in categories.items() if any(isinstance(k, str) for k in keys)]
    return Expected(names.tolist(), text)


class Labelled:
    """Pieces of rows with targets, and weights if there are some; rows without target are left out.

    Parameters
    ----------
    pieces : Pieces
    target : str
    weights : str, optional
    """

    def __init__(self, pieces: Pieces, target: str, weights: str | None) -> None:
        others = (target,) if weights is None else (target, weights)
        self._pieces, self._target, self._weights = replace(pieces, others=others), target, weights
        self._missing = 0

    def __iter__(self) -> Iterator[Samples]:
        """Yield features, targets and weights; raise a ValueError if no row has a target."""
        self._missing = n_rows = 0
        for X, others in self._pieces:
            rows = np.flatnonzero(~missing(others[self._target]))
            self._missing += len(X) - len(rows)
            n_rows += len(rows)
            if len(rows):
                y, weights = (
                    None if name is None else values(gather_rows(others[name], rows), name)
                    for name in (self._target, self._weights)
                )
                yield gather_rows(X, rows), y, weights
        if n_rows == 0:
            raise ValueError(f"{self._pieces.path} has no rows with a value of {self._target!r}")

    def left_out(self) -> str:
        """What is said of the rows without a target, after they were read."""
        return f", {self._missing:,} more without a target" if self._missing else ""
