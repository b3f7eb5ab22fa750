"""Predictions, written piece by piece: CSV, Parquet, or an array of NumPy."""

import csv
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import numpy as np

Columns = dict[str, Any]
KINDS = ".csv", ".parquet", ".npy"


class Writer(Protocol):
    """Where predictions go."""

    def write(self, rows: Any) -> None:
        """Write some rows: columns by name, the same each time, or a part of an array."""


class _CSV:
    """Rows as text."""

    def __init__(self, file: Any) -> None:
        self._writer = csv.writer(file, lineterminator="\n")
        self._has_names = False

    def write(self, rows: Columns) -> None:
        """Write some rows; names first."""
        if not self._has_names:
            self._writer.writerow(rows)
            self._has_names = True
        self._writer.writerows(zip(*map(_texts, rows.values()), strict=True))


def _texts(column: Any) -> Any:
    """Values to write: float32 with its own digits, missing ones as nothing."""
    if not isinstance(column, np.ndarray):
        return column.to_pylist()
    return (column.astype(str) if column.dtype == np.float32 else column).tolist()


class _Parquet:
    """A Parquet file."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._writer: Any = None

    def write(self, rows: Columns) -> None:
        """Write some rows."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.table(rows)
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema)
        self._writer.write_table(table)

    def close(self) -> None:
        """Write the end of the file."""
        if self._writer is not None:
            self._writer.close()


class _NumPy:
    """An array."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._parts: list[Any] = []

    def write(self, rows: Any) -> None:
        """Keep some rows."""
        self._parts.append(rows)

    def close(self) -> None:
        """Write all rows."""
        with open(self._path, "wb") as file:
            np.save(file, np.concatenate(self._parts))


@contextmanager
def writing(path: str | None) -> Iterator[Writer]:
    """Where predictions go: a file, which is replaced at the end, or, without one, stdout."""
    if path is None:
        yield _CSV(sys.stdout)
        return
    folder, name = os.path.split(path)
    new = os.path.join(folder, f".{name[:50]}.{secrets.token_hex(8)}")
    try:
        if path.endswith(".csv"):
            with open(new, "w", encoding="utf-8", newline="") as file:
                yield _CSV(file)
        else:
            writer = _Parquet(new) if path.endswith(".parquet") else _NumPy(new)
            yield writer
            writer.close()
        os.replace(new, path)
    finally:
        with suppress(OSError):
            os.unlink(new)
