"""Readers: the rows of a chunk as kernels then find them, wherever that is."""

from typing import Any

import numpy as np
import pytest

from fastmlp.kernels.plugins.readers import READERS, reader_of
from tests.helpers.basics import NAN, Array, needs_compiler
from tests.helpers.kernels import (
    COUNTS,
    Flat,
    a_layer,
    a_run,
    assert_untouched,
    block_of,
    call,
    spread,
)

pytestmark = needs_compiler

IN_PLACE, COPYING = {"scattered", "consecutive"}, {"numbers", "uint8"}
FIRST, AFTER = 3, 2  # rows before and behind those of the chunk


def test_no_reader_is_forgotten() -> None:
    assert set(READERS) == IN_PLACE | COPYING | {"bins", "sparse"}
    assert {reader_of(np.dtype(kind)) for kind in ("uint8", "float32", "float64")} == COPYING


def rows_as_found(memory: Array, layer: Array, rows: Array) -> Array:
    """The m rows that ``layer`` and its table point to."""
    places = int(layer["outputs"][0]) + rows[:, None] + np.arange(int(layer["n_out"][0]))
    found: Array = memory[places]
    return found


def order_of(n: int) -> Array:
    return np.random.default_rng(n).permutation(n)


@pytest.mark.parametrize("d", COUNTS[1:])
@pytest.mark.parametrize("m", COUNTS)
@pytest.mark.parametrize("reader", sorted(IN_PLACE))
def test_rows_in_place(reader: str, m: int, d: int, dtype: Any) -> None:
    n = FIRST + m + AFTER
    X = spread(np.random.default_rng(d), (n, d), dtype)
    order = np.arange(n) if reader == "consecutive" else order_of(n)
    flat = Flat(dtype, NAN)
    start = flat.put(X)
    memory = flat.array()
    before = memory.copy()
    # Each finds what it does not set itself.
    moves = reader == "consecutive"
    rows = np.arange(m) * d if moves else np.full(m, -1)
    outputs = -1 if moves else start
    layer = a_layer(n_out=d, activations=start, outputs=outputs, stride=d, rows=rows)
    run = a_run(row=FIRST, m=m, n_rows=n, order=order, row_offsets=rows, input_factor=1)
    call(READERS[reader], memory, run, layer)
    assert np.array_equal(rows_as_found(memory, layer, rows), X[order[FIRST : FIRST + m]])
    assert_untouched(memory, before)


@pytest.mark.parametrize("scale", [1.0, 1 / 255])
@pytest.mark.parametrize("d", COUNTS[1:])
@pytest.mark.parametrize("m", COUNTS)
@pytest.mark.parametrize("reader", sorted(COPYING))
def test_copied_rows(reader: str, m: int, d: int, scale: float, dtype: Any) -> None:
    n, stride = FIRST + m + AFTER, d + 5
    rng = np.random.default_rng(d)
    pixels = rng.integers(256, size=(n, d)).astype(np.uint8)
    X = pixels if reader == "uint8" else spread(rng, (n, d), dtype)
    order, flat = order_of(n), Flat(dtype, NAN)
    start = flat.put(np.full(m * stride, NAN))
    before = flat.array()
    memory, rows = before.copy(), np.arange(m) * stride
    layer = a_layer(n_out=d, outputs=start, stride=stride, rows=rows)
    run = a_run(row=FIRST, m=m, n_rows=n, input=X, order=order, copy=start, input_factor=scale)
    call(READERS[reader], memory, run, layer)
    block = start, (m, d), stride
    # The same product as in NumPy, rounded once.
    wanted = dtype.type(scale) * X[order[FIRST : FIRST + m]].astype(dtype)
    assert np.array_equal(block_of(memory, *block), wanted)
    assert np.array_equal(rows_as_found(memory, layer, rows), wanted)
    assert_untouched(memory, before, block)


@pytest.mark.parametrize("d", COUNTS[1:])
@pytest.mark.parametrize("m", COUNTS)
def test_rows_with_bins(m: int, d: int, dtype: Any) -> None:
    n, reach = FIRST + m + AFTER, 0.15
    rng = np.random.default_rng(d)
    X = spread(rng, (n, d), dtype)
    ends = np.cumsum([0, *rng.integers(0, 20, d)])
    count = int(ends[-1])
    slopes, offsets = spread(rng, (count,), dtype), spread(rng, (count,), dtype)
    stride = d + count + 5
    order, flat = order_of(n), Flat(dtype, NAN)
    start = flat.put(np.full(m * stride, NAN))
    before = flat.array()
    memory = before.copy()
    layer = a_layer(n_out=d + count, outputs=start, stride=stride)
    run = a_run(
        row=FIRST, m=m, n_rows=n, input=X, order=order, copy=start, features=d, bin_ends=ends,
        bin_slopes=slopes, bin_offsets=offsets, bin_reach=reach,
    )  # fmt: skip
    call(READERS["bins"], memory, run, layer)
    block = start, (m, d + count), stride
    rows = X[order[FIRST : FIRST + m]]
    features = np.repeat(np.arange(d), np.diff(ends))
    products, reach = rows[:, features] * slopes, dtype.type(reach)
    found = block_of(memory, *block)
    assert np.array_equal(found[:, :d], rows)
    # Product and sum may be rounded once or twice.
    error = np.finfo(dtype).eps * (np.abs(products) + np.abs(offsets))
    wanted = np.clip(products + offsets, -reach, reach)
    assert (np.abs(found[:, d:] - wanted) <= error).all()
    assert_untouched(memory, before, block)
