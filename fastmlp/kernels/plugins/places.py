"""Where values of binned features lie among their knots, see ``products.bins``."""

from ..language.elements import elements_like, int32s, int64s, prefetch, uint8s
from ..language.jit import kernel
from ..language.parameters import Layer, Memory, Run
from ..language.places import cuts_below, fraction_of, keep_place
from ..language.records import layer_at, run_at
from ..language.simd import LINE_BYTES

# Rows lie anywhere: those of as many samples ahead are asked for.
_AHEAD = 4


@kernel
def find_segments(memory: Memory, runs: int, member: int):
    """segments (n, binned) of X (n, d), for the rows from ``run.first`` to ``run.last``."""
    run = run_at(runs, member)
    numbers, segments = elements_like(run.input, memory), uint8s(run.segments)
    d, count, vectors = layer_at(run.layers, 0).n_out, run.n_binned, run.cut_vectors
    cuts, step, binned = run.cuts, run.cut_bytes, int64s(run.binned)
    for row in range(run.first, run.last):
        for i in range(count):
            x = numbers[row * d + binned[3 * i]]
            segments[row * count + i] = cuts_below(memory, x, cuts + i * step, vectors)


@kernel
def find_places(memory: Memory, run: Run, layer: Layer):
    """places (m, binned) of inputs (m, d)."""
    knots, inverses = elements_like(run.knots, memory), elements_like(run.inverses, memory)
    binned, count, rows = int64s(run.binned), run.n_binned, int64s(layer.rows)
    vectors, cuts, step = run.cut_vectors, run.cuts, run.cut_bytes
    places, outputs = run.places, layer.outputs
    for s in range(run.m):
        row, target = outputs + rows[s], places + 2 * count * s
        for i in range(count):
            x, knot = memory[row + binned[3 * i]], binned[3 * i + 2]
            knot += cuts_below(memory, x, cuts + i * step, vectors)
            fraction = fraction_of(x, knots[knot], inverses[knot])
            keep_place(memory, target + 2 * i, fraction, knot)


@kernel
def link_places(memory: Memory, run: Run, layer: Layer):
    """places (m, binned) of inputs (m, d), whose segments are known; links (binned, m) and heads
    (knots) of the samples in each segment, by twice the number of a sample from 1 on; 0 ends a
    list."""
    knots, inverses = elements_like(run.knots, memory), elements_like(run.inverses, memory)
    binned, count, rows = int64s(run.binned), run.n_binned, int64s(layer.rows)
    segments, order, heads = uint8s(run.segments), int64s(run.order), int32s(run.heads)
    places, links, outputs, step = run.places, run.links, layer.outputs, 2 * run.chunk
    first_row = run.row
    numbers, d = elements_like(run.input, memory), layer.n_out
    numbers_step, last = run.line, run.n_rows - first_row
    for knot in range(run.n_knots):
        heads[knot] = 0
    for s in range(run.m):
        if s + _AHEAD < last:
            coming = order[first_row + s + _AHEAD]
            for j in range(0, d, numbers_step):
                prefetch(numbers, coming * d + j)
            for i in range(0, count, LINE_BYTES):
                prefetch(segments, coming * count + i)
        row, target, link = outputs + rows[s], places + 2 * count * s, links + 2 * s
        own = order[first_row + s] * count
        for i in range(count):
            x, knot = memory[row + binned[3 * i]], binned[3 * i + 2] + segments[own + i]
            fraction = fraction_of(x, knots[knot], inverses[knot])
            keep_place(memory, target + 2 * i, fraction, knot)
            keep_place(memory, link + i * step, fraction, heads[knot])
            heads[knot] = 2 * (s + 1)
