"""Some of many rows: those of the smallest keys, in a bounded number."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..data import Array, Numbers, concat_rows, gather_rows

# At most, the bytes about.
_ROWS, _BYTES = 100_000, 16 << 20


class SomeRows(NamedTuple):
    """Some rows, in the order of their keys, or of their places: number of the part, row in it."""

    X: Any
    Y: Array
    weights: Numbers | None
    keys: Array
    places: npt.NDArray[np.int64]

    def part(self, chosen: Array) -> "SomeRows":
        """Some of the rows."""
        weights = None if self.weights is None else self.weights[chosen]
        X, Y, keys, places = self.X, self.Y, self.keys, self.places
        return SomeRows(gather_rows(X, chosen), Y[chosen], weights, keys[chosen], places[chosen])

    def in_order(self) -> "SomeRows":
        """The rows in the order of their places."""
        return self.part(np.argsort(self.places))

    @property
    def most(self) -> int:
        """How many rows to keep."""
        itemsize: int = getattr(getattr(self.X, "dtype", None), "itemsize", 8)
        width: int = self.X.shape[1] * itemsize + 8 * (1 if self.Y.ndim == 1 else self.Y.shape[1])
        return max(1, min(_ROWS, _BYTES // width))


def smallest(parts: Sequence[SomeRows]) -> SomeRows:
    """The rows of the smallest keys."""
    keys = np.concatenate([part.keys for part in parts])
    most, chosen = parts[0].most, np.ones(len(keys), bool)
    if len(keys) > most:
        chosen[np.argpartition(keys, most)[most:]] = False
    stops = np.cumsum([len(part.keys) for part in parts])[:-1]
    flags = np.split(chosen, stops)
    return concatenated([
        part.part(np.flatnonzero(own)) for part, own in zip(parts, flags, strict=True)
    ])  # fmt: skip


def concatenated(parts: Sequence[SomeRows]) -> SomeRows:
    filled = [part for part in parts if len(part.Y)] or list(parts[:1])
    if len(filled) == 1:
        return filled[0]
    X, Y, weights, keys, places = zip(*filled, strict=True)
    kinds = {array.dtype.kind in "OU" for array in Y}
    if len(kinds) > 1:
        raise TypeError("Y must be all numbers or all strings; got numbers and strings")
    return SomeRows(
        concat_rows(X), np.concatenate(Y), None if weights[0] is None else np.concatenate(weights),
        np.concatenate(keys), np.concatenate(places),
    )  # fmt: skip
