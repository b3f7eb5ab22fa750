"""One dense layer: forward, backward and update, each for the panels ``first:last`` of a thread.

``layers``, ``sizes`` and ``index`` are the tables of :mod:`~fastmlp.kernels.plan`, m the rows.
``l`` is the offset in ``layers`` of the layer's row, ``l - ROW`` that of the layer below. All
numbers lie in ``memory`` at the offsets given. The input of a layer is given as an offset
``source`` and a table ``rows`` of the offsets of its rows from it.
"""

import numba

from .elements import as_element, transpose, transpose_rows
from .jit import jit, unit
from .optimizers import SGD, update
from .plan import (
    BIAS,
    DELTA,
    DELTA_PANEL,
    DELTA_ROWS,
    DELTA_UNITS,
    FEATURE_WORDS,
    GRADIENT,
    IOTA,
    LANES,
    LAST,
    MANY_SAMPLES,
    N_IN,
    N_OUT,
    NOUGHTS,
    ONE,
    OUTPUT,
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
    WEIGHT_COUNT,
    WEIGHTS,
    ZEROS,
)
from .simd import TILE_ROWS
from .tiles import inner, outer, outer_masked

NO_MASKS = -1

# Where this many panels share the inputs of this many samples, the inputs are transposed first:
# down a column they lie in as many places as there are samples. 1024-2048-2048-10 in batches of
# 1024 trains 1.08 times as fast, and the update alone takes 0.78 of the time.
_MANY_PANELS = 4

# Fewer rows do not repay the transposition of the weights. With it 28-64-64-2 and 2048-2048 are
# 1.1 times as fast as with rows of weights as they lie.
_FEW_ROWS = 8


@jit
def _vectors(layers, sizes, l, p):
    """Vectors in panel ``p`` of layer ``l``."""
    if p == layers[l + PANELS] - 1:
        return layers[l + LAST]
    return layers[l + PANEL] // sizes[LANES]


@jit
def forward_hidden(memory, target, source, rows, index, layers, sizes, l, first, last, m):
    """A = relu(source W + b), to the activations at ``target``."""
    n_in, panel, iota = layers[l + N_IN], layers[l + PANEL], sizes[IOTA]
    for p in range(first, last):
        w0 = layers[l + WEIGHTS] + p * (n_in + 1) * panel
        outer(
            memory, index, target + p * panel, layers[l + STRIDE],
            w0 + n_in * panel, 0, True,
            source, iota, rows, w0, panel, m, _vectors(layers, sizes, l, p), n_in,
        )  # fmt: skip


@jit
def forward_masked(memory, target, source, rows, masks, index, layers, sizes, l, first, last, m):
    """:func:`forward_hidden` of the first layer, over the features in ``masks`` alone."""
    n_in, panel = layers[l + N_IN], layers[l + PANEL]
    for p in range(first, last):
        w0 = layers[l + WEIGHTS] + p * (n_in + 1) * panel
        outer_masked(
            memory, index, target + p * panel, layers[l + STRIDE], w0 + n_in * panel, 0, True,
            source, sizes[IOTA], rows, w0, panel, m, _vectors(layers, sizes, l, p),
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
            vectors = _vectors(layers, sizes, l - ROW, p)
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
        for v in range(_vectors(layers, sizes, l, q)):
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
        width = _vectors(layers, sizes, l, p) * sizes[LANES]
        for s in range(m):
            d = layers[l + DELTA] + p * layers[l + DELTA_PANEL] + s * panel
            a = activations + s * layers[l + STRIDE] + p * panel
            for j in range(width):
                value = memory[d + j]
                memory[d + j] = value if memory[a + j] > zero else zero


@jit
def is_straight(rule, opens, closes):
    """Whether a sum over the chunk can go straight to the weights: a batch of one chunk, in plain
    gradient descent."""
    return rule == SGD and opens and closes


@unit
def scale(memory, start, count, rate):
    """Multiply ``count`` elements by ``rate``, in place."""
    for i in range(count):
        memory[start + i] *= rate


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
                _update_rows(
                    memory, layers[l + WEIGHTS] + (p * (n_in + 1) + j + i) * panel, panel,
                    tile, panel, index, block_masks, a0, a_steps, a_rows + i,
                    layers[l + DELTA] + p * delta_panel, panel,
                    m, min(at_once, count - i), _vectors(layers, sizes, l, p), sizes,
                    rule, rate, momentum, opens, closes,
                )  # fmt: skip
    # A bias is the weight of an input that is always 1.
    for p in range(first, last):
        _update_rows(
            memory, layers[l + WEIGHTS] + (p * (n_in + 1) + n_in) * panel, panel, tile, panel,
            index, numba.int64(NO_MASKS), sizes[ONE], sizes[NOUGHTS], sizes[IOTA],
            layers[l + DELTA] + p * delta_panel, panel,
            m, numba.int64(1), _vectors(layers, sizes, l, p), sizes,
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


@jit
def _update_rows(
    memory, w0, w_row, tile, width, index, masks, a0, a_steps, a_rows, b0, b_step,
    depth, rows, vectors, sizes, rule, rate, momentum, opens, closes,
):  # fmt: skip
    """Gradient sum_i A[i, j] B[i, :] of weight rows j, and their update at the end of a batch.

    If the update is straight, B carries its factor and the sums are added to the weights. If not,
    they go to the gradient (between the chunks of a batch) or, at the last chunk, to ``tile``,
    where at most UPDATE_ROWS rows stay in L1 for the rule.
    """
    target, target_row, before, before_row = w0, w_row, w0, w_row
    straight = is_straight(rule, opens, closes)
    if not straight:
        gradient = w0 + sizes[GRADIENT]
        target, target_row = (tile, width) if closes else (gradient, w_row)
        before, before_row = (sizes[ZEROS], 0) if opens else (gradient, w_row)
    if masks == NO_MASKS:
        outer(
            memory, index, target, target_row, before, before_row, False,
            a0, a_steps, a_rows, b0, b_step, rows, vectors, depth,
        )  # fmt: skip
    else:
        outer_masked(
            memory, index, target, target_row, before, before_row, False,
            a0, a_steps, a_rows, b0, b_step, rows, vectors, masks, sizes[SAMPLE_WORDS],
        )  # fmt: skip
    if closes and not straight:
        count = vectors * sizes[LANES]
        if w_row == count and width == count:  # the rows lie one behind the other
            rows, count = numba.int64(1), rows * count
        for i in range(rows):
            update(
                rule, memory, w0 + i * w_row, tile + i * width, count,
                sizes[WEIGHT_COUNT], sizes[LANES], rate, momentum,
            )  # fmt: skip


@jit
def forward_output(memory, target, source, layers, sizes, first, last, m):
    """Logits from panels ``first:last`` of the last hidden layer alone, each to its own place."""
    l = sizes[OUTPUT]
    c, stride = layers[l + N_OUT], sizes[SAMPLES]
    for p in range(first, last):
        logits = target + p * c * stride
        vectors = _vectors(layers, sizes, l, p)
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
            m, _vectors(layers, sizes, l, p), layers[l + N_OUT],
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
            _update_rows(
                memory, w0 + k * stride, stride, tile, panel,
                index, numba.int64(NO_MASKS), delta + k * sizes[SAMPLES], sizes[IOTA],
                sizes[SAMPLE_ROWS], source + p * panel, layers[l - ROW + STRIDE],
                m, min(UPDATE_ROWS, layers[l + N_OUT] - k), _vectors(layers, sizes, l, p), sizes,
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
