"""Reading of the rows that other compiled code gives: any strides, several types of numbers.

Numbers that are not scaled are converted to the network's dtype at once; others are scaled in
float64, with the roundings of ``inputs.scaling``, in a row of float64 that the call has.
"""

from typing import Any

import numpy as np

from ..language import functions
from ..language.backend import intrinsic, ir, types
from ..language.call_record import call_at
from ..language.codegen import codegen
from ..language.elements import as_element, float64s
from ..language.jit import kernel
from ..language.parameters import Layer, Memory, Run
from ..language.simd import INT, Emitter, each, loop, multiple
from ..language.subnormals import keep_subnormals, restore_mode
from .elementwise import in_vectors
from .readers import add_bins

# The kinds of numbers, by dtype, and their LLVM types; bool is read as uint8.
KINDS = {
    np.dtype(name): kind
    for kind, names in enumerate(
        (["float64"], ["float32"], ["int64"], ["int32"], ["uint8", "bool"])
    )
    for name in names
}
_SOURCES: list[Any] = [ir.DoubleType(), ir.FloatType(), INT, ir.IntType(32), ir.IntType(8)]
_BYTES = 8, 4, 8, 4, 1

# Limit of the smooth clip of scaled features, and a value that reaches it in float32; squares of
# larger values might overflow.
CLIP, BEYOND = 3.0, 1e6


@codegen
def _gather(e, memory, target, source, step, count, kind):
    """memory[target:][:count] = the numbers of this kind from address ``source`` on, ``step`` bytes
    apart."""
    b, start = e.builder, e.at(memory, target)
    done = b.append_basic_block("gathered")
    by_kind = b.switch(kind, done)
    for number, (given, size) in enumerate(zip(_SOURCES, _BYTES, strict=True)):
        block = b.append_basic_block(f"kind.{number}")
        by_kind.add_case(ir.Constant(INT, number), block)
        b.position_at_end(block)

        def element(j: Any, step: Any, given: Any = given) -> None:
            address = b.inttoptr(b.add(source, b.mul(j, step)), given.as_pointer())
            b.store(_converted(e, b.load(address, align=1)), e.at(start, j))

        with b.if_else(b.icmp_signed("==", step, ir.Constant(INT, size))) as (dense, strided):
            with dense:
                each(b, count, lambda j, size=size: element(j, ir.Constant(INT, size)))
            with strided:
                each(b, count, lambda j: element(j, step))
        b.branch(done)
    b.position_at_end(done)


def _converted(e: Emitter, number: Any) -> Any:
    b = e.builder
    if isinstance(number.type, ir.IntType):
        return (b.uitofp if number.type.width == 8 else b.sitofp)(number, e.scalar)
    if number.type == e.scalar:
        return number
    return b.fpext(number, e.scalar) if e.itemsize == 8 else b.fptrunc(number, e.scalar)


@codegen
def _mark_finite(e, memory, start, count, flag):
    """The int64 at address ``flag`` = whether all of memory[start:][:count] are finite."""
    b = e.builder
    vectors, lanes = b.sdiv(count, ir.Constant(INT, e.lanes)), ir.IntType(e.lanes)
    first = e.at(memory, start)

    def unknown(x: Any) -> Any:
        rest = functions.subtract(e, x, x)  # 0, or NaN
        return b.bitcast(b.fcmp_unordered("uno", rest, rest), lanes)

    def vector(v: Any, carried: list[Any]) -> list[Any]:
        x = e.load(e.at(first, multiple(b, v, e.lanes)))
        return [b.or_(carried[0], unknown(x))]

    (found,) = loop(b, vectors, [ir.Constant(lanes, 0)], vector)
    done = multiple(b, vectors, e.lanes)
    last = e.load(e.at(first, done), e.first_lanes(b.sub(count, done)))
    finite = b.icmp_unsigned("==", b.or_(found, unknown(last)), ir.Constant(lanes, 0))
    b.store(b.zext(finite, INT), b.inttoptr(flag, INT.as_pointer()))


@codegen
def _scale(e, row, centres, factors, clips, count):
    """row (count) = (row - centres) * factors; z / sqrt(1 + (z / 3)^2) of that where it clips."""
    b = e.builder
    clipped = e.splat(b.icmp_signed("!=", clips, ir.Constant(INT, 0)))

    def vector(first: Any, mask: Any = None) -> None:
        x, centre, factor = (e.load(e.at(start, first), mask) for start in (row, centres, factors))
        z = e.multiply(functions.subtract(e, x, centre), factor)
        bounded = functions.at_most(e, functions.at_least(e, z, -BEYOND), BEYOND)
        third = e.multiply(bounded, e.constant(1 / CLIP))
        root = e.square_root(e.add(e.multiply(third, third), e.constant(1.0)))
        z = b.select(clipped, functions.divide(e, bounded, root), z)
        e.store(z, e.at(row, first), mask)

    in_vectors(e, count, vector)


@intrinsic
def _on_line(typing_context, slope, x, x0, y0):
    """slope * (x - x0) + y0, rounded three times."""
    f, plain = types.float64, {"flags": ("nsz",)}

    def emit(context, builder, sig, args):
        slope, x, x0, y0 = args
        rise = builder.fmul(slope, builder.fsub(x, x0, **plain), **plain)
        return builder.fadd(rise, y0, **plain)

    return f(f, f, f, f), emit


@kernel
def to_normal(row: Memory, points: int, levels: int, n_points: int, count: int):
    """row (count) = np.interp(row, points (count, n_points), levels (count, n_points))."""
    for j in range(count):
        x, first = row[j], 8 * j * n_points
        xs, ys = float64s(points + first), float64s(levels + first)
        low, high = 0, n_points
        while low < high:  # how many points are not above x; NaN is below all
            middle = (low + high) >> 1
            if xs[middle] <= x:
                low = middle + 1
            else:
                high = middle
        k = low - 1
        if k < 0:
            row[j] = as_element(ys[0], row)
        elif k == n_points - 1 or xs[k] == x:
            row[j] = as_element(ys[k], row)
        else:
            slope = (ys[k + 1] - ys[k]) / (xs[k + 1] - xs[k])
            row[j] = as_element(_on_line(slope, x, xs[k], ys[k]), row)


@kernel
def read_given(memory: Memory, run: Run, layer: Layer):
    """copy (m, d) = the rows that were given, scaled, and the bins of their features."""
    call = call_at(run.call, 0)
    row, d = float64s(run.call + call.row), call.features
    factor = as_element(run.input_factor, memory)
    mode = keep_subnormals()  # a factor may make tiny numbers large
    for s in range(run.m):
        target, source = run.copy + s * layer.stride, run.input + (run.row + s) * call.row_step
        flag = run.call + call.finite + 8 * s
        if call.factors or call.points:
            _gather(row, 0, source, call.column_step, d, call.kind)
            _mark_finite(row, 0, d, flag)
            if call.points:
                to_normal(row, call.points, call.levels, call.n_points, d)
            else:
                centres, factors = float64s(call.centres), float64s(call.factors)
                _scale(row, centres, factors, call.clips, d)
            for j in range(d):
                memory[target + j] = as_element(row[j], memory)
        else:
            _gather(memory, target, source, call.column_step, d, call.kind)
            _mark_finite(memory, target, d, flag)
    restore_mode(mode)
    for s in range(run.m):
        target = run.copy + s * layer.stride
        if run.input_factor != 1:
            for j in range(d):
                memory[target + j] = factor * memory[target + j]
        if run.features:
            add_bins(memory, run, target)
        # The output layer of a linear model reads whole vectors.
        for j in range(layer.n_out, layer.stride):
            memory[target + j] = as_element(0, memory)
