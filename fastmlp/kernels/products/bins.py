"""A first layer of features with bins: two rows for each, in place of all inputs of its bins.

The bins of a feature (see ``inputs.bins``) are constant but for one. So what the feature adds to
the outputs is a piecewise-linear function of it, which values V at its knots determine (see
``inputs.knots``): in segment k, ``(1 - t) V[k] + t V[k + 1]`` for a value that is the fraction t of
the way to the next knot. V is computed from the weights, in training for each chunk. In the
gradient, a sample adds to the bin that its value is in; sums over all samples of the segments below
and above give the rest. For it, the forward pass links the samples of each segment: a list needs
one pass, a sort two.
"""

from ..language.elements import int64s
from ..language.jit import kernel
from ..language.parameters import Layer, Memory, Pair, Run
from ..language.records import layer_at, vectors_of
from .dense import activate, scale_deltas, update_biases
from .knot_sums import add_knots, sum_bins
from .knot_values import set_values
from .tiles import outer
from .updates import update_rows, update_rule


@kernel
def forward(memory: Memory, run: Run, layer: Layer):
    """outputs (m, n_out) = activation(inputs (m, n_in) @ W (n_in, n_out) + b (n_out))."""
    binned, known = int64s(run.binned), layer.knot_panel
    layer.outputs = layer.activations + run.slot * layer.slot
    for p in range(layer.first, layer.last):
        _add_unbinned(memory, run, layer, p)
        for i in range(0, run.n_binned, run.added_together):
            left = run.n_binned - i
            features = left if left < run.added_together else run.added_together
            V = run.values
            if known:  # in a prediction
                V = layer.knots + p * known + binned[3 * i + 2] * layer.panel
            else:
                set_values(memory, run, layer, V, p, i, i + features)
            _add_binned(memory, run, layer, V - binned[3 * i + 2] * layer.panel, p, i, features)
    activate(memory, run, layer)


@kernel
def _add_unbinned(memory: Memory, run: Run, layer: Layer, p: int):
    """row_sums (m, panel) = inputs of features without bins @ their weights + biases."""
    below, tiles, unbinned = layer_at(layer.below, 0), int64s(run.outer), int64s(run.unbinned)
    vectors, weights = vectors_of(run, layer, p), layer.weights + p * layer.weight_panel
    C, base, base_stride = (run.row_sums, layer.panel), weights + layer.n_in * layer.panel, 0
    for k in range(run.n_unbinned):
        j = unbinned[2 * k]
        outer(
            tiles[vectors], memory, C, (base, base_stride),
            (below.outputs + j, run.iota, below.rows), (weights + j * layer.panel, layer.panel),
            run.m, unbinned[2 * k + 1], 0, 0,
        )  # fmt: skip
        base, base_stride = C


@kernel
def _add_binned(
    memory: Memory, run: Run, layer: Layer, values: int, p: int, first: int, features: int
):
    """row_sums (m, panel) += those of some features with bins, from their ``values`` at knots; the
    last ones go to outputs (m, panel)."""
    kernels, vectors = int64s(run.add_knots), vectors_of(run, layer, p)
    C, rectified = (run.row_sums, layer.panel), 0
    base, base_stride = C
    if first == 0 and run.n_unbinned == 0:
        base = layer.weights + p * layer.weight_panel + layer.n_in * layer.panel
        base_stride = 0
    if first + features == run.n_binned:
        C, rectified = (layer.outputs + p * layer.panel, layer.stride), layer.rectified
    add_knots(
        kernels[vectors], memory, run, C, (base, base_stride), (values, layer.panel),
        (first, features), rectified,
    )  # fmt: skip


@kernel
def update(memory: Memory, run: Run, layer: Layer):
    """A step of W (n_in, n_out) and b (n_out) along inputs.T (n_in, m) @ deltas (m, n_out)."""
    below, panel, unbinned = layer_at(layer.below, 0), layer.panel, int64s(run.unbinned)
    if run.straight:
        scale_deltas(memory, run, layer)
    for p in range(layer.first, layer.last):
        vectors, weights = vectors_of(run, layer, p), layer.weights + p * layer.weight_panel
        deltas = (layer.deltas + p * layer.delta_panel, panel)
        for k in range(run.n_unbinned):
            j = unbinned[2 * k]
            update_rows(
                memory, run, (weights + j * panel, panel),
                (below.outputs + j, below.rows, run.iota), deltas, unbinned[2 * k + 1], vectors, 0,
            )  # fmt: skip
        _update_binned(memory, run, (weights, panel), deltas, vectors)
    update_biases(memory, run, layer)


@kernel
def _update_binned(memory: Memory, run: Run, W: Pair, deltas: Pair, vectors: int):
    """A step of the weights of the features that have bins, and of their bins."""
    kernels, binned, tiles = int64s(run.sum_bins), int64s(run.binned), int64s(run.outer)
    weights, panel = W
    count, tile = vectors * run.lanes, run.bin_tile
    outer(
        tiles[vectors], memory, (run.total, 0), (run.zeros, 0),
        (run.one, run.zero_offsets, run.iota), deltas, 1, run.m, 0, 0,
    )  # fmt: skip
    for i in range(run.n_binned):
        j, row, knot = binned[3 * i], binned[3 * i + 1], binned[3 * i + 2]
        bins = binned[3 * i + 5] - knot - 3
        sum_bins(kernels[vectors], memory, run, (tile, count), deltas, i, knot, bins)
        _step_rows(memory, run, (weights + j * panel, panel), tile, 1, count)
        _step_rows(memory, run, (weights + row * panel, panel), tile + count, bins, count)


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
            _add(memory, w, g, count)
            continue
        if not (run.opens and run.updates):
            whole = w + run.gradient
            if run.opens:
                for i in range(count):
                    memory[whole + i] = memory[g + i]
            else:
                _add(memory, whole, g, count)
            g = whole
        if run.updates:
            update_rule(run.step_kernel, memory, run, w, g, count, False)


@kernel
def _add(memory: Memory, target: int, source: int, count: int):
    """elements (count) += elements (count)."""
    for i in range(count):
        memory[target + i] += memory[source + i]
