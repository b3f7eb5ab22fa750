"""Columns of files, converted by their types alone."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from fastmlp.streams.columns import convert, select

DAY = date(2020, 2, 29)  # a Saturday, 18,321 days after 1970-01-01
MOMENT = datetime(2020, 2, 29, 18)
TEXT = pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string()), pa.string_view()
PARTS = {"d year": 2020, "d month": 2, "d day": 29, "d weekday": 5}


def converted(values: Any, kind: Any = None) -> dict[str, list[Any]]:
    """The columns made of one column "d"."""
    column = values if isinstance(values, pa.ChunkedArray) else pa.array(values, kind)
    made: dict[str, list[Any]] = convert(pa.table({"d": column}))[0].to_pydict()
    return made


@pytest.mark.parametrize("kind", TEXT, ids=str)
def test_text_becomes_categories(kind: Any) -> None:
    chunks = [pa.array(part, pa.string()).cast(kind) for part in (["b", None], ["ä", "b"])]
    made, notes = convert(pa.table({"Stadt é": pa.chunked_array(chunks)}))
    assert pa.types.is_dictionary(made["Stadt é"].type)
    assert made["Stadt é"].to_pylist() == ["b", None, "ä", "b"]
    what = "category" if pa.types.is_dictionary(kind) else "text"
    assert notes == [f"Stadt é: {what}, 2 categories"]


@pytest.mark.parametrize("kind", [pa.date32(), pa.date64()], ids=str)
def test_dates_become_their_parts(kind: Any) -> None:
    made = converted([DAY, None], kind)
    assert made == {name: [value, None] for name, value in {**PARTS, "d days": 18_321}.items()}


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_timestamps_become_parts_with_the_hour(unit: str) -> None:
    made = converted([MOMENT, None], pa.timestamp(unit))
    wanted = {**PARTS, "d hour": 18, "d days": 18_321.75}
    assert made == {name: [value, None] for name, value in wanted.items()}


def test_parts_are_local_and_days_are_universal() -> None:
    made = converted(pa.array([MOMENT], pa.timestamp("s", "Asia/Tokyo")))
    assert (made["d day"], made["d month"], made["d hour"]) == ([1], [3], [3])
    assert made["d days"] == [18_321.75]


@pytest.mark.parametrize(
    ("value", "kind", "wanted"),
    [
        (timedelta(seconds=1.5), pa.duration("ms"), 1.5),
        (timedelta(days=-2), pa.duration("ns"), -172_800),
        (time(1, 0, 2), pa.time32("s"), 3602),
        (time(1, 0, 2, 500_000), pa.time64("us"), 3602.5),
        (Decimal("-1.25"), pa.decimal128(9, 2), -1.25),
        (True, pa.bool_(), True),
        (2**60 + 1, pa.int64(), 2**60 + 1),
        (0.1, pa.float64(), 0.1),
        (None, pa.null(), None),
    ],
    ids=str,
)
def test_other_values_become_numbers_and_gaps_stay(value: Any, kind: Any, wanted: Any) -> None:
    assert converted([value, None], kind) == {"d": [wanted, None]}


@pytest.mark.parametrize(
    "values", [[[1, 2]], [{"a": 1}], [b"bytes"]], ids=["list", "struct", "bytes"]
)
def test_other_types_are_refused_by_name(values: Any) -> None:
    with pytest.raises(TypeError, match="column 'd' must hold numbers, text or dates; got"):
        converted(values)


def test_names_must_differ() -> None:
    with pytest.raises(ValueError, match="two columns 'd year'"):
        convert(pa.table({"d": [DAY], "d year": [1]}))
    with pytest.raises(ValueError, match="a column has no name"):
        convert(pa.table({"": [1], "a": [1]}))


def test_conversion_of_converted_columns_changes_nothing() -> None:
    table = convert(pa.table({"a": [1], "b": ["x"], "d": [DAY]}))[0]
    assert convert(table)[0].equals(table)


def test_select_takes_the_columns_of_a_model() -> None:
    table = pa.table({"y": [[1]], "d": [DAY], "b": ["x"], "a": [1]})
    assert select(table, ["a", "d year", "b"]).to_pydict() == {
        "a": [1],
        "d year": [2020],
        "b": ["x"],
    }
    with pytest.raises(ValueError, match=r"are missing: 'price'.*did you mean 'Price'"):
        select(pa.table({"Price": [1], "b": [2]}), ["b", "price"])
    with pytest.raises(ValueError, match="column 'd' must hold dates; got string"):
        select(pa.table({"d": ["2020"]}), ["d year"])
