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

from .jit import call_exported, export
from .simd import INT, TILE_ROWS, TILE_VECTORS, ZERO, Emitter, addresser, loop, multiple, while_loop

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


_OUTER_ARGUMENTS = (
    "C", "C_row", "base", "base_row", "relu", "A", "a_steps", "a_rows", "B", "b_step",
    "rows", "vectors", "depth",
)  # fmt: skip
_MASKED_ARGUMENTS = (*_OUTER_ARGUMENTS[:-1], "masks", "words")
_POINTERS = frozenset({"C", "base", "A", "B"})
_INDEX_POINTERS = frozenset({"a_steps", "a_rows", "masks"})


def _signature(arguments: tuple[str, ...], dtype: types.Float) -> Any:
    def kind(name: str) -> Any:
        if name in _POINTERS:
            return types.CPointer(dtype)
        if name in _INDEX_POINTERS:
            return types.CPointer(types.int64)
        return types.int64

    return types.void(*map(kind, arguments))


def _emit_outer(dtype: types.Float, b: ir.IRBuilder, args: dict[str, Any]) -> None:
    """Loop over the tiles of all rows.

    Masks belong to tiles of TILE_ROWS rows. Without masks the tiles are as equal as can be: one
    of few rows would stream B for little work.
    """
    e = Emitter(b, dtype)
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


def _outer_pointers(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> list[Any]:
    """What the two variants of the tile have in common, as it is passed on."""
    (memory, index, c0, c_row, base0, base_row, relu, a0, a_steps, a_rows, b0, b_step,
     rows, vectors) = args  # fmt: skip
    at = addresser(context, builder, sig.args[0], memory)
    index_at = addresser(context, builder, sig.args[1], index)
    return [
        at(c0), c_row, at(base0), base_row, relu,
        at(a0), index_at(a_steps), index_at(a_rows), at(b0), b_step, rows, vectors,
    ]  # fmt: skip


@intrinsic
def outer(
    typing_context, memory, index, c0, c_row, base0, base_row, relu,
    a0, a_steps, a_rows, b0, b_step, rows, vectors, depth,
):  # fmt: skip
    """C[j, :] = base[j, :] + sum_i A[i, j] * B[i, :] over i < depth; with ``relu`` at least 0.

    Operands lie in the flat array ``memory``, the tables that address A in the int64 array
    ``index``. A[i, j] is the element ``a0 + index[a_steps + i] + index[a_rows + j]``; row j of C
    starts at ``c0 + j * c_row``, of base at ``base0 + j * base_row``, row i of B at
    ``b0 + i * b_step``. There are ``rows`` rows of ``vectors`` whole vectors, contiguous in C,
    base and B; ``base`` may be C itself.
    """
    i = types.int64

    def emit(context, builder, sig, args):
        arguments = [*_outer_pointers(context, builder, sig, args[:14]), args[14]]
        call_exported(context, builder, "outer", sig.args[0].dtype, arguments)
        return context.get_dummy_value()

    return types.void(memory, index, *[i] * 13), emit


@intrinsic
def outer_masked(
    typing_context, memory, index, c0, c_row, base0, base_row, relu,
    a0, a_steps, a_rows, b0, b_step, rows, vectors, masks, words,
):  # fmt: skip
    """The same over the i whose bits are set: for tile t of TILE_ROWS rows in the ``words`` words
    from ``index[masks + t * words]`` on."""
    i = types.int64

    def emit(context, builder, sig, args):
        masks = addresser(context, builder, sig.args[1], args[1])(args[14])
        arguments = [*_outer_pointers(context, builder, sig, args[:14]), masks, args[15]]
        call_exported(context, builder, "outer_masked", sig.args[0].dtype, arguments)
        return context.get_dummy_value()

    return types.void(memory, index, *[i] * 14), emit


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


_INNER_ARGUMENTS = (
    "C", "c_row", "A", "a_row", "a_panel", "B", "b_row", "b_panel",
    "vectors", "panels", "last_vectors", "rows", "columns",
)  # fmt: skip


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


def _emit_inner(dtype: types.Float, b: ir.IRBuilder, args: dict[str, Any]) -> None:
    e = Emitter(b, dtype)

    def blocks(total: Any, size: int) -> tuple[Any, Any]:
        rest = b.srem(total, ir.Constant(INT, size))
        return b.sub(total, rest), rest

    whole_rows, rest_rows = blocks(args["rows"], TILE_ROWS)
    whole_columns, rest_columns = blocks(args["columns"], _INNER_COLUMNS)

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

    loop(b, whole_rows, [], lambda row, _: row_of_tiles(TILE_ROWS, row), step=TILE_ROWS)
    loop(b, rest_rows, [], lambda row, _: row_of_tiles(1, b.add(whole_rows, row)))


@intrinsic
def inner(
    typing_context, memory, c0, c_row, a0, a_row, a_panel, b0, b_row, b_panel,
    vectors, panels, last_vectors, rows, columns,
):  # fmt: skip
    """C[j, k] = sum_q A[j, q] * B[k, q], for ``j < rows`` and ``k < columns``.

    All operands lie in the flat array ``memory``. The summed index q runs over ``panels`` panels
    of ``vectors`` whole vectors, the last one of ``last_vectors``. Row j, panel p of A starts at
    ``a0 + j * a_row + p * a_panel``, likewise B; C[j, k] is the element ``c0 + j * c_row + k``.
    """
    i = types.int64
    signature = types.void(memory, *[i] * 13)

    def emit(context, builder, sig, args):
        (memory, c0, c_row, a0, a_row, a_panel, b0, b_row, b_panel, *counts) = args
        at = addresser(context, builder, sig.args[0], memory)
        arguments = [at(c0), c_row, at(a0), a_row, a_panel, at(b0), b_row, b_panel, *counts]
        call_exported(context, builder, "inner", sig.args[0].dtype, arguments)
        return context.get_dummy_value()

    return signature, emit


@intrinsic
def _outer_body(
    typing_context, C, c_row, base, base_row, relu, A, a_steps, a_rows, B, b_step,
    rows, vectors, depth,
):  # fmt: skip
    def emit(context, builder, sig, args):
        _emit_outer(C.dtype, builder, dict(zip(_OUTER_ARGUMENTS, args, strict=True)))
        return context.get_dummy_value()

    return _signature(_OUTER_ARGUMENTS, C.dtype), emit


@intrinsic
def _masked_body(
    typing_context, C, c_row, base, base_row, relu, A, a_steps, a_rows, B, b_step,
    rows, vectors, masks, words,
):  # fmt: skip
    def emit(context, builder, sig, args):
        _emit_outer(C.dtype, builder, dict(zip(_MASKED_ARGUMENTS, args, strict=True)))
        return context.get_dummy_value()

    return _signature(_MASKED_ARGUMENTS, C.dtype), emit


@intrinsic
def _inner_body(
    typing_context, C, c_row, A, a_row, a_panel, B, b_row, b_panel,
    vectors, panels, last_vectors, rows, columns,
):  # fmt: skip
    def emit(context, builder, sig, args):
        _emit_inner(C.dtype, builder, dict(zip(_INNER_ARGUMENTS, args, strict=True)))
        return context.get_dummy_value()

    return _signature(_INNER_ARGUMENTS, C.dtype), emit


def _outer(C, c_row, base, base_row, relu, A, a_steps, a_rows, B, b_step, rows, vectors, depth):
    _outer_body(C, c_row, base, base_row, relu, A, a_steps, a_rows, B, b_step, rows, vectors, depth)


def _outer_masked(
    C, c_row, base, base_row, relu, A, a_steps, a_rows, B, b_step, rows, vectors, masks, words
):
    _masked_body(
        C, c_row, base, base_row, relu, A, a_steps, a_rows, B, b_step, rows, vectors, masks, words
    )


def _inner(
    C, c_row, A, a_row, a_panel, B, b_row, b_panel, vectors, panels, last_vectors, rows, columns
):
    _inner_body(
        C, c_row, A, a_row, a_panel, B, b_row, b_panel, vectors, panels, last_vectors, rows, columns
    )


def export_tiles(dtype: types.Float) -> None:
    """Compile the tiles of ``dtype``; whatever calls them needs this done before."""
    export("outer", dtype, _signature(_OUTER_ARGUMENTS, dtype), _outer)
    export("outer_masked", dtype, _signature(_MASKED_ARGUMENTS, dtype), _outer_masked)
    export("inner", dtype, _signature(_INNER_ARGUMENTS, dtype), _inner)
