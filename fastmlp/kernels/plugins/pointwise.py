"""Losses that are a sum over the outputs, each with a target of its own, and their outputs.

Outputs and lanes lie as in ``softmax``. A formula of one output and its target is all that makes a
loss, see :class:`Formula`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from ..language import functions
from ..language.backend import ir
from ..language.codegen import codegen
from ..language.jit import kernel
from ..language.parameters import Layer, Memory, Run
from ..language.simd import INT, ZERO, Emitter, each, loop, multiple
from .samples import add_to_sums, for_each_vector


class Terms(NamedTuple):
    """What a formula makes of an output z and its target: vectors."""

    loss: Any
    slope: Any  # of the loss by z
    error: Any  # prediction - target; for a class, 0 if z is on the target's side, else 1


# Terms by emitter, output, target, and the output's parameter.
Formula = Callable[[Emitter, Any, Any, Any], Terms]


def squared_error(e: Emitter, z: Any, y: Any, _: Any) -> Terms:
    """(z - y)^2 / 2."""
    error = functions.subtract(e, z, y)
    half = functions.multiply(e, e.constant(0.5), error)
    return Terms(functions.multiply(e, half, error), error, error)


def absolute_error(e: Emitter, z: Any, y: Any, _: Any) -> Terms:
    """abs(z - y); its slope at 0 is 0."""
    b, error = e.builder, functions.subtract(e, z, y)
    above, below = _sides(e, error, e.zeros(), e.zeros())
    slope = b.select(above, e.constant(1.0), b.select(below, e.constant(-1.0), error))
    return Terms(functions.absolute(e, error), slope, error)


def huber(e: Emitter, z: Any, y: Any, delta: Any) -> Terms:
    """(z - y)^2 / 2 up to an error of delta, and from there on along its tangent."""
    b, error = e.builder, functions.subtract(e, z, y)
    minus = functions.subtract(e, e.zeros(), delta)
    above, below = _sides(e, error, delta, minus)
    slope = b.select(above, delta, b.select(below, minus, error))
    # Up to delta the slope is the error, so that this is half its square.
    half = functions.multiply(e, e.constant(0.5), slope)
    return Terms(functions.multiply(e, slope, functions.subtract(e, error, half)), slope, error)


def quantile(e: Emitter, z: Any, y: Any, q: Any) -> Terms:
    """q (y - z) where y is above z, (1 - q) (z - y) where it is below; the slope at 0 is 0."""
    b, error = e.builder, functions.subtract(e, z, y)
    above, below = _sides(e, error, e.zeros(), e.zeros())
    rest = functions.subtract(e, e.constant(1.0), q)
    minus = functions.subtract(e, e.zeros(), q)
    slope = b.select(above, rest, b.select(below, minus, error))
    return Terms(functions.multiply(e, slope, error), slope, error)


def poisson(e: Emitter, z: Any, y: Any, _: Any) -> Terms:
    """exp(z) - y z."""
    mean = functions.exp(e, z)
    error = functions.subtract(e, mean, y)
    return Terms(functions.subtract(e, mean, functions.multiply(e, y, z)), error, error)


def binary_cross_entropy(e: Emitter, z: Any, y: Any, _: Any) -> Terms:
    """log(1 + exp(z)) - y z, without its overflow and its cancellation."""
    b = e.builder
    small = functions.exp(e, functions.subtract(e, e.zeros(), functions.absolute(e, z)))
    larger = functions.subtract(e, functions.at_least(e, z, 0.0), functions.multiply(e, y, z))
    loss = e.add(larger, functions.log1p(e, small))
    sides = b.xor(b.fcmp_ordered(">", z, e.zeros()), b.fcmp_ordered(">", y, e.constant(0.5)))
    wrong = b.select(sides, e.constant(1.0), e.zeros())
    return Terms(loss, functions.subtract(e, functions.logistic(e, z), y), wrong)


def _sides(e: Emitter, x: Any, high: Any, low: Any) -> tuple[Any, Any]:
    """Whether x is above ``high``, and below ``low``; NaN is neither."""
    return e.builder.fcmp_ordered(">", x, high), e.builder.fcmp_ordered("<", x, low)


def _generate(
    e: Emitter, formula: Formula, is_class: bool, memory: Any, run: Any, layer: Any
) -> None:
    """A loop over vectors of samples, and in it over outputs; ``run`` and ``layer`` read fields."""
    b, pointer = e.builder, e.scalar.as_pointer()
    c, stride, m = layer("n_out"), run("samples"), run("m")
    weights, score_weights, targets = (
        e.at(b.inttoptr(run(name), pointer), run("row"))
        for name in ("weights", "score_weights", "targets")
    )
    parameters, target_stride = b.inttoptr(run("parameters"), pointer), run("target_stride")
    sums = b.inttoptr(run("sums"), ir.DoubleType().as_pointer())
    scale, least, largest = (
        e.splat(b.fptrunc(number, e.scalar) if e.itemsize == 4 else number)
        for number in map(run, ("sample_scale", "least_loss", "largest_loss"))
    )

    def vector(row: Any, first: Any) -> None:
        counts = e.first_lanes(b.sub(m, first))  # what lies beyond the samples does not

        def counted(x: Any) -> Any:
            return b.select(counts, x, e.zeros())

        of_loss, of_score = (
            counted(e.load(e.at(address, first))) for address in (weights, score_weights)
        )
        scaled = functions.multiply(e, of_loss, scale)

        def add(k: Any, loss: Any, *score: Any) -> None:
            number = multiple(b, k, 2)
            add_to_sums(e, sums, number, of_loss, counted(loss))
            number = b.add(number, ir.Constant(INT, 1))
            add_to_sums(e, sums, number, of_score, *map(counted, score))

        def output(k: Any, carried: list[Any]) -> list[Any]:
            y = e.load(e.at(targets, b.add(first, b.mul(k, target_stride))))
            parameter = e.splat(b.load(e.at(parameters, k)))
            loss, slope, error = formula(e, e.load(row(k)), y, parameter)
            e.store(functions.multiply(e, scaled, slope), row(k))
            if not is_class:
                add(k, loss, error, error)
                return []
            loss = b.select(b.fcmp_ordered(">", loss, largest), largest, loss)
            loss = b.select(b.fcmp_ordered("<", loss, least), least, loss)
            # The score of a sample is 1 until an output is on the wrong side.
            right = b.fcmp_ordered("==", error, e.zeros())
            return [e.add(carried[0], loss), b.select(right, carried[1], e.zeros())]

        sample = loop(b, c, [e.zeros(), e.constant(1.0)] if is_class else [], output)
        if is_class:
            add(ZERO, *sample)

    for_each_vector(e, e.at(memory, run("logits")), stride, m, vector)


def pointwise(formula: Formula, *, is_class: bool = False) -> Any:
    """The kernel of a loss: logits (c, m) -> deltas (c, m), in place, and sums to the run."""

    @codegen
    def deltas(e, memory, run, layer):
        _generate(e, formula, is_class, memory, run, layer)

    def loss(memory: Memory, run: Run, layer: Layer):
        deltas(memory, run, layer)

    loss.__name__, loss.__module__, loss.__doc__ = (
        formula.__name__, formula.__module__, formula.__doc__
    )  # fmt: skip
    return kernel(loss)


def output(function: Callable[[Emitter, Any], Any]) -> Any:
    """The kernel outputs (c, m) = function(logits (c, m)), in place."""

    @codegen
    def values(e, memory, run, layer):
        def vector(row: Any, first: Any) -> None:
            each(e.builder, layer("n_out"), lambda k: e.store(function(e, e.load(row(k))), row(k)))

        for_each_vector(e, e.at(memory, run("logits")), run("samples"), run("m"), vector)

    def outputs(memory: Memory, run: Run, layer: Layer):
        values(memory, run, layer)

    outputs.__name__, outputs.__module__ = f"output_{function.__name__}", function.__module__
    return kernel(outputs)


@kernel
def identity(memory: Memory, run: Run, layer: Layer):
    """outputs (c, m) = logits (c, m)."""
