"""Activations of hidden layers: kernels of their values and of their derivatives, by name.

To add one: its formula in ``formulas`` and a line in ``ACTIVATIONS``. The kernels made of a formula
go over the member's panels in whole vectors, and leave zeros in columns that belong to no unit,
for any function of 0 and any deltas there.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from ..language import functions
from ..language.backend import ir
from ..language.codegen import codegen
from ..language.elements import as_element
from ..language.jit import kernel
from ..language.parameters import Layer, Memory, Run
from ..language.records import vectors_of
from ..language.simd import Emitter, each, multiple
from . import formulas


@kernel
def relu_derivative(memory: Memory, run: Run, layer: Layer):
    """deltas (m, n_out) = deltas where outputs (m, n_out) > 0, else 0; in the member's panels.

    The values are those of the products, which store the positive part alone.
    """
    zero = as_element(0, memory)
    for p in range(layer.first, layer.last):
        width = vectors_of(run, layer, p) * run.lanes
        for s in range(run.m):
            delta = layer.deltas + p * layer.delta_panel + s * layer.panel
            output = layer.outputs + s * layer.stride + p * layer.panel
            for k in range(width):
                value = memory[delta + k]
                memory[delta + k] = value if memory[output + k] > zero else zero


@kernel
def identity_derivative(memory: Memory, run: Run, layer: Layer):
    """deltas (m, n_out) stay, but for zeros where there is no unit: in the last panel alone."""
    zero = as_element(0, memory)
    for p in range(layer.first, layer.last):
        units, width = layer.n_out - p * layer.panel, vectors_of(run, layer, p) * run.lanes
        for s in range(run.m):
            delta = layer.deltas + p * layer.delta_panel + s * layer.panel
            for k in range(units, width):
                memory[delta + k] = zero


def _for_each_vector(e: Emitter, vectors: Any, units: Any, body: Any) -> None:
    """Store the pairs of a vector and its address that ``body(start)`` gives, for each vector of a
    row; zeros in columns beyond the units."""
    b = e.builder
    numbers = ir.Constant(e.vector, [float(lane) for lane in range(e.lanes)])

    def vector(v: Any) -> None:
        start = multiple(b, v, e.lanes)
        left = e.splat(b.sitofp(b.sub(units, start), e.scalar))
        belongs = b.fcmp_ordered("<", numbers, left)
        for value, address in body(start):
            e.store(b.select(belongs, value, e.zeros()), address)

    each(b, vectors, vector)


def _named(name: str, formula: Callable[..., Any]) -> Any:
    """Makes a kernel of that name, which belongs where its formula does."""

    def mark(function: Any) -> Any:
        function.__name__, function.__module__ = name, formula.__module__
        return kernel(function)

    return mark


def _values(name: str, formula: Callable[..., Any], *, keeps_slopes: bool = False) -> Any:
    """Kernel outputs (m, n_out) = formula(outputs), in place, in the member's panels.

    A formula may give value and derivative; the latter go to ``layer.slopes`` (m, n_out) if
    ``keeps_slopes``.
    """

    @codegen
    def row(e, memory, outputs, slopes, vectors, units):
        starts = [e.at(memory, start) for start in (outputs, slopes)[: 1 + keeps_slopes]]

        def body(start: Any) -> list[tuple[Any, Any]]:
            addresses = [e.at(first, start) for first in starts]
            results = formula(e, e.load(addresses[0]))
            results = results if isinstance(results, tuple) else (results,)
            return list(zip(results, addresses, strict=False))

        _for_each_vector(e, vectors, units, body)

    @_named(name, formula)
    def values(memory: Memory, run: Run, layer: Layer):
        m, outputs, stride, slopes = run.m, layer.outputs, layer.stride, layer.slopes
        for p in range(layer.first, layer.last):
            vectors, units = vectors_of(run, layer, p), layer.n_out - p * layer.panel
            column = p * layer.panel
            for s in range(m):
                offset = column + s * stride
                row(memory, outputs + offset, slopes + offset, vectors, units)

    return values


def _derivative(name: str, slope_of: Callable[..., Any], *, of_slopes: bool = False) -> Any:
    """Kernel deltas (m, n_out) *= slope_of(values (m, n_out)), in place, in the member's panels.

    Outputs that stand in memory are the values / ``layer.kept``. If ``of_slopes``, what the forward
    pass left in ``layer.slopes`` stands in for the values.
    """

    @codegen
    def row(e, memory, deltas, source, kept, vectors, units):
        deltas, source, kept = e.at(memory, deltas), e.at(memory, source), e.splat(kept)

        def body(start: Any) -> list[tuple[Any, Any]]:
            address = e.at(deltas, start)
            slope = slope_of(e, functions.multiply(e, e.load(e.at(source, start)), kept))
            return [(functions.multiply(e, e.load(address), slope), address)]

        _for_each_vector(e, vectors, units, body)

    @_named(name, slope_of)
    def derivative(memory: Memory, run: Run, layer: Layer):
        m, stride, panel = run.m, layer.stride, layer.panel
        sources = layer.slopes if of_slopes else layer.outputs
        kept = as_element(1.0 if of_slopes else layer.kept, memory)
        for p in range(layer.first, layer.last):
            vectors, units = vectors_of(run, layer, p), layer.n_out - p * panel
            deltas, source = layer.deltas + p * layer.delta_panel, sources + p * panel
            for s in range(m):
                row(memory, deltas + s * panel, source + s * stride, kept, vectors, units)

    return derivative


slopes_derivative = _derivative("slopes_derivative", lambda e, slope: slope, of_slopes=True)


class Activation(NamedTuple):
    """What a layer does with its products: kernels (memory, run, layer), in place."""

    values: Any  # of the member's panels of ``layer.outputs``; None if the products have them
    derivative: Any  # times ``layer.deltas``, computed from the values or from the slopes
    rectified: bool = False  # whether the products store the positive part alone
    values_and_slopes: Any = None  # of a forward pass in training, if slopes are kept

    @property
    def keeps_slopes(self) -> bool:
        """Whether the forward pass of training leaves ``layer.slopes``."""
        return self.values_and_slopes is not None


def _from_value(name: str, value: Callable[..., Any], slope: Callable[..., Any]) -> Activation:
    """An activation whose derivative is ``slope`` of its value."""
    return Activation(_values(f"{name}_values", value), _derivative(f"{name}_derivative", slope))


def _keeping_slopes(name: str, formula: Callable[..., Any]) -> Activation:
    """An activation of whose argument ``formula`` gives the value and the derivative."""
    return Activation(
        _values(f"{name}_values", formula), slopes_derivative,
        values_and_slopes=_values(f"{name}_values_and_slopes", formula, keeps_slopes=True),
    )  # fmt: skip


ACTIVATIONS = {
    "identity": Activation(None, identity_derivative),
    "relu": Activation(None, relu_derivative, rectified=True),
    "leaky_relu": _from_value("leaky_relu", formulas.leaky_relu, formulas.leaky_relu_slope),
    "tanh": _from_value("tanh", functions.tanh, formulas.tanh_slope),
    "logistic": _from_value("logistic", functions.logistic, formulas.logistic_slope),
    "elu": _from_value("elu", formulas.elu, formulas.elu_slope),
    "selu": _from_value("selu", formulas.selu, formulas.selu_slope),
    "gelu": _keeping_slopes("gelu", formulas.gelu),
    "silu": _keeping_slopes("silu", formulas.silu),
    "mish": _keeping_slopes("mish", formulas.mish),
    "softplus": _from_value("softplus", functions.softplus, formulas.softplus_slope),
}
