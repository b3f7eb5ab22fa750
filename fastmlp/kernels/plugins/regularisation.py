"""Before the update rule: penalties, decay of weights, clipping; sums of squares.

Kernels like those of ``rules``. A run that has any of them updates by :func:`regularised`, or
:func:`clipped`, which end with the rule.
"""

from typing import Any

from ..language.backend import ir
from ..language.codegen import codegen
from ..language.jit import kernel
from ..language.parameters import Memory, Run
from ..language.simd import INT, Emitter, loop, multiple
from ..products.updates import update_rule
from .elementwise import Numbers, elementwise, sum_of_lanes
from .update_rules import Vectors


def add_penalties(e: Emitter, run: Numbers, w: Any, g: Any) -> Vectors:
    """g += l2 * w + l1 * sign(w)."""
    return {"g": e.add(g, e.fma(run.l2, w, e.multiply(run.l1, e.sign(w))))}


def let_decay(e: Emitter, run: Numbers, w: Any) -> Vectors:
    """w *= 1 - decay, biases too, as in Keras."""
    return {"w": e.fma(run.decay, w, w)}


def _scale(e: Emitter, run: Numbers, g: Any) -> Vectors:
    """g *= factor."""
    return {"g": e.multiply(run.factor, g)}


@codegen
def _sum_squares(e, memory, target, start, count):
    """memory[target] = the sum of squares of ``count`` elements, lane by lane first."""
    b, first = e.builder, e.at(memory, start)
    vectors = b.sdiv(count, ir.Constant(INT, e.lanes))
    done = multiple(b, vectors, e.lanes)

    def add(v: Any, sums: list[Any]) -> list[Any]:
        x = e.load(e.at(first, multiple(b, v, e.lanes)))
        return [e.fma(x, x, sums[0])]

    (sums,) = loop(b, vectors, [e.zeros()], add)
    x = e.load(e.at(first, done), e.first_lanes(b.sub(count, done)))
    sums = e.fma(x, x, sums)
    b.store(sum_of_lanes(e, sums), e.at(memory, target))


penalise, decay, scale_gradient = (elementwise(f) for f in (add_penalties, let_decay, _scale))


@kernel
def regularised(memory: Memory, run: Run, w: int, gradient: int, count: int, is_bias: int):
    """Penalties, of weights alone, and decay, then the rule."""
    if run.penalise and not is_bias:
        update_rule(run.penalise, memory, run, w, gradient, count, is_bias)
    if run.shrink:
        update_rule(run.shrink, memory, run, w, gradient, count, is_bias)
    update_rule(run.rule, memory, run, w, gradient, count, is_bias)


@kernel
def measured(memory: Memory, run: Run, w: int, gradient: int, count: int, is_bias: int):
    """Penalties, of weights alone, and the sum of squares of the gradient with them."""
    if run.penalise and not is_bias:
        update_rule(run.penalise, memory, run, w, gradient, count, is_bias)
    _sum_squares(memory, run.tile, gradient, count)
    run.squares += memory[run.tile]


@kernel
def weighed(memory: Memory, run: Run, w: int, gradient: int, count: int, is_bias: int):
    """The sum of squares of the weights, without biases."""
    if not is_bias:
        _sum_squares(memory, run.tile, w, count)
        run.squares += memory[run.tile]


@kernel
def clipped(memory: Memory, run: Run, w: int, gradient: int, count: int, is_bias: int):
    """The clipped gradient and decay, then the rule."""
    scale_gradient(memory, run, w, gradient, count, is_bias)
    if run.shrink:
        update_rule(run.shrink, memory, run, w, gradient, count, is_bias)
    update_rule(run.rule, memory, run, w, gradient, count, is_bias)
