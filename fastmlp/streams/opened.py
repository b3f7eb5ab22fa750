"""Sources of rows: files by the endings of their names, datasets, lazy frames."""

import errno
import os
import sys
from collections.abc import Sequence
from typing import Any

from ..data.messages import some
from ..did_you_mean import did_you_mean
from .array_files import ENDINGS as ARRAYS
from .arrow import pa
from .csv_files import CsvScan, Expected, with_types
from .parquet import ENDINGS as PARQUET
from .parquet import ParquetFile, ParquetScan, parquet_files
from .scans import ArrowScan, DatasetScan, LazyScan, Scan

_CSV = ".csv", ".tsv"
_COMPRESSED = ".gz", ".bz2", ".zst"
_ARROW = ".arrow", ".feather", ".ipc"


def open_scan(source: Any, expected: Expected | None = None) -> Scan:
    """Open a path, a dataset of pyarrow or a lazy frame of polars.

    Raises
    ------
    OSError
        If a file cannot be read.
    TypeError, ValueError
        If it is empty, damaged, or of an unknown kind.
    """
    datasets = sys.modules.get("pyarrow.dataset")
    if datasets and isinstance(source, datasets.Dataset):
        return _dataset(datasets, source)
    polars = sys.modules.get("polars")
    if polars and isinstance(source, polars.LazyFrame):
        return LazyScan(source)
    if isinstance(source, str | os.PathLike):
        return _file(os.fspath(source), expected)
    wanted = "a path, a dataset of pyarrow, a lazy frame of polars or an array"
    raise TypeError(f"rows must come from {wanted}; got {type(source).__name__}")


def read_table(
    source: Any, columns: Sequence[str] | None = None, expected: Expected | None = None
) -> Any:
    """Read a whole source as a ``pyarrow.Table``.

    Parameters
    ----------
    source : path, pyarrow.dataset.Dataset or polars.LazyFrame
    columns : sequence of str, optional
        By default all, except an index that pandas has written.
    expected : Expected, optional
        What a model expects of the columns of a CSV file.

    Raises
    ------
    OSError, TypeError, ValueError
        As :func:`open_scan`, and if there are no rows.
    """
    scan = open_scan(source, expected)

    def read() -> Any:
        names = table_columns(scan.schema) if columns is None else columns
        check_columns("columns", names, scan.schema)
        schema = pa.schema([scan.schema.field(name) for name in names])
        return pa.concat_tables([schema.empty_table(), *scan.batches(names)])

    table = with_types(scan, read) if expected is None else read()
    if not len(table):
        raise ValueError(f"{source} has no rows")
    return table.combine_chunks()


def table_columns(schema: Any) -> list[str]:
    """Names of the columns, without an index that pandas has written."""
    index = (schema.pandas_metadata or {}).get("index_columns", [])
    return [name for name in schema.names if name not in index]


def check_columns(what: str, names: Sequence[str], schema: Any) -> None:
    """Raise a ValueError for names that a schema lacks."""
    if unknown := [name for name in names if name not in schema.names]:
        hint = did_you_mean(unknown[0], schema.names)
        raise ValueError(f"{what}: no column {unknown[0]!r}; got {some(schema.names)}{hint}")


def _file(path: str, expected: Expected | None) -> Scan:
    if not os.path.exists(path):
        raise FileNotFoundError(errno.ENOENT, "no such file or folder", path)
    if os.path.isdir(path):
        return ParquetScan(parquet_files(path))
    if not os.path.getsize(path):
        raise ValueError(f"{path} is empty")
    stem, ending = os.path.splitext(path.lower())
    if ending in _CSV or (ending in _COMPRESSED and stem.endswith(_CSV)):
        return CsvScan(path, expected)
    if ending in PARQUET:
        return ParquetScan([ParquetFile(path)])
    if ending in _ARROW:
        return ArrowScan(path)
    if ending in ARRAYS:
        raise ValueError(f"{path} holds arrays: load them by np.load")
    known = ", ".join((*_CSV, *PARQUET, *_ARROW))
    raise ValueError(f"{path} must end in one of {known}, or be a folder of Parquet files")


def _dataset(datasets: Any, dataset: Any) -> Scan:
    """Whole Parquet files with all columns are read without the dataset, in less memory."""
    is_parquet = isinstance(getattr(dataset, "format", None), datasets.ParquetFileFormat)
    try:
        fragments = list(dataset.get_fragments()) if is_parquet else []
    except ValueError:  # it has a filter
        fragments = []
    files = []
    for one in fragments:
        folders = datasets.get_partition_keys(one.partition_expression)
        has_all = {*one.physical_schema.names, *folders} >= set(dataset.schema.names)
        if one.num_row_groups == one.metadata.num_row_groups and has_all:
            files.append(ParquetFile(one.path, one.filesystem, folders))
    if files and len(files) == len(fragments):
        return ParquetScan(files, dataset.schema)
    return DatasetScan(dataset)
