"""Activations of hidden layers: values and derivatives, side by side.

To add one: a unit of its derivative and a line in ``ACTIVATIONS``.
"""

from typing import Any, NamedTuple

from ..language.elements import as_element
from ..language.jit import unit
from ..language.records import vectors_of


@unit
def relu_derivative(memory, run, layer):
    """Deltas of the member's panels, in place: kept where the unit was active, else 0.

    The values are those of the products, which take the positive part on their way to memory.
    """
    zero = as_element(0, memory)
    for p in range(layer.first, layer.last):
        width = vectors_of(run, layer, p) * run.lanes
        for s in range(run.m):
            d = layer.deltas + p * layer.delta_panel + s * layer.panel
            a = layer.outputs + s * layer.stride + p * layer.panel
            for j in range(width):
                value = memory[d + j]
                memory[d + j] = value if memory[a + j] > zero else zero


class Activation(NamedTuple):
    """What a layer does with its products."""

    derivative: Any  # unit (memory, run, layer): the deltas times the derivative, in place
    rectified: bool  # whether the products themselves take the positive part


ACTIVATIONS = {"relu": Activation(relu_derivative, rectified=True)}
