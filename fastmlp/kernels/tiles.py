"""The two tiles that every product of the package runs through, as LLVM intrinsics.

``outer``
    C[j, :] = base[j, :] + sum_i A[i, j] * B[i, :]: lanes run along the columns, elements of A
    are broadcast. No horizontal sums. The rows of A may lie anywhere, and the sum may skip what
    is known to be zero.
``inner``
    C[j, k] = sum_q A[j, q] * B[k, q]: lanes run along the summed index, which lies in panels.

Each element of C is one chain of multiply-adds in index order, whatever the shape of the
tile that it falls into, so results do not depend on how the work is split.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .jit import unit
from .simd import INT, TILE_ROWS, TILE_VECTORS, ZERO, Emitter, loop, multiple, while_loop

# 4 x 4 sums fill a vector of 16 lanes, 2 x 4 one of 8.
_INNER_HEIGHTS = (4, 2, 1) if TILE_ROWS == 6 else (2, 1)
_INNER_COLUMNS = 4


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
    row_offsets = e.at(args["a_rows"], first_row)
    a_rows = [e.at(args["A"], b.load(e.at(row_offsets, j))) for j in range(rows)]

    def step(i: Any, sums: list[Any]) -> list[Any]:
        a_offset = b.load(e.at(args["a_steps"], i))
        b_row = e.at(args["B"], b.mul(i, args["b_step"]))
        columns = [e.load(e.at(b_row, v * e.lanes)) for v in range(vectors)]
        new = []
        for j in range(rows):
            x = e.splat(b.load(e.at(a_rows[j], a_offset)))
            new += [e.fma(x, columns[v], sums[j * vectors + v]) for v in range(vectors)]
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
    sums = [b.fadd(start, total) for start, total in zip(starts, sums, strict=True)]
    targets = [e.at(row, v * e.lanes) for row in rows_of("C") for v in range(vectors)]
    with b.if_else(b.icmp_signed("!=", args["relu"], ZERO)) as (rectified, linear):
        with rectified:
            for value, target in zip(sums, targets, strict=True):
                # "less than" is false for NaN, which therefore passes through.
                negative = b.fcmp_ordered("<", value, e.zeros())
                e.store(b.select(negative, e.zeros(), value), target)
        with linear:
            for value, target in zip(sums, targets, strict=True):
                e.store(value, target)


def _emit_outer(e: Emitter, args: dict[str, Any]) -> None:
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
    end = b.append_basic_block("end")
    by_width = b.switch(args["vectors"], end)
    for vectors in range(1, TILE_VECTORS + 1):
        block = b.append_basic_block(f"vectors.{vectors}")
        by_width.add_case(ir.Constant(INT, vectors), block)
        b.position_at_end(block)

        def tile(index: Any, carried: list[Any], vectors: int = vectors) -> list[Any]:
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
        b.branch(end)
    b.position_at_end(end)


_IN_MEMORY = {"C", "base", "A", "B"}
_IN_INDEX = {"a_steps", "a_rows", "masks"}


def _outer_operands(
    builder: ir.IRBuilder, sig: Any, args: Any, names: tuple[str, ...]
) -> tuple[Emitter, dict[str, Any]]:
    """The operands by name, offsets turned into pointers."""
    e = Emitter(builder, sig.args[0].dtype)
    memory, index, *numbers = args
    operands = dict(zip(names, numbers, strict=True))
    for name in operands:
        if name in _IN_MEMORY:
            operands[name] = e.at(memory, operands[name])
        elif name in _IN_INDEX:
            operands[name] = e.at(index, operands[name])
    return e, operands


_OUTER = (
    "C", "C_row", "base", "base_row", "relu", "A", "a_steps", "a_rows", "B", "b_step",
    "rows", "vectors",
)  # fmt: skip


@intrinsic
def _outer(
    typing_context, memory, index, c0, c_row, base0, base_row, relu,
    a0, a_steps, a_rows, b0, b_step, rows, vectors, depth,
):  # fmt: skip
    def emit(context, builder, sig, args):
        _emit_outer(*_outer_operands(builder, sig, args, (*_OUTER, "depth")))
        return context.get_dummy_value()

    return types.void(memory, index, *[types.int64] * 13), emit


@intrinsic
def _outer_masked(
    typing_context, memory, index, c0, c_row, base0, base_row, relu,
    a0, a_steps, a_rows, b0, b_step, rows, vectors, masks, words,
):  # fmt: skip
    def emit(context, builder, sig, args):
        _emit_outer(*_outer_operands(builder, sig, args, (*_OUTER, "masks", "words")))
        return context.get_dummy_value()

    return types.void(memory, index, *[types.int64] * 14), emit


@unit
def outer(
    memory, index, c0, c_row, base0, base_row, relu,
    a0, a_steps, a_rows, b0, b_step, rows, vectors, depth,
):  # fmt: skip
    """C[j, :] = base[j, :] + sum_i A[i, j] * B[i, :] over i < depth; with ``relu`` at least 0.

    Operands lie in the flat array ``memory``, the tables that address A in the int64 array
    ``index``. A[i, j] is the element ``a0 + index[a_steps + i] + index[a_rows + j]``; row j of C
    starts at ``c0 + j * c_row``, of base at ``base0 + j * base_row``, row i of B at
    ``b0 + i * b_step``. There are ``rows`` rows of ``vectors`` whole vectors, contiguous in C,
    base and B; ``base`` may be C itself.
    """
    _outer(
        memory, index, c0, c_row, base0, base_row, relu,
        a0, a_steps, a_rows, b0, b_step, rows, vectors, depth,
    )  # fmt: skip


@unit
def outer_masked(
    memory, index, c0, c_row, base0, base_row, relu,
    a0, a_steps, a_rows, b0, b_step, rows, vectors, masks, words,
):  # fmt: skip
    """The same over the i whose bits are set: for tile t of TILE_ROWS rows in the ``words`` words
    from ``index[masks + t * words]`` on."""
    _outer_masked(
        memory, index, c0, c_row, base0, base_row, relu,
        a0, a_steps, a_rows, b0, b_step, rows, vectors, masks, words,
    )  # fmt: skip


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
            e.builder.fadd(e.shuffle(x, y, low), e.shuffle(x, y, high))
            for x, y in zip(sums[::2], sums[1::2], strict=True)
        ]
        width = half
    return sums


def _inner_tile(
    e: Emitter, rows: int, columns: int, args: dict[str, Any], first_row: Any, first_column: Any
) -> None:
    b = e.builder
    a = e.at(args["A"], b.mul(first_row, args["a_row"]))
    w = e.at(args["B"], b.mul(first_column, args["b_row"]))
    a_rows = [e.at(a, multiple(b, args["a_row"], j)) for j in range(rows)]
    b_rows = [e.at(w, multiple(b, args["b_row"], k)) for k in range(columns)]
    last = b.sub(args["panels"], ir.Constant(INT, 1))

    def panel(p: Any, sums: list[Any]) -> list[Any]:
        a_start, b_start = b.mul(p, args["a_panel"]), b.mul(p, args["b_panel"])
        count = b.select(b.icmp_signed("==", p, last), args["last_vectors"], args["vectors"])

        def vector(q: Any, sums: list[Any]) -> list[Any]:
            offset = multiple(b, q, e.lanes)
            a_offset, b_offset = b.add(a_start, offset), b.add(b_start, offset)
            x = [e.load(e.at(pointer, a_offset)) for pointer in a_rows]
            y = [e.load(e.at(pointer, b_offset)) for pointer in b_rows]
            return [
                e.fma(x[j], y[k], sums[j * columns + k])
                for j in range(rows)
                for k in range(columns)
            ]

        return loop(b, count, sums, vector)  # type: ignore[no-any-return]

    sums = loop(b, args["panels"], [e.zeros()] * (rows * columns), panel)
    padding = [e.zeros()] * (-len(sums) % e.lanes)
    packed = _sum_lanes(e, sums + padding)
    out = e.at(args["C"], b.add(b.mul(first_row, args["c_row"]), first_column))
    for j in range(rows):
        row = e.at(out, multiple(b, args["c_row"], j))
        for k in range(columns):
            index = j * columns + k
            lane = ir.Constant(ir.IntType(32), index % e.lanes)
            b.store(b.extract_element(packed[index // e.lanes], lane), e.at(row, k))


def _emit_inner(e: Emitter, args: dict[str, Any]) -> None:
    b = e.builder

    rest_columns = b.srem(args["columns"], ir.Constant(INT, _INNER_COLUMNS))
    whole_columns = b.sub(args["columns"], rest_columns)

    def row_of_tiles(height: int, row: Any) -> list[Any]:
        def full(column: Any, _: list[Any]) -> list[Any]:
            _inner_tile(e, height, _INNER_COLUMNS, args, row, column)
            return []

        def single(column: Any, _: list[Any]) -> list[Any]:
            _inner_tile(e, height, 1, args, row, b.add(whole_columns, column))
            return []

        loop(b, whole_columns, [], full, step=_INNER_COLUMNS)
        loop(b, rest_columns, [], single)
        return []

    done, left = ZERO, args["rows"]
    for height in _INNER_HEIGHTS:
        rest = b.srem(left, ir.Constant(INT, height))
        whole = b.sub(left, rest)

        def tiles(row: Any, _: list[Any], height: int = height, done: Any = done) -> list[Any]:
            return row_of_tiles(height, b.add(done, row))

        loop(b, whole, [], tiles, step=height)
        done, left = b.add(done, whole), rest


_INNER = (
    "C", "c_row", "A", "a_row", "a_panel", "B", "b_row", "b_panel",
    "vectors", "panels", "last_vectors", "rows", "columns",
)  # fmt: skip


@intrinsic
def _inner(
    typing_context, memory, c0, c_row, a0, a_row, a_panel, b0, b_row, b_panel,
    vectors, panels, last_vectors, rows, columns,
):  # fmt: skip
    def emit(context, builder, sig, args):
        e = Emitter(builder, sig.args[0].dtype)
        operands = dict(zip(_INNER, args[1:], strict=True))
        pointers = {name: e.at(args[0], operands[name]) for name in ("C", "A", "B")}
        _emit_inner(e, operands | pointers)
        return context.get_dummy_value()

    return types.void(memory, *[types.int64] * 13), emit


@unit
def inner(
    memory, c0, c_row, a0, a_row, a_panel, b0, b_row, b_panel,
    vectors, panels, last_vectors, rows, columns,
):  # fmt: skip
    """C[j, k] = sum_q A[j, q] * B[k, q], for ``j < rows`` and ``k < columns``.

    All operands lie in the flat array ``memory``. The summed index q runs over ``panels`` panels
    of ``vectors`` whole vectors, the last one of ``last_vectors``. Row j, panel p of A starts at
    ``a0 + j * a_row + p * a_panel``, likewise B; C[j, k] is the element ``c0 + j * c_row + k``.
    """
    _inner(
        memory, c0, c_row, a0, a_row, a_panel, b0, b_row, b_panel,
        vectors, panels, last_vectors, rows, columns,
    )  # fmt: skip
