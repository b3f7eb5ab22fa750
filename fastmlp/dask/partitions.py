"""Dask collections of users: checked, matched, and made partitions (X, Y, weights) on workers."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
from dask import delayed
from dask.array.utils import meta_from_array
from distributed import Future, futures_of

from ..data import as_samples, read_targets
from ..data.targets import Samples
from .tasks import Tasks
from .waiting import gathered


class Partition(NamedTuple):
    """A partition on a worker."""

    samples: Future
    rows: int
    weighted: int  # rows of weight > 0
    address: str  # of a worker that has it


def is_collection(value: Any) -> bool:
    """Whether a value is a dask array, dataframe or series."""
    return isinstance(value, da.Array | dd.DataFrame | dd.Series)


def check_collection(value: Any, name: str, n_dims: tuple[int, ...]) -> Any:
    """Return a collection whose partitions have all columns.

    Raises
    ------
    TypeError, ValueError
        For something else, such as an array in memory or sparse blocks, or another number of
        dimensions.
    """
    if not is_collection(value):
        wanted = "a dask array or dataframe"
        raise TypeError(
            f"{name} must be {wanted}; got {type(value).__name__}: dask.array.from_array makes one "
            "of an array, dask.dataframe.from_pandas of a table"
        )
    if isinstance(value, da.Array):
        check_dense(meta_from_array(value), name)
    if value.ndim not in n_dims:
        wanted = " or ".join(f"{n}-D" for n in n_dims)
        raise ValueError(f"{name} must be {wanted}; got {value.ndim} dimensions")
    if isinstance(value, da.Array) and value.ndim == 2 and value.numblocks[1] > 1:
        return value.rechunk({1: -1})
    return value


def check_dense(block: Any, name: str) -> None:
    """Raise a TypeError for a sparse block of a dask array."""
    if hasattr(block, "tocsr"):
        raise TypeError(
            f"{name} must have dense blocks; got blocks of {type(block).__name__}: make them dense "
            f"by {name}.map_blocks(lambda block: block.toarray(), dtype={name}.dtype), or give "
            "them to Trainer.fit_stream as chunks"
        )


def partitions(X: Any, y: Any, sample_weight: Any = None) -> list[Any]:
    """Match the partitions of collections; return (X, Y, weights) of each, not computed.

    Raises
    ------
    TypeError, ValueError
        For anything but collections, columns of text, or partitions that differ.
    """
    given = {
        "X": check_collection(X, "X", (2,)),
        "y": check_collection(y, "y", (1, 2)),
    }
    if sample_weight is not None:
        given["sample_weight"] = check_collection(sample_weight, "sample_weight", (1,))
    _check_no_text(X)
    for name, value in given.items():
        _check_matched(given["X"], value, name)
    parts = {name: np.ravel(value.to_delayed()).tolist() for name, value in given.items()}
    weights = parts.get("sample_weight", [None] * len(parts["X"]))
    make = delayed(_samples)
    return [make(*one) for one in zip(parts["X"], parts["y"], weights, strict=True)]


def _check_no_text(X: Any) -> None:
    """Raise a TypeError for text in the types of a dataframe, before anything is computed."""
    if isinstance(X, dd.DataFrame):
        for name, kind in X.dtypes.items():
            if isinstance(kind, pd.StringDtype):
                advice = f"make it a category first, as X.astype({{{name!r}: 'category'}})"
                raise TypeError(f"X[{name!r}] holds text, where X must hold real numbers: {advice}")


def _check_matched(X: Any, other: Any, name: str) -> None:
    """Raise a ValueError for partitions that differ, as far as that is known before they are
    computed."""
    for of, what in ((_chunks, "rows"), (_divisions, "divisions")):
        ours, theirs = of(X), of(other)
        if ours is not None and theirs is not None and ours != theirs:
            pairs = enumerate(zip(ours, theirs, strict=False))
            first = next((k for k, (a, b) in pairs if a != b), min(len(ours), len(theirs)))
            raise ValueError(
                f"{name} must have the partitions of X; got {what} {_short(theirs, first)}, but "
                f"X has {_short(ours, first)}"
            )
    if X.npartitions != other.npartitions:
        raise ValueError(
            f"{name} must have the partitions of X; got {other.npartitions}, but X has "
            f"{X.npartitions}"
        )


def _chunks(value: Any) -> tuple[Any, ...] | None:
    """Rows of each partition, if known."""
    rows = tuple(value.chunks[0]) if isinstance(value, da.Array) else (math.nan,)
    return None if any(map(math.isnan, rows)) else rows


def _divisions(value: Any) -> tuple[Any, ...] | None:
    """Borders of the index, if known."""
    known = not isinstance(value, da.Array) and value.known_divisions
    return tuple(value.divisions) if known else None


def _short(values: tuple[Any, ...], first: int) -> str:
    """Five values from the first one that differs."""
    shown = ", ".join(map(str, values[first : first + 5]))
    return f"({'..., ' * (first > 0)}{shown}{', ...' * (len(values) > first + 5)})"


def _samples(X: Any, Y: Any, weights: Any) -> Samples:
    return X, Y, weights


def on_workers(client: Tasks, parts: Sequence[Any], workers: Sequence[str]) -> list[Partition]:
    """Compute partitions on workers, neighbours together. Computed ones stay where they are.

    Raises
    ------
    TypeError, ValueError
        For partitions whose X, y and weights have different rows, or no rows in all of them.
    """
    futures: list[Future]
    if futures_of(list(parts)):
        futures = client.compute(list(parts))
    else:
        futures = []
        for run, address in zip(runs([1] * len(parts), len(workers)), workers, strict=False):
            chosen = [parts[k] for k in run]
            futures += client.compute(chosen, workers=[address], allow_other_workers=True)
    sizes = gathered(client, client.map(_size, futures, range(len(futures)), pure=False))
    holders = client.who_has(futures)
    found = [
        Partition(future, rows, weighted, next(iter(holders[future.key]), ""))
        for future, (rows, weighted) in zip(futures, sizes, strict=True)
    ]
    if not any(part.rows for part in found):
        raise ValueError("X must have at least one row; got empty partitions only")
    if not any(part.weighted for part in found):
        raise ValueError("sample_weight must have a weight > 0; got zeros only")
    return [part for part in found if part.weighted]


def _size(samples: Samples, number: int) -> tuple[int, int]:
    """Rows of a partition, and those of weight > 0."""
    X, Y, weights = samples
    for name, value in (("X", X), ("y", Y), ("sample_weight", weights)):
        check_dense(value, name)  # blocks may be other than Dask knows
        if value is not None and len(value) != len(X):
            raise ValueError(
                f"{name} must have the rows of X in each partition; got {len(value)} and {len(X)} "
                f"in partition {number}"
            )
    prefix = f"partition {number}: "
    if len(X) == 0:
        return 0, 0
    return len(X), len(read_targets(Y, len(X), weights, prefix, may_be_zero=True))


def in_memory(client: Tasks, validation_data: Any) -> Samples | None:
    """Validation rows, in this process."""
    if validation_data is None:
        return None
    X, Y, weights = (
        gathered(client, client.compute([part]))[0] if is_collection(part) else part
        for part in as_samples(validation_data, "validation_data")
    )
    return X, Y, weights


def runs(sizes: Sequence[int], count: int) -> list[list[int]]:
    """Split partitions, in their order, into at most ``count`` runs of about equal size."""
    middles = np.cumsum(sizes) - np.array(sizes) / 2
    numbers = np.minimum(count * middles / sum(sizes), count - 1).astype(int)
    return [np.flatnonzero(numbers == number).tolist() for number in np.unique(numbers)]


def places(
    parts: Sequence[Partition], chosen: Sequence[Sequence[int]], workers: Sequence[str]
) -> list[str]:
    """A worker for each run of partitions, so that few rows move."""
    left, found = list(workers), [""] * len(chosen)
    rows = {
        (number, address): sum(parts[k].rows for k in run if parts[k].address == address)
        for number, run in enumerate(chosen) for address in workers
    }  # fmt: skip
    for number, address in sorted(rows, key=rows.__getitem__, reverse=True):
        if not found[number] and address in left:
            found[number] = address
            left.remove(address)
    return found
