"""Groups of rows of files: features, targets and weights from columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..data.pandas_polars_arrow import column_values
from ..data.targets import Samples
from .arrow import pa
from .columns import convert, is_number
from .copies import Copy
from .csv_files import with_types
from .opened import check_columns, open_scan, table_columns
from .parquet import ParquetScan
from .scans import Scan

# Training mixes the rows of at least 16 groups in 32 MB, as float32.
_GROUP_BYTES = 1 << 21
_LEAST_ROWS, _TEXT_ROWS, _MOST_ROWS = 256, 512, 8192


class _Groups(Protocol):
    """Tables that can be read in any order."""

    sizes: list[int]

    def read(self, number: int) -> Any:
        """Read a table."""


@dataclass(frozen=True)
class Roles:
    """Names of columns."""

    features: list[str]
    targets: list[str]
    weights: str | None

    @property
    def all(self) -> list[str]:
        """Names of all columns to read, once each."""
        weights = [] if self.weights is None else [self.weights]
        return list(dict.fromkeys([*self.features, *self.targets, *weights]))


class FileGroups:
    """Rows of files in groups.

    Parameters
    ----------
    groups : _Groups
        Tables of the columns, without dictionaries.
    schema : pyarrow.Schema
        With dictionaries.
    roles : Roles
    """

    def __init__(self, groups: _Groups, schema: Any, roles: Roles) -> None:
        self.sizes = groups.sizes
        self._groups, self._roles = groups, roles
        kinds = {name: schema.field(name).type for name in roles.features}
        self._coded = [name for name, kind in kinds.items() if pa.types.is_dictionary(kind)]
        self._are_numbers = all(map(is_number, kinds.values()))  # 784 columns: 6 of 11 ms saved

    def read(self, number: int) -> Samples:
        """Read a group: a table of features, an array of targets, and weights or None."""
        table, roles = self._groups.read(number).combine_chunks(), self._roles
        features = table.select(roles.features)
        for name in self._coded:
            values = table[name].dictionary_encode()
            features = features.set_column(roles.features.index(name), name, values)
        targets = [_target(table[name]) for name in roles.targets]
        weights = None if roles.weights is None else column_values(_target(table[roles.weights]))
        X = features if self._are_numbers else convert(features)[0]
        return X, _stacked(targets), weights


def _target(column: Any) -> Any:
    return column.cast("double") if pa.types.is_decimal(column.type) else column


def _stacked(columns: list[Any]) -> Any:
    if len(columns) == 1:
        return column_values(columns[0])
    return np.column_stack([column_values(column.cast("double", safe=False)) for column in columns])


def open_files(
    source: Any, targets: Sequence[str], features: Sequence[str] | None,
    weights: str | None, *, shuffle: bool,
) -> FileGroups:  # fmt: skip
    """Open files, a dataset or a lazy frame as groups; see ``open_groups``."""
    scan = open_scan(source)
    groups = with_types(scan, lambda: _groups(scan, targets, features, weights, shuffle))
    if not groups.sizes:
        raise ValueError(f"{source} has no rows")
    return groups


def _groups(
    scan: Scan, targets: Sequence[str], features: Sequence[str] | None, weights: str | None,
    shuffle: bool,
) -> FileGroups:  # fmt: skip
    roles = choose_columns(scan.schema, targets, features, weights)
    schema = pa.schema([scan.schema.field(name) for name in roles.all])
    convert(schema.empty_table().select(roles.features))  # refuses types before any row is read
    _check_targets(schema, targets)
    rows = _GROUP_BYTES // (4 * len(roles.features))
    rows = max(_LEAST_ROWS, min(_MOST_ROWS, rows))
    # Text may become so many columns that a window has few rows.
    has_text = not all(is_number(schema.field(name).type) for name in roles.features)
    groups = _in_place(scan, roles.all, 2 * (_TEXT_ROWS if has_text else rows))
    if groups is None:
        plain = pa.schema([_without_dictionary(field) for field in schema])
        batches = (batch.cast(plain) for batch in scan.batches(roles.all))
        groups = Copy(batches, plain, rows, shuffle=shuffle)
    return FileGroups(groups, schema, roles)


def _check_targets(schema: Any, targets: Sequence[str]) -> None:
    for name in targets if len(targets) > 1 else ():
        kind = schema.field(name).type
        if not is_number(kind) and not pa.types.is_decimal(kind):
            raise TypeError(
                f"target: column {name!r} must hold numbers, as there are several; got {kind}"
            )


def choose_columns(
    schema: Any, targets: Sequence[str], features: Sequence[str] | None, weights: str | None
) -> Roles:
    """Check names of columns; the features are by default all others.

    The index that pandas writes into a file is not a feature.

    Raises
    ------
    ValueError
        For unknown columns, a target or weights among the features, or no features.
    """
    taken = [*targets] if weights is None else [*targets, weights]
    if features is None:
        features = [name for name in table_columns(schema) if name not in taken]
    for what, names in (("target", targets), ("sample_weight", taken), ("features", features)):
        check_columns(what, names, schema)
    if both := set(features).intersection(taken):
        raise ValueError(f"features hold {both.pop()!r}, which is a target or the weights")
    if not features or not targets:
        raise ValueError("there must be a target and a feature at least")
    return Roles(list(features), list(targets), weights)


class _RowGroups:
    """Row groups of Parquet files, read in place."""

    def __init__(self, scan: ParquetScan, columns: list[str]) -> None:
        self._scan, self._columns = scan, columns
        found = [
            (file, group, size) for file, sizes in enumerate(scan.sizes)
            for group, size in enumerate(sizes) if size
        ]  # fmt: skip
        self._places = [(file, group) for file, group, _ in found]
        self.sizes = [size for _, _, size in found]

    def read(self, number: int) -> Any:
        """Read a row group."""
        return self._scan.row_group(*self._places[number], self._columns)


def _in_place(scan: Scan, columns: list[str], most_rows: int) -> _Groups | None:
    """The row groups of Parquet files, if none is long and few are short."""
    if not isinstance(scan, ParquetScan):
        return None
    groups = _RowGroups(scan, columns)
    short = len(groups.sizes) * _LEAST_ROWS > sum(groups.sizes) + _LEAST_ROWS
    return None if short or max(groups.sizes, default=0) > most_rows else groups


def _without_dictionary(field: Any) -> Any:
    is_dictionary = pa.types.is_dictionary(field.type)
    return field.with_type(field.type.value_type) if is_dictionary else field
