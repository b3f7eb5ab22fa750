"""The output layer: forward, backward and update, each for the panels ``first:last`` of a thread.

Panels are those of the last hidden layer, whose owner keeps the weights of its units. Arguments are
those of :mod:`~fastmlp.kernels.dense`.
"""

import numba

from .elements import as_element
from .jit import jit, unit
from .optimizers import update
from .panels import NO_MASKS, is_straight, scale, update_rows, vectors_of
from .plan import (
    BIAS,
    DELTA,
    DELTA_PANEL,
    GRADIENT,
    IOTA,
    LANES,
    N_OUT,
    OUTPUT,
    PANEL,
    PANELS,
    ROW,
    SAMPLE_ROWS,
    SAMPLES,
    STRIDE,
    UPDATE_ROWS,
    WEIGHT_COUNT,
    WEIGHTS,
    ZEROS,
)
from .tiles import inner, outer


@jit
def forward_output(memory, target, source, layers, sizes, first, last, m):
    """Logits from panels ``first:last`` of the last hidden layer alone, each to its own place."""
    l = sizes[OUTPUT]
    c, stride = layers[l + N_OUT], sizes[SAMPLES]
    for p in range(first, last):
        logits = target + p * c * stride
        vectors = vectors_of(layers, sizes, l, p)
        inner(
            memory, logits, stride,
            layers[l + WEIGHTS] + p * layers[l + PANEL], layers[l + STRIDE], 0,
            source + p * layers[l + PANEL], layers[l - ROW + STRIDE], 0,
            vectors, 1, vectors, c, m,
        )  # fmt: skip
        if p == 0:
            for k in range(c):
                bias = memory[layers[l + BIAS] + k]
                for s in range(m):
                    z = logits + k * stride + s
                    memory[z] += bias


@unit
def sum_panels(memory, target, partial, layers, sizes):
    """Logits: the sum, in the order of panels, of what :func:`forward_output` left."""
    l = sizes[OUTPUT]
    # Whole rows, whatever they hold beyond the m samples: one long loop is faster than many short.
    count = layers[l + N_OUT] * sizes[SAMPLES]
    for i in range(count):
        memory[target + i] = memory[partial + i]
    for p in range(1, layers[l + PANELS]):
        for i in range(count):
            memory[target + i] += memory[partial + p * count + i]


@jit
def backward_output(memory, delta, index, layers, sizes, first, last, m):
    """Delta of the last hidden layer before its activation, for its panels ``first:last``."""
    l = sizes[OUTPUT]
    panel, iota = layers[l + PANEL], sizes[IOTA]
    for p in range(first, last):
        outer(
            memory, index, layers[l - ROW + DELTA] + p * layers[l - ROW + DELTA_PANEL], panel,
            sizes[ZEROS], 0, False,
            delta, sizes[SAMPLE_ROWS], iota, layers[l + WEIGHTS] + p * panel, layers[l + STRIDE],
            m, vectors_of(layers, sizes, l, p), layers[l + N_OUT],
        )  # fmt: skip


@jit
def update_output(
    memory, tile, delta, source, index, layers, sizes, first, last, m,
    rule, rate, momentum, opens, closes,
):  # fmt: skip
    """Output weights of panels ``first:last``; the biases go with panel 0."""
    l = sizes[OUTPUT]
    panel, stride = layers[l + PANEL], layers[l + STRIDE]
    if is_straight(rule, opens, closes):
        scale(memory, delta, layers[l + N_OUT] * sizes[SAMPLES], -rate)
    for p in range(first, last):
        w0 = layers[l + WEIGHTS] + p * panel
        for k in range(0, layers[l + N_OUT], UPDATE_ROWS):
            update_rows(
                memory, w0 + k * stride, stride, tile, panel,
                index, numba.int64(NO_MASKS), delta + k * sizes[SAMPLES], sizes[IOTA],
                sizes[SAMPLE_ROWS], source + p * panel, layers[l - ROW + STRIDE],
                m, min(UPDATE_ROWS, layers[l + N_OUT] - k), vectors_of(layers, sizes, l, p), sizes,
                rule, rate, momentum, opens, closes,
            )  # fmt: skip
        if p == 0:
            _update_output_biases(
                memory, tile, delta, layers, sizes, m, rule, rate, momentum, opens, closes
            )


@unit
def _update_output_biases(
    memory, tile, delta, layers, sizes, m, rule, rate, momentum, opens, closes
):
    l = sizes[OUTPUT]
    bias = layers[l + BIAS]
    straight = is_straight(rule, opens, closes)
    target = bias if straight else tile if closes else bias + sizes[GRADIENT]
    before = bias if straight else bias + sizes[GRADIENT]
    for k in range(layers[l + N_OUT]):
        total = as_element(0, memory) if opens and not straight else memory[before + k]
        for s in range(m):
            total += memory[delta + k * sizes[SAMPLES] + s]
        memory[target + k] = total
    if closes and not straight:
        update(
            rule, memory, bias, tile, layers[l + N_OUT],
            sizes[WEIGHT_COUNT], sizes[LANES], rate, momentum,
        )  # fmt: skip
