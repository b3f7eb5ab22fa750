"""open_groups: rows of files, datasets, lazy frames or arrays in groups."""

from collections.abc import Sequence
from typing import Any

from .groups import ArrayGroups, RowGroups


def open_groups(
    source: Any, target: Any, features: Sequence[str] | None = None, weights: Any = None, *,
    shuffle: bool = True,
) -> RowGroups:  # fmt: skip
    """Open rows that need not fit into memory, in groups that can be read in any order.

    Parameters
    ----------
    source : path, pyarrow.dataset.Dataset, polars.LazyFrame or array of shape (n, d)
        The path of a Parquet, CSV or Arrow file, or of a folder of Parquet files. Row groups of
        more than a few thousand rows, and the other kinds of files, are copied to a temporary file
        without a name, in the folder that ``TMPDIR`` names.
    target : str, sequence of str, or array
        Columns of targets; for an array, an array.
    features : sequence of str, optional
        By default all other columns.
    weights : str or array, optional
    shuffle : bool
        Whether a copy may mix rows; else groups have the order of the file.

    Raises
    ------
    TypeError, ValueError
        For wrong columns, columns of unusable types, no rows, or a damaged file.
    OSError
        If a file cannot be read, or there is no room for a copy.
    ImportError
        Without pyarrow.
    """
    if hasattr(source, "shape"):
        if features is not None:
            raise TypeError("features must be None for arrays; choose columns of the array instead")
        return ArrayGroups(source, target, weights)
    from .file_groups import open_files

    return open_files(source, target, features, weights, shuffle=shuffle)
