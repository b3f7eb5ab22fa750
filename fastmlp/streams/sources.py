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
    if hasattr(source, "shape") and hasattr(source, "dtype"):
        if features is not None:
            raise TypeError("features must be None for an array: choose its columns instead")
        return ArrayGroups(source, target, weights)
    from .file_groups import open_files  # pyarrow is imported here

    names = [target] if isinstance(target, str) else target
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"target must name columns of the file; got {type(target).__name__}")
    if isinstance(features, str):
        raise TypeError(f"features must be a sequence of names; got {features!r}")
    if not isinstance(weights, str | None):
        raise TypeError(
            f"sample_weight must name a column of the file; got {type(weights).__name__}"
        )
    return open_files(source, names, features, weights, shuffle=shuffle)
