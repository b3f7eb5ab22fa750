"""The gradient of some rows of weights, and their update at the end of a batch."""

from ..language.elements import as_element, int64s
from ..language.jit import kernel, plugin
from ..language.parameters import Memory, Pair, Run, Triple
from ..language.simd import TILE_ROWS
from .block_sizes import UPDATE_ROWS
from .tiles import outer


@plugin
def update_rule(memory: Memory, run: Run, w: int, gradient: int, count: int, is_bias: int):
    """weights (count) and their state (count), one step along gradient (count).

    ``w`` and ``gradient`` are offsets. The state of element w lies at ``w + run.weight_count``,
    ``w + 2 * run.weight_count``, ...; ``run.rate`` is the step size. Biases have no penalty.
    """


@kernel
def scale(memory: Memory, run: Run, start: int, count: int):
    """elements (count) *= -step size, in place."""
    factor = as_element(-run.rate, memory)
    for i in range(count):
        memory[start + i] *= factor


@kernel
def clear(memory: Memory, start: int, count: int):
    """elements (count) = 0."""
    zero = as_element(0, memory)
    for i in range(count):
        memory[start + i] = zero


@kernel
def update_rows(
    memory: Memory, run: Run, W: Pair, A: Triple, B: Pair, rows: int, vectors: int, masks: int
):
    """A step of W (rows, vectors) along A.T (rows, m) @ B (m, vectors).

    If the update is straight, B carries its factor and the products are added to the weights. If
    not, they go to the gradient (between the chunks of a batch, or if it is to be clipped) or, at
    the last chunk, to ``run.tile``, where UPDATE_ROWS rows at a time stay in L1 for the rule.
    ``masks`` is 0, or the table of the samples that count for each tile of rows.
    """
    tiles = int64s(run.outer_masked if masks else run.outer)
    if run.straight:
        outer(tiles[vectors], memory, W, W, A, B, rows, run.m, masks, 0)
        return
    start, stride = W
    offset, steps, row_offsets = A
    is_bias = offset == run.one  # the weight of an input that is always 1
    count, words = vectors * run.lanes, (run.m + 63) // 64
    for first in range(0, rows, UPDATE_ROWS):
        block = rows - first if rows - first < UPDATE_ROWS else UPDATE_ROWS
        w = start + first * stride
        gradient = (w + run.gradient, stride)
        target = (run.tile, count) if run.updates else gradient
        base = (run.zeros, 0) if run.opens else gradient
        A = (offset, steps, row_offsets + 8 * first)
        outer(tiles[vectors], memory, target, base, A, B, block, run.m, masks, 0)
        if masks:
            masks += 8 * (UPDATE_ROWS // TILE_ROWS) * words
        if run.updates and stride == count:  # the rows lie one behind the other
            update_rule(run.step_kernel, memory, run, w, run.tile, block * count, is_bias)
        elif run.updates:
            for j in range(block):
                row_w, row_gradient = w + j * stride, run.tile + j * count
                update_rule(run.step_kernel, memory, run, row_w, row_gradient, count, is_bias)
