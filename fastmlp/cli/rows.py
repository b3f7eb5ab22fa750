"""Rows of a table for a fit: targets, weights, and the columns that are of use."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..data import Array, gather_rows
from ..did_you_mean import did_you_mean
from ..inputs import MOST_DENSE

# Share of different values from which on text names rows, in a column with more than these.
_NAMES, _FEW = 0.9, 20
# Most categories of all columns in memory: with 128 units, 0.5 GB of weights.
_MOST_CATEGORIES = 1_000_000
# Text that looks like a date.
_DATE = r"^\s*(\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}[./-]\d{1,2}[./-]\d{1,2})(\D|$)"
_WRITTEN = "be as 2024-12-31, or of a type of dates"


class Rows(NamedTuple):
    """Features, a table or an array; targets; weights, if any."""

    X: Any
    y: Array
    weights: Array | None

    def take(self, rows: Array) -> "Rows":
        """Some of the rows, by their numbers."""
        return Rows(*(gather_rows(part, rows) for part in self))


def missing(column: Any) -> Array:
    """Which values of a column of a table or an array are missing."""
    if isinstance(column, np.ndarray):
        if column.dtype.kind == "O":
            return np.array([v is None or v != v for v in column.tolist()], bool)
        return np.isnan(column) if column.dtype.kind == "f" else np.zeros(len(column), bool)
    gaps: Array = column.is_null(nan_is_null=True).to_numpy()
    return gaps


def check_columns(names: Sequence[str], known: Sequence[str], where: str) -> None:
    """Raise a ValueError for a column that is not known; ``where`` is an option, or a file."""
    for name in names:
        if name not in known:
            several = all(part in known for part in name.split(","))
            hint = "; separate names by spaces" if several else did_you_mean(name, known)
            some = ", ".join(one or "''" for one in known[:10]) + ", ..." * (len(known) > 10)
            raise ValueError(f"{where}: there is no column {name!r} among {some}{hint}")


def values(column: Any, name: str) -> Array:
    """The values of the column ``name`` as an array of numbers, booleans or strings.

    Raises
    ------
    ValueError
        For dates and other values that are no targets.
    """
    if isinstance(column, np.ndarray):
        return column
    from ..streams.arrow import pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
    elif pa.types.is_decimal(kind):
        column = column.cast("double")
    array: Array = column.to_numpy()
    if array.dtype.kind == "O" and all(type(v) in (str, bool) for v in array):
        array = np.array(array.tolist())
    if array.dtype.kind not in "biufU":
        raise ValueError(f"column {name!r} must hold numbers or text; got {kind}")
    return array


def check_weights(weights: Array | None, name: str | None) -> None:
    """Raise a ValueError that names the column if weights are not numbers, or some are missing."""
    if weights is None:
        return
    if weights.dtype.kind == "U":
        raise ValueError(f"--weights: column {name!r} must hold numbers; got text")
    if count := missing(weights).sum():
        raise ValueError(f"--weights: column {name!r} has no value in {count:,} rows")


def useful(table: Any, kept: Sequence[str], *, whole: bool) -> tuple[list[str], list[str]]:
    """Names of the columns of use, and what is said of the others.

    Left out are text that differs in almost every row, running numbers, constant and empty columns,
    and those of the most categories where there are more than can be trained on.

    Parameters
    ----------
    table : pyarrow.Table
    kept : sequence of str
        Names of columns that are kept in any case.
    whole : bool
        Whether these are all rows: a column that is constant in some may vary in others.
    """
    found = list(_left_out(table, whole=whole))
    reasons = {name: reason for name, reason, _ in found if name not in kept and reason}
    most = _MOST_CATEGORIES if whole else MOST_DENSE
    which = "all columns" if whole else "all columns of a file read in pieces"
    counts = {name: count for name, _, count in found if name not in reasons}
    for name in sorted(counts, key=lambda name: -counts[name]):
        if sum(counts.values()) <= most:
            break
        if name not in kept:
            count = counts.pop(name)
            reasons[name] = f"{count:,} categories; {which} may have {most:,}"
    notes = [f"{name or repr(name)}: {reason}" for name, reason in reasons.items()]
    return [name for name in table.column_names if name not in reasons], notes


def like_dates(table: Any) -> list[str]:
    """What is said of columns of text that looks like dates."""
    from ..streams.arrow import pa, pc
    from ..streams.columns import is_text

    notes = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        if is_text(column.type):
            first = column.drop_null()[:_FEW].cast(pa.string())
            if len(first) and pc.all(pc.match_substring_regex(first, _DATE)).as_py():
                notes.append(f"{name}: text such as {first[0]}; dates must {_WRITTEN}")
    return notes


def _left_out(table: Any, *, whole: bool) -> Iterator[tuple[str, str, int]]:
    """For each column its name, a reason to leave it out, if any, and its number of categories."""
    from ..streams.arrow import pa
    from ..streams.columns import is_text

    for name, column in zip(table.column_names, table.columns, strict=True):
        kind, n_rows = column.type, len(column) - column.null_count
        is_category = is_text(kind) or pa.types.is_dictionary(kind)
        if not (is_category or pa.types.is_primitive(kind)):
            yield name, "", 0  # perhaps decimals; an error elsewhere otherwise
            continue
        is_constant = whole and _is_constant(column)
        count = _n_categories(column) if is_category else 0
        reason = ""
        if whole and n_rows == 0:
            reason = "empty"
        elif is_constant:
            reason = f"constant, {column[0].as_py()!r}"
        elif count > max(_FEW, _NAMES * n_rows):
            reason = f"text, {count:,} different values in {n_rows:,} rows"
        elif whole and pa.types.is_integer(kind) and _is_running(column):
            reason = "the number of the row"
        yield name, reason, count


def _n_categories(column: Any) -> int:
    """How many different values a column of text or categories has."""
    from ..streams.arrow import pa, pc

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return int(pc.count_distinct(column).as_py())


def _is_constant(column: Any) -> bool:
    from ..streams.arrow import pc

    return column.null_count == 0 and bool(pc.all(pc.equal(column, column[0])).as_py())


def _is_running(column: Any) -> bool:
    """Whether whole numbers grow from row to row, mostly by 1: some rows may have been removed."""
    if column.null_count or len(column) < _FEW:
        return False
    numbers = column.to_numpy().astype(float)
    return bool((np.diff(numbers) > 0).all()) and numbers[-1] - numbers[0] < 2 * len(numbers)
