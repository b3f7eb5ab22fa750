"""The vector tiles, exponential and loss kernels against float64 NumPy.

Operands lie among NaN, so that a read or a write beside them shows.
"""

import os
from collections.abc import Iterator
from itertools import product
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import pytest
from fastmlp.kernels.jit import FASTMATH
from fastmlp.kernels.losses import softmax, softmax_cross_entropy
from numba import types
from numba.extending import intrinsic

from fastmlp.kernels import elements, plan, simd, tiles
from tests import reference

pytestmark = pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT", "0") != "0", reason="only compiled kernels can run"
)

Array = npt.NDArray[Any]

DTYPES = ("float32", "float64")
COUNTS = (0, 1, 2, 9, 31, 33, 127)
NAN, INF = float("nan"), float("inf")

# Of the error of a sum of products, in eps * sum |a| |b|.
LIMIT = 16

# As the kernels are compiled.
compiled = numba.njit(error_model="numpy", fastmath=set(FASTMATH))


@pytest.fixture(params=DTYPES, scope="module")
def dtype(request: pytest.FixtureRequest) -> Any:
    return np.dtype(request.param)


class Flat:
    """Arrays one behind the other, with gaps between them, in one flat array."""

    def __init__(self, dtype: Any, gap: float) -> None:
        self._parts = [np.full(3, gap, dtype)]

    def put(self, array: npt.ArrayLike) -> int:
        """Append an array; returns its offset."""
        gap = self._parts[0]
        offset = sum(map(len, self._parts))
        self._parts += [np.ravel(array).astype(gap.dtype), gap]
        return offset

    def array(self) -> Array:
        return np.concatenate(self._parts)


def spread(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Array:
    """Numbers of very different sizes and either sign."""
    return (rng.normal(size=shape) * 10.0 ** rng.uniform(-3, 3, shape)).astype(dtype)


def with_gaps(rows: Array, gap: int = 5) -> Array:
    """Columns of NaN behind each row."""
    return np.pad(rows, ((0, 0), (0, gap)), constant_values=NAN)


def assert_accurate(ours: Array, exact: Array, scale: Array, what: Any) -> None:
    error = np.abs(ours - exact)
    assert (error <= LIMIT * np.finfo(ours.dtype).eps * scale).all(), what


def assert_untouched(after: Array, before: Array, start: int, shape: tuple[int, int]) -> None:
    """Nothing but the block of ``shape`` whose rows lie in the gaps of ``with_gaps`` changed."""
    expected = after.copy()
    rows, columns = shape
    for j in range(rows):
        begin = start + j * (columns + 5)
        expected[begin : begin + columns] = before[begin : begin + columns]
    assert np.array_equal(expected, before, equal_nan=True)


def test_aligned_zeros(dtype: Any) -> None:
    """The memory of all operands is as long as it was asked for."""
    for count in range(1, 300):
        memory = plan.aligned_zeros(count, dtype)
        assert memory.shape == (count,)
        assert memory.dtype == dtype
        assert memory.ctypes.data % 64 == 0
        assert not memory.any()


# ----------------------------------------------------------------------------------------- outer


@compiled
def _outer(
    memory, index, c0, c_row, base0, base_row, relu,
    a0, a_steps, a_rows, b0, b_step, rows, vectors, depth,
):  # fmt: skip
    tiles.outer(
        memory.ctypes, index.ctypes, c0, c_row, base0, base_row, relu,
        a0, a_steps, a_rows, b0, b_step, rows, vectors, depth,
    )  # fmt: skip


@compiled
def _outer_masked(
    memory, index, c0, c_row, base0, base_row, relu,
    a0, a_steps, a_rows, b0, b_step, rows, vectors, masks, words,
):  # fmt: skip
    tiles.outer_masked(
        memory.ctypes, index.ctypes, c0, c_row, base0, base_row, relu,
        a0, a_steps, a_rows, b0, b_step, rows, vectors, masks, words,
    )  # fmt: skip


def bit_masks(taken: Array) -> npt.NDArray[np.int64]:
    """Words of 64 bits, the lowest first, of each row of booleans."""
    padded = np.pad(taken, ((0, 0), (0, -taken.shape[1] % 64)))
    return np.packbits(padded, axis=1, bitorder="little").view("<i8").astype(np.int64)


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
    place_of_step, place_of_row = order(depth) * (rows + 2), order(rows)
    stored = np.full(depth * (rows + 2), NAN, A.dtype)
    stored[place_of_step[:, None] + place_of_row] = A
    width = columns + 5
    C = base if in_place else np.full((rows, columns), NAN)
    c0 = memory.put(with_gaps(C))
    base0 = c0 if in_place else memory.put(with_gaps(base))
    numbers = [
        c0, width, base0, width if len(base) > 1 else 0, relu,
        memory.put(stored), index.put(place_of_step), index.put(place_of_row),
        memory.put(with_gaps(B)), width, rows, columns // simd.lanes(B.dtype.itemsize),
    ]  # fmt: skip
    if taken is None:
        kernel, numbers = _outer, [*numbers, depth]
    else:
        masks = bit_masks(taken)
        kernel, numbers = _outer_masked, [*numbers, index.put(masks), masks.shape[1]]
    before = memory.array()
    after = before.copy()
    kernel(after, index.array(), *map(int, numbers))
    assert_untouched(after, before, c0, (rows, columns))
    return after[c0 : c0 + rows * width].reshape(rows, width)[:, :columns]


def outer_operands(dtype: Any, vectors: int, seed: int = 0) -> Iterator[tuple[Array, Array, Array]]:
    rng = np.random.default_rng(seed)
    columns = vectors * simd.lanes(dtype.itemsize)
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
        n_tiles = -(-rows // simd.TILE_ROWS)
        taken = rng.random((n_tiles, depth)) < rng.random((n_tiles, 1))
        taken[: n_tiles // 3] = True
        A = np.where(taken.T.repeat(simd.TILE_ROWS, axis=1)[:, :rows], A, 0)
        wanted = outer(A, B, base, relu=relu)
        assert np.array_equal(outer(A, B, base, relu=relu, taken=taken), wanted)
        # Nor is it read.
        B_of_taken = np.where(taken.any(axis=0)[:, None], B, NAN)
        assert np.array_equal(outer(A, B_of_taken, base, relu=relu, taken=taken), wanted)


@pytest.mark.parametrize("relu", [False, True])
def test_outer_does_not_depend_on_the_tile(dtype: Any, relu: bool) -> None:
    """Threads, batches and panels split the work at different places."""
    lanes = simd.lanes(dtype.itemsize)
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
    columns = vectors * simd.lanes(dtype.itemsize)
    rows = 2 * simd.TILE_ROWS + 1
    A, B = np.ones((9, rows), dtype), np.ones((9, columns), dtype)
    base = np.zeros((rows, columns), dtype)
    A[4, 2] = A[8, -1] = base[1, 0] = NAN
    base[3, 1], base[5, -1] = INF, -INF
    wanted = np.full((rows, columns), 9.0)
    wanted[2] = wanted[-1] = wanted[1, 0] = NAN
    wanted[3, 1], wanted[5, -1] = INF, 0 if relu else -INF
    assert np.array_equal(outer(A, B, base, relu=relu), wanted, equal_nan=True)


# ----------------------------------------------------------------------------------------- inner


@compiled
def _inner(
    memory, c0, c_row, a0, a_row, a_panel, b0, b_row, b_panel,
    vectors, panels, last_vectors, rows, columns,
):  # fmt: skip
    tiles.inner(
        memory.ctypes, c0, c_row, a0, a_row, a_panel, b0, b_row, b_panel,
        vectors, panels, last_vectors, rows, columns,
    )  # fmt: skip


def panels_of(A: Array, width: int) -> Array:
    """Panel by panel, the rows of each one behind the other, as deltas and weights are kept."""
    padded = np.pad(A, ((0, 0), (0, -A.shape[1] % width)), constant_values=NAN)
    return padded.reshape(len(A), padded.shape[1] // width, width).swapaxes(0, 1)


def inner(A: Array, B: Array, vectors: int) -> Array:
    """A @ B.T, A of shape (rows, depth) in panels, B (columns, depth) row by row."""
    (rows, depth), columns = A.shape, len(B)
    lanes = simd.lanes(A.dtype.itemsize)
    width = vectors * lanes
    panels = -(-depth // width)
    last = (depth - (panels - 1) * width) // lanes
    memory = Flat(A.dtype, NAN)
    c0 = memory.put(with_gaps(np.full((rows, columns), NAN)))
    numbers = (
        c0, columns + 5, memory.put(panels_of(A, width)), width, rows * width,
        memory.put(with_gaps(B)), depth + 5, width, vectors, panels, last, rows, columns,
    )  # fmt: skip
    before = memory.array()
    after = before.copy()
    _inner(after, *numbers)
    assert_untouched(after, before, c0, (rows, columns))
    stored = after[c0 : c0 + rows * (columns + 5)].reshape(rows, columns + 5)
    return stored[:, :columns]


def inner_operands(
    dtype: Any, vectors: int, panels: int, last: int
) -> Iterator[tuple[Array, Array]]:
    rng = np.random.default_rng(2)
    depth = ((panels - 1) * vectors + last) * simd.lanes(dtype.itemsize)
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
    depth = ((panels - 1) * vectors + last) * simd.lanes(dtype.itemsize)
    A, B = np.ones((9, depth), dtype), np.ones((7, depth), dtype)
    A[2, -1] = B[6, 0] = NAN
    wanted = np.full((9, 7), float(depth))
    wanted[2] = wanted[:, 6] = NAN
    assert np.array_equal(inner(A, B, vectors), wanted, equal_nan=True)


# ----------------------------------------------------------------------------------- exponential


def vector_function(function: Any) -> Any:
    """A function of an array from one of an Emitter and a vector."""

    @intrinsic
    def of_a_vector(typing_context, result, x, first):
        def emit(context, builder, sig, args):
            e = simd.Emitter(builder, sig.args[0].dtype)
            value = function(e, e.load(e.at(args[1], args[2])))
            e.store(value, e.at(args[0], args[2]))
            return context.get_dummy_value()

        pointer = types.CPointer(x.dtype)
        return types.void(pointer, pointer, types.int64), emit

    @compiled
    def of_vectors(result, x, lanes):
        for first in range(0, x.size, lanes):
            of_a_vector(result.ctypes, x.ctypes, first)

    def of_array(x: Array) -> Array:
        lanes = simd.lanes(x.itemsize)
        padded = np.pad(x, (0, -len(x) % lanes))
        result = np.empty_like(padded)
        of_vectors(result, padded, lanes)
        return result[: len(x)]

    return of_array


exponentials = vector_function(elements.emit_exp)
square_roots = vector_function(simd.Emitter.square_root)
inverses = vector_function(simd.Emitter.inverse)


def test_square_root(dtype: Any) -> None:
    x = (10.0 ** np.random.default_rng(4).uniform(-36, 38, 20_000)).astype(dtype)
    exact = np.sqrt(x.astype(np.longdouble))
    assert (np.abs(square_roots(x) - exact) / exact).max() <= 2 * np.finfo(dtype).eps
    # Next to the epsilon of Adam what is left of these is nothing.
    assert (np.abs(square_roots(np.array([0, 1e-38, 1e-37], dtype))) <= 1.1e-18).all()
    assert np.isnan(square_roots(np.array([NAN], dtype))).all()


def test_inverse(dtype: Any) -> None:
    x = (10.0 ** np.random.default_rng(5).uniform(-7, 30, 20_000)).astype(dtype)
    exact = 1 / x.astype(np.longdouble)
    assert (np.abs(inverses(x) - exact) / exact).max() <= 2 * np.finfo(dtype).eps
    assert np.isnan(inverses(np.array([NAN], dtype))).all()


LOWEST = {"float32": -87.0, "float64": -708.0}


def test_exponential(dtype: Any) -> None:
    rng = np.random.default_rng(3)
    ln2 = np.log(2.0)
    near_halves = -np.arange(0.5, 100) * ln2 * (1 + rng.uniform(-1e-6, 1e-6, 100))
    x = np.concatenate(
        [
            rng.uniform(LOWEST[dtype.name], 0, 20_000),
            -(10.0 ** rng.uniform(-20, 0, 2_000)),
            near_halves[near_halves > LOWEST[dtype.name]],
            [LOWEST[dtype.name], 0.0, -0.0],
        ]
    ).astype(dtype)
    exact = np.exp(x.astype(np.longdouble))
    error = np.abs(exponentials(x) - exact) / exact
    assert error.max() <= 2 * np.finfo(dtype).eps
    assert (exponentials(x[-2:]) == 1).all()


def test_exponential_of_nan_and_of_what_underflows(dtype: Any) -> None:
    x = np.array([NAN, -INF, 2 * LOWEST[dtype.name], np.finfo(dtype).min, NAN], dtype)
    result = exponentials(x)
    assert np.isnan(result[[0, -1]]).all()
    assert (result[1:-1] >= 0).all()
    # The smallest normal numbers, which add nothing to a sum of exponentials.
    assert (result[1:-1] <= 4 * np.finfo(dtype).tiny).all()


# ------------------------------------------------------------------------------ softmax and loss


@compiled
def _softmax(z, z0, stride, m, c):
    softmax(z.ctypes, z0, stride, m, c)


@compiled
def _softmax_cross_entropy(z, z0, stride, labels, first, m, c, scale):
    return softmax_cross_entropy(z.ctypes, z0, stride, labels.ctypes, first, m, c, scale)


def in_memory(logits: Array) -> tuple[Array, int, int]:
    """``logits`` class by class in whole vectors with gaps, three rows of work behind them; their
    offset, and the length of a row without its gap."""
    memory = Flat(logits.dtype, NAN)
    rest = -len(logits) % simd.lanes(logits.itemsize)
    z0 = memory.put(with_gaps(np.pad(logits.T, ((0, 3), (0, rest)), constant_values=NAN)))
    return memory.array(), z0, len(logits) + rest


def from_memory(z: Array, z0: int, width: int, shape: tuple[int, int]) -> Array:
    m, c = shape
    return z[z0 : z0 + c * (width + 5)].reshape(c, width + 5)[:, :m].T


def probabilities(logits: Array) -> Array:
    m, c = logits.shape
    before, z0, width = in_memory(logits)
    after = before.copy()
    _softmax(after, z0, width + 5, m, c)
    assert_untouched(after, before, z0, (c + 3, width))
    return from_memory(after, z0, width, logits.shape)


def loss_and_delta(logits: Array, labels: Array, scale: float = 1.0) -> tuple[float, int, Array]:
    """(sum of losses, hits, delta); the labels of the rows are those from the third on."""
    m, c = logits.shape
    all_labels = np.full(m + 7, c - 1, np.int32)
    all_labels[3 : 3 + m] = labels
    before, z0, width = in_memory(logits)
    after = before.copy()
    loss, hits = _softmax_cross_entropy(
        after, z0, width + 5, all_labels, 3, m, c, logits.dtype.type(scale)
    )
    assert_untouched(after, before, z0, (c + 3, width))
    return loss, hits, from_memory(after, z0, width, logits.shape)


def hard_logits(m: int, c: int, dtype: Any) -> Iterator[Array]:
    rng = np.random.default_rng(m * c)
    yield rng.normal(size=(m, c)).astype(dtype)
    yield rng.uniform(-1e4, 1e4, (m, c)).astype(dtype)
    yield rng.choice([-1e4, 1e4], (m, c)).astype(dtype)
    yield np.full((m, c), 1e4, dtype)  # all tied
    yield rng.integers(3, size=(m, c)).astype(dtype)  # some tied
    ahead = rng.normal(size=(m, c)).astype(dtype)
    ahead[np.arange(m), rng.integers(c, size=m)] = 300
    yield ahead
    yield -ahead


SHAPES = [(m, c) for m in COUNTS for c in (2, 3, 9, 127)] + [(9, 1000)]


@pytest.mark.parametrize(("m", "c"), SHAPES)
def test_softmax(dtype: Any, m: int, c: int) -> None:
    eps = np.finfo(dtype).eps
    for logits in hard_logits(m, c, dtype):
        p = probabilities(logits)
        assert np.abs(p - reference.softmax(logits.astype(np.float64))).max(initial=0) <= 8 * eps
        assert np.abs(p.sum(axis=1, dtype=np.float64) - 1).max(initial=0) <= 4 * eps * c
        assert ((p >= 0) & (p <= 1 + 4 * eps)).all()


@pytest.mark.parametrize(("m", "c"), SHAPES)
def test_cross_entropy(dtype: Any, m: int, c: int) -> None:
    eps = np.finfo(dtype).eps
    labels = np.random.default_rng(5).integers(c, size=m)
    y = np.eye(c)[labels]
    for logits in hard_logits(m, c, dtype):
        exact = logits.astype(np.float64)
        loss, hits, delta = loss_and_delta(logits, labels)
        if m > 0:
            # Rounding of a sum of c exponentials, and of differences of logits.
            bound = eps * (4 + c + 2 * np.abs(exact).max())
            assert abs(loss / m - reference.cross_entropy(exact, labels)) <= bound
        assert hits == (exact.argmax(axis=1) == labels).sum()
        assert np.abs(delta - (reference.softmax(exact) - y)).max(initial=0) <= 8 * eps
        assert np.abs(delta - (probabilities(logits) - y)).max(initial=0) <= 2 * eps
        _, _, scaled = loss_and_delta(logits, labels, scale=1 / 32)
        assert np.abs(32 * scaled - delta).max(initial=0) <= 4 * eps


@pytest.mark.parametrize("gap", [50.0, 300.0, 2e4])
def test_loss_is_exact_where_the_probability_underflows(dtype: Any, gap: float) -> None:
    logits = np.array([[gap, 0, -1], [0, gap, 0], [0, 0, gap]], dtype)
    loss, hits, _ = loss_and_delta(logits, np.array([1, 0, 2]))
    assert loss == pytest.approx(2 * gap, rel=4 * float(np.finfo(dtype).eps))
    assert hits == 1


@pytest.mark.parametrize("gap", [200.0, 2e4])
def test_saturated_delta_is_p_minus_y(dtype: Any, gap: float) -> None:
    gap *= 1 if dtype == np.float32 else 5
    logits = np.array([[gap, 0, 0], [0, 0, gap], [-gap, 0, -gap]], dtype)
    _, _, delta = loss_and_delta(logits, np.array([0, 1, 2]))
    wanted = [[0, 0, 0], [0, -1, 1], [0, 1, -1]]
    assert np.abs(delta - wanted).max() <= 4 * np.finfo(dtype).tiny


def test_a_hit_is_the_first_of_ties(dtype: Any) -> None:
    """All patterns of ties among four classes, with every label."""
    logits = np.array(list(product([-2.0, 7.0], repeat=4)), dtype)
    for label in range(4):
        labels = np.full(len(logits), label)
        _, hits, _ = loss_and_delta(logits, labels)
        assert hits == (logits.argmax(axis=1) == label).sum()


@pytest.mark.parametrize("value", [NAN, INF])
@pytest.mark.parametrize("label", [0, 1, 2])
@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_logit_that_is_not_finite_shows_in_the_loss(
    dtype: Any, position: int, label: int, value: float
) -> None:
    logits = np.zeros((33, 3), dtype)
    logits[17, position] = value
    loss, _, delta = loss_and_delta(logits, np.full(33, label))
    assert not np.isfinite(loss)
    assert np.isnan(delta[17]).any()
    assert np.isfinite(np.delete(delta, 17, axis=0)).all()
    assert np.isnan(probabilities(logits)[17]).any()


@pytest.mark.parametrize("kind", [-INF, NAN])
def test_a_row_without_a_finite_logit(dtype: Any, kind: float) -> None:
    loss, hits, _ = loss_and_delta(np.full((2, 3), kind, dtype), np.array([0, 2]))
    assert np.isnan(loss)
    assert hits == 0
