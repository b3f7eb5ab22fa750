"""Sources of rows: files by the endings of their names, datasets, lazy frames."""

import os
from typing import Any

from .scans import ParquetScan, Scan, parquet_files


def open_scan(source: Any) -> Scan:
    """Open a source.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is empty, damaged, or of an unknown kind.
    """
    return ParquetScan(parquet_files(os.fspath(source)))
