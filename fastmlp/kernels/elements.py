"""Single elements, cache lines and squares of flat arrays, and the exponential."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .simd import ZERO, Emitter, addresser, multiple


@intrinsic
def transpose(typing_context, memory, target, target_row, source, source_row):
    """Transpose a square of as many rows and columns as a vector has lanes.

    Row j of the source starts at ``source + j * source_row``, likewise the target.
    """
    i = types.int64

    def emit(context, builder, sig, args):
        memory, target, target_row, source, source_row = args
        e = Emitter(builder, sig.args[0].dtype)
        at = addresser(context, builder, sig.args[0], memory)
        from_row, to_row = at(source), at(target)
        x = [e.load(e.at(from_row, multiple(builder, source_row, j))) for j in range(e.lanes)]
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
            e.store(x[j], e.at(to_row, multiple(builder, target_row, j)))
        return context.get_dummy_value()

    return types.void(memory, i, i, i, i), emit


@intrinsic
def load(typing_context, memory, index):
    """``memory[index]`` of a flat array, without the test for a negative index.

    That test keeps LLVM from vectorising a loop whose index is a sum.
    """
    signature = memory.dtype(memory, types.int64)

    def emit(context, builder, sig, args):
        at = addresser(context, builder, sig.args[0], args[0])
        return builder.load(at(args[1]))

    return signature, emit


@intrinsic
def store(typing_context, memory, index, value):
    """``memory[index] = value`` of a flat array, without the test for a negative index."""
    signature = types.void(memory, types.int64, memory.dtype)

    def emit(context, builder, sig, args):
        at = addresser(context, builder, sig.args[0], args[0])
        builder.store(args[2], at(args[1]))
        return context.get_dummy_value()

    return signature, emit


@intrinsic
def prefetch(typing_context, array, index):
    """Ask for the cache line of ``array[index]``, to be read soon."""
    signature = types.void(array, types.int64)

    def emit(context, builder, sig, args):
        address = addresser(context, builder, sig.args[0], args[0])(args[1])
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
        start = addresser(context, builder, sig.args[0], args[0])(ZERO)
        kind = context.get_data_type(sig.return_type)
        typed = builder.bitcast(start, kind.as_pointer())
        return builder.load(builder.gep(typed, [args[1]]))

    return signature, emit


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
