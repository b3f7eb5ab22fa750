"""A first layer of features with bins: two rows for each, in place of all inputs of its bins.

The bins of a feature (see ``inputs.bins``) are constant but for one. So what the feature adds to
the outputs is a piecewise-linear function of it, which values V at its knots determine (see
``inputs.knots``): in segment k, ``(1 - t) V[k] + t V[k + 1]`` for a value that is the fraction t of
the way to the next knot. V is computed from the weights when a batch begins. In the gradient, a
sample adds to the bin that its value is in; sums over all samples of the segments below and above
give the rest.
"""

from typing import Any

from ..language.backend import ir
from ..language.codegen import codegen
from ..language.elements import int64s
from ..language.jit import call, kernel, plugin
from ..language.parameters import Layer, Memory, Pair, Run, Triple
from ..language.places import load_place
from ..language.records import layer_at, run_at, vectors_of
from ..language.simd import INT, TILE_VECTORS, ZERO, Emitter, each, loop, multiple, while_loop
from .tiles import outer
from .updates import scale, update_rows, update_rule


@kernel
def forward(memory: Memory, run: Run, layer: Layer):
    """outputs (m, n_out) = activation(inputs (m, n_in) @ W (n_in, n_out) + b (n_out))."""
    below, tiles, kernels = layer_at(layer.below, 0), int64s(run.outer), int64s(run.add_knots)
    unbinned, count, together = int64s(run.unbinned), run.n_binned, run.added_together
    places = run.places + run.slot * run.place_slot
    if run.opens:
        set_values(memory, run, layer)
    layer.outputs = layer.activations + run.slot * layer.slot
    for p in range(layer.first, layer.last):
        vectors, weights = vectors_of(run, layer, p), layer.weights + p * layer.weight_panel
        C, V = (layer.outputs + p * layer.panel, layer.stride), layer.knots + p * layer.knot_panel
        base = (weights + layer.n_in * layer.panel, 0)
        for k in range(run.n_unbinned):
            j = unbinned[2 * k]
            outer(
                tiles[vectors], memory, C, base, (below.outputs + j, run.iota, below.rows),
                (weights + j * layer.panel, layer.panel), run.m, unbinned[2 * k + 1], 0, 0,
            )  # fmt: skip
            base = C
        for i in range(0, count, together):
            some = count - i if count - i < together else together
            add_knots(
                kernels[vectors], memory, C, base, (V, layer.panel),
                (places + 2 * i, 2 * count, some), run.m,
                layer.rectified if i + some == count else 0,
            )  # fmt: skip
            base = C
    if layer.activate:
        call(layer.activate, memory, run, layer)
    if layer.drop:
        call(layer.drop, memory, run, layer)


@kernel
def update(memory: Memory, run: Run, layer: Layer):
    """A step of W (n_in, n_out) and b (n_out) along inputs.T (n_in, m) @ deltas (m, n_out)."""
    below, panel, unbinned = layer_at(layer.below, 0), layer.panel, int64s(run.unbinned)
    for p in range(layer.first, layer.last):
        vectors, weights = vectors_of(run, layer, p), layer.weights + p * layer.weight_panel
        deltas = (layer.deltas + p * layer.delta_panel, panel)
        if run.straight:
            scale(memory, run, deltas[0], run.m * panel)
        for k in range(run.n_unbinned):
            j = unbinned[2 * k]
            update_rows(
                memory, run, (weights + j * panel, panel),
                (below.outputs + j, below.rows, run.iota), deltas, unbinned[2 * k + 1], vectors, 0,
            )  # fmt: skip
        _update_binned(memory, run, (weights, panel), deltas, vectors)
        update_rows(
            memory, run, (weights + layer.n_in * panel, panel),
            (run.one, run.zero_offsets, run.iota), deltas, 1, vectors, 0,
        )  # fmt: skip


@kernel
def _update_binned(memory: Memory, run: Run, W: Pair, deltas: Pair, vectors: int):
    """A step of the weights of the features that have bins, and of their bins."""
    kernels, binned, tiles = int64s(run.sum_bins), int64s(run.binned), int64s(run.outer)
    weights, panel = W
    count, slot = vectors * run.lanes, run.slot
    ends = run.ends + 8 * slot * run.n_knots
    outer(
        tiles[vectors], memory, (run.total, 0), (run.zeros, 0),
        (run.one, run.zero_offsets, run.iota), deltas, 1, run.m, 0, 0,
    )  # fmt: skip
    for i in range(run.n_binned):
        j, row, knot = binned[3 * i], binned[3 * i + 1], binned[3 * i + 2]
        bins = binned[3 * i + 5] - knot - 3
        sum_bins(
            kernels[vectors], memory, run, (run.bin_tile, count), deltas,
            (run.sorted + slot * run.place_slot, i * run.chunk, knot), ends, bins,
        )  # fmt: skip
        _step_rows(memory, run, (weights + j * panel, panel), run.bin_tile, 1, count)
        _step_rows(
            memory, run, (weights + row * panel, panel), run.bin_tile + count, bins, count
        )  # fmt: skip


@kernel
def _step_rows(memory: Memory, run: Run, W: Pair, gradient: int, rows: int, count: int):
    """A step of W (rows, count) along the gradient (rows, count) of a chunk, as in
    ``update_rows``."""
    start, stride = W
    if stride == count:  # the rows lie one behind the other
        count, rows = rows * count, 1
    for j in range(rows):
        w, g = start + j * stride, gradient + j * count
        if run.straight:
            for i in range(count):
                memory[w + i] += memory[g + i]
        else:
            if not (run.opens and run.updates):
                whole = w + run.gradient
                if run.opens:
                    for i in range(count):
                        memory[whole + i] = memory[g + i]
                else:
                    for i in range(count):
                        memory[whole + i] += memory[g + i]
                g = whole
            if run.updates:
                update_rule(run.step_kernel, memory, run, w, g, count, False)


@kernel
def set_all_values(memory: Memory, runs: int, member: int):
    """The values of all panels, for predictions."""
    run = run_at(runs, member)
    set_values(memory, run, layer_at(run.layers, 1))


@kernel
def set_values(memory: Memory, run: Run, layer: Layer):
    """V (knots, panel), in the member's panels, from W (n_in, panel)."""
    binned, panel = int64s(run.binned), layer.panel
    for p in range(layer.first, layer.last):
        weights, V = layer.weights + p * layer.weight_panel, layer.knots + p * layer.knot_panel
        for i in range(run.n_binned):
            j, row, knot = binned[3 * i], binned[3 * i + 1], binned[3 * i + 2]
            _set_values(
                memory, run, (V + knot * panel, panel), weights + j * panel, weights + row * panel,
                knot, binned[3 * i + 5] - knot - 3, vectors_of(run, layer, p),
            )  # fmt: skip


@codegen
def _set_values(e, memory, run, V, feature, bins, knot, count, vectors):
    """V (count + 3, vectors) of a feature, from its weights and those (count) of its bins."""
    b, step = e.builder, V[1]
    positions, widths = (
        e.at(b.inttoptr(run(name), e.scalar.as_pointer()), knot) for name in ("knots", "widths")
    )
    reach, one = _reach(e, run), ir.Constant(INT, 1)

    def vector(v: Any) -> None:
        column = multiple(b, v, e.lanes)
        target, slope, first = (
            e.at(e.at(memory, start), column) for start in (V[0], feature, bins)
        )
        slope = e.load(slope)

        def weight(k: Any) -> Any:
            return e.load(e.at(first, b.mul(k, step)))

        (total,) = loop(b, count, [e.zeros()], lambda k, carried: [e.add(carried[0], weight(k))])
        lowest = e.splat(b.load(e.at(positions, one)))
        value = e.fma(lowest, slope, b.fneg(e.multiply(reach, total)))
        e.store(e.builder.fsub(value, slope), target)
        e.store(value, e.at(target, step))
        double = e.add(reach, reach)

        def knot_value(k: Any, carried: list[Any]) -> list[Any]:
            width = e.splat(b.load(e.at(widths, b.add(k, one))))
            rise = e.fma(double, weight(k), e.multiply(width, slope))
            value = e.add(carried[0], rise)
            e.store(value, e.at(target, b.mul(b.add(k, ir.Constant(INT, 2)), step)))
            return [value]

        (value,) = loop(b, count, [value], knot_value)
        last = e.at(target, b.mul(b.add(count, ir.Constant(INT, 2)), step))
        e.store(e.add(value, slope), last)

    each(b, vectors, vector)


def _reach(e: Emitter, run: Any) -> Any:
    reach = run("bin_reach")
    return e.splat(e.builder.fptrunc(reach, e.scalar) if e.itemsize == 4 else reach)


@plugin
def add_knots(
    memory: Memory, C: Pair, base: Pair, V: Pair, places: Triple, rows: int, rectified: int
):
    """C (rows) = base (rows) + sum of (1 - t) V[k] + t V[k + 1] over the places (k, t) of a row; at
    least 0 if ``rectified``.

    C, base and V are pairs (offset, elements between rows), of as many vectors as the kernel is
    made for; ``places`` are an offset, the elements between rows, and the places of a row.
    """


def _add_knots(vectors: int) -> Any:
    @codegen
    def add(e, memory, C, base, V, places, rows, rectified):
        b, one = e.builder, e.constant(1.0)
        target, start, knots, first = (e.at(memory, o[0]) for o in (C, base, V, places))
        is_rectified = e.splat(b.icmp_signed("!=", rectified, ZERO))

        def row(s: Any) -> None:
            place = e.at(first, b.mul(s, places[1]))

            def feature(i: Any, sums: list[Any]) -> list[Any]:
                fraction, knot = load_place(e, e.at(place, multiple(b, i, 2)))
                low = e.at(knots, b.mul(knot, V[1]))
                high, t = e.at(low, V[1]), e.splat(fraction)
                rest = b.fsub(one, t)
                rows = ((low, rest), (high, t))
                loads = [
                    (e.load(e.at(at, v * e.lanes)), x) for at, x in rows for v in range(vectors)
                ]
                return [e.fma(x, y, total) for (y, x), total in zip(loads, sums, strict=True)]

            sums = loop(b, places[2], [e.zeros()] * (2 * vectors), feature)
            for v in range(vectors):
                total = e.add(sums[v], sums[vectors + v])
                value = e.add(e.load(e.at(e.at(start, b.mul(s, base[1])), v * e.lanes)), total)
                # "less than" is false for NaN, which therefore passes through.
                negative = b.and_(is_rectified, b.fcmp_ordered("<", value, e.zeros()))
                value = b.select(negative, e.zeros(), value)
                e.store(value, e.at(e.at(target, b.mul(s, C[1])), v * e.lanes))

        each(b, rows, row)

    def add_knots(
        memory: Memory, C: Pair, base: Pair, V: Pair, places: Triple, rows: int, rectified: int
    ):
        add(memory, C, base, V, places, rows, rectified)

    add_knots.__name__ = f"add_knots_{vectors}"
    return kernel(add_knots)


@plugin
def sum_bins(memory: Memory, run: Run, G: Pair, deltas: Pair, places: Triple, ends: int, bins: int):
    """G (1 + bins) = gradient of the weights of a feature and of its bins.

    ``places`` are the offset of all that are sorted, the number of the first one of the feature,
    and its first knot. A row more of G is overwritten.
    """


def _sum_bins(vectors: int) -> Any:
    @codegen
    def sums(e, memory, run, G, deltas, places, ends, bins):
        b, knot = e.builder, places[2]
        target, first, sorted_places = (
            e.at(memory, start) for start in (G[0], deltas[0], places[0])
        )
        positions, widths = (
            e.at(b.inttoptr(run(name), e.scalar.as_pointer()), knot) for name in ("knots", "widths")
        )
        ends = e.at(b.inttoptr(ends, INT.as_pointer()), knot)
        reach, total = _reach(e, run), e.at(memory, run("total"))
        whole = [e.multiply(reach, e.load(e.at(total, v * e.lanes))) for v in range(vectors)]
        minus_2 = b.fneg(e.add(reach, reach))

        def store(row: Any, values: list[Any]) -> None:
            start = e.at(target, b.mul(row, G[1]))
            for v, value in enumerate(values):
                e.store(value, e.at(start, v * e.lanes))

        def segment(k: Any, carried: list[Any]) -> list[Any]:
            start, below, slope = carried[0], carried[1 : 1 + vectors], carried[1 + vectors :]
            end = b.load(e.at(ends, k))

            def sample(carried: list[Any]) -> list[Any]:
                place, count, rise = carried[0], carried[1 : 1 + vectors], carried[1 + vectors :]
                fraction, s = load_place(e, e.at(sorted_places, multiple(b, place, 2)))
                row, t = e.at(first, b.mul(s, deltas[1])), e.splat(fraction)
                delta = [e.load(e.at(row, v * e.lanes)) for v in range(vectors)]
                return [
                    b.add(place, ir.Constant(INT, 1)),
                    *(e.add(x, y) for x, y in zip(count, delta, strict=True)),
                    *(e.fma(t, y, x) for x, y in zip(rise, delta, strict=True)),
                ]

            def going(carried: list[Any]) -> Any:
                return b.icmp_signed("<", carried[0], end)

            _, *both = while_loop(b, [start, *[e.zeros()] * (2 * vectors)], going, sample)
            count, rise = both[:vectors], both[vectors:]
            x, width = (e.splat(b.load(e.at(at, k))) for at in (positions, widths))
            below = [e.add(x, y) for x, y in zip(below, count, strict=True)]
            slope = [
                e.fma(width, h, e.fma(x, c, total))
                for total, c, h in zip(slope, count, rise, strict=True)
            ]
            store(k, [
                e.fma(minus_2, b.fsub(c, h), total)
                for total, c, h in zip(whole, below, rise, strict=True)
            ])  # fmt: skip
            return [end, *below, *slope]

        count = b.add(bins, ir.Constant(INT, 2))
        carried = loop(b, count, [places[1], *[e.zeros()] * (2 * vectors)], segment)
        store(ZERO, carried[1 + vectors :])

    def sum_bins(
        memory: Memory, run: Run, G: Pair, deltas: Pair, places: Triple, ends: int, bins: int
    ):
        sums(memory, run, G, deltas, places, ends, bins)

    sum_bins.__name__ = f"sum_bins_{vectors}"
    return kernel(sum_bins)


# Kernels by the vectors of a panel.
ADD_KNOTS = {vectors: _add_knots(vectors) for vectors in range(1, TILE_VECTORS + 1)}
SUM_BINS = {vectors: _sum_bins(vectors) for vectors in range(1, TILE_VECTORS + 1)}
