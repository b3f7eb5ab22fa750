"""Softmax and cross-entropy: value and output delta, side by side.

Logits z lie class by class, ``stride`` samples apart; lanes run along samples, in whole vectors, so
that some beyond the m samples are worked on too. Behind the c rows of logits there are three more
rows of work: for each sample the maximum, the first class that has it, and the sum of
exponentials.
"""

import math
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .elements import as_element, emit_exp
from .jit import unit
from .simd import INT, ZERO, Emitter, loop

# Sums of exponentials multiplied in float64 before one logarithm is taken. Each is at most the
# number of classes, so the product stays finite below 1e19 classes.
_LOG_BLOCK = 16


def _for_each_vector(e: Emitter, z: Any, stride: Any, m: Any, body: Any) -> None:
    """``body(row)`` for each vector of samples, ``row(k)`` being its address in row k."""
    b, lanes = e.builder, ir.Constant(INT, e.lanes)
    vectors = b.sdiv(b.add(m, ir.Constant(INT, e.lanes - 1)), lanes)

    def vector(v: Any, _: list[Any]) -> list[Any]:
        start = e.at(z, b.mul(v, lanes))
        body(lambda k: e.at(start, b.mul(k, stride)))
        return []

    loop(b, vectors, [], vector)


@intrinsic
def _maxima(typing_context, memory, z0, stride, m, c):
    """Rows c and c + 1: the largest logit, and the first class that has it."""
    i = types.int64

    def emit(context, builder, sig, args):
        e = Emitter(builder, sig.args[0].dtype)
        memory, z0, stride, m, c = args

        def vector(row: Any) -> None:
            def larger(k: Any, carried: list[Any]) -> list[Any]:
                top, best = carried
                x = e.load(row(k))
                above = builder.fcmp_ordered(">", x, top)
                number = e.splat(builder.sitofp(k, e.scalar))
                return [builder.select(above, x, top), builder.select(above, number, best)]

            top, best = loop(builder, c, [e.load(row(ZERO)), e.zeros()], larger)
            e.store(top, row(c))
            e.store(best, row(builder.add(c, ir.Constant(INT, 1))))

        _for_each_vector(e, e.at(memory, z0), stride, m, vector)
        return context.get_dummy_value()

    return types.void(memory, i, i, i, i), emit


@intrinsic
def _exponentials(typing_context, memory, z0, stride, m, c, factor):
    """Rows below c: exp(z - maximum) * factor / their sum, which becomes row c + 2."""
    i = types.int64

    def emit(context, builder, sig, args):
        e = Emitter(builder, sig.args[0].dtype)
        memory, z0, stride, m, c, factor = args

        def vector(row: Any) -> None:
            top = e.load(row(c))

            def exponential(k: Any, carried: list[Any]) -> list[Any]:
                value = emit_exp(e, builder.fsub(e.load(row(k)), top))
                e.store(value, row(k))
                return [builder.fadd(carried[0], value)]

            def scaled(k: Any, _: list[Any]) -> list[Any]:
                e.store(builder.fmul(e.load(row(k)), share), row(k))
                return []

            (total,) = loop(builder, c, [e.zeros()], exponential)
            e.store(total, row(builder.add(c, ir.Constant(INT, 2))))
            share = builder.fdiv(e.splat(factor), total)
            loop(builder, c, [], scaled)

        _for_each_vector(e, e.at(memory, z0), stride, m, vector)
        return context.get_dummy_value()

    return types.void(memory, i, i, i, i, memory.dtype), emit


@unit
def softmax(memory, z0, stride, m, c):
    """Logits -> probabilities, in place."""
    _maxima(memory, z0, stride, m, c)
    _exponentials(memory, z0, stride, m, c, as_element(1, memory))


@unit
def softmax_cross_entropy(memory, z0, stride, labels, first, m, c, scale):
    """Logits -> delta = (p - y) * scale, in place; returns (sum of losses, hits).

    The loss of a sample is -log p[label] = log(sum exp(z - max)) - (z[label] - max), the
    log-sum-exp form, exact where p underflows. Sample s has label ``labels[first + s]``.
    A hit is a label whose logit is the largest, the first one among equals as with ``argmax``.
    """
    top = z0 + c * stride
    best, total = top + stride, top + 2 * stride
    loss, hits = 0.0, 0
    _maxima(memory, z0, stride, m, c)
    for s in range(m):
        label = labels[first + s]
        margin = memory[z0 + label * stride + s] - memory[top + s]
        loss -= margin
        # A maximum that is not finite is no hit: the margin is then NaN.
        hits += margin == 0 and memory[best + s] == label
    _exponentials(memory, z0, stride, m, c, scale)
    for block in range(0, m, _LOG_BLOCK):
        product = 1.0
        for s in range(block, min(block + _LOG_BLOCK, m)):
            product *= memory[total + s]
            memory[z0 + labels[first + s] * stride + s] -= scale
        loss += math.log(product)
    return loss, hits
