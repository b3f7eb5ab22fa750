"""Activations of hidden layers: values and derivatives, side by side.

To add one: a unit of its values, one of its derivative, and a line in ``ACTIVATIONS``.
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
    """What a layer does with its products: units (memory, run, layer), in place."""

    values: Any  # of the member's panels of ``layer.outputs``; None if ``rectified``
    derivative: Any  # times ``layer.deltas``, told from the values
    rectified: bool = False  # whether the products take the positive part on their way to memory


ACTIVATIONS = {"relu": Activation(None, relu_derivative, rectified=True)}
