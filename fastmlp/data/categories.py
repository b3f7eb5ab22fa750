"""Columns of categories of pandas, Polars and PyArrow, as codes and the value of each code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..cached import cached_property
from .arrays import Rows
from .messages import is_missing

# Identifies a category in any table; 1, 1.0 and True are the same.
Key = str | int | float | bool


@dataclass(frozen=True)
class Coded:
    """A column of categories.

    Parameters
    ----------
    codes : array of int
        Code of each row; -1 if missing.
    values : sequence or mapping
        Value of each code.
    ordered : bool
        Whether the order of the codes is independent of the rows.
    """

    codes: npt.NDArray[np.integer[Any]]
    values: Sequence[Any] | Mapping[int, Any]
    ordered: bool = True

    @cached_property
    def present(self) -> dict[int, Key]:
        """Codes that occur, with their keys, in the order of the codes if ``ordered``, else
        sorted."""
        return self.present_in(slice(None))

    def present_in(self, rows: Rows) -> dict[int, Key]:
        """Codes that occur in some rows, as :attr:`present`."""
        counts = np.bincount(self.codes[rows].astype(np.intp) + 1)
        found = {code: self.values[code] for code in np.flatnonzero(counts[1:]).tolist()}
        pairs = [(code, value) for code, value in found.items() if not is_missing(value)]
        if not self.ordered:
            pairs.sort(key=lambda pair: pair[1])
        return {code: _key(value) for code, value in pairs}


def _key(value: Any) -> Key:
    """A number or a string; anything else, such as an interval or a date, as a string."""
    if isinstance(value, np.generic) and value.dtype.kind in "biufU":
        value = value.item()
    return value if isinstance(value, Key) else str(value)


def of_pandas(series: Any) -> Coded:
    """Code a pandas series of dtype category."""
    return Coded(series.array.codes, series.array.categories)


def of_polars(series: Any) -> Coded:
    """Code a Categorical, whose codes depend on others in the process, or an Enum."""
    present, codes = series.unique(), series.to_physical().to_numpy()
    values = dict(zip(present.to_physical().to_list(), present.to_list(), strict=True))
    if codes.dtype.kind == "f":  # gaps are NaN
        codes = np.where(np.isnan(codes), -1, codes).astype(np.intp)
    return Coded(codes, values, ordered=type(series.dtype).__name__ == "Enum")


def of_arrow(column: Any) -> Coded:
    """Code a dictionary, whose codes are in order of appearance, unless it is ordered."""
    if hasattr(column, "unify_dictionaries"):  # each chunk may have its own
        column = column.unify_dictionaries().combine_chunks()
    codes = column.indices.cast("int64").fill_null(-1).to_numpy(zero_copy_only=False)
    return Coded(codes, column.dictionary.to_pylist(), ordered=bool(column.type.ordered))


def of_values(items: Any) -> Coded:
    """Code any values, in order of appearance."""
    known: dict[Key, int] = {}
    codes = [-1 if is_missing(v) else known.setdefault(_key(v), len(known)) for v in items]
    return Coded(np.array(codes, np.intp), list(known))
