"""Vector tiles as LLVM intrinsics: lanes by CPU and dtype, products, exponential.

Every product of the package runs through one of two tiles:

``outer``
    C[j, :] = base[j, :] + sum_i A[i, j] * B[i, :]: lanes run along the columns, elements of A
    are broadcast. No horizontal sums. The rows of A may lie anywhere, and the sum may skip what
    is known to be zero.
``inner``
    C[j, k] = sum_q A[j, q] * B[k, q]: lanes run along the summed index, which lies in panels.

Each element of C is one chain of multiply-adds in index order, whatever the shape of the
tile that it falls into, so results do not depend on how the work is split.
"""

import platform
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

from .jit import call_exported, export

_INT = ir.IntType(64)
_ZERO = ir.Constant(_INT, 0)


def _cpu_features() -> set[str]:
    """Names of the vector extensions that Numba compiles for on this machine."""
    if config.CPU_FEATURES is not None:
        return {name[1:] for name in config.CPU_FEATURES.split(",") if name.startswith("+")}
    if config.CPU_NAME not in (None, "host"):
        return set()
    return {name for name, present in llvm.get_host_cpu_features().items() if present}


_FEATURES = _cpu_features()
_X86 = platform.machine().lower() in ("x86_64", "amd64")
_ARM = platform.machine().lower() in ("aarch64", "arm64")
if "avx512f" in _FEATURES:
    VECTOR_BYTES, _REGISTERS = 64, 32
elif "avx" in _FEATURES:
    VECTOR_BYTES, _REGISTERS = 32, 16
else:
    VECTOR_BYTES, _REGISTERS = 16, 16 if _X86 else 32

# Columns of a tile, in vectors. With 4, a row of a weight panel is 4 vectors: 6 x 4 reached
# 0.86-0.92 of the FMA limit on AVX-512 against 0.81-0.87 for 12 x 2 and 8 x 2, and 3 x 4
# equalled 6 x 2 (0.95-0.99) on AVX2.
TILE_VECTORS = 4
TILE_ROWS = 6 if _REGISTERS == 32 else 3
_INNER_COLUMNS = 4


def lanes(itemsize: int) -> int:
    """Elements of ``itemsize`` bytes in one vector."""
    return VECTOR_BYTES // itemsize


class _Emitter:
    """Shorthand for the vector instructions of one dtype."""

    def __init__(self, builder: ir.IRBuilder, dtype: types.Float) -> None:
        self.builder = builder
        self.scalar = ir.FloatType() if dtype.bitwidth == 32 else ir.DoubleType()
        self.suffix = f"f{dtype.bitwidth}"
        self.itemsize = dtype.bitwidth // 8
        self.lanes = lanes(self.itemsize)
        self.vector = ir.VectorType(self.scalar, self.lanes)

    def at(self, pointer: Any, offset: Any) -> Any:
        if isinstance(offset, int):
            offset = ir.Constant(_INT, offset)
        return self.builder.gep(pointer, [offset])

    def load(self, pointer: Any) -> Any:
        pointer = self.builder.bitcast(pointer, self.vector.as_pointer())
        return self.builder.load(pointer, align=self.itemsize)

    def store(self, value: Any, pointer: Any) -> None:
        pointer = self.builder.bitcast(pointer, value.type.as_pointer())
        self.builder.store(value, pointer, align=self.itemsize)

    def splat(self, scalar: Any) -> Any:
        undefined = ir.Constant(self.vector, ir.Undefined)
        first = self.builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
        return self.shuffle(first, undefined, [0] * self.lanes)

    def shuffle(self, x: Any, y: Any, order: list[int]) -> Any:
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order)
        return self.builder.shuffle_vector(x, y, mask)

    def fma(self, x: Any, y: Any, z: Any) -> Any:
        signature = ir.FunctionType(self.vector, [self.vector] * 3)
        name = f"llvm.fma.v{self.lanes}{self.suffix}"
        function = cgutils.get_or_insert_function(self.builder.module, signature, name)
        return self.builder.call(function, [x, y, z])

    def zeros(self) -> Any:
        return ir.Constant(self.vector, None)


def _multiple(builder: ir.IRBuilder, value: Any, factor: int) -> Any:
    return builder.mul(value, ir.Constant(_INT, factor))


def _addresser(context: Any, builder: ir.IRBuilder, array_type: Any, array: Any) -> Any:
    """Function from an element's index to its address in a flat array."""
    data = context.make_array(array_type)(context, builder, array).data
    return lambda index: builder.gep(data, [index])


def _loop(builder: ir.IRBuilder, count: Any, carried: list[Any], body: Any, step: int = 1) -> Any:
    """``for i in range(0, count, step): carried = body(i, carried)``; returns ``carried``."""
    before = builder.block
    head = builder.append_basic_block("loop.head")
    inside = builder.append_basic_block("loop.body")
    after = builder.append_basic_block("loop.end")
    builder.branch(head)
    builder.position_at_end(head)
    index = builder.phi(_INT)
    index.add_incoming(_ZERO, before)
    values = [builder.phi(value.type) for value in carried]
    for phi, value in zip(values, carried, strict=True):
        phi.add_incoming(value, before)
    builder.cbranch(builder.icmp_signed("<", index, count), inside, after)
    builder.position_at_end(inside)
    new_values = body(index, values)
    index.add_incoming(builder.add(index, ir.Constant(_INT, step)), builder.block)
    for phi, value in zip(values, new_values, strict=True):
        phi.add_incoming(value, builder.block)
    builder.branch(head)
    builder.position_at_end(after)
    return values


def _while(builder: ir.IRBuilder, carried: list[Any], going: Any, body: Any) -> list[Any]:
    """``while going(carried): carried = body(carried)``; returns ``carried``."""
    before = builder.block
    head = builder.append_basic_block("while.head")
    inside = builder.append_basic_block("while.body")
    after = builder.append_basic_block("while.end")
    builder.branch(head)
    builder.position_at_end(head)
    values = [builder.phi(value.type) for value in carried]
    for phi, value in zip(values, carried, strict=True):
        phi.add_incoming(value, before)
    builder.cbranch(going(values), inside, after)
    builder.position_at_end(inside)
    new_values = body(values)
    for phi, value in zip(values, new_values, strict=True):
        phi.add_incoming(value, builder.block)
    builder.branch(head)
    builder.position_at_end(after)
    return values


def _for_each_set_bit(e: _Emitter, masks: Any, words: Any, sums: list[Any], step: Any) -> list[Any]:
    """``sums = step(i, sums)`` for the set bits i of ``words`` words."""
    b = e.builder
    one, yes = ir.Constant(_INT, 1), ir.Constant(ir.IntType(1), 1)

    def word_body(word: Any, sums: list[Any]) -> list[Any]:
        first = _multiple(b, word, 64)

        def bit_body(carried: list[Any]) -> list[Any]:
            bits, *sums = carried
            sums = step(b.add(first, b.cttz(bits, yes)), sums)
            return [b.and_(bits, b.sub(bits, one)), *sums]

        bits = b.load(e.at(masks, word))
        going = lambda carried: b.icmp_signed("!=", carried[0], _ZERO)  # noqa: E731
        return _while(b, [bits, *sums], going, bit_body)[1:]

    return _loop(b, words, sums, word_body)  # type: ignore[no-any-return]


def _outer_tile(
    e: _Emitter, rows: int, vectors: int, args: dict[str, Any], tile: Any, first_row: Any
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
        return step(b.add(i, ir.Constant(_INT, 1)), step(i, sums))

    def rows_of(name: str) -> list[Any]:
        first = e.at(args[name], b.mul(first_row, args[f"{name}_row"]))
        return [e.at(first, _multiple(b, args[f"{name}_row"], j)) for j in range(rows)]

    # The base comes last: added to it one by one, small terms would be lost in rounding.
    sums = [e.zeros()] * (rows * vectors)
    if "masks" in args:
        masks = e.at(args["masks"], b.mul(tile, args["words"]))
        sums = _for_each_set_bit(e, masks, args["words"], sums, step)
    else:
        even = b.and_(args["depth"], ir.Constant(_INT, -2))
        sums = _loop(b, even, sums, two_steps, step=2)
        odd = b.sub(args["depth"], even)
        sums = _loop(b, odd, sums, lambda i, carried: step(b.add(even, i), carried))

    starts = [e.load(e.at(row, v * e.lanes)) for row in rows_of("base") for v in range(vectors)]
    sums = [b.fadd(start, total) for start, total in zip(starts, sums, strict=True)]
    targets = [e.at(row, v * e.lanes) for row in rows_of("C") for v in range(vectors)]
    with b.if_else(b.icmp_signed("!=", args["relu"], _ZERO)) as (rectified, linear):
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
    e = _Emitter(b, dtype)
    rows, most = args["rows"], ir.Constant(_INT, TILE_ROWS)
    one = ir.Constant(_INT, 1)
    tiles = b.sdiv(b.add(rows, ir.Constant(_INT, TILE_ROWS - 1)), most)
    balanced = "masks" not in args
    height = b.sdiv(rows, b.select(b.icmp_signed(">", tiles, _ZERO), tiles, one))
    taller = b.sub(rows, b.mul(height, tiles))
    end = b.append_basic_block("end")
    by_width = b.switch(args["vectors"], end)
    for vectors in range(1, TILE_VECTORS + 1):
        block = b.append_basic_block(f"vectors.{vectors}")
        by_width.add_case(ir.Constant(_INT, vectors), block)
        b.position_at_end(block)

        def tile(index: Any, carried: list[Any], vectors: int = vectors) -> list[Any]:
            (first,) = carried
            if balanced:
                is_taller = b.icmp_signed("<", index, taller)
                count = b.add(height, b.zext(is_taller, _INT))
            else:
                left = b.sub(rows, first)
                count = b.select(b.icmp_signed("<", left, most), left, most)
            done = b.append_basic_block("tile.done")
            by_count = b.switch(count, done)
            for number in range(1, TILE_ROWS + 1):
                block = b.append_basic_block(f"rows.{number}")
                by_count.add_case(ir.Constant(_INT, number), block)
                b.position_at_end(block)
                _outer_tile(e, number, vectors, args, index, first)
                b.branch(done)
            b.position_at_end(done)
            return [b.add(first, count)]

        _loop(b, tiles, [_ZERO], tile)
        b.branch(end)
    b.position_at_end(end)


def _outer_pointers(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> list[Any]:
    """What the two variants of the tile have in common, as it is passed on."""
    (memory, index, c0, c_row, base0, base_row, relu, a0, a_steps, a_rows, b0, b_step,
     rows, vectors) = args  # fmt: skip
    at = _addresser(context, builder, sig.args[0], memory)
    index_at = _addresser(context, builder, sig.args[1], index)
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
        masks = _addresser(context, builder, sig.args[1], args[1])(args[14])
        arguments = [*_outer_pointers(context, builder, sig, args[:14]), masks, args[15]]
        call_exported(context, builder, "outer_masked", sig.args[0].dtype, arguments)
        return context.get_dummy_value()

    return types.void(memory, index, *[i] * 14), emit


def _sum_lanes(e: _Emitter, sums: list[Any]) -> list[Any]:
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
    e: _Emitter, rows: int, columns: int, args: dict[str, Any], first_row: Any, first_column: Any
) -> None:
    b = e.builder
    a = e.at(args["A"], b.mul(first_row, args["a_row"]))
    w = e.at(args["B"], b.mul(first_column, args["b_row"]))
    a_rows = [e.at(a, _multiple(b, args["a_row"], j)) for j in range(rows)]
    b_rows = [e.at(w, _multiple(b, args["b_row"], k)) for k in range(columns)]
    last = b.sub(args["panels"], ir.Constant(_INT, 1))

    def panel(p: Any, sums: list[Any]) -> list[Any]:
        a_start, b_start = b.mul(p, args["a_panel"]), b.mul(p, args["b_panel"])
        count = b.select(b.icmp_signed("==", p, last), args["last_vectors"], args["vectors"])

        def vector(q: Any, sums: list[Any]) -> list[Any]:
            offset = _multiple(b, q, e.lanes)
            a_offset, b_offset = b.add(a_start, offset), b.add(b_start, offset)
            x = [e.load(e.at(pointer, a_offset)) for pointer in a_rows]
            y = [e.load(e.at(pointer, b_offset)) for pointer in b_rows]
            return [
                e.fma(x[j], y[k], sums[j * columns + k])
                for j in range(rows)
                for k in range(columns)
            ]

        return _loop(b, count, sums, vector)  # type: ignore[no-any-return]

    sums = _loop(b, args["panels"], [e.zeros()] * (rows * columns), panel)
    padding = [e.zeros()] * (-len(sums) % e.lanes)
    packed = _sum_lanes(e, sums + padding)
    out = e.at(args["C"], b.add(b.mul(first_row, args["c_row"]), first_column))
    for j in range(rows):
        row = e.at(out, _multiple(b, args["c_row"], j))
        for k in range(columns):
            index = j * columns + k
            lane = ir.Constant(ir.IntType(32), index % e.lanes)
            b.store(b.extract_element(packed[index // e.lanes], lane), e.at(row, k))


def _emit_inner(dtype: types.Float, b: ir.IRBuilder, args: dict[str, Any]) -> None:
    e = _Emitter(b, dtype)

    def blocks(total: Any, size: int) -> tuple[Any, Any]:
        rest = b.srem(total, ir.Constant(_INT, size))
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

        _loop(b, whole_columns, [], full, step=_INNER_COLUMNS)
        _loop(b, rest_columns, [], single)
        return []

    _loop(b, whole_rows, [], lambda row, _: row_of_tiles(TILE_ROWS, row), step=TILE_ROWS)
    _loop(b, rest_rows, [], lambda row, _: row_of_tiles(1, b.add(whole_rows, row)))


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
        at = _addresser(context, builder, sig.args[0], memory)
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


@intrinsic
def transpose(typing_context, memory, target, target_row, source, source_row):
    """Transpose a square of as many rows and columns as a vector has lanes.

    Row j of the source starts at ``source + j * source_row``, likewise the target.
    """
    i = types.int64

    def emit(context, builder, sig, args):
        memory, target, target_row, source, source_row = args
        e = _Emitter(builder, sig.args[0].dtype)
        at = _addresser(context, builder, sig.args[0], memory)
        from_row, to_row = at(source), at(target)
        x = [e.load(e.at(from_row, _multiple(builder, source_row, j))) for j in range(e.lanes)]
        # Swap the off-diagonal blocks, at half the size each time.
        half = e.lanes // 2
        while half:
            low = [k + (e.lanes - half if k & half else 0) for k in range(e.lanes)]
            high = [k + (e.lanes if k & half else half) for k in range(e.lanes)]
            for j in range(e.lanes):
                if not j & half:
                    pair = x[j], x[j + half]
                    x[j], x[j + half] = e.shuffle(*pair, low), e.shuffle(*pair, high)
            half //= 2
        for j in range(e.lanes):
            e.store(x[j], e.at(to_row, _multiple(builder, target_row, j)))
        return context.get_dummy_value()

    return types.void(memory, i, i, i, i), emit


@intrinsic
def load(typing_context, memory, index):
    """``memory[index]`` of a flat array, without the test for a negative index.

    That test keeps LLVM from vectorising a loop whose index is a sum.
    """
    signature = memory.dtype(memory, types.int64)

    def emit(context, builder, sig, args):
        at = _addresser(context, builder, sig.args[0], args[0])
        return builder.load(at(args[1]))

    return signature, emit


@intrinsic
def store(typing_context, memory, index, value):
    """``memory[index] = value`` of a flat array, without the test for a negative index."""
    signature = types.void(memory, types.int64, memory.dtype)

    def emit(context, builder, sig, args):
        at = _addresser(context, builder, sig.args[0], args[0])
        builder.store(args[2], at(args[1]))
        return context.get_dummy_value()

    return signature, emit


@intrinsic
def prefetch(typing_context, array, index):
    """Ask for the cache line of ``array[index]``, to be read soon."""
    signature = types.void(array, types.int64)

    def emit(context, builder, sig, args):
        address = _addresser(context, builder, sig.args[0], args[0])(args[1])
        flag = ir.IntType(32)
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [address.type, flag, flag, flag]),
            "llvm.prefetch.p0",
        )
        read, second_level, data = (ir.Constant(flag, value) for value in (0, 2, 1))
        builder.call(function, [address, read, second_level, data])
        return context.get_dummy_value()

    return signature, emit


@intrinsic
def load_as(typing_context, raw, index, like):
    """Element ``index`` of the bytes ``raw`` read as an array of the dtype of ``like``."""
    signature = like.dtype(raw, types.int64, like)

    def emit(context, builder, sig, args):
        start = _addresser(context, builder, sig.args[0], args[0])(_ZERO)
        kind = context.get_data_type(sig.return_type)
        typed = builder.bitcast(start, kind.as_pointer())
        return builder.load(builder.gep(typed, [args[1]]))

    return signature, emit


# Bits of the x86 control register: flush results, take operands, below the normal range as zero.
_X86_FLUSH = 1 << 15 | 1 << 6
_ARM_FLUSH = 1 << 24


@intrinsic
def flush_subnormals(typing_context):
    """Let this thread treat subnormal numbers as zero; returns what :func:`restore_mode` wants.

    Arithmetic on them takes an assist of over 100 cycles, and vanishing probabilities and decaying
    moments make many: one epoch on the full batch from standard normal weights took 12 times as
    long.
    """

    def emit(context, builder, sig, args):
        if _X86:
            mode = _x86_mode(builder)
            flushing = builder.or_(mode, ir.Constant(mode.type, _X86_FLUSH))
            _set_x86_mode(builder, flushing)
            return builder.zext(mode, _INT)
        if _ARM:
            mode = builder.call(_arm_mode_function(builder, "get", _INT, []), [])
            flushing = builder.or_(mode, ir.Constant(_INT, _ARM_FLUSH))
            builder.call(_arm_mode_function(builder, "set", ir.VoidType(), [_INT]), [flushing])
            return mode
        return _ZERO

    return types.int64(), emit


@intrinsic
def restore_mode(typing_context, mode):
    """Undo :func:`flush_subnormals`."""

    def emit(context, builder, sig, args):
        if _X86:
            _set_x86_mode(builder, builder.trunc(args[0], ir.IntType(32)))
        elif _ARM:
            builder.call(_arm_mode_function(builder, "set", ir.VoidType(), [_INT]), args)
        return context.get_dummy_value()

    return types.void(types.int64), emit


def _x86_mode_function(builder: ir.IRBuilder, name: str) -> Any:
    signature = ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer()])
    return cgutils.get_or_insert_function(builder.module, signature, f"llvm.x86.sse.{name}")


def _x86_mode(builder: ir.IRBuilder) -> Any:
    slot = cgutils.alloca_once(builder, ir.IntType(32))
    pointer = builder.bitcast(slot, ir.IntType(8).as_pointer())
    builder.call(_x86_mode_function(builder, "stmxcsr"), [pointer])
    return builder.load(slot)


def _set_x86_mode(builder: ir.IRBuilder, mode: Any) -> None:
    slot = cgutils.alloca_once_value(builder, mode)
    pointer = builder.bitcast(slot, ir.IntType(8).as_pointer())
    builder.call(_x86_mode_function(builder, "ldmxcsr"), [pointer])


def _arm_mode_function(builder: ir.IRBuilder, verb: str, result: Any, arguments: list[Any]) -> Any:
    signature = ir.FunctionType(result, arguments)
    return cgutils.get_or_insert_function(builder.module, signature, f"llvm.aarch64.{verb}.fpcr")


_EXP_TERMS = {32: 7, 64: 13}
_EXP_LOWEST = {32: -87.0, 64: -708.0}
_LN2_HIGH, _LN2_LOW = 0.693145751953125, 1.42860682030941723212e-6


@intrinsic
def exp_nonpositive(typing_context, x):
    """exp(x) for x <= 0, to about one unit in the last place; NaN stays NaN.

    x = n ln 2 + r with abs(r) <= ln 2 / 2, and exp(r) by its Taylor series, whose first dropped
    term is below half an ulp. Plain arithmetic, so that LLVM vectorises a loop around it.
    Below the smallest normal number the result is that of the smallest argument kept.
    """
    if not isinstance(x, types.Float):
        return None
    bits = x.bitwidth
    mantissa, bias = {32: (23, 127), 64: (52, 1023)}[bits]

    def emit(context, builder, sig, args):
        kind = args[0].type
        integer = ir.IntType(bits)

        def constant(value: float) -> Any:
            return ir.Constant(kind, value)

        def call(name: str, *operands: Any) -> Any:
            signature = ir.FunctionType(kind, [kind] * len(operands))
            name = f"llvm.{name}.f{bits}"
            function = cgutils.get_or_insert_function(builder.module, signature, name)
            return builder.call(function, operands)

        lowest = constant(_EXP_LOWEST[bits])
        x = builder.select(builder.fcmp_ordered("<", args[0], lowest), lowest, args[0])
        n = call("floor", call("fma", x, constant(1.4426950408889634), constant(0.5)))
        r = call("fma", n, constant(-_LN2_LOW), call("fma", n, constant(-_LN2_HIGH), x))
        factorials = [1.0]
        for k in range(1, _EXP_TERMS[bits] + 1):
            factorials.append(factorials[-1] * k)
        result = constant(1.0 / factorials[-1])
        for factorial in reversed(factorials[:-1]):
            result = call("fma", result, r, constant(1.0 / factorial))
        exponent = builder.add(builder.fptosi(n, integer), ir.Constant(integer, bias))
        power = builder.bitcast(builder.shl(exponent, ir.Constant(integer, mantissa)), kind)
        return builder.fmul(result, power)

    return x(x), emit
