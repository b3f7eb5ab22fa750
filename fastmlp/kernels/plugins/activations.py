"""Activations of hidden layers: kernels of their values and of their derivatives, by name.

To add one: its formula in ``formulas`` and a line in ``ACTIVATIONS``. The kernels made of a formula
go over the member's panels in whole vectors, and leave zeros in columns that belong to no unit,
whatever the function of 0 is and whatever deltas lie there.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

from ..language import functions
from ..language.backend import intrinsic, ir, types
from ..language.elements import as_element
from ..language.jit import kernel
from ..language.parameters import Layer, Memory, Run
from ..language.records import vectors_of
from ..language.simd import Emitter, loop, multiple
from . import formulas


@kernel
def relu_derivative(memory: Memory, run: Run, layer: Layer):
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


@kernel
def identity_derivative(memory: Memory, run: Run, layer: Layer):
    """Deltas stay, but for zeros where there is no unit: only the last panel has such columns."""
    zero = as_element(0, memory)
    for p in range(layer.first, layer.last):
        units, width = layer.n_out - p * layer.panel, vectors_of(run, layer, p) * run.lanes
        for s in range(run.m):
            d = layer.deltas + p * layer.delta_panel + s * layer.panel
            for j in range(units, width):
                memory[d + j] = zero


def _for_each_vector(e: Emitter, vectors: Any, units: Any, body: Any) -> None:
    """Store the pairs of a vector and its address that ``body(start)`` gives, for each vector of a
    row; zeros in columns beyond the units."""
    b = e.builder
    numbers = ir.Constant(e.vector, [float(lane) for lane in range(e.lanes)])

    def vector(v: Any, _: list[Any]) -> list[Any]:
        start = multiple(b, v, e.lanes)
        left = e.splat(b.sitofp(b.sub(units, start), e.scalar))
        belongs = b.fcmp_ordered("<", numbers, left)
        for value, address in body(start):
            e.store(b.select(belongs, value, e.zeros()), address)
        return []

    loop(b, vectors, [], vector)


def _named(name: str, formula: Callable[..., Any]) -> Any:
    """Makes a kernel of that name, which belongs where its formula does."""

    def mark(function: Any) -> Any:
        function.__name__, function.__module__ = name, formula.__module__
        return kernel(function)

    return mark


def _values(name: str, formula: Callable[..., Any]) -> Any:
    """Kernel of the values, in place."""

    @intrinsic
    def row(typing_context, memory, x, vectors, units):
        i = types.int64

        def emit(context, builder, sig, args):
            e = Emitter(builder, sig.args[0].dtype)
            first = e.at(args[0], args[1])

            def body(start: Any) -> list[Any]:
                address = e.at(first, start)
                return [(formula(e, e.load(address)), address)]

            _for_each_vector(e, args[2], args[3], body)
            return context.get_dummy_value()

        return types.void(memory, i, i, i), emit

    @_named(f"{name}_values", formula)
    def values(memory: Memory, run: Run, layer: Layer):
        m, outputs, stride = run.m, layer.outputs, layer.stride
        for p in range(layer.first, layer.last):
            vectors, units = vectors_of(run, layer, p), layer.n_out - p * layer.panel
            start = outputs + p * layer.panel
            for s in range(m):
                row(memory, start + s * stride, vectors, units)

    return values


def _values_and_slopes(name: str, formula: Callable[..., Any]) -> Any:
    """Kernel of the values, in place, that leaves the derivatives in ``layer.slopes``."""

    @intrinsic
    def row(typing_context, memory, x, slopes, vectors, units):
        i = types.int64

        def emit(context, builder, sig, args):
            e = Emitter(builder, sig.args[0].dtype)
            first, slopes = e.at(args[0], args[1]), e.at(args[0], args[2])

            def body(start: Any) -> list[Any]:
                address = e.at(first, start)
                value, slope = formula(e, e.load(address))
                return [(value, address), (slope, e.at(slopes, start))]

            _for_each_vector(e, args[3], args[4], body)
            return context.get_dummy_value()

        return types.void(memory, i, i, i, i), emit

    @_named(f"{name}_values_and_slopes", formula)
    def values_and_slopes(memory: Memory, run: Run, layer: Layer):
        m, outputs, stride, slopes = run.m, layer.outputs, layer.stride, layer.slopes
        for p in range(layer.first, layer.last):
            vectors, units = vectors_of(run, layer, p), layer.n_out - p * layer.panel
            column = p * layer.panel
            for s in range(m):
                place = column + s * stride
                row(memory, outputs + place, slopes + place, vectors, units)

    return values_and_slopes


def _times_slope(slope_of: Callable[..., Any]) -> Any:
    """Intrinsic: a row of deltas times the slope told from ``told``, in place."""

    @intrinsic
    def row(typing_context, memory, deltas, told, kept, vectors, units):
        i = types.int64

        def emit(context, builder, sig, args):
            e = Emitter(builder, sig.args[0].dtype)
            deltas, told = e.at(args[0], args[1]), e.at(args[0], args[2])
            kept = e.splat(args[3])

            def body(start: Any) -> list[Any]:
                address = e.at(deltas, start)
                slope = slope_of(e, functions.multiply(e, e.load(e.at(told, start)), kept))
                return [(functions.multiply(e, e.load(address), slope), address)]

            _for_each_vector(e, args[4], args[5], body)
            return context.get_dummy_value()

        return types.void(memory, i, i, memory.dtype, i, i), emit

    return row


def _derivative(name: str, slope_of: Callable[..., Any]) -> Any:
    """Kernel of the derivative, in place on the deltas, told from the values.

    Outputs that stand in memory are the values / ``layer.kept``.
    """
    row = _times_slope(slope_of)

    @_named(f"{name}_derivative", slope_of)
    def derivative(memory: Memory, run: Run, layer: Layer):
        m, outputs, stride, panel = run.m, layer.outputs, layer.stride, layer.panel
        kept = as_element(layer.kept, memory)
        for p in range(layer.first, layer.last):
            vectors, units = vectors_of(run, layer, p), layer.n_out - p * panel
            deltas, told = layer.deltas + p * layer.delta_panel, outputs + p * panel
            for s in range(m):
                row(memory, deltas + s * panel, told + s * stride, kept, vectors, units)

    return derivative


_times_kept_slope = _times_slope(lambda e, slope: slope)


@kernel
def slopes_derivative(memory: Memory, run: Run, layer: Layer):
    """Deltas of the member's panels, in place, times the slopes that the forward pass left."""
    m, slopes, stride, panel = run.m, layer.slopes, layer.stride, layer.panel
    one = as_element(1, memory)
    for p in range(layer.first, layer.last):
        vectors, units = vectors_of(run, layer, p), layer.n_out - p * panel
        deltas, told = layer.deltas + p * layer.delta_panel, slopes + p * panel
        for s in range(m):
            _times_kept_slope(memory, deltas + s * panel, told + s * stride, one, vectors, units)


class Activation(NamedTuple):
    """What a layer does with its products: kernels (memory, run, layer), in place."""

    values: Any  # of the member's panels of ``layer.outputs``; None if the products have them
    derivative: Any  # times ``layer.deltas``, told from the values or from the slopes
    rectified: bool = False  # whether the products take the positive part on their way to memory
    values_and_slopes: Any = None  # of a forward pass in training, if slopes are kept

    @property
    def keeps_slopes(self) -> bool:
        """Whether the forward pass of training leaves ``layer.slopes``."""
        return self.values_and_slopes is not None


def _from_value(name: str, value: Callable[..., Any], slope: Callable[..., Any]) -> Activation:
    """An activation whose derivative is ``slope`` of its value."""
    return Activation(_values(name, value), _derivative(name, slope))


def _keeping_slopes(name: str, formula: Callable[..., Any]) -> Activation:
    """An activation of whose argument ``formula`` gives the value and the derivative."""

    @wraps(formula)
    def value(e: Emitter, x: Any) -> Any:
        return formula(e, x)[0]

    return Activation(
        _values(name, value), slopes_derivative,
        values_and_slopes=_values_and_slopes(name, formula),
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
