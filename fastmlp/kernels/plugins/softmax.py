"""Softmax and cross-entropy: value and output delta, side by side.

Logits z lie class by class, ``stride`` samples apart; lanes run along samples, in whole vectors, so
that some beyond the m samples are worked on too. Behind the c rows of logits there are three more
rows of work: for each sample the maximum, the first class that has it, and the sum of
exponentials.
"""

import math
from typing import Any

from ..language.backend import intrinsic, ir, types
from ..language.elements import as_element, elements_like, emit_exp, int32s
from ..language.jit import kernel
from ..language.parameters import Layer, Memory, Run
from ..language.simd import INT, ZERO, Emitter, loop
from .samples import for_each_vector

# Samples whose losses are summed first, as short sums round less. One logarithm is taken of the
# product of their sums of exponentials in float64: each is at most the number of classes, so it
# stays finite below 1e19 classes.
_BLOCK = 16


@intrinsic
def _maxima(typing_context, memory, z0, stride, m, c):
    """Rows c and c + 1: the largest logit, and the first class that has it."""
    i = types.int64

    def emit(context, builder, sig, args):
        e = Emitter(builder, sig.args[0].dtype)
        memory, z0, stride, m, c = args

        def vector(row: Any, _: Any) -> None:
            def larger(k: Any, carried: list[Any]) -> list[Any]:
                top, best = carried
                x = e.load(row(k))
                above = builder.fcmp_ordered(">", x, top)
                number = e.splat(builder.sitofp(k, e.scalar))
                return [builder.select(above, x, top), builder.select(above, number, best)]

            top, best = loop(builder, c, [e.load(row(ZERO)), e.zeros()], larger)
            e.store(top, row(c))
            e.store(best, row(builder.add(c, ir.Constant(INT, 1))))

        for_each_vector(e, e.at(memory, z0), stride, m, vector)
        return context.get_dummy_value()

    return types.void(memory, i, i, i, i), emit


@intrinsic
def _exponentials(typing_context, memory, z0, stride, m, c, factor):
    """Rows below c: exp(z - maximum) * factor / their sum, which becomes row c + 2."""
    i = types.int64

    def emit(context, builder, sig, args):
        e = Emitter(builder, sig.args[0].dtype)
        memory, z0, stride, m, c, factor = args

        def vector(row: Any, _: Any) -> None:
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

        for_each_vector(e, e.at(memory, z0), stride, m, vector)
        return context.get_dummy_value()

    return types.void(memory, i, i, i, i, memory.dtype), emit


@kernel
def softmax(memory: Memory, run: Run, layer: Layer):
    """Logits -> probabilities, in place."""
    _maxima(memory, run.logits, run.samples, run.m, layer.n_out)
    one = as_element(1, memory)
    _exponentials(memory, run.logits, run.samples, run.m, layer.n_out, one)


@kernel
def softmax_cross_entropy(memory: Memory, run: Run, layer: Layer):
    """Logits -> delta = (p - y) * run.share, in place; adds to ``run.total_loss`` and ``run.hits``.

    The loss of a sample is -log p[label] = log(sum exp(z - max)) - (z[label] - max), the
    log-sum-exp form, exact where p underflows. A hit is a label whose logit is the largest, the
    first one among equals as with ``argmax``.
    """
    labels, stride, logits, m = int32s(run.labels), run.samples, run.logits, run.m
    share = as_element(run.share, memory)
    top = logits + layer.n_out * stride
    best, total = top + stride, top + 2 * stride
    hits = 0
    _maxima(memory, logits, stride, m, layer.n_out)
    margins = 0.0
    for block in range(0, m, _BLOCK):
        of_block = 0.0
        for s in range(block, m if m - block < _BLOCK else block + _BLOCK):
            label = labels[run.row + s]
            margin = memory[logits + label * stride + s] - memory[top + s]
            of_block += margin
            # A maximum that is not finite is no hit: the margin is then NaN.
            hits += margin == 0 and memory[best + s] == label
        margins += of_block
    _exponentials(memory, logits, stride, m, layer.n_out, share)
    logarithms = 0.0
    for block in range(0, m, _BLOCK):
        product = 1.0
        for s in range(block, m if m - block < _BLOCK else block + _BLOCK):
            product *= memory[total + s]
            memory[logits + labels[run.row + s] * stride + s] -= share
        logarithms += math.log(product)
    run.total_loss += logarithms - margins
    run.hits += hits


@kernel
def softmax_cross_entropy_weighted(memory: Memory, run: Run, layer: Layer):
    """The same with weights of samples, and labels of which ``run.smoothing`` goes to all alike."""
    _maxima(memory, run.logits, run.samples, run.m, layer.n_out)
    _label_margins(memory, run, layer)
    one = as_element(1, memory)
    _exponentials(memory, run.logits, run.samples, run.m, layer.n_out, one)
    _add_losses(memory, run, layer)
    _label_deltas(memory, run, layer)


@kernel
def softmax_cross_entropy_rows(memory: Memory, run: Run, layer: Layer):
    """The same with shares of classes in place of labels.

    A hit is a row where the class of the largest share has the largest logit, the first one among
    equals.
    """
    _maxima(memory, run.logits, run.samples, run.m, layer.n_out)
    _row_margins(memory, run, layer)
    one = as_element(1, memory)
    _exponentials(memory, run.logits, run.samples, run.m, layer.n_out, one)
    _add_losses(memory, run, layer)
    _row_deltas(memory, run, layer)


@kernel
def _label_margins(memory: Memory, run: Run, layer: Layer):
    """Row c + 1: sum_k y_k (z_k - maximum), y the smoothed label; adds the weighted hits."""
    labels, weights = int32s(run.labels), elements_like(run.weights, memory)
    logits, stride, m, row, c = run.logits, run.samples, run.m, run.row, layer.n_out
    top = logits + c * stride
    best, smoothing, hits = top + stride, run.smoothing, 0.0
    sure, spread = as_element(1 - smoothing, memory), as_element(smoothing / c, memory)
    for s in range(m):
        label = labels[row + s]
        margin = memory[logits + label * stride + s] - memory[top + s]
        # A maximum that is not finite is no hit: the margin is then NaN.
        if margin == 0 and memory[best + s] == label:
            hits += weights[row + s]
        memory[best + s] = sure * margin
    run.hits += hits
    if smoothing > 0:
        for k in range(c):
            for s in range(m):
                memory[best + s] += spread * (memory[logits + k * stride + s] - memory[top + s])


@kernel
def _label_deltas(memory: Memory, run: Run, layer: Layer):
    """Probabilities -> deltas."""
    labels, weights = int32s(run.labels), elements_like(run.weights, memory)
    logits, stride, m, row, c = run.logits, run.samples, run.m, run.row, layer.n_out
    share, smoothing = as_element(run.share, memory), run.smoothing
    sure, spread = as_element(1 - smoothing, memory), as_element(smoothing / c, memory)
    for s in range(m):
        memory[logits + labels[row + s] * stride + s] -= sure
    for k in range(c):
        for s in range(m):
            z = logits + k * stride + s
            memory[z] = share * weights[row + s] * (memory[z] - spread)


@kernel
def _row_margins(memory: Memory, run: Run, layer: Layer):
    """Row c + 1: sum_k y_k (z_k - maximum), y the smoothed shares; adds the weighted hits."""
    targets, weights = elements_like(run.targets, memory), elements_like(run.weights, memory)
    logits, stride, m, row, c = run.logits, run.samples, run.m, run.row, layer.n_out
    top, target_stride = logits + c * stride, run.target_stride
    best, smoothing, hits = top + stride, run.smoothing, 0.0
    sure, spread = as_element(1 - smoothing, memory), as_element(smoothing / c, memory)
    for s in range(m):
        largest = 0
        for k in range(1, c):
            if targets[k * target_stride + row + s] > targets[largest * target_stride + row + s]:
                largest = k
        is_finite = memory[logits + largest * stride + s] - memory[top + s] == 0
        if is_finite and memory[best + s] == largest:
            hits += weights[row + s]
        memory[best + s] = as_element(0, memory)
    run.hits += hits
    for k in range(c):
        for s in range(m):
            y = sure * targets[k * target_stride + row + s] + spread
            memory[best + s] += y * (memory[logits + k * stride + s] - memory[top + s])


@kernel
def _row_deltas(memory: Memory, run: Run, layer: Layer):
    """Probabilities -> deltas."""
    targets, weights = elements_like(run.targets, memory), elements_like(run.weights, memory)
    logits, stride, m, row, c = run.logits, run.samples, run.m, run.row, layer.n_out
    share, smoothing, target_stride = (
        as_element(run.share, memory),
        run.smoothing,
        run.target_stride,
    )
    sure, spread = as_element(1 - smoothing, memory), as_element(smoothing / c, memory)
    for k in range(c):
        for s in range(m):
            y = sure * targets[k * target_stride + row + s] + spread
            z = logits + k * stride + s
            memory[z] = share * weights[row + s] * (memory[z] - y)


@kernel
def _add_losses(memory: Memory, run: Run, layer: Layer):
    """Add the weighted losses, log(sum of exponentials) - row c + 1, in float64, block by block."""
    weights, m, row = elements_like(run.weights, memory), run.m, run.row
    margin = run.logits + (layer.n_out + 1) * run.samples
    total, loss = margin + run.samples, 0.0
    for block in range(0, m, _BLOCK):
        of_block = 0.0
        for s in range(block, m if m - block < _BLOCK else block + _BLOCK):
            sample = math.log(1.0 * memory[total + s]) - memory[margin + s]
            of_block += weights[row + s] * sample
        loss += of_block
    run.total_loss += loss
