"""What all layers do with one panel of their weights: its width, its gradient and update."""

import numba

from .jit import jit, unit
from .optimizers import SGD, update
from .plan import (
    GRADIENT,
    LANES,
    LAST,
    PANEL,
    PANELS,
    SAMPLE_WORDS,
    WEIGHT_COUNT,
    ZEROS,
)
from .tiles import outer, outer_masked

# In calls as ``numba.int64(NO_MASKS)``: Numba compiles a function once more for a literal.
NO_MASKS = -1


@jit
def vectors_of(layers, sizes, l, p):
    """Vectors in panel ``p`` of layer ``l``."""
    if p == layers[l + PANELS] - 1:
        return layers[l + LAST]
    return layers[l + PANEL] // sizes[LANES]


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
def update_rows(
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
