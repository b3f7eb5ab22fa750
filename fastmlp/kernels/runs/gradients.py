"""The whole gradient at the end of a batch, clipped by its norm or kept; penalties of weights."""

import math

from ..language.elements import float64s
from ..language.jit import kernel, plugin
from ..language.parameters import Layer, Memory, Run
from ..language.records import layer_at
from .team import barrier


@plugin
def each_block(memory: Memory, run: Run, layer: Layer, p: int, visitor: int):
    """Call ``visitor``, an ``update_rule``, on each block of panel ``p`` and its gradient."""


@kernel
def keep_gradient(memory: Memory, run: Run, layer: Layer):
    """The gradient with its penalties, and its squares (panels) of each layer; no weight changes.

    Each member visits its own panels.
    """
    for l in range(1, run.n_layers + 1):
        current = layer_at(run.layers, l)
        squares = float64s(current.squares)
        for p in range(current.first, current.last):
            run.squares = 0.0
            each_block(current.each_block, memory, run, current, p, run.measure)
            squares[p] = run.squares


@kernel
def update_clipped(memory: Memory, run: Run, layer: Layer):
    """A step of all weights along gradient * clip_norm / max(norm, clip_norm).

    As in Keras, the norm is that of the gradient with its penalties. All members add up the sums of
    squares of all panels in the same order. No weights change before all members have met here, so
    before all are done with the backward pass.
    """
    keep_gradient(memory, run, layer)
    barrier(run)
    _set_factor(run)
    for l in range(1, run.n_layers + 1):
        current = layer_at(run.layers, l)
        for p in range(current.first, current.last):
            each_block(current.each_block, memory, run, current, p, run.step_kernel)


@kernel
def _set_factor(run: Run):
    """factor = min(1, clip_norm / norm), from the sums of squares (panels) of each layer.

    It is NaN if the norm is not finite, so that this shows.
    """
    total = 0.0
    for l in range(1, run.n_layers + 1):
        layer = layer_at(run.layers, l)
        squares = float64s(layer.squares)
        for p in range(layer.panels):
            total += squares[p]
    norm = math.sqrt(total)
    factor = 1.0
    if norm > run.clip_norm:
        factor = run.clip_norm / norm
    if not norm < math.inf:
        factor = math.nan
    run.factor = factor


@kernel
def weigh(memory: Memory, run: Run, layer: Layer):
    """penalties (panels) of each layer += l2 / 2 * sum of W^2 / sample scale, at the start of a
    batch: each member's own panels, so that the sums do not depend on the team."""
    factor = 0.5 * run.l2 / run.sample_scale
    for l in range(1, run.n_layers + 1):
        current = layer_at(run.layers, l)
        penalties = float64s(current.penalties)
        # A layer that makes up for missed updates weighs its weights as it does.
        for p in range(current.first, current.first if current.replay else current.last):
            run.squares = 0.0
            each_block(current.each_block, memory, run, current, p, run.weigh_block)
            penalties[p] += factor * run.squares
