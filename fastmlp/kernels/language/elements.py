"""Single elements, cache lines and squares of flat arrays, and the exponential."""

from typing import Any

from .backend import intrinsic, ir, types
from .builders import declared
from .simd import Emitter, multiple


def _emit_transpose(e: Emitter, sources: list[Any], target: Any, target_row: Any) -> None:
    """Swap the off-diagonal blocks of the square that ``sources`` point to, at half the size each
    time, and store it."""
    x = [e.load(row) for row in sources]
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
        e.store(x[j], e.at(target, multiple(e.builder, target_row, j)))


@intrinsic
def transpose(typing_context, memory, target, target_row, source, source_row):
    """Transpose a square of as many rows and columns as a vector has lanes.

    Row j of the source starts at ``source + j * source_row``, likewise the target.
    """
    i = types.int64

    def emit(context, builder, sig, args):
        memory, target, target_row, source, source_row = args
        e = Emitter(builder, sig.args[0].dtype)
        first = e.at(memory, source)
        sources = [e.at(first, multiple(builder, source_row, j)) for j in range(e.lanes)]
        _emit_transpose(e, sources, e.at(memory, target), target_row)
        return context.get_dummy_value()

    return types.void(memory, i, i, i, i), emit


@intrinsic
def transpose_rows(typing_context, memory, target, target_row, source, rows, first):
    """The same for source rows that start at ``source + rows[first + j]``."""
    i = types.int64

    def emit(context, builder, sig, args):
        memory, target, target_row, source, rows, first = args
        e = Emitter(builder, sig.args[0].dtype)
        table, start = e.at(rows, first), e.at(memory, source)
        sources = [e.at(start, builder.load(e.at(table, j))) for j in range(e.lanes)]
        _emit_transpose(e, sources, e.at(memory, target), target_row)
        return context.get_dummy_value()

    return types.void(memory, i, i, i, rows, i), emit


def _elements(dtype: types.Type) -> Any:
    @intrinsic
    def elements(typing_context, address):
        def emit(context, builder, sig, args):
            return builder.inttoptr(args[0], context.get_value_type(sig.return_type))

        return types.CPointer(dtype)(types.int64), emit

    return elements


# The elements from an address on.
uint8s, int32s, int64s, float64s = map(
    _elements, (types.uint8, types.int32, types.int64, types.float64)
)


@intrinsic
def elements_like(typing_context, address, memory):
    """The elements from ``address`` on, of the same type as those of ``memory``."""

    def emit(context, builder, sig, args):
        return builder.inttoptr(args[0], args[1].type)

    return memory(types.int64, memory), emit


@intrinsic
def as_element(typing_context, value, memory):
    """``value`` in the type of the elements of ``memory``."""

    def emit(context, builder, sig, args):
        return context.cast(builder, args[0], sig.args[0], sig.return_type)

    return memory.dtype(value, memory), emit


@intrinsic
def prefetch(typing_context, memory, index):
    """Ask for the cache line of ``memory[index]``, to be read soon."""
    signature = types.void(memory, types.int64)

    def emit(context, builder, sig, args):
        address = builder.gep(args[0], [args[1]])
        flag = ir.IntType(32)
        function = declared(
            builder,
            ir.FunctionType(ir.VoidType(), [address.type, flag, flag, flag]),
            "llvm.prefetch.p0",
        )
        read, second_level, data = (ir.Constant(flag, value) for value in (0, 2, 1))
        builder.call(function, [address, read, second_level, data])
        return context.get_dummy_value()

    return signature, emit


_EXP_TERMS = {32: 7, 64: 13}
_EXP_LOWEST = {32: -87.0, 64: -708.0}
_LN2_HIGH, _LN2_LOW = 0.693145751953125, 1.42860682030941723212e-6


def emit_exp(e: Emitter, x: Any) -> Any:
    """exp(x) of a vector with x <= 0, to about one unit in the last place; NaN stays NaN.

    x = n ln 2 + r with abs(r) <= ln 2 / 2, and exp(r) by its Taylor series, whose first dropped
    term is below half an ulp. Below the smallest normal number the result is that of the smallest
    argument kept.
    """
    b, bits = e.builder, 8 * e.itemsize
    mantissa, bias = {32: (23, 127), 64: (52, 1023)}[bits]
    integers = ir.VectorType(ir.IntType(bits), e.lanes)

    lowest = e.constant(_EXP_LOWEST[bits])
    x = b.select(b.fcmp_ordered("<", x, lowest), lowest, x)
    # Truncated from half below, as x <= 0. No target lacks conversions to and from int32, but some
    # lack those to int64, or the rounding of vectors.
    whole = ir.VectorType(ir.IntType(32), e.lanes)
    k = b.fptosi(e.fma(x, e.constant(1.4426950408889634), e.constant(-0.5)), whole)
    n = b.sitofp(k, e.vector)
    r = e.fma(n, e.constant(-_LN2_LOW), e.fma(n, e.constant(-_LN2_HIGH), x))
    factorials = [1.0]
    for term in range(1, _EXP_TERMS[bits] + 1):
        factorials.append(factorials[-1] * term)
    result = e.constant(1.0 / factorials[-1])
    for factorial in reversed(factorials[:-1]):
        result = e.fma(result, r, e.constant(1.0 / factorial))
    places, zero_power = (ir.Constant(integers, [number] * e.lanes) for number in (mantissa, bias))
    exponent = b.add(k if bits == 32 else b.sext(k, integers), zero_power)
    return b.fmul(result, b.bitcast(b.shl(exponent, places), e.vector))
