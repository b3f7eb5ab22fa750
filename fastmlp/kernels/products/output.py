"""The output layer: forward, backward and update, each for the panels of a member.

Panels are those of its inputs, the last hidden layer, whose owner keeps the weights of its units.
Logits and their delta lie class by class, ``run.samples`` apart.
"""

from ..language.elements import as_element, int64s
from ..language.jit import kernel
from ..language.parameters import Layer, Memory, Run
from ..language.records import layer_at, vectors_of
from .inner import inner
from .tiles import outer
from .updates import scale, update_rows, update_rule


@kernel
def forward(memory: Memory, run: Run, layer: Layer):
    """partial logits (c, m) = W.T (c, panel) @ inputs.T (panel, m) for each of the member's panels;
    + b (c) for panel 0."""
    below, c = layer_at(layer.below, 0), layer.n_out
    partial = run.partial + run.slot * run.partial_slot
    for p in range(layer.first, layer.last):
        logits = partial + p * c * run.samples
        vectors = vectors_of(run, layer, p)
        inner(
            memory, (logits, run.samples), (layer.weights + p * layer.panel, layer.stride, 0),
            (below.outputs + p * layer.panel, below.stride, 0), vectors, 1, vectors, c, run.m,
        )  # fmt: skip
        if p == 0:
            for k in range(c):
                bias, z = memory[layer.bias + k], logits + k * run.samples
                for s in range(run.m):
                    memory[z + s] += bias


@kernel
def sum_logits(memory: Memory, run: Run, layer: Layer):
    """logits (c, m) = the partial logits (c, m), summed in the order of panels."""
    logits, partial = run.logits, run.partial + run.slot * run.partial_slot
    # Whole rows, whatever they hold beyond the m samples: one long loop is faster than many short.
    count = layer.n_out * run.samples
    for i in range(count):
        memory[logits + i] = memory[partial + i]
    for _ in range(1, layer.panels):
        partial += count
        for i in range(count):
            memory[logits + i] += memory[partial + i]


@kernel
def backward(memory: Memory, run: Run, layer: Layer):
    """below.deltas (m, n_in) = deltas.T (m, c) @ W.T (c, n_in), before the activation of the layer
    below; in the member's panels."""
    below, tiles = layer_at(layer.below, 0), int64s(run.outer)
    for p in range(layer.first, layer.last):
        outer(
            tiles[vectors_of(run, layer, p)], memory,
            (below.deltas + p * below.delta_panel, layer.panel), (run.zeros, 0),
            (run.logits, run.sample_rows, run.iota),
            (layer.weights + p * layer.panel, layer.stride), run.m, layer.n_out, 0, 0,
        )  # fmt: skip


@kernel
def update(memory: Memory, run: Run, layer: Layer):
    """A step of W.T (c, n_in) along deltas (c, m) @ inputs (m, n_in), and of b (c) with panel 0."""
    below, c = layer_at(layer.below, 0), layer.n_out
    if run.straight:
        scale(memory, run, run.logits, c * run.samples)
    for p in range(layer.first, layer.last):
        update_rows(
            memory, run, (layer.weights + p * layer.panel, layer.stride),
            (run.logits, run.iota, run.sample_rows),
            (below.outputs + p * layer.panel, below.stride), c, vectors_of(run, layer, p), 0,
        )  # fmt: skip
        if p == 0:
            update_biases(memory, run, layer)


@kernel
def update_biases(memory: Memory, run: Run, layer: Layer):
    """A step of b (c) along the sums of deltas (c, m) over the samples."""
    c, target, base = layer.n_out, layer.bias, layer.bias
    if not run.straight:
        base = layer.bias + run.gradient
        target = run.tile if run.updates else base
    for k in range(c):
        # From zero: added to a bias one by one, small terms would be lost in rounding.
        total = as_element(0, memory)
        for s in range(run.m):
            total += memory[run.logits + k * run.samples + s]
        if run.straight or not run.opens:
            total += memory[base + k]
        memory[target + k] = total
    if run.updates and not run.straight:
        update_rule(run.step_kernel, memory, run, layer.bias, run.tile, c, True)


@kernel
def each_block(memory: Memory, run: Run, layer: Layer, p: int, visitor: int):
    """Call the kernel ``visitor`` on each row of panel ``p`` of W.T (c, n_in) and its gradient, and
    on b (c) with panel 0."""
    count = vectors_of(run, layer, p) * run.lanes
    for k in range(layer.n_out):
        w = layer.weights + p * layer.panel + k * layer.stride
        update_rule(visitor, memory, run, w, w + run.gradient, count, False)
    if p == 0:
        update_rule(visitor, memory, run, layer.bias, layer.bias + run.gradient, layer.n_out, True)
