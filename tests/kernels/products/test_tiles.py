"""The tiles of matrix products against float64 NumPy.

Operands lie among NaN, so that a read or a write beside them shows.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest

from fastmlp.kernels.language.simd import TILE_ROWS
from fastmlp.kernels.products.inner import inner as inner_tile
from fastmlp.kernels.products.tiles import OUTER, OUTER_MASKED
from fastmlp.kernels.runs.layout import aligned_zeros
from tests.helpers.basics import INF, NAN, Array, needs_compiler
from tests.helpers.kernels import (
    COUNTS,
    GAP,
    Flat,
    assert_untouched,
    bit_masks,
    block_of,
    call,
    lanes_of,
    spread,
    with_gaps,
)

pytestmark = needs_compiler

# Of the error of a sum of products, in eps * sum |a| |b|.
LIMIT = 16


def assert_accurate(ours: Array, exact: Array, scale: Array, what: Any) -> None:
    error = np.abs(ours - exact)
    assert (error <= LIMIT * np.finfo(ours.dtype).eps * scale).all(), what


def test_aligned_zeros(dtype: Any) -> None:
    """The memory of all operands is as long as it was asked for."""
    for count in range(1, 300):
        memory = aligned_zeros(count, dtype)
        assert memory.shape == (count,)
        assert memory.dtype == dtype
        assert memory.ctypes.data % 64 == 0
        assert not memory.any()


# ----------------------------------------------------------------------------------------- outer


def outer(
    A: Array,
    B: Array,
    base: Array,
    *,
    relu: bool = False,
    in_place: bool = False,
    taken: Array | None = None,
    shuffled: bool = False,
) -> Array:
    """base + A.T @ B, A of shape (depth, rows), B (depth, columns), base (rows or 1, columns).

    ``taken`` tells which steps each tile of rows takes, of shape (tiles, depth); ``shuffled``
    scatters A in memory.
    """
    (depth, rows), columns = A.shape, B.shape[1]
    memory, index = Flat(B.dtype, NAN), Flat(np.int64, 0)
    # Element (i, j) of A lies at the sum of two offsets, from which nothing else follows.
    order = np.random.default_rng(depth).permutation if shuffled else np.arange
    offset_of_step, offset_of_row = order(depth) * (rows + 2), order(rows)
    stored = np.full(depth * (rows + 2), NAN, A.dtype)
    stored[offset_of_step[:, None] + offset_of_row] = A
    width = columns + GAP
    C = base if in_place else np.full((rows, columns), NAN)
    c0 = memory.put(with_gaps(C))
    base0 = c0 if in_place else memory.put(with_gaps(base))
    a0, b0 = memory.put(stored), memory.put(with_gaps(B))
    tables = [index.put(offset_of_step), index.put(offset_of_row)]
    if taken is not None:
        tables.append(index.put(bit_masks(taken)))
    words = index.array()
    steps, row_offsets, *masks = (words.ctypes.data + words.itemsize * table for table in tables)
    tile = (OUTER if taken is None else OUTER_MASKED)[columns // lanes_of(B.dtype)]
    before = memory.array()
    after = before.copy()
    call(
        tile, after, (c0, width), (base0, width if len(base) > 1 else 0), (a0, steps, row_offsets),
        (b0, width), rows, depth, *(masks or [0]), relu,
    )  # fmt: skip
    block = c0, (rows, columns), width
    assert_untouched(after, before, block)
    return block_of(after, *block)


def outer_operands(dtype: Any, vectors: int, seed: int = 0) -> Iterator[tuple[Array, Array, Array]]:
    rng = np.random.default_rng(seed)
    columns = vectors * lanes_of(dtype)
    for depth, rows in product(COUNTS, COUNTS):
        yield (
            spread(rng, (depth, rows), dtype),
            spread(rng, (depth, columns), dtype),
            spread(rng, (rows, columns), dtype),
        )


def outer_reference(A: Array, B: Array, base: Array) -> tuple[Array, Array]:
    """Result and the scale of its error, in float64."""
    A, B, base = (array.astype(np.float64) for array in (A, B, base))
    return base + A.T @ B, np.abs(base) + np.abs(A).T @ np.abs(B)


@pytest.mark.parametrize("vectors", [1, 2, 3, 4])
def test_outer(dtype: Any, vectors: int) -> None:
    for A, B, base in outer_operands(dtype, vectors):
        exact, scale = outer_reference(A, B, base)
        assert_accurate(outer(A, B, base), exact, scale, A.shape)


@pytest.mark.parametrize("vectors", [1, 2, 3, 4])
def test_outer_from_one_row_of_zeros(dtype: Any, vectors: int) -> None:
    """The gradient starts so; now the scale of the error is that of the products alone."""
    for A, B, base in outer_operands(dtype, vectors):
        exact, scale = outer_reference(A, B, 0 * base)
        assert_accurate(outer(A, B, np.zeros((1, B.shape[1]), dtype)), exact, scale, A.shape)


@pytest.mark.parametrize("vectors", [1, 2, 3, 4])
def test_outer_in_place(dtype: Any, vectors: int) -> None:
    for A, B, base in outer_operands(dtype, vectors):
        assert np.array_equal(outer(A, B, base, in_place=True), outer(A, B, base))


@pytest.mark.parametrize("vectors", [1, 2, 3, 4])
def test_outer_of_scattered_operands(dtype: Any, vectors: int) -> None:
    for A, B, base in outer_operands(dtype, vectors):
        assert np.array_equal(outer(A, B, base, shuffled=True), outer(A, B, base))


@pytest.mark.parametrize("vectors", [1, 2, 3, 4])
def test_outer_rectified(dtype: Any, vectors: int) -> None:
    for A, B, base in outer_operands(dtype, vectors):
        wanted = np.maximum(outer(A, B, base), 0)
        assert np.array_equal(outer(A, B, base, relu=True), wanted)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("vectors", [1, 2, 3, 4])
def test_outer_over_masks(dtype: Any, vectors: int, relu: bool) -> None:
    """A step whose bit is not set is skipped: the result is the one where its A is zero."""
    rng = np.random.default_rng(1)
    for A, B, base in outer_operands(dtype, vectors):
        depth, rows = A.shape
        n_tiles = -(-rows // TILE_ROWS)
        taken = rng.random((n_tiles, depth)) < rng.random((n_tiles, 1))
        taken[: n_tiles // 3] = True
        A = np.where(taken.T.repeat(TILE_ROWS, axis=1)[:, :rows], A, 0)
        wanted = outer(A, B, base, relu=relu)
        assert np.array_equal(outer(A, B, base, relu=relu, taken=taken), wanted)
        # Nor is it read.
        B_of_taken = np.where(taken.any(axis=0)[:, None], B, NAN)
        assert np.array_equal(outer(A, B_of_taken, base, relu=relu, taken=taken), wanted)


@pytest.mark.parametrize("relu", [False, True])
def test_outer_does_not_depend_on_the_tile(dtype: Any, relu: bool) -> None:
    """Threads, batches and panels split the work at different places."""
    lanes = lanes_of(dtype)
    for A, B, base in outer_operands(dtype, vectors=4):
        whole = outer(A, B, base, relu=relu)
        for j in range(0, A.shape[1], 5):
            alone = outer(A[:, [j]], B, base[[j]], relu=relu)
            assert np.array_equal(alone[0], whole[j])
        left = outer(A, B[:, :lanes], base[:, :lanes], relu=relu)
        assert np.array_equal(left, whole[:, :lanes])


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("vectors", [1, 2, 3, 4])
def test_outer_passes_on_what_is_not_finite(dtype: Any, vectors: int, relu: bool) -> None:
    columns = vectors * lanes_of(dtype)
    rows = 2 * TILE_ROWS + 1
    A, B = np.ones((9, rows), dtype), np.ones((9, columns), dtype)
    base = np.zeros((rows, columns), dtype)
    A[4, 2] = A[8, -1] = base[1, 0] = NAN
    base[3, 1], base[5, -1] = INF, -INF
    wanted = np.full((rows, columns), 9.0)
    wanted[2] = wanted[-1] = wanted[1, 0] = NAN
    wanted[3, 1], wanted[5, -1] = INF, 0 if relu else -INF
    assert np.array_equal(outer(A, B, base, relu=relu), wanted, equal_nan=True)


# ----------------------------------------------------------------------------------------- inner


def panels_of(A: Array, width: int) -> Array:
    """Panel by panel, the rows of each one behind the other, as deltas and weights are kept."""
    padded = np.pad(A, ((0, 0), (0, -A.shape[1] % width)), constant_values=NAN)
    return padded.reshape(len(A), padded.shape[1] // width, width).swapaxes(0, 1)


def inner(A: Array, B: Array, vectors: int) -> Array:
    """A @ B.T, A of shape (rows, depth) in panels, B (columns, depth) row by row."""
    (rows, depth), columns = A.shape, len(B)
    lanes = lanes_of(A.dtype)
    width = vectors * lanes
    panels = -(-depth // width)
    last = (depth - (panels - 1) * width) // lanes
    memory = Flat(A.dtype, NAN)
    c0 = memory.put(with_gaps(np.full((rows, columns), NAN)))
    a0, b0 = memory.put(panels_of(A, width)), memory.put(with_gaps(B))
    before = memory.array()
    after = before.copy()
    call(
        inner_tile, after, (c0, columns + GAP), (a0, width, rows * width),
        (b0, depth + GAP, width), vectors, panels, last, rows, columns,
    )  # fmt: skip
    block = c0, (rows, columns), columns + GAP
    assert_untouched(after, before, block)
    return block_of(after, *block)


def inner_operands(
    dtype: Any, vectors: int, panels: int, last: int
) -> Iterator[tuple[Array, Array]]:
    rng = np.random.default_rng(2)
    depth = ((panels - 1) * vectors + last) * lanes_of(dtype)
    for rows, columns in product(COUNTS, COUNTS):
        yield spread(rng, (rows, depth), dtype), spread(rng, (columns, depth), dtype)


# Vectors in a panel, panels, vectors in the last panel.
PANELS = [(1, 1, 1), (2, 1, 2), (3, 1, 3), (4, 1, 4), (1, 3, 1), (2, 2, 1), (3, 3, 2), (4, 3, 1)]


@pytest.mark.parametrize(("vectors", "panels", "last"), PANELS)
def test_inner(dtype: Any, vectors: int, panels: int, last: int) -> None:
    for A, B in inner_operands(dtype, vectors, panels, last):
        exact = A.astype(np.float64) @ B.T.astype(np.float64)
        scale = np.abs(A).astype(np.float64) @ np.abs(B).T.astype(np.float64)
        assert_accurate(inner(A, B, vectors), exact, scale, (A.shape, len(B)))


@pytest.mark.parametrize(("vectors", "panels", "last"), PANELS)
def test_inner_does_not_depend_on_the_tile(
    dtype: Any, vectors: int, panels: int, last: int
) -> None:
    for A, B in inner_operands(dtype, vectors, panels, last):
        whole = inner(A, B, vectors)
        for j in range(0, len(A), 9):
            assert np.array_equal(inner(A[[j]], B, vectors)[0], whole[j])
        for k in range(0, len(B), 9):
            assert np.array_equal(inner(A, B[[k]], vectors)[:, 0], whole[:, k])


@pytest.mark.parametrize(("vectors", "panels", "last"), PANELS)
def test_inner_passes_on_nan(dtype: Any, vectors: int, panels: int, last: int) -> None:
    depth = ((panels - 1) * vectors + last) * lanes_of(dtype)
    A, B = np.ones((9, depth), dtype), np.ones((7, depth), dtype)
    A[2, -1] = B[6, 0] = NAN
    wanted = np.full((9, 7), float(depth))
    wanted[2] = wanted[:, 6] = NAN
    assert np.array_equal(inner(A, B, vectors), wanted, equal_nan=True)
