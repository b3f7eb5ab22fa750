"""Raw rows to the inputs of a network, as nodes: columns to numbers, scaling, bins."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data import Array, Numbers, some
from ..inputs import Columns, Inputs, Scaling
from ..inputs.bins import REACH, Bins
from ..kernels.plugins.given_rows import BEYOND, CLIP
from .graph import TEXT, Graph, Tensor

_DOUBLE = np.dtype(np.float64)


def declare(graph: Graph, members: Sequence[Inputs]) -> list[Tensor]:
    """Declare the inputs of the graph: X, or a tensor for each column if some are categories.

    Returns
    -------
    list of str
        X alone; or the tensor of each column, where "" is one of categories of which there are
        none.

    Raises
    ------
    ValueError
        For columns of the same name, or categories that are strings and numbers, or too large.
    """
    first = members[0]
    count = first.columns.n_given
    if not first.columns.categories:
        graph.inputs["X"] = _DOUBLE, count
        return ["X"]
    names = list(map(str, range(count) if first.names is None else first.names))
    if twice := {name for name in names if names.count(name) > 1 or not name}:
        raise ValueError(f"columns of X must have different names for ONNX; got {some([*twice])}")
    for j, name in enumerate(names):
        keys = [key for member in members for key in member.columns.categories.get(j, ())]
        is_text = {isinstance(key, str) for key in keys}
        if len(is_text) == 2:
            raise ValueError(f"categories of X[{name!r}] must be all strings or all numbers")
        if odd := [key for key in keys if not isinstance(key, str) and float(key) != key]:
            raise ValueError(f"categories of X[{name!r}] must be exact as float64; got {some(odd)}")
        if keys or j not in first.columns.categories:
            graph.inputs[name] = TEXT if True in is_text else _DOUBLE, 1
        else:
            names[j] = ""
    return names


def encoded(
    graph: Graph, inputs: Inputs, given: list[Tensor], dtype: np.dtype[Any]
) -> tuple[Tensor | None, Tensor | None]:
    """The inputs of a network of ``dtype``; of many categories without one-hot columns, and for
    each column of them the one-hot column of each row, of all one-hot columns, or -1."""
    scaling, columns = inputs.scaling, inputs.columns
    numbers, marks = _numbers(graph, columns, given)
    if columns.are_sparse:
        parts = [] if numbers is None else _scaled_parts(graph, scaling, numbers, dtype)
        parts[1:1] = [graph.cast(mark, dtype) for mark in marks]
        return _joined(graph, parts) if parts else None, _places(graph, columns, given)
    one_hot = [_one_hot(graph, given[j], keys) for j, keys in columns.categories.items() if keys]
    rows = _joined(graph, [*([] if numbers is None else [numbers]), *one_hot, *marks])
    return _joined(graph, _scaled_parts(graph, scaling, rows, dtype)), None


def _scaled_parts(
    graph: Graph, scaling: Scaling, rows: Tensor, dtype: np.dtype[Any]
) -> list[Tensor]:
    """Scaled rows in ``dtype``, and the inputs of their bins, if there are some."""
    if scaling.leaves_rows:
        rows, factor = graph.cast(rows, dtype), scaling.kernel_factor
        return [rows if factor == 1 else graph("Mul", rows, dtype.type(factor))]
    rows = graph.cast(_scaled(graph, scaling, rows), dtype)
    return [rows] if scaling.bins is None else [rows, _of_bins(graph, rows, scaling.bins, dtype)]


def _numbers(
    graph: Graph, columns: Columns, given: list[Tensor]
) -> tuple[Tensor | None, list[Tensor]]:
    """Columns of numbers, filled, if there are some; and columns that mark gaps; in float64."""
    names = [name for j, name in enumerate(given) if j not in columns.categories]
    if not names:
        return None, []
    numbers = _joined(graph, names)
    if columns.medians is None:
        return numbers, []
    gaps = graph("IsNaN", numbers)
    which = [graph("Gather", gaps, np.array(columns.gaps), axis=1)] if columns.gaps else []
    marks = [graph.cast(marked, _DOUBLE) for marked in which]
    return graph("Where", gaps, columns.medians, numbers), marks


def _joined(graph: Graph, parts: list[Tensor]) -> Tensor:
    """Columns side by side."""
    return parts[0] if len(parts) == 1 else graph("Concat", *parts, axis=1)


def _one_hot(graph: Graph, column: Tensor, keys: Sequence[Any]) -> Tensor:
    """A column for each category; zeros for any other, and for NaN."""
    numbers: Array = np.arange(len(keys))
    if isinstance(keys[0], str):
        column = graph(
            "LabelEncoder", column, keys_strings=list(keys), values_int64s=numbers.tolist(),
            default_int64=-1,
        )  # fmt: skip
    else:
        numbers = np.array(keys, np.float64)
    return graph.cast(graph("Equal", column, numbers), _DOUBLE)


def _places(graph: Graph, columns: Columns, given: list[Tensor]) -> Tensor:
    """The one-hot column of each row, for each column of categories."""
    places, first = [], 0
    for j, keys in columns.categories.items():
        if keys:
            places.append(_place(graph, given[j], keys, first))
        first += len(keys)
    return _joined(graph, places)


def _place(graph: Graph, column: Tensor, keys: Sequence[Any], first: int) -> Tensor:
    """``first`` for the first category, and so on; -1 for any other, and for NaN."""
    numbers = np.arange(first, first + len(keys))
    if isinstance(keys[0], str):
        return graph(
            "LabelEncoder", column, keys_strings=list(keys), values_int64s=numbers.tolist(),
            default_int64=-1,
        )  # fmt: skip
    order = np.argsort(keys)
    size = 2 * _steps(len(keys))[0]
    values, results = np.full(size, np.inf), np.full(size, -1)
    values[: len(keys)], results[: len(keys)] = np.array(keys, np.float64)[order], numbers[order]
    place = _search(graph, column, values, np.zeros(1, np.int64), len(keys))
    is_known = graph("Equal", graph("Gather", values, place), column)
    return graph("Where", is_known, graph("Gather", results, place), np.int64(-1))


def _steps(count: int) -> npt.NDArray[np.int64]:
    """Steps of a binary search among ``count`` values."""
    return 1 << np.arange(count.bit_length())[::-1]


def _search(
    graph: Graph, rows: Tensor, values: Numbers, start: npt.NDArray[np.int64], count: int
) -> Tensor:
    """The place of the last of ``count`` rising values from ``start`` on, padded by infinity to
    twice the first step, that is not above that of a row."""
    place = graph("Identity", start)
    for step in _steps(count):
        further = graph("Add", place, step)
        above = graph("Less", rows, graph("Gather", values, further))
        place = graph("Where", above, place, further)
    return place


def _scaled(graph: Graph, scaling: Scaling, rows: Tensor) -> Tensor:
    """Learned scaling, in float64."""
    if scaling.points is not None and scaling.levels is not None:
        return _interpolated(graph, rows, scaling.points, scaling.levels)
    if scaling.centre is not None:
        rows = graph("Sub", rows, scaling.centre)
    rows = graph("Mul", rows, np.asarray(scaling.factor))
    if not scaling.clips:
        return rows
    rows = graph("Clip", rows, np.float64(-BEYOND), np.float64(BEYOND))
    part = graph("Mul", rows, np.float64(1 / CLIP))
    square = graph("Mul", part, part)
    return graph("Div", rows, graph("Sqrt", graph("Add", square, np.float64(1))))


def _interpolated(graph: Graph, rows: Tensor, points: Numbers, levels: Numbers) -> Tensor:
    """Piecewise-linear maps, one of each column, constant beyond their points.

    A binary search finds the last point that is not above the value: 9 steps for 258 points, where
    a comparison with all points would take 258 times the memory of the rows.
    """
    count, n_columns = points.shape
    with np.errstate(all="ignore"):
        slopes = np.diff(levels, axis=0) / np.diff(points, axis=0)
    slopes[~np.isfinite(slopes)] = 0  # of points that are equal
    padding = np.full((2 * _steps(count)[0] - count, n_columns), np.inf)
    size = count + len(padding)
    flat = np.vstack([points, padding]).T.ravel()  # column by column
    rows = graph("Max", graph("Min", rows, points[-1]), points[0])
    place = _search(graph, rows, flat, size * np.arange(n_columns), count)

    def at(table: Numbers) -> Tensor:
        padded = np.zeros((size, n_columns))
        padded[: len(table)] = table
        return graph("Gather", padded.T.ravel(), place)

    beyond = graph("Sub", rows, graph("Gather", flat, place))
    return graph("Add", at(levels), graph("Mul", at(slopes), beyond))


def _of_bins(graph: Graph, rows: Tensor, bins: Bins, dtype: np.dtype[Any]) -> Tensor:
    """The inputs of the bins of rows.

    A product with a matrix of slopes, mostly zeros, takes a third of the time of gathered features.
    """
    arrays = bins.arrays(dtype)
    features = np.repeat(np.arange(bins.n_features), np.diff(bins.ends))
    slopes = np.zeros((bins.n_features, bins.count), dtype)
    slopes[features, np.arange(bins.count)] = arrays["bin_slopes"]
    values = graph("Gemm", rows, slopes, arrays["bin_offsets"])
    return graph("Clip", values, dtype.type(-REACH), dtype.type(REACH))
