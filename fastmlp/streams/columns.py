"""Columns of files as a network takes them: text as categories, dates as their parts.

A column is converted by its type alone, so that a fit and predictions convert alike.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..data.messages import some
from ..did_you_mean import did_you_mean
from .arrow import pa, pc

_DATE_PARTS: dict[str, Callable[[Any], Any]] = {
    "year": pc.year,
    "month": pc.month,
    "day": pc.day,
    "weekday": pc.day_of_week,  # 0 is Monday
}
_PARTS = *_DATE_PARTS, "hour", "days"
_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_DAY = 86_400

Converted = tuple[dict[str, Any], str]  # columns by name, and what was done, "" for nothing


def convert(table: Any) -> tuple[Any, list[str]]:
    """Convert the columns of a table by their types.

    Text becomes categories; a date "year", "month", "day", "weekday" (0 is Monday) and "days"
    (since 1970), a timestamp "hour" too, in columns "NAME year" etc.; durations and times of day
    become seconds, decimals doubles. Numbers, booleans and categories stay, and so do gaps.

    Parameters
    ----------
    table : pyarrow.Table

    Returns
    -------
    table : pyarrow.Table
    notes : list of str
        What was done, as "city: text, 12 categories".

    Raises
    ------
    TypeError
        For a column of another type, such as lists or bytes.
    ValueError
        For a column without a name, or two columns of one name.
    """
    made: dict[str, Any] = {}
    notes = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        if not name:
            raise ValueError("a column has no name, as an index in a CSV file: name it or drop it")
        columns, note = _convert(name, column)
        if twice := made.keys() & columns.keys():
            raise ValueError(f"there are two columns {twice.pop()!r}: rename one of them")
        made |= columns
        notes += [f"{name}: {note}"] if note else []
    return pa.table(made), notes


def select(table: Any, names: Sequence[str]) -> Any:
    """Convert the columns of a table that the names need; return those names, in their order.

    Parameters
    ----------
    table : pyarrow.Table
        As read from a file, or converted.
    names : sequence of str
        Names of converted columns, as ``feature_names_in_`` of a fit.

    Raises
    ------
    ValueError
        If columns are missing; else as :func:`convert`.
    """
    converted, _ = convert(table.select(needed(table.column_names, names)))
    missing = [name for name in names if name not in converted.column_names]
    if missing:
        raise ValueError(_missing(missing, table))
    return converted.select(list(names))


def needed(given: Iterable[str], names: Iterable[str]) -> list[str]:
    """The given columns of which converted columns are made."""
    given, names = list(given), set(names)
    parts = names.difference(given)
    return [
        name for name in given
        if name in names or any(f"{name} {part}" in parts for part in _PARTS)
    ]  # fmt: skip


def _missing(missing: list[str], table: Any) -> str:
    for name in missing:
        given, _, part = name.rpartition(" ")
        if part in _PARTS and given in table.column_names:
            wanted = "timestamps" if part == "hour" else "dates"
            return f"column {given!r} must hold {wanted}; got {table.schema.field(given).type}"
    hint = did_you_mean(missing[0], table.column_names)
    got = some(table.column_names)
    return f"columns that the model needs are missing: {some(missing)}; got {got}{hint}"


def is_number(kind: Any) -> bool:
    """Whether a type is one of numbers, or boolean, which stay as they are."""
    types = pa.types
    return bool(types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind))


def is_text(kind: Any) -> bool:
    """Whether a type is one of text."""
    return any(str(kind) == name for name in ("string", "large_string", "string_view"))


def _convert(name: str, column: Any) -> Converted:
    kind, types = column.type, pa.types
    if is_number(kind):
        return {name: column}, ""
    if is_text(kind):
        if str(kind) == "string_view":
            column = column.cast("large_string")
        return _categories(name, column.dictionary_encode(), "text")
    if types.is_dictionary(kind):
        return _categories(name, column, "category")
    if types.is_date(kind):
        return _date(name, column)
    if types.is_timestamp(kind):
        return _timestamp(name, column)
    if types.is_duration(kind) or types.is_time(kind):
        return {name: _seconds(column)}, f"{kind}, in seconds"
    if types.is_decimal(kind):
        return {name: column.cast("double")}, ""
    if types.is_null(kind):
        return {name: column.cast("double")}, "no values"
    raise TypeError(
        f"column {name!r} must hold numbers, text or dates; got {kind}: leave it out, or convert it"
    )


def _categories(name: str, column: Any, what: str) -> Converted:
    column = column.unify_dictionaries()
    count = len(column.chunk(0).dictionary) if column.num_chunks else 0
    return {name: column}, f"{what}, {count:,} {'category' if count == 1 else 'categories'}"


def _date(name: str, column: Any) -> Converted:
    days = column.cast("date32").cast("int32")
    return _parts(name, "date", {**_date_parts(column), "days": days})


def _timestamp(name: str, column: Any) -> Converted:
    units = _UNITS[column.type.unit] * _DAY
    days = pc.divide(column.cast("int64").cast("double", safe=False), float(units))
    hour = pc.hour(column).cast("int16")
    return _parts(name, "timestamp", {**_date_parts(column), "hour": hour, "days": days})


def _date_parts(column: Any) -> dict[str, Any]:
    """Parts in the column's own time zone; int16, which float32 holds."""
    return {part: function(column).cast("int16") for part, function in _DATE_PARTS.items()}


def _parts(name: str, what: str, parts: dict[str, Any]) -> Converted:
    note = f"{what}, {len(parts)} columns: {', '.join(parts)}"
    return {f"{name} {part}": values for part, values in parts.items()}, note


def _seconds(column: Any) -> Any:
    whole = column.cast("int32" if column.type.bit_width == 32 else "int64").cast("int64")
    return pc.divide(whole.cast("double", safe=False), float(_UNITS[column.type.unit]))
