"""Places of the values of binned features, see ``products.bins``: found and, in training, sorted.

Members share the features: those from ``layer.first`` to ``layer.last``, of the input's record.
"""

from ..language.elements import elements_like, int64s, uint8s
from ..language.jit import kernel
from ..language.parameters import Layer, Memory, Run
from ..language.places import cuts_below, fraction_of, keep_place, number_at
from ..language.records import layer_at, run_at


@kernel
def find_segments(memory: Memory, runs: int, member: int):
    """segments (n, binned) of X (n, d), for the rows from ``run.first`` to ``run.last``."""
    run = run_at(runs, member)
    numbers, segments, binned = (
        elements_like(run.input, memory), uint8s(run.segments), int64s(run.binned)
    )  # fmt: skip
    d, count, vectors = layer_at(run.layers, 0).n_out, run.n_binned, run.cut_vectors
    cuts, step = run.cuts, run.cut_bytes
    for row in range(run.first, run.last):
        for i in range(count):
            x = numbers[row * d + binned[3 * i]]
            segments[row * count + i] = cuts_below(memory, x, cuts + i * step, vectors)


@kernel
def find_places(memory: Memory, run: Run, layer: Layer):
    """places (m, binned) of inputs (m, d), and those of each feature sorted by segment."""
    order, segments, rows = int64s(run.order), uint8s(run.segments), int64s(layer.rows)
    knots, inverses = elements_like(run.knots, memory), elements_like(run.inverses, memory)
    binned, count, known = int64s(run.binned), run.n_binned, run.segments != 0
    vectors, cuts, step = run.cut_vectors, run.cuts, run.cut_bytes
    places, outputs = run.places + run.slot * run.place_slot, layer.outputs
    first, last, first_row, m = layer.first, layer.last, run.row, run.m
    for s in range(m):
        row, target = outputs + rows[s], places + 2 * count * s
        own = order[first_row + s] * count if known else 0
        for i in range(first, last):
            x, knot = memory[row + binned[3 * i]], binned[3 * i + 2]
            if known:
                knot += segments[own + i]
            else:
                knot += cuts_below(memory, x, cuts + i * step, vectors)
            fraction = fraction_of(x, knots[knot], inverses[knot])
            keep_place(memory, target + 2 * i, fraction, knot)
    if run.ends:
        _sort(memory, run, layer)


@kernel
def _sort(memory: Memory, run: Run, layer: Layer):
    """sorted (binned, m): fractions and samples of each feature, segment by segment, which end at
    ``ends`` (knots); samples of a segment stay in their order."""
    binned, count = int64s(run.binned), run.n_binned
    ends = int64s(run.ends + 8 * run.slot * run.n_knots)
    places, target = run.places + run.slot * run.place_slot, run.sorted + run.slot * run.place_slot
    first, last, m, chunk = layer.first, layer.last, run.m, run.chunk
    for knot in range(binned[3 * first + 2], binned[3 * last + 2]):
        ends[knot] = 0
    for s in range(m):
        for i in range(first, last):
            ends[number_at(memory, places + 2 * (s * count + i))] += 1
    for i in range(first, last):
        start = chunk * i
        for knot in range(binned[3 * i + 2], binned[3 * i + 5]):
            in_segment = ends[knot]
            ends[knot] = start
            start += in_segment
    for s in range(m):
        for i in range(first, last):
            place = places + 2 * (s * count + i)
            knot = number_at(memory, place)
            keep_place(memory, target + 2 * ends[knot], memory[place], s)
            ends[knot] += 1
