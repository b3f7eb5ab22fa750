"""Softmax and cross-entropy: value and output delta, side by side.

Logits z lie class by class, ``run.samples`` apart; lanes run along samples, in whole vectors, so
that some beyond the m samples are worked on too. Behind the c rows of logits there are three more
rows of work: for each sample the maximum, the first class that has it, and the sum of
exponentials.

A prediction is correct where the label, or the class of the largest probability, has the largest
logit: the first one among equals, as with ``argmax``.
"""

import math
from typing import Any

from ..language.backend import ir
from ..language.codegen import codegen
from ..language.elements import as_element, elements_like, float64s, int32s
from ..language.functions import exp_nonpositive
from ..language.jit import kernel
from ..language.parameters import Layer, Memory, Run
from ..language.simd import INT, ZERO, each, loop
from .samples import BLOCK, for_each_vector


@codegen
def _maxima(e, memory, z, stride, m, c):
    """Rows c and c + 1: the largest logit, and the first class that has it."""
    b = e.builder

    def samples(row: Any, _: Any) -> None:
        def larger(k: Any, carried: list[Any]) -> list[Any]:
            top, best = carried
            x = e.load(row(k))
            above = b.fcmp_ordered(">", x, top)
            number = e.splat(b.sitofp(k, e.scalar))
            return [b.select(above, x, top), b.select(above, number, best)]

        top, best = loop(b, c, [e.load(row(ZERO)), e.zeros()], larger)
        e.store(top, row(c))
        e.store(best, row(b.add(c, ir.Constant(INT, 1))))

    for_each_vector(e, e.at(memory, z), stride, m, samples)


@codegen
def _exponentials(e, memory, z, stride, m, c, factor):
    """Rows below c: exp(z - maximum) * factor / their sum, which becomes row c + 2."""
    b = e.builder

    def samples(row: Any, _: Any) -> None:
        top = e.load(row(c))

        def exponential(k: Any, carried: list[Any]) -> list[Any]:
            value = exp_nonpositive(e, b.fsub(e.load(row(k)), top))
            e.store(value, row(k))
            return [b.fadd(carried[0], value)]

        (total,) = loop(b, c, [e.zeros()], exponential)
        e.store(total, row(b.add(c, ir.Constant(INT, 2))))
        scale = b.fdiv(e.splat(factor), total)
        each(b, c, lambda k: e.store(b.fmul(e.load(row(k)), scale), row(k)))

    for_each_vector(e, e.at(memory, z), stride, m, samples)


@kernel
def softmax(memory: Memory, run: Run, layer: Layer):
    """probabilities (c, m) = softmax(logits (c, m)), in place."""
    _maxima(memory, run.logits, run.samples, run.m, layer.n_out)
    one = as_element(1, memory)
    _exponentials(memory, run.logits, run.samples, run.m, layer.n_out, one)


@kernel
def softmax_cross_entropy(memory: Memory, run: Run, layer: Layer):
    """deltas (c, m) = (softmax(logits (c, m)) - one-hot labels (m)) * run.sample_scale, in place.

    The loss of a sample is -log p[label] = log(sum exp(z - max)) - (z[label] - max), the
    log-sum-exp form, exact where p underflows. One logarithm is taken of the product of a block's
    sums of exponentials in float64: each is at most the number of classes, so it stays finite below
    1e19 classes.
    """
    labels, stride, logits, m = int32s(run.labels), run.samples, run.logits, run.m
    scale = as_element(run.sample_scale, memory)
    top = logits + layer.n_out * stride
    best, total = top + stride, top + 2 * stride
    correct = 0
    _maxima(memory, logits, stride, m, layer.n_out)
    margins = 0.0
    for block in range(0, m, BLOCK):
        of_block = 0.0
        for s in range(block, m if m - block < BLOCK else block + BLOCK):
            label = labels[run.row + s]
            margin = memory[logits + label * stride + s] - memory[top + s]
            of_block += margin
            # A maximum that is not finite is not correct: the margin is then NaN.
            correct += margin == 0 and memory[best + s] == label
        margins += of_block
    _exponentials(memory, logits, stride, m, layer.n_out, scale)
    logarithms = 0.0
    for block in range(0, m, BLOCK):
        product = 1.0
        for s in range(block, m if m - block < BLOCK else block + BLOCK):
            product *= memory[total + s]
            memory[logits + labels[run.row + s] * stride + s] -= scale
        logarithms += math.log(product)
    sums = float64s(run.sums)
    sums[0] += logarithms - margins
    sums[run.lanes] += correct


@kernel
def softmax_cross_entropy_weighted(memory: Memory, run: Run, layer: Layer):
    """The same with weights (m) of samples, and labels of which ``run.smoothing`` goes to all
    classes alike."""
    _label_margins(memory, run, layer)
    _add_losses(memory, run, layer)
    labels, logits, stride, m = int32s(run.labels), run.logits, run.samples, run.m
    row, c, smoothing = run.row, layer.n_out, run.smoothing
    sure, spread = as_element(1 - smoothing, memory), as_element(smoothing / c, memory)
    for s in range(m):
        memory[logits + labels[row + s] * stride + s] -= sure
    if smoothing > 0:
        for k in range(c):
            for s in range(m):
                memory[logits + k * stride + s] -= spread
    _weight_deltas(memory, run, layer)


@kernel
def softmax_cross_entropy_rows(memory: Memory, run: Run, layer: Layer):
    """The same with probabilities (c, m) of the classes in place of labels."""
    _row_margins(memory, run, layer)
    _add_losses(memory, run, layer)
    targets, logits, stride, m = elements_like(run.targets, memory), run.logits, run.samples, run.m
    row, c, smoothing, target_stride = run.row, layer.n_out, run.smoothing, run.target_stride
    sure, spread = as_element(1 - smoothing, memory), as_element(smoothing / c, memory)
    for k in range(c):
        for s in range(m):
            y = sure * targets[k * target_stride + row + s] + spread
            memory[logits + k * stride + s] -= y
    _weight_deltas(memory, run, layer)


@kernel
def _label_margins(memory: Memory, run: Run, layer: Layer):
    """margins (m) = sum_k y_k (z_k - maximum), y the smoothed label; adds the weights of correct
    samples."""
    labels, weights = int32s(run.labels), elements_like(run.score_weights, memory)
    logits, stride, m, row, c = run.logits, run.samples, run.m, run.row, layer.n_out
    top = logits + c * stride
    best, smoothing, correct = top + stride, run.smoothing, 0.0
    sure, spread = as_element(1 - smoothing, memory), as_element(smoothing / c, memory)
    _maxima(memory, logits, stride, m, c)
    for s in range(m):
        label = labels[row + s]
        margin = memory[logits + label * stride + s] - memory[top + s]
        # A maximum that is not finite is not correct: the margin is then NaN.
        if margin == 0 and memory[best + s] == label:
            correct += weights[row + s]
        memory[best + s] = sure * margin
    float64s(run.sums)[run.lanes] += correct
    if smoothing > 0:
        for k in range(c):
            for s in range(m):
                memory[best + s] += spread * (memory[logits + k * stride + s] - memory[top + s])


@kernel
def _row_margins(memory: Memory, run: Run, layer: Layer):
    """The same with the smoothed rows as y."""
    targets, weights = elements_like(run.targets, memory), elements_like(run.score_weights, memory)
    logits, stride, m, row, c = run.logits, run.samples, run.m, run.row, layer.n_out
    top, target_stride = logits + c * stride, run.target_stride
    best, smoothing, correct = top + stride, run.smoothing, 0.0
    sure, spread = as_element(1 - smoothing, memory), as_element(smoothing / c, memory)
    _maxima(memory, logits, stride, m, c)
    for s in range(m):
        largest = 0
        for k in range(1, c):
            if targets[k * target_stride + row + s] > targets[largest * target_stride + row + s]:
                largest = k
        is_finite = memory[logits + largest * stride + s] - memory[top + s] == 0
        if is_finite and memory[best + s] == largest:
            correct += weights[row + s]
        memory[best + s] = as_element(0, memory)
    float64s(run.sums)[run.lanes] += correct
    for k in range(c):
        for s in range(m):
            y = sure * targets[k * target_stride + row + s] + spread
            memory[best + s] += y * (memory[logits + k * stride + s] - memory[top + s])


@kernel
def _add_losses(memory: Memory, run: Run, layer: Layer):
    """probabilities (c, m) = softmax(logits (c, m)), in place; adds the weighted losses,
    log(sum of exponentials) - margins (m) within their bounds, in float64, block by block."""
    weights, m, row = elements_like(run.weights, memory), run.m, run.row
    margin = run.logits + (layer.n_out + 1) * run.samples
    total, loss, one = margin + run.samples, 0.0, as_element(1, memory)
    _exponentials(memory, run.logits, run.samples, m, layer.n_out, one)
    for block in range(0, m, BLOCK):
        of_block = 0.0
        for s in range(block, m if m - block < BLOCK else block + BLOCK):
            sample = math.log(1.0 * memory[total + s]) - memory[margin + s]
            if sample > run.largest_loss:
                sample = run.largest_loss
            elif sample < run.least_loss:
                sample = run.least_loss
            of_block += weights[row + s] * sample
        loss += of_block
    float64s(run.sums)[0] += loss


@kernel
def _weight_deltas(memory: Memory, run: Run, layer: Layer):
    """deltas (c, m) *= run.sample_scale * weights (m)."""
    weights, scale = elements_like(run.weights, memory), as_element(run.sample_scale, memory)
    logits, stride, m, row, c = run.logits, run.samples, run.m, run.row, layer.n_out
    for k in range(c):
        for s in range(m):
            z = logits + k * stride + s
            memory[z] = scale * weights[row + s] * memory[z]
