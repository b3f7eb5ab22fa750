"""A hidden layer: forward, backward and update, each for the panels ``first:last`` of a thread.

``layers``, ``sizes`` and ``index`` are the tables of :mod:`~fastmlp.kernels.plan`, m the rows.
``l`` is the offset in ``layers`` of the layer's row, ``l - ROW`` that of the layer below. All
numbers lie in ``memory`` at the offsets given. The input of a layer is given as an offset
``source`` and a table ``rows`` of the offsets of its rows from it.
"""

import numba

from .elements import as_element, transpose, transpose_rows
from .jit import jit, unit
from .panels import NO_MASKS, is_straight, scale, update_rows, vectors_of
from .plan import (
    DELTA,
    DELTA_PANEL,
    DELTA_ROWS,
    DELTA_UNITS,
    FEATURE_WORDS,
    IOTA,
    LANES,
    LAST,
    MANY_SAMPLES,
    N_IN,
    N_OUT,
    NOUGHTS,
    ONE,
    PACKED_INPUTS,
    PANEL,
    PANELS,
    ROW,
    SAMPLE_ROWS,
    SAMPLE_WORDS,
    SAMPLES,
    STRIDE,
    TILE,
    TRANSPOSED,
    UPDATE_ROWS,
    WEIGHTS,
    ZEROS,
)
from .simd import TILE_ROWS
from .tiles import inner, outer, outer_masked

# Where this many panels share the inputs of this many samples, the inputs are transposed first:
# down a column they lie in as many places as there are samples. Of 1024-2048-2048-10 in batches of
# 1024 the update then takes 0.78 of the time.
_MANY_PANELS = 4

# Fewer rows do not repay the transposition of the weights. With it 28-64-64-2 and 2048-2048 are
# 1.1 times as fast as with rows of weights as they lie.
_FEW_ROWS = 8


@jit
def forward_hidden(memory, target, source, rows, index, layers, sizes, l, first, last, m):
    """A = relu(source W + b), to the activations at ``target``."""
    n_in, panel, iota = layers[l + N_IN], layers[l + PANEL], sizes[IOTA]
    for p in range(first, last):
        w0 = layers[l + WEIGHTS] + p * (n_in + 1) * panel
        outer(
            memory, index, target + p * panel, layers[l + STRIDE],
            w0 + n_in * panel, 0, True,
            source, iota, rows, w0, panel, m, vectors_of(layers, sizes, l, p), n_in,
        )  # fmt: skip


@jit
def forward_masked(memory, target, source, rows, masks, index, layers, sizes, l, first, last, m):
    """:func:`forward_hidden` of the first layer, over the features in ``masks`` alone."""
    n_in, panel = layers[l + N_IN], layers[l + PANEL]
    for p in range(first, last):
        w0 = layers[l + WEIGHTS] + p * (n_in + 1) * panel
        outer_masked(
            memory, index, target + p * panel, layers[l + STRIDE], w0 + n_in * panel, 0, True,
            source, sizes[IOTA], rows, w0, panel, m, vectors_of(layers, sizes, l, p),
            masks, sizes[FEATURE_WORDS],
        )  # fmt: skip


@jit
def backward_hidden(memory, transposed, index, layers, sizes, l, first, last, m):
    """D_l W^T, to the deltas of layer l - 1 (its panels ``first:last``)."""
    panel, below = layers[l + PANEL], layers[l - ROW + PANEL]
    for p in range(first, last):
        target = layers[l - ROW + DELTA] + p * layers[l - ROW + DELTA_PANEL]
        if m < _FEW_ROWS:
            inner(
                memory, target, below, layers[l + DELTA], panel, layers[l + DELTA_PANEL],
                layers[l + WEIGHTS] + p * below * panel, panel, (layers[l + N_IN] + 1) * panel,
                panel // sizes[LANES], layers[l + PANELS], layers[l + LAST],
                m, min(below, layers[l - ROW + N_OUT] - p * below),
            )  # fmt: skip
        else:
            vectors = vectors_of(layers, sizes, l - ROW, p)
            _transpose_weights(memory, transposed, layers, sizes, l, p, vectors)
            outer(
                memory, index, target, below, sizes[ZEROS], 0, False,
                layers[l + DELTA], layers[l + DELTA_UNITS], layers[l + DELTA_ROWS],
                transposed, below, m, vectors, layers[l + N_OUT],
            )  # fmt: skip


@unit
def _transpose_weights(memory, target, layers, sizes, l, p, vectors):
    """Weights of layer l from the units in panel ``p`` below, as a row for each unit of l.

    Its last columns may belong to no unit; what they hold then does not matter, as the activation
    there is 0.
    """
    lanes, panel, below = sizes[LANES], layers[l + PANEL], layers[l - ROW + PANEL]
    for q in range(layers[l + PANELS]):
        source = layers[l + WEIGHTS] + (q * (layers[l + N_IN] + 1) + p * below) * panel
        for v in range(vectors_of(layers, sizes, l, q)):
            row = target + (q * panel + v * lanes) * below
            for k in range(vectors):
                transpose(
                    memory, row + k * lanes, below, source + k * lanes * panel + v * lanes, panel
                )


@unit
def relu_backward(memory, activations, layers, sizes, l, first, last, m):
    """Deltas of layer l, in place: kept where the unit was active, else 0."""
    zero = as_element(0, memory)
    panel = layers[l + PANEL]
    for p in range(first, last):
        width = vectors_of(layers, sizes, l, p) * sizes[LANES]
        for s in range(m):
            d = layers[l + DELTA] + p * layers[l + DELTA_PANEL] + s * panel
            a = activations + s * layers[l + STRIDE] + p * panel
            for j in range(width):
                value = memory[d + j]
                memory[d + j] = value if memory[a + j] > zero else zero


@jit
def update_hidden(
    memory, private, source, rows, masks, index, layers, sizes, l, first, last, m,
    rule, rate, momentum, opens, closes,
):  # fmt: skip
    """Weights and biases of panels ``first:last`` from the layer's inputs and D_l.

    ``masks`` tell, if not NO_MASKS, the samples that count for each group of features.
    """
    n_in, panel = layers[l + N_IN], layers[l + PANEL]
    delta_panel = layers[l + DELTA_PANEL]
    tile, transposed = private + sizes[TILE], private + sizes[TRANSPOSED]
    straight = is_straight(rule, opens, closes)
    if straight:
        for p in range(first, last):
            scale(memory, layers[l + DELTA] + p * delta_panel, m * panel, -rate)
    # All panels take the same few inputs before the next ones, which come from far away.
    packs = masks == NO_MASKS and m >= MANY_SAMPLES and last - first >= _MANY_PANELS
    block = PACKED_INPUTS if packs else UPDATE_ROWS
    if straight and last - first == 1:
        block = n_in
    at_once = block if straight else UPDATE_ROWS
    for j in range(0, n_in, block):
        a0, a_steps, a_rows, block_masks = source + j, rows, sizes[IOTA], masks
        count = min(block, n_in - j)
        if packs:
            _transpose_inputs(memory, transposed, a0, rows, index, sizes, count, m)
            a0, a_steps, a_rows = transposed, sizes[IOTA], sizes[SAMPLE_ROWS]
        if masks != NO_MASKS:
            block_masks += j // TILE_ROWS * sizes[SAMPLE_WORDS]
        for p in range(first, last):
            for i in range(0, count, at_once):
                update_rows(
                    memory, layers[l + WEIGHTS] + (p * (n_in + 1) + j + i) * panel, panel,
                    tile, panel, index, block_masks, a0, a_steps, a_rows + i,
                    layers[l + DELTA] + p * delta_panel, panel,
                    m, min(at_once, count - i), vectors_of(layers, sizes, l, p), sizes,
                    rule, rate, momentum, opens, closes,
                )  # fmt: skip
    # A bias is the weight of an input that is always 1.
    for p in range(first, last):
        update_rows(
            memory, layers[l + WEIGHTS] + (p * (n_in + 1) + n_in) * panel, panel, tile, panel,
            index, numba.int64(NO_MASKS), sizes[ONE], sizes[NOUGHTS], sizes[IOTA],
            layers[l + DELTA] + p * delta_panel, panel,
            m, numba.int64(1), vectors_of(layers, sizes, l, p), sizes,
            rule, rate, momentum, opens, closes,
        )  # fmt: skip


@unit
def _transpose_inputs(memory, target, source, rows, index, sizes, count, m):
    """Transpose ``count`` columns of the ``m`` source rows, to rows SAMPLES apart."""
    lanes, stride = sizes[LANES], sizes[SAMPLES]
    whole_count, whole_m = count - count % lanes, m - m % lanes
    for s in range(0, whole_m, lanes):
        for j in range(0, whole_count, lanes):
            transpose_rows(memory, target + j * stride + s, stride, source + j, index, rows + s)
    for s in range(m):
        for j in range(whole_count if s < whole_m else 0, count):
            memory[target + j * stride + s] = memory[source + index[rows + s] + j]
