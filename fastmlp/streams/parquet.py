"""Rows of Parquet files, read through small buffers.

A dataset of pyarrow reads row groups as a whole: 630 MB of a file of 400 MB with one row group.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow.parquet as pq
from pyarrow.fs import LocalFileSystem

from ..data.messages import some
from .arrow import pa
from .scans import BATCH_ROWS, BUFFER_BYTES, checked, reading

ENDINGS = ".parquet", ".pq"


@dataclass(frozen=True)
class ParquetFile:
    """A Parquet file, and the values of columns that the names of its folders give."""

    path: str
    filesystem: Any = None
    folders: dict[str, Any] = field(default_factory=dict)

    @property
    def version(self) -> tuple[int, int, int] | None:
        """Changes when the file does; None if it is not a local file."""
        if not isinstance(self.filesystem, LocalFileSystem | None):
            return None
        status = os.stat(self.path)
        return status.st_ino, status.st_size, status.st_mtime_ns

    def open(self, metadata: Any = None, buffer_size: int = 0) -> Any:
        """Open the file; with ``metadata`` its end is not read again."""
        return pq.ParquetFile(
            self.path, metadata=metadata, filesystem=self.filesystem, buffer_size=buffer_size,
            pre_buffer=False,
        )  # fmt: skip


class ParquetScan:
    """Rows of Parquet files, in the order of the files.

    Parameters
    ----------
    files : sequence of ParquetFile
    schema : pyarrow.Schema, optional
        By default that of the files: numbers of several types get one that holds all.

    Raises
    ------
    ValueError
        If files have other columns, or types without a common one.
    """

    def __init__(self, files: Sequence[ParquetFile], schema: Any = None) -> None:
        self.files = files
        self._versions = [file.version for file in files]
        self.metadata, schemas = [], []
        for file in files:  # one is open at a time, as there may be thousands
            with reading(file.path), file.open() as opened:
                self.metadata.append(opened.metadata)
                found = _with_folders(opened.schema_arrow, file.folders)
            schemas.append(checked(found, file.path))
        self.schema = _common(schemas, [file.path for file in files]) if schema is None else schema

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Yield tables of some columns."""
        for number, file in enumerate(self.files):
            given = [name for name in columns if name not in file.folders]
            with reading(file.path):
                opened = self._opened(number, BUFFER_BYTES)
                for batch in opened.iter_batches(BATCH_ROWS, columns=given, use_threads=False):
                    yield self._completed(pa.Table.from_batches([batch]), file, columns)

    @property
    def sizes(self) -> list[list[int]]:
        """Rows of each row group of each file."""
        return [
            [one.row_group(group).num_rows for group in range(one.num_row_groups)]
            for one in self.metadata
        ]

    def row_group(self, number: int, group: int, columns: Sequence[str]) -> Any:
        """Read a row group of a file."""
        file = self.files[number]
        given = [name for name in columns if name not in file.folders]
        with reading(file.path):
            opened = self._opened(number)
            table = opened.read_row_group(group, columns=given, use_threads=False)
        return self._completed(table, file, columns)

    def _opened(self, number: int, buffer_size: int = 0) -> Any:
        file = self.files[number]
        if file.version != self._versions[number]:
            raise ValueError(f"{file.path} has changed while it was used")
        return file.open(self.metadata[number], buffer_size)

    def _completed(self, table: Any, file: ParquetFile, columns: Sequence[str]) -> Any:
        for name, value in file.folders.items():
            if name in columns:
                table = table.append_column(name, pa.repeat(value, table.num_rows))
        return table.select(columns).cast(pa.schema([self.schema.field(name) for name in columns]))


def _with_folders(schema: Any, folders: dict[str, Any]) -> Any:
    for name, value in folders.items():
        schema = schema.append(pa.field(name, pa.scalar(value).type))
    return schema


def _common(schemas: list[Any], paths: list[str]) -> Any:
    """The schema of all files."""
    first = schemas[0]
    for schema, path in zip(schemas[1:], paths[1:], strict=True):
        if lacking := set(first.names) ^ set(schema.names):
            both = f"{paths[0]} and {path}"
            raise ValueError(f"only one of {both} has the columns {some(sorted(lacking))}")
    fields = [_common_field([schema.field(name) for schema in schemas]) for name in first.names]
    return pa.schema(fields, metadata=first.metadata)


def _common_field(fields: list[Any]) -> Any:
    try:
        schemas = [pa.schema([field]) for field in fields]
        return pa.unify_schemas(schemas, promote_options="permissive").field(0)
    except pa.ArrowException as error:
        kinds = some(sorted({str(field.type) for field in fields}))
        raise ValueError(f"column {fields[0].name!r} has several types: {kinds}") from error


def parquet_files(folder: str) -> list[ParquetFile]:
    """The Parquet files of a folder and its folders, whose names such as "year=2020" are columns.

    Raises
    ------
    ValueError
        If there are none.
    """
    paths = [path.relative_to(folder) for path in sorted(Path(folder).rglob("*"))]
    found = [
        path for path in paths
        if path.suffix in ENDINGS and not any(part[0] in "._" for part in path.parts)
    ]  # fmt: skip
    if not found:
        raise ValueError(f"{folder} is a folder without Parquet files ({', '.join(ENDINGS)})")
    return [ParquetFile(os.path.join(folder, path), folders=_folders(path)) for path in found]


def _folders(file: Path) -> dict[str, Any]:
    named = (folder.partition("=") for folder in file.parts[:-1])
    return {name: _value(value) for name, is_named, value in named if is_named}


def _value(text: str) -> int | str | None:
    if text == "__HIVE_DEFAULT_PARTITION__":
        return None
    return int(text) if text.removeprefix("-").isdecimal() else unquote(text)
