"""The output layer of a linear model on sparse rows: forward and update, by one thread.

Its units are vectors of the rows of W.T, of which entries touch single elements.
"""

from ..language.elements import as_element, int64s
from ..language.jit import kernel
from ..language.parameters import Layer, Memory, Run
from .output import update_biases
from .strips import bring_up, each_united, settle_strip
from .updates import clear, scale, update_rule


@kernel
def forward(memory: Memory, run: Run, layer: Layer):
    """partial logits (c, m), of one panel, = W.T (c, n_in) @ entries.T (n_in, m) + b (c)."""
    starts, columns, values, m = int64s(run.row_starts), int64s(run.columns), run.copy, run.m
    for k in range(layer.n_out):
        w = layer.weights + k * layer.stride
        if layer.present:
            bring_up(memory, run, layer, k, (w, run.lanes), run.lanes, 0)
        z = run.partial + run.slot * run.partial_slot + k * run.samples
        bias = memory[layer.bias + k]
        for s in range(m):
            total = as_element(0, memory)
            for i in range(starts[s], starts[s + 1]):
                total += memory[values + i] * memory[w + columns[i]]
            memory[z + s] = total + bias


@kernel
def update(memory: Memory, run: Run, layer: Layer):
    """A step of W.T (c, n_in) along deltas (c, m) @ entries (m, n_in), and of b (c)."""
    if run.straight:
        scale(memory, run, run.logits, layer.n_out * run.samples)
    for k in range(layer.n_out):
        w, delta = layer.weights + k * layer.stride, run.logits + k * run.samples
        if run.straight:
            _add_products(memory, run, w, delta)
        elif run.chunks_per_batch > 1 or run.end_batch:
            if run.opens and not layer.united:
                clear(memory, w + run.gradient, layer.stride)
            _add_products(memory, run, w + run.gradient, delta)
            if run.updates:
                each_united(memory, run, layer, k, (w, run.lanes), run.lanes, run.step_kernel)
        else:
            for t in range(run.touched_count):
                _products(memory, run, t, delta)
                unit = w + int64s(run.touched)[t] * run.lanes
                update_rule(run.step_kernel, memory, run, unit, run.tile, run.lanes, False)
    update_biases(memory, run, layer)


@kernel
def _products(memory: Memory, run: Run, t: int, delta: int):
    """tile (lanes) = delta (m) @ entries (m, lanes) of touched unit number ``t``."""
    starts, rows, places = int64s(run.unit_starts), int64s(run.entry_rows), int64s(run.entry_places)
    tile, values = run.tile, run.sorted
    clear(memory, tile, run.lanes)
    for i in range(starts[t], starts[t + 1]):
        memory[tile + places[i]] += memory[values + i] * memory[delta + rows[i]]


@kernel
def _add_products(memory: Memory, run: Run, start: int, delta: int):
    """elements (n_in) from ``start`` on += delta (m) @ entries (m, n_in)."""
    touched, tile, lanes = int64s(run.touched), run.tile, run.lanes
    for t in range(run.touched_count):
        _products(memory, run, t, delta)
        for i in range(lanes):
            memory[start + touched[t] * lanes + i] += memory[tile + i]


@kernel
def each_block(memory: Memory, run: Run, layer: Layer, p: int, visitor: int):
    """Call the kernel ``visitor`` on the units of the batch and their gradient, and on b (c)."""
    for k in range(layer.n_out):
        w = layer.weights + k * layer.stride
        each_united(memory, run, layer, k, (w, run.lanes), run.lanes, visitor)
    update_rule(visitor, memory, run, layer.bias, layer.bias + run.gradient, layer.n_out, True)


@kernel
def settle(memory: Memory, run: Run, layer: Layer):
    """Bring some units of W up to date."""
    for k in range(layer.n_out):
        w = layer.weights + k * layer.stride
        settle_strip(memory, run, layer, k, (w, run.lanes), run.lanes, 0)
