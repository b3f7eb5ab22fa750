"""The tile that most products run through, as an LLVM intrinsic.

    C[j, :] = base[j, :] + sum_i A[i, j] * B[i, :]

Lanes run along the columns, elements of A are broadcast: no horizontal sums. The rows of A may lie
anywhere, and the sum may skip what is known to be zero.

Each element of C is one chain of multiply-adds in index order, whatever the shape of the tile that
it falls into, so results do not depend on how the work is split.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from ..language.backend import ir
from ..language.codegen import codegen
from ..language.jit import kernel, plugin
from ..language.parameters import Memory, Pair, Triple
from ..language.simd import INT, TILE_ROWS, TILE_VECTORS, ZERO, Emitter, loop, multiple, while_loop

# Of (i, sums), the sums with the products of step i added.
Add = Callable[[Any, list[Any]], list[Any]]


@plugin
def outer(
    memory: Memory, C: Pair, base: Pair, A: Triple, B: Pair,
    rows: int, depth: int, masks: int, rectified: int,
):  # fmt: skip
    """C[j, :] = base[j, :] + sum_i A[i, j] * B[i, :] over i < depth; at least 0 if ``rectified``.

    There are ``rows`` rows of as many whole vectors as the kernel is made for, contiguous in C,
    base and B. C, base and B are pairs (offset, elements between rows); ``base`` may be C itself.
    A is (offset, steps, row_offsets), the latter two tables: A[i, j] is the element
    ``offset + steps[i] + row_offsets[j]``.

    A masked kernel sums over the i whose bits are set: for tile t of TILE_ROWS rows, in the words
    from ``masks[t * words]`` on, ``words`` being ``depth / 64`` rounded up.
    """


def _outer(vectors: int, masked: bool) -> Any:
    """The kernel of :func:`outer` for rows of ``vectors`` vectors."""

    @codegen
    def tiles(e, memory, C, base, A, B, rows, depth, masks, rectified):
        b, table = e.builder, INT.as_pointer()
        starts = [e.at(memory, operand[0]) for operand in (C, base, A, B)]
        steps, row_offsets, masks = (b.inttoptr(address, table) for address in (*A[1:], masks))
        words = b.ashr(b.add(depth, ir.Constant(INT, 63)), ir.Constant(INT, 6))
        operands = _Operands(
            C=starts[0], C_row=C[1], base=starts[1], base_row=base[1], A=starts[2], steps=steps,
            row_offsets=row_offsets, B=starts[3], B_row=B[1], rows=rows, depth=depth,
            masks=masks if masked else None, words=words, rectified=rectified,
        )  # fmt: skip
        _generate(e, operands, vectors)

    def outer(
        memory: Memory, C: Pair, base: Pair, A: Triple, B: Pair,
        rows: int, depth: int, masks: int, rectified: int,
    ):  # fmt: skip
        tiles(memory, C, base, A, B, rows, depth, masks, rectified)

    outer.__name__ = f"outer_{'masked_' * masked}{vectors}"
    return kernel(outer)


# Kernels of :func:`outer` by the vectors of a row.
OUTER = {vectors: _outer(vectors, masked=False) for vectors in range(1, TILE_VECTORS + 1)}
OUTER_MASKED = {vectors: _outer(vectors, masked=True) for vectors in range(1, TILE_VECTORS + 1)}


class _Operands(NamedTuple):
    """The operands of :func:`outer`, offsets and tables as pointers."""

    C: Any
    C_row: Any
    base: Any
    base_row: Any
    A: Any
    steps: Any
    row_offsets: Any
    B: Any
    B_row: Any
    rows: Any
    depth: Any
    masks: Any  # None if nothing is masked
    words: Any
    rectified: Any


def _generate(e: Emitter, o: _Operands, vectors: int) -> None:
    """Loop over the tiles of all rows.

    Masks belong to tiles of TILE_ROWS rows. Without masks the tiles are as equal as can be: one
    of few rows would stream B for little work.
    """
    b = e.builder
    one, most = ir.Constant(INT, 1), ir.Constant(INT, TILE_ROWS)
    tiles = b.sdiv(b.add(o.rows, ir.Constant(INT, TILE_ROWS - 1)), most)
    height = b.sdiv(o.rows, b.select(b.icmp_signed(">", tiles, ZERO), tiles, one))
    taller = b.sub(o.rows, b.mul(height, tiles))

    def tile(index: Any, carried: list[Any]) -> list[Any]:
        (first,) = carried
        if o.masks is None:
            count = b.add(height, b.zext(b.icmp_signed("<", index, taller), INT))
        else:
            left = b.sub(o.rows, first)
            count = b.select(b.icmp_signed("<", left, most), left, most)
        _tile_of_any_height(e, o, index, first, count, vectors)
        return [b.add(first, count)]

    loop(b, tiles, [ZERO], tile)


def _tile_of_any_height(
    e: Emitter, o: _Operands, tile: Any, first: Any, count: Any, vectors: int
) -> None:
    """One of the tiles of 1 to TILE_ROWS rows."""
    b = e.builder
    done = b.append_basic_block("tile.done")
    by_count = b.switch(count, done)
    for rows in range(1, TILE_ROWS + 1):
        block = b.append_basic_block(f"rows.{rows}")
        by_count.add_case(ir.Constant(INT, rows), block)
        b.position_at_end(block)
        _tile(e, o, tile, first, rows, vectors)
        b.branch(done)
    b.position_at_end(done)


def _tile(e: Emitter, o: _Operands, tile: Any, first: Any, rows: int, vectors: int) -> None:
    """``rows`` rows of C from row ``first`` on: their sums stay in registers."""
    sums = _sums(e, o, tile, first, rows, vectors)
    # The base comes last: added to it one by one, small terms would be lost in rounding.
    starts = [e.load(at) for at in _addresses(e, o.base, o.base_row, first, rows, vectors)]
    sums = [e.add(start, total) for start, total in zip(starts, sums, strict=True)]
    store_sums(e, sums, _addresses(e, o.C, o.C_row, first, rows, vectors), o.rectified)


def _sums(e: Emitter, o: _Operands, tile: Any, first: Any, rows: int, vectors: int) -> list[Any]:
    """sum_i A[i, j] * B[i, :], one vector after the other of each row j."""
    b = e.builder
    offsets = e.at(o.row_offsets, first)
    a_rows = [e.at(o.A, b.load(e.at(offsets, j))) for j in range(rows)]
    add = partial(_add_products, e, o, a_rows, vectors)
    zeros = [e.zeros()] * (rows * vectors)
    if o.masks is None:
        return _for_each_pair(e, o.depth, zeros, add)
    return _for_each_set_bit(e, e.at(o.masks, b.mul(tile, o.words)), o.words, zeros, add)


def _add_products(
    e: Emitter, o: _Operands, a_rows: list[Any], vectors: int, i: Any, sums: list[Any]
) -> list[Any]:
    """``sums`` with A[i, j] * B[i, :] added to them."""
    b = e.builder
    a_offset, b_row = b.load(e.at(o.steps, i)), e.at(o.B, b.mul(i, o.B_row))
    x = (e.splat(b.load(e.at(row, a_offset))) for row in a_rows)
    y = (e.load(e.at(b_row, v * e.lanes)) for v in range(vectors))
    # The fewer are kept, the others pass: else the 12 sums of 3 rows of 4 vectors do not fit
    # into 16 registers, and the one that goes through memory halves the speed.
    if len(a_rows) < vectors:
        kept = list(enumerate(x))
        factors = ((j, v, x_j, y_v) for v, y_v in enumerate(y) for j, x_j in kept)
    else:
        kept = list(enumerate(y))
        factors = ((j, v, x_j, y_v) for j, x_j in enumerate(x) for v, y_v in kept)
    new = {(j, v): e.fma(x_j, y_v, sums[j * vectors + v]) for j, v, x_j, y_v in factors}
    return [new[j, v] for j in range(len(a_rows)) for v in range(vectors)]


def _for_each_pair(e: Emitter, depth: Any, sums: list[Any], add: Add) -> list[Any]:
    """``sums = add(i, sums)`` for the i below ``depth``, two in each turn of the loop."""
    b = e.builder
    even = b.and_(depth, ir.Constant(INT, -2))

    def two(i: Any, sums: list[Any]) -> list[Any]:
        return add(b.add(i, ir.Constant(INT, 1)), add(i, sums))

    sums = loop(b, even, sums, two, step=2)
    return loop(b, b.sub(depth, even), sums, lambda i, sums: add(b.add(even, i), sums))


def _for_each_set_bit(e: Emitter, masks: Any, words: Any, sums: list[Any], add: Add) -> list[Any]:
    """``sums = add(i, sums)`` for the set bits i of ``words`` words."""

    def word(index: Any, sums: list[Any]) -> list[Any]:
        bits = e.builder.load(e.at(masks, index))
        return _for_each_bit_of(e, bits, multiple(e.builder, index, 64), sums, add)

    return loop(e.builder, words, sums, word)


def _for_each_bit_of(e: Emitter, bits: Any, first: Any, sums: list[Any], add: Add) -> list[Any]:
    """The same for one word, whose lowest bit is number ``first``."""
    b, one, yes = e.builder, ir.Constant(INT, 1), ir.Constant(ir.IntType(1), 1)

    def some_left(carried: list[Any]) -> Any:
        return b.icmp_signed("!=", carried[0], ZERO)

    def lowest(carried: list[Any]) -> list[Any]:
        bits, *sums = carried
        sums = add(b.add(first, b.cttz(bits, yes)), sums)
        return [b.and_(bits, b.sub(bits, one)), *sums]

    return while_loop(b, [bits, *sums], some_left, lowest)[1:]


def _addresses(
    e: Emitter, start: Any, stride: Any, first: Any, rows: int, vectors: int
) -> list[Any]:
    """Of each vector of the rows from row ``first`` on."""
    start = e.at(start, e.builder.mul(first, stride))
    firsts = [e.at(start, multiple(e.builder, stride, j)) for j in range(rows)]
    return [e.at(row, v * e.lanes) for row in firsts for v in range(vectors)]


def store_sums(e: Emitter, values: list[Any], addresses: list[Any], rectified: Any) -> None:
    """Store vectors, their positive part alone if ``rectified``."""
    b = e.builder
    with b.if_else(b.icmp_signed("!=", rectified, ZERO)) as (positive_part, linear):
        with positive_part:
            for value, address in zip(values, addresses, strict=True):
                # "less than" is false for NaN, which therefore passes through.
                negative = b.fcmp_ordered("<", value, e.zeros())
                e.store(b.select(negative, e.zeros(), value), address)
        with linear:
            for value, address in zip(values, addresses, strict=True):
                e.store(value, address)
