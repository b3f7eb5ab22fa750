"""The tile that most products run through, as an LLVM intrinsic.

    C[j, :] = base[j, :] + sum_i A[i, j] * B[i, :]

Lanes run along the columns, elements of A are broadcast: no horizontal sums. The rows of A may lie
anywhere, and the sum may skip what is known to be zero.

Each element of C is one chain of multiply-adds in index order, whatever the shape of the tile that
it falls into, so results do not depend on how the work is split.
"""

from typing import Any

from ..language.backend import intrinsic, ir, types
from ..language.builders import unpacked
from ..language.jit import kernel, plugin
from ..language.parameters import Memory, Pair, Triple
from ..language.simd import INT, TILE_ROWS, TILE_VECTORS, ZERO, Emitter, loop, multiple, while_loop


@plugin
def outer(
    memory: Memory, C: Pair, base: Pair, A: Triple, B: Pair,
    rows: int, depth: int, masks: int, rectified: int,
):  # fmt: skip
    """C[j, :] = base[j, :] + sum_i A[i, j] * B[i, :] over i < depth; at least 0 if ``rectified``.

    There are ``rows`` rows of as many whole vectors as the kernel is made for, contiguous in C,
    base and B. C, base and B are pairs (offset, elements between rows); ``base`` may be C itself.
    A is (offset, steps, places), the latter two tables: A[i, j] is the element
    ``offset + steps[i] + places[j]``.

    A masked kernel sums over the i whose bits are set: for tile t of TILE_ROWS rows, in the words
    from ``masks[t * words]`` on, ``words`` being ``depth / 64`` rounded up.
    """


def _for_each_set_bit(e: Emitter, masks: Any, words: Any, sums: list[Any], step: Any) -> list[Any]:
    """``sums = step(i, sums)`` for the set bits i of ``words`` words."""
    b = e.builder
    one, yes = ir.Constant(INT, 1), ir.Constant(ir.IntType(1), 1)

    def word_body(word: Any, sums: list[Any]) -> list[Any]:
        first = multiple(b, word, 64)

        def bit_body(carried: list[Any]) -> list[Any]:
            bits, *sums = carried
            sums = step(b.add(first, b.cttz(bits, yes)), sums)
            return [b.and_(bits, b.sub(bits, one)), *sums]

        bits = b.load(e.at(masks, word))
        going = lambda carried: b.icmp_signed("!=", carried[0], ZERO)  # noqa: E731
        return while_loop(b, [bits, *sums], going, bit_body)[1:]

    return loop(b, words, sums, word_body)  # type: ignore[no-any-return]


def _outer_tile(
    e: Emitter, rows: int, vectors: int, args: dict[str, Any], tile: Any, first_row: Any
) -> None:
    b = e.builder
    places = e.at(args["places"], first_row)
    a_rows = [e.at(args["A"], b.load(e.at(places, j))) for j in range(rows)]

    def step(i: Any, sums: list[Any]) -> list[Any]:
        a_offset = b.load(e.at(args["steps"], i))
        b_row = e.at(args["B"], b.mul(i, args["B_row"]))
        new = list(sums)

        def row(j: int) -> Any:
            return e.splat(b.load(e.at(a_rows[j], a_offset)))

        def column(v: int) -> Any:
            return e.load(e.at(b_row, v * e.lanes))

        def add(j: int, v: int, x: Any, y: Any) -> None:
            new[j * vectors + v] = e.fma(x, y, sums[j * vectors + v])

        # The fewer are kept, the others pass: else the 12 sums of 3 rows of 4 vectors do not fit
        # into 16 registers, and the one that goes through memory halves the speed.
        if rows < vectors:
            kept = [row(j) for j in range(rows)]
            for v in range(vectors):
                passing = column(v)
                for j in range(rows):
                    add(j, v, kept[j], passing)
        else:
            kept = [column(v) for v in range(vectors)]
            for j in range(rows):
                passing = row(j)
                for v in range(vectors):
                    add(j, v, passing, kept[v])
        return new

    def two_steps(i: Any, sums: list[Any]) -> list[Any]:
        return step(b.add(i, ir.Constant(INT, 1)), step(i, sums))

    def rows_of(name: str) -> list[Any]:
        first = e.at(args[name], b.mul(first_row, args[f"{name}_row"]))
        return [e.at(first, multiple(b, args[f"{name}_row"], j)) for j in range(rows)]

    # The base comes last: added to it one by one, small terms would be lost in rounding.
    sums = [e.zeros()] * (rows * vectors)
    if "masks" in args:
        masks = e.at(args["masks"], b.mul(tile, args["words"]))
        sums = _for_each_set_bit(e, masks, args["words"], sums, step)
    else:
        even = b.and_(args["depth"], ir.Constant(INT, -2))
        sums = loop(b, even, sums, two_steps, step=2)
        odd = b.sub(args["depth"], even)
        sums = loop(b, odd, sums, lambda i, carried: step(b.add(even, i), carried))

    starts = [e.load(e.at(row, v * e.lanes)) for row in rows_of("base") for v in range(vectors)]
    sums = [e.add(start, total) for start, total in zip(starts, sums, strict=True)]
    targets = [e.at(row, v * e.lanes) for row in rows_of("C") for v in range(vectors)]
    with b.if_else(b.icmp_signed("!=", args["rectified"], ZERO)) as (rectified, linear):
        with rectified:
            for value, target in zip(sums, targets, strict=True):
                # "less than" is false for NaN, which therefore passes through.
                negative = b.fcmp_ordered("<", value, e.zeros())
                e.store(b.select(negative, e.zeros(), value), target)
        with linear:
            for value, target in zip(sums, targets, strict=True):
                e.store(value, target)


def _emit_outer(e: Emitter, vectors: int, args: dict[str, Any]) -> None:
    """Loop over the tiles of all rows.

    Masks belong to tiles of TILE_ROWS rows. Without masks the tiles are as equal as can be: one
    of few rows would stream B for little work.
    """
    b = e.builder
    rows, most = args["rows"], ir.Constant(INT, TILE_ROWS)
    one = ir.Constant(INT, 1)
    tiles = b.sdiv(b.add(rows, ir.Constant(INT, TILE_ROWS - 1)), most)
    balanced = "masks" not in args
    height = b.sdiv(rows, b.select(b.icmp_signed(">", tiles, ZERO), tiles, one))
    taller = b.sub(rows, b.mul(height, tiles))

    def tile(index: Any, carried: list[Any]) -> list[Any]:
        (first,) = carried
        if balanced:
            is_taller = b.icmp_signed("<", index, taller)
            count = b.add(height, b.zext(is_taller, INT))
        else:
            left = b.sub(rows, first)
            count = b.select(b.icmp_signed("<", left, most), left, most)
        done = b.append_basic_block("tile.done")
        by_count = b.switch(count, done)
        for number in range(1, TILE_ROWS + 1):
            block = b.append_basic_block(f"rows.{number}")
            by_count.add_case(ir.Constant(INT, number), block)
            b.position_at_end(block)
            _outer_tile(e, number, vectors, args, index, first)
            b.branch(done)
        b.position_at_end(done)
        return [b.add(first, count)]

    loop(b, tiles, [ZERO], tile)


def _operands(e: Emitter, memory: Any, masked: bool, args: Any) -> dict[str, Any]:
    """The operands of :func:`outer` by the names that the tile uses, offsets as pointers."""
    b = e.builder
    C, base, B = (unpacked(b, args[k], 2) for k in (0, 1, 3))
    A = unpacked(b, args[2], 3)
    rows, depth, masks, rectified = args[4:]
    table = INT.as_pointer()
    operands = {
        "C": e.at(memory, C[0]), "C_row": C[1], "base": e.at(memory, base[0]), "base_row": base[1],
        "A": e.at(memory, A[0]), "steps": b.inttoptr(A[1], table),
        "places": b.inttoptr(A[2], table), "B": e.at(memory, B[0]), "B_row": B[1],
        "rows": rows, "depth": depth, "rectified": rectified,
    }  # fmt: skip
    if masked:
        words = b.ashr(b.add(depth, ir.Constant(INT, 63)), ir.Constant(INT, 6))
        operands |= {"masks": b.inttoptr(masks, table), "words": words}
    return operands


def _tile(vectors: int, masked: bool) -> Any:
    """The kernel of :func:`outer` for rows of ``vectors`` vectors."""

    @intrinsic
    def emitted(typing_context, memory, C, base, A, B, rows, depth, masks, rectified):
        def emit(context, builder, sig, args):
            e = Emitter(builder, sig.args[0].dtype)
            _emit_outer(e, vectors, _operands(e, args[0], masked, args[1:]))
            return context.get_dummy_value()

        return types.void(memory, C, base, A, B, rows, depth, masks, rectified), emit

    def outer(
        memory: Memory, C: Pair, base: Pair, A: Triple, B: Pair,
        rows: int, depth: int, masks: int, rectified: int,
    ):  # fmt: skip
        emitted(memory, C, base, A, B, rows, depth, masks, rectified)

    outer.__name__ = f"outer_{'masked_' * masked}{vectors}"
    return kernel(outer)


# Kernels of :func:`outer` by the vectors of a row.
OUTER = {vectors: _tile(vectors, masked=False) for vectors in range(1, TILE_VECTORS + 1)}
OUTER_MASKED = {vectors: _tile(vectors, masked=True) for vectors in range(1, TILE_VECTORS + 1)}
