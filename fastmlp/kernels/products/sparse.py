"""A hidden layer on sparse rows: forward and update, each for the panels of a member."""

from ..language.elements import int64s, prefetch
from ..language.jit import kernel
from ..language.parameters import Layer, Memory, Pair, Run
from ..language.records import vectors_of
from .block_sizes import UPDATE_ROWS
from .dense import activate, scale_deltas, update_biases
from .gather import gather
from .strips import bring_up, each_united, settle_strip
from .updates import clear, update_rule


@kernel
def forward(memory: Memory, run: Run, layer: Layer):
    """outputs (m, n_out) = activation(entries (m, n_in) @ W (n_in, n_out) + b (n_out))."""
    layer.outputs = layer.activations + run.slot * layer.slot
    for p in range(layer.first, layer.last):
        vectors = vectors_of(run, layer, p)
        W = layer.weights + p * layer.weight_panel, layer.panel
        if layer.present:
            bring_up(memory, run, layer, p, W, vectors * run.lanes, p)
        gather(
            int64s(run.gather)[vectors], memory,
            (layer.outputs + p * layer.panel, layer.stride), (W[0] + layer.n_in * layer.panel, 0),
            run.iota, (run.row_starts, run.columns, run.copy), W, run.m, layer.rectified,
        )  # fmt: skip
    activate(memory, run, layer)


@kernel
def update(memory: Memory, run: Run, layer: Layer):
    """A step of W (n_in, n_out) and b (n_out) along entries.T (n_in, m) @ deltas (m, n_out)."""
    if run.straight:
        scale_deltas(memory, run, layer)
    for p in range(layer.first, layer.last):
        vectors, start = vectors_of(run, layer, p), layer.weights + p * layer.weight_panel
        W, G = (start, layer.panel), (start + run.gradient, layer.panel)
        D = layer.deltas + p * layer.delta_panel, layer.panel
        if run.straight:
            _add_products(memory, run, W, D, vectors)
        elif run.chunks_per_batch > 1 or run.end_batch:
            if run.opens and not layer.united:
                clear(memory, G[0], layer.n_in * layer.panel)
            _add_products(memory, run, G, D, vectors)
            if run.updates:
                each_united(memory, run, layer, p, W, vectors * run.lanes, run.step_kernel)
        else:
            _update_touched(memory, run, W, D, vectors)
    update_biases(memory, run, layer)


@kernel
def _add_products(memory: Memory, run: Run, C: Pair, D: Pair, vectors: int):
    """C (touched, vectors) += entries.T (touched, m) @ D (m, vectors)."""
    gather(
        int64s(run.gather)[vectors], memory, C, C, run.touched,
        (run.unit_starts, run.entry_rows, run.sorted), D, run.touched_count, 0,
    )  # fmt: skip


@kernel
def _update_touched(memory: Memory, run: Run, W: Pair, D: Pair, vectors: int):
    """A step of the touched rows of W along the products, of which a few at a time stay in L1."""
    kernel, touched, count = int64s(run.gather)[vectors], int64s(run.touched), vectors * run.lanes
    start, step = W
    for first in range(0, run.touched_count, UPDATE_ROWS):
        left = run.touched_count - first
        block = left if left < UPDATE_ROWS else UPDATE_ROWS
        entries = run.unit_starts + 8 * first, run.entry_rows, run.sorted
        # Rows of weights and of their state lie far apart: asked for while products are computed.
        for t in range(block):
            for i in range(0, count, run.lanes):
                for v in range(0, (run.state_vectors + 1) * run.weight_count, run.weight_count):
                    prefetch(memory, start + touched[first + t] * step + i + v)
        gather(
            kernel, memory, (run.tile, count), (run.zeros, 0), run.iota, entries, D, block, 0
        )  # fmt: skip
        for t in range(block):
            w = start + touched[first + t] * step
            update_rule(run.step_kernel, memory, run, w, run.tile + t * count, count, False)


@kernel
def each_block(memory: Memory, run: Run, layer: Layer, p: int, visitor: int):
    """Call the kernel ``visitor`` on the rows of panel ``p`` that the batch touched and their
    gradient, and on b (n_out) last."""
    start, count = layer.weights + p * layer.weight_panel, vectors_of(run, layer, p) * run.lanes
    each_united(memory, run, layer, p, (start, layer.panel), count, visitor)
    w = start + layer.n_in * layer.panel
    update_rule(visitor, memory, run, w, w + run.gradient, layer.panel, True)


@kernel
def settle(memory: Memory, run: Run, layer: Layer):
    """Bring some rows of W up to date, in the member's panels."""
    for p in range(layer.first, layer.last):
        W = layer.weights + p * layer.weight_panel, layer.panel
        settle_strip(memory, run, layer, p, W, vectors_of(run, layer, p) * run.lanes, p)
