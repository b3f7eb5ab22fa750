"""Rows of CSV files, with types of columns that suit all rows, or types that a model expects."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pyarrow.csv

from ..data.messages import some
from .arrow import pa, pc
from .columns import is_text, needed
from .scans import Scan, checked, reading

T = TypeVar("T")

_DELIMITERS = ",;\t|"
_BLOCK_BYTES = 1 << 20
_HEADER_BYTES = 1 << 16
_GAPS = [*pyarrow.csv.ConvertOptions().null_values, "None", "<NA>"]
# Types in the order in which pyarrow tries them.
_TYPES = (
    pa.null(), pa.int64(), pa.bool_(), pa.date32(), pa.time32("s"), pa.timestamp("s"),
    pa.timestamp("ns"), pa.timestamp("ns", "UTC"), pa.float64(), pa.string(),
)  # fmt: skip
_WRONG_VALUE = re.compile(r"In CSV column #(\d+): .*conversion error to .*: invalid value '(.*)'")


class WrongTypeError(ValueError):
    """A value is not of the type of its column."""


@dataclass(frozen=True)
class Expected:
    """What a model expects of a file.

    Parameters
    ----------
    names : sequence of str
        Names of its features, as ``feature_names_in_``.
    text : collection of str
        Columns that hold text, also if all of it are digits.
    """

    names: Sequence[str]
    text: Collection[str] = ()


class CsvScan:
    """Rows of a CSV file.

    Its first line names the columns; the delimiter is that of ``,;|`` and tab which is most
    frequent there. Types are those of the first rows, until :meth:`learn_types`.

    Parameters
    ----------
    path : str
        Files that end in .gz, .bz2 or .zst are decompressed.
    expected : Expected, optional
    """

    def __init__(self, path: str, expected: Expected | None = None) -> None:
        self._path, self._expected = path, expected
        self._decimal_point = "."
        with reading(path), pa.input_stream(path, compression="detect") as file:
            first = file.read(_HEADER_BYTES).partition(b"\n")[0]
        if not first:
            raise ValueError(f"{path} is empty")
        try:
            header = first.decode()
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} must be text in UTF-8") from error
        unquoted = re.sub('"[^"]*"', "", header)
        self._delimiter = max(_DELIMITERS, key=unquoted.count)
        with reading(path):
            opened = self._open()
            self._check_names(checked(opened.schema, path).names)
            if self._delimiter == ";" and _has_decimal_commas(opened):
                self._decimal_point = ","
                opened = self._open()
        self._types = {field.name: _type(field, expected) for field in opened.schema}
        if pa.binary() in self._types.values():
            raise ValueError(f"{path} must be text in UTF-8")

    @property
    def schema(self) -> Any:
        """The ``pyarrow.Schema`` of all columns."""
        return pa.schema(self._types)

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Yield tables of some columns.

        Raises
        ------
        WrongTypeError
            For a value that is not of the type of its column.
        """
        try:
            with reading(self._path):
                for batch in self._open(columns, self._types):
                    yield pa.Table.from_batches([batch])
        except ValueError as error:
            if found := _WRONG_VALUE.search(str(error)):
                name = list(self._types)[int(found[1])]
                wanted = "hold dates" if pa.types.is_temporal(self._types[name]) else "hold numbers"
                raise WrongTypeError(
                    f"{self._path}: column {name!r} must {wanted}; got {found[2]!r}"
                ) from error
            raise

    def learn_types(self) -> None:
        """Take the types that suit all rows."""
        fitting = {name: list(_TYPES) for name in self._types}
        text = dict.fromkeys(fitting, pa.string())
        with reading(self._path):
            for batch in self._open(list(fitting), text):
                for name, kinds in fitting.items():
                    values = pc.utf8_trim_whitespace(batch[name])
                    numbers = values if self._decimal_point == "." else _with_points(values)
                    fitting[name] = [
                        kind for kind in kinds
                        if _fits(numbers if kind == pa.float64() else values, kind)
                    ]  # fmt: skip
        self._types = {name: kinds[0] for name, kinds in fitting.items()}

    def _open(self, columns: Sequence[str] = (), types: dict[str, Any] | None = None) -> Any:
        options = pyarrow.csv.ConvertOptions(
            column_types=types, include_columns=list(columns), null_values=_GAPS,
            strings_can_be_null=True, decimal_point=self._decimal_point,
        )  # fmt: skip
        return pyarrow.csv.open_csv(
            self._path, convert_options=options,
            read_options=pyarrow.csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=self._delimiter, newlines_in_values=True
            ),
        )  # fmt: skip

    def _check_names(self, names: list[str]) -> None:
        if names != list(map(str, range(len(names)))) and all(map(_is_number, names)):
            raise ValueError(
                f"{self._path} must name its columns in the first line; got {some(names)}"
            )


def with_types(scan: Scan, read: Callable[[], T]) -> T:
    """Read; if later rows of a CSV file have other types than the first ones, learn them and
    read again."""
    try:
        return read()
    except WrongTypeError:
        assert isinstance(scan, CsvScan)
        scan.learn_types()
        return read()


def _has_decimal_commas(opened: Any) -> bool:
    """Whether some column of the first rows holds numbers such as 1,5."""
    first = opened.read_next_batch()
    numbers = r"^\s*[+-]?\d+,\d+\s*$"
    text = [column for column in first.columns if is_text(column.type)]
    return any(_all_match(column, numbers) for column in text)


def _type(field: Any, expected: Expected | None) -> Any:
    """The type of a column: as inferred, unless a model expects text, dates or numbers."""
    name, kind = field.name, field.type
    if expected is None:
        return kind
    if name in expected.text:
        return pa.string()
    types = pa.types
    if name in expected.names:
        return kind if types.is_boolean(kind) or types.is_time(kind) else pa.float64()
    if needed([name], expected.names):
        has_hour = f"{name} hour" in expected.names
        return kind if types.is_timestamp(kind) else pa.timestamp("s") if has_hour else pa.date32()
    return kind


def _fits(values: Any, kind: Any) -> bool:
    if values.null_count == len(values) or kind == pa.null():
        return bool(values.null_count == len(values))
    if kind == pa.time32("s"):  # which pyarrow cannot cast text to
        return _all_match(values, r"^\d\d:\d\d(:\d\d)?$")
    try:
        values.cast(kind)
    except pa.ArrowInvalid:
        return False
    return True


def _with_points(values: Any) -> Any:
    """Texts with points in place of decimal commas; texts with points are then no numbers."""
    return pc.replace_substring(pc.replace_substring(values, ".", "?"), ",", ".")


def _all_match(values: Any, pattern: str) -> bool:
    """Whether all values, and at least one, match a pattern."""
    return pc.all(pc.match_substring_regex(values, pattern)).as_py() is True


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
