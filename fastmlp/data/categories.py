"""Columns of categories of pandas, Polars and PyArrow, as codes and the value of each code."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from ..cached import cached_property
from .arrays import Rows
from .messages import is_missing

# Identifies a category in any table; 1, 1.0 and True are the same.
Key = str | int | float | bool
Codes = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Coded:
    """A column of categories.

    Parameters
    ----------
    codes : array of int
        Code of each row; -1 if missing.
    values : callable
        Returns the list of the values of some codes.
    ordered : bool
        Whether the order of the codes is independent of the rows.
    """

    codes: Codes
    values: Callable[[Codes], list[Any]]
    ordered: bool = True

    @cached_property
    def present(self) -> dict[int, Key]:
        """Codes that occur, with their keys, in the order of the codes if ``ordered``, else
        sorted."""
        return self.present_in(slice(None))

    def present_in(self, rows: Rows) -> dict[int, Key]:
        """Codes that occur in some rows, as :attr:`present`."""
        codes = np.flatnonzero(np.bincount(self.codes[rows].astype(np.intp) + 1)[1:])
        values = self.values(codes)
        pairs = zip(codes.tolist(), values, strict=True)
        if not set(map(type, values)) <= {str, int, bool}:
            kept = [(code, value) for code, value in pairs if not is_missing(value)]
            if not self.ordered:
                kept.sort(key=itemgetter(1))
            return {code: _key(value) for code, value in kept}
        return dict(pairs if self.ordered else sorted(pairs, key=itemgetter(1)))


def _key(value: Any) -> Key:
    """A number or a string; anything else, such as an interval or a date, as a string."""
    if isinstance(value, np.generic) and value.dtype.kind in "biufU":
        value = value.item()
    return value if isinstance(value, Key) else str(value)


def of_pandas(series: Any) -> Coded:
    """Code a pandas series of dtype category."""
    categories = series.array.categories
    return Coded(series.array.codes, lambda codes: categories[codes].tolist())


def of_polars(series: Any) -> Coded:
    """Code a Categorical, whose codes depend on others in the process, or an Enum."""
    present, codes = series.unique(), series.to_physical().to_numpy()
    values = dict(zip(present.to_physical().to_list(), present.to_list(), strict=True))
    if codes.dtype.kind == "f":  # gaps are NaN
        codes = np.where(np.isnan(codes), -1, codes).astype(np.intp)
    ordered = type(series.dtype).__name__ == "Enum"
    return Coded(codes, lambda codes: list(map(values.__getitem__, codes.tolist())), ordered)


def of_arrow(column: Any) -> Coded:
    """Code a dictionary, whose codes are in order of appearance, unless it is ordered."""
    if hasattr(column, "unify_dictionaries"):  # each chunk may have its own
        column = column.unify_dictionaries().combine_chunks()
    codes = column.indices.cast("int64").fill_null(-1).to_numpy(zero_copy_only=False)
    values = column.dictionary
    return Coded(codes, lambda codes: values.take(codes).to_pylist(), bool(column.type.ordered))


def of_values(items: Iterable[Any]) -> Coded:
    """Code any values, in order of appearance; -1 for missing ones."""
    keys: list[Key | None] = list(items)
    if set(map(type, keys)) != {str}:
        keys = [None if is_missing(value) else _key(value) for value in keys]
    values = list(dict.fromkeys(key for key in keys if key is not None))
    codes = dict(zip(values, range(len(values)), strict=True)) | {None: -1}
    found = np.fromiter(map(codes.__getitem__, keys), np.intp, len(keys))
    return Coded(found, lambda codes: [values[code] for code in codes.tolist()])
