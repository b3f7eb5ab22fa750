"""The tile of products along the lanes, as an LLVM intrinsic.

    C[j, k] = sum_i A[j, i] * B[k, i]

Lanes run along the summed index, which lies in panels. Each element of C is one chain of
multiply-adds and one sum over lanes, whatever tile it falls into.
"""

from functools import partial
from itertools import chain
from typing import Any, NamedTuple

from ..language.backend import ir
from ..language.codegen import codegen
from ..language.jit import kernel
from ..language.parameters import Memory, Pair, Triple
from ..language.simd import INT, TILE_ROWS, ZERO, Emitter, each, loop, multiple

# 4 x 4 sums fill a vector of 16 lanes, 2 x 4 one of 8.
_HEIGHTS = (4, 2, 1) if TILE_ROWS == 6 else (2, 1)
_COLUMNS = 4


@kernel
def inner(
    memory: Memory, C: Pair, A: Triple, B: Triple,
    vectors: int, panels: int, last_vectors: int, rows: int, columns: int,
):  # fmt: skip
    """C[j, k] = sum_i A[j, i] * B[k, i], for ``j < rows`` and ``k < columns``.

    The summed index i runs over ``panels`` panels of ``vectors`` whole vectors, the last one of
    ``last_vectors``. C is a pair (offset, elements between rows), A and B are triples (offset,
    elements between rows, elements between panels).
    """
    _tiles(memory, C, A, B, vectors, panels, last_vectors, rows, columns)


@codegen
def _tiles(e, memory, C, A, B, vectors, panels, last_vectors, rows, columns):
    """Tiles of the first of ``_HEIGHTS`` while there are rows for it, then of the next."""
    b, operands = e.builder, [[e.at(memory, start), *steps] for start, *steps in (C, A, B)]
    o = _Operands._make([*chain(*operands), vectors, panels, last_vectors])
    rest_columns = b.srem(columns, ir.Constant(INT, _COLUMNS))
    whole_columns = b.sub(columns, rest_columns)
    done, left = ZERO, rows
    for height in _HEIGHTS:
        rest = b.srem(left, ir.Constant(INT, height))
        whole = b.sub(left, rest)

        def tiles(row: Any, height: int = height, done: Any = done) -> None:
            _row_of_tiles(e, o, height, b.add(done, row), whole_columns, rest_columns)

        each(b, whole, tiles, step=height)
        done, left = b.add(done, whole), rest


class _Operands(NamedTuple):
    """The operands of :func:`inner`, offsets as pointers."""

    C: Any
    c_row: Any
    A: Any
    a_row: Any
    a_panel: Any
    B: Any
    b_row: Any
    b_panel: Any
    vectors: Any
    panels: Any
    last_vectors: Any


def _row_of_tiles(
    e: Emitter, o: _Operands, height: int, row: Any, whole_columns: Any, rest_columns: Any
) -> None:
    """All columns of ``height`` rows: tiles of ``_COLUMNS`` columns, and of single ones."""
    b = e.builder

    def single(column: Any) -> None:
        _tile(e, o, height, 1, row, b.add(whole_columns, column))

    each(b, whole_columns, partial(_tile, e, o, height, _COLUMNS, row), step=_COLUMNS)
    each(b, rest_columns, single)


def _tile(
    e: Emitter, o: _Operands, rows: int, columns: int, first_row: Any, first_column: Any
) -> None:
    """``rows`` x ``columns`` elements of C: their sums stay in registers."""
    b = e.builder
    a = e.at(o.A, b.mul(first_row, o.a_row))
    w = e.at(o.B, b.mul(first_column, o.b_row))
    a_rows = [e.at(a, multiple(b, o.a_row, j)) for j in range(rows)]
    b_rows = [e.at(w, multiple(b, o.b_row, k)) for k in range(columns)]
    sums = _products(e, o, a_rows, b_rows)
    packed = _sum_lanes(e, sums + [e.zeros()] * (-len(sums) % e.lanes))
    out = e.at(o.C, b.add(b.mul(first_row, o.c_row), first_column))
    for j in range(rows):
        row = e.at(out, multiple(b, o.c_row, j))
        for k in range(columns):
            vector, lane = divmod(j * columns + k, e.lanes)
            value = b.extract_element(packed[vector], ir.Constant(ir.IntType(32), lane))
            b.store(value, e.at(row, k))


def _products(e: Emitter, o: _Operands, a_rows: list[Any], b_rows: list[Any]) -> list[Any]:
    """A vector for each pair of rows, whose lanes are still to be summed."""
    b = e.builder
    last = b.sub(o.panels, ir.Constant(INT, 1))

    def panel(p: Any, sums: list[Any]) -> list[Any]:
        a_start, b_start = b.mul(p, o.a_panel), b.mul(p, o.b_panel)
        count = b.select(b.icmp_signed("==", p, last), o.last_vectors, o.vectors)

        def vector(v: Any, sums: list[Any]) -> list[Any]:
            offset = multiple(b, v, e.lanes)
            a_offset, b_offset = b.add(a_start, offset), b.add(b_start, offset)
            x = [e.load(e.at(pointer, a_offset)) for pointer in a_rows]
            y = [e.load(e.at(pointer, b_offset)) for pointer in b_rows]
            pairs = [(x_j, y_k) for x_j in x for y_k in y]
            return [e.fma(*pair, total) for pair, total in zip(pairs, sums, strict=True)]

        return loop(b, count, sums, vector)

    return loop(b, o.panels, [e.zeros()] * (len(a_rows) * len(b_rows)), panel)


def _sum_lanes(e: Emitter, sums: list[Any]) -> list[Any]:
    """Lane sums of ``sums``, in order, packed into as few vectors as hold them.

    Each round adds the halves of two neighbours into one vector: two shuffles and an addition
    for every pair, against eight instructions for each vector summed alone.
    """
    width = e.lanes
    while width > 1:
        half = width // 2
        low = [base + k for base in range(0, 2 * e.lanes, width) for k in range(half)]
        high = [index + half for index in low]
        sums = [
            e.add(e.shuffle(x, y, low), e.shuffle(x, y, high))
            for x, y in zip(sums[::2], sums[1::2], strict=True)
        ]
        width = half
    return sums
