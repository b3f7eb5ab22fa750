"""A hidden layer: forward, backward and update, each for the panels of a member.

A layer's input is the output of the layer below, or the rows of X: row s starts at
``below.outputs + below.rows[s]``.
"""

from ..language.elements import int64s, transpose, transpose_rows
from ..language.jit import call, kernel, plugin
from ..language.parameters import Layer, Memory, Run
from ..language.records import layer_at, vectors_of
from ..language.simd import TILE_ROWS
from .block_sizes import MANY_SAMPLES, PACKED_INPUTS, UPDATE_ROWS
from .inner import inner
from .tiles import outer
from .updates import scale, update_rows, update_rule

# Where this many panels share the inputs of this many samples, the inputs are transposed first:
# down a column they are on as many lines of the cache as there are samples. The update of
# 1024-2048-2048-10 in batches of 1024 then took 0.78 of the time where this was chosen.
_MANY_PANELS = 4

# Fewer rows do not repay the transposition of the weights. With it 28-64-64-2 and 2048-2048 are
# 1.1 times as fast as with rows of weights as they lie.
_FEW_ROWS = 8


@kernel
def forward(memory: Memory, run: Run, layer: Layer):
    """outputs (m, n_out) = activation(inputs (m, n_in) @ W (n_in, n_out) + b (n_out))."""
    below, tiles = layer_at(layer.below, 0), int64s(run.outer)
    masks = 0
    if layer.masked:
        tiles, masks = int64s(run.outer_masked), run.feature_masks
    layer.outputs = layer.activations + run.slot * layer.slot
    for p in range(layer.first, layer.last):
        weights = layer.weights + p * layer.weight_panel
        biases = weights + layer.n_in * layer.panel
        outer(
            tiles[vectors_of(run, layer, p)], memory,
            (layer.outputs + p * layer.panel, layer.stride), (biases, 0),
            (below.outputs, run.iota, below.rows), (weights, layer.panel),
            run.m, layer.n_in, masks, layer.rectified,
        )  # fmt: skip
    activate(memory, run, layer)


@kernel
def activate(memory: Memory, run: Run, layer: Layer):
    """outputs (m, n_out) = activation(outputs), and dropout."""
    if layer.activate:
        call(layer.activate, memory, run, layer)
    if layer.drop:
        call(layer.drop, memory, run, layer)


@kernel
def backward(memory: Memory, run: Run, layer: Layer):
    """below.deltas (m, n_in) = deltas (m, n_out) @ W.T (n_out, n_in), before the activation of the
    layer below, whose panels are the member's."""
    below, tiles = layer_at(layer.below, 0), int64s(run.outer)
    for p in range(below.first, below.last):
        target = (below.deltas + p * below.delta_panel, below.panel)
        if run.m < _FEW_ROWS:
            units = below.n_out - p * below.panel
            inner(
                memory, target, (layer.deltas, layer.panel, layer.delta_panel),
                (layer.weights + p * below.panel * layer.panel, layer.panel, layer.weight_panel),
                layer.panel // run.lanes, layer.panels, layer.last_vectors,
                run.m, below.panel if units > below.panel else units,
            )  # fmt: skip
        else:
            vectors = vectors_of(run, below, p)
            _transpose_weights(memory, run, layer, below, p, vectors)
            outer(
                tiles[vectors], memory, target, (run.zeros, 0),
                (layer.deltas, layer.delta_units, layer.delta_rows), (run.transposed, below.panel),
                run.m, layer.n_out, 0, 0,
            )  # fmt: skip


@kernel
def _transpose_weights(memory: Memory, run: Run, layer: Layer, below: Layer, p: int, vectors: int):
    """transposed (n_out, panel) = W.T (n_out, n_in) in the columns of panel ``p`` below.

    Its last columns may belong to no unit; what they hold then does not matter, as derivatives of
    activations leave zeros there.
    """
    lanes, width = run.lanes, below.panel
    for q in range(layer.panels):
        source = layer.weights + q * layer.weight_panel + p * width * layer.panel
        for v in range(vectors_of(run, layer, q)):
            row = run.transposed + (q * layer.panel + v * lanes) * width
            for u in range(vectors):
                square = source + u * lanes * layer.panel + v * lanes
                transpose(memory, row + u * lanes, width, square, layer.panel)


@plugin
def pack_inputs(memory: Memory, run: Run, source: int, rows: int, count: int):
    """:func:`transpose_inputs`, where a run may need it."""


@kernel
def update(memory: Memory, run: Run, layer: Layer):
    """A step of W (n_in, n_out) and b (n_out) along inputs.T (n_in, m) @ deltas (m, n_out)."""
    below, panel, n_in = layer_at(layer.below, 0), layer.panel, layer.n_in
    if run.straight:
        scale_deltas(memory, run, layer)
    # All panels take the same few inputs before the next ones, which come from far away.
    panels = layer.last - layer.first
    packs = run.pack and run.m >= MANY_SAMPLES and panels >= _MANY_PANELS and not layer.masked
    block = PACKED_INPUTS if packs else UPDATE_ROWS if panels > 1 else n_in
    masks, mask_block = 0, 0
    if layer.masked:
        masks, mask_block = run.sample_masks, 8 * (block // TILE_ROWS) * ((run.m + 63) // 64)
    for j in range(0, n_in, block):
        A = (below.outputs + j, below.rows, run.iota)
        rows = n_in - j if n_in - j < block else block
        if packs:
            pack_inputs(run.pack, memory, run, below.outputs + j, below.rows, rows)
            A = (run.transposed, run.iota, run.sample_rows)
        for p in range(layer.first, layer.last):
            update_rows(
                memory, run, (layer.weights + p * layer.weight_panel + j * panel, panel), A,
                (layer.deltas + p * layer.delta_panel, panel), rows, vectors_of(run, layer, p),
                masks,
            )  # fmt: skip
        masks += mask_block
    update_biases(memory, run, layer)


@kernel
def scale_deltas(memory: Memory, run: Run, layer: Layer):
    """deltas (m, n_out) *= -step size."""
    for p in range(layer.first, layer.last):
        scale(memory, run, layer.deltas + p * layer.delta_panel, run.m * layer.panel)


@kernel
def update_biases(memory: Memory, run: Run, layer: Layer):
    """A step of b (n_out). A bias is the weight of an input that is always 1."""
    panel = layer.panel
    for p in range(layer.first, layer.last):
        b = layer.weights + p * layer.weight_panel + layer.n_in * panel
        update_rows(
            memory, run, (b, panel), (run.one, run.zero_offsets, run.iota),
            (layer.deltas + p * layer.delta_panel, panel), 1, vectors_of(run, layer, p), 0,
        )  # fmt: skip


@kernel
def each_block(memory: Memory, run: Run, layer: Layer, p: int, visitor: int):
    """Call the kernel ``visitor`` on UPDATE_ROWS rows of panel ``p`` of W (n_in, n_out) and their
    gradient at a time, and on b (n_out) last."""
    start, n_in = layer.weights + p * layer.weight_panel, layer.n_in
    for j in range(0, n_in, UPDATE_ROWS):
        rows = n_in - j if n_in - j < UPDATE_ROWS else UPDATE_ROWS
        w = start + j * layer.panel
        update_rule(visitor, memory, run, w, w + run.gradient, rows * layer.panel, False)
    w = start + n_in * layer.panel
    update_rule(visitor, memory, run, w, w + run.gradient, layer.panel, True)


@kernel
def transpose_inputs(memory: Memory, run: Run, source: int, rows: int, count: int):
    """transposed (count, m) = inputs.T (count, m): the ``count`` columns from ``source`` on, to
    rows ``run.samples`` apart."""
    lanes, stride, target, row_offsets = run.lanes, run.samples, run.transposed, int64s(rows)
    whole_count, whole_m = count - count % lanes, run.m - run.m % lanes
    for s in range(0, whole_m, lanes):
        for j in range(0, whole_count, lanes):
            transpose_rows(memory, target + j * stride + s, stride, source + j, row_offsets, s)
    for s in range(run.m):
        for j in range(whole_count if s < whole_m else 0, count):
            memory[target + j * stride + s] = memory[source + row_offsets[s] + j]
