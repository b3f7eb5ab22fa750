"""Before the update rule: penalties, decay of weights, clipping.

Kernels like those of ``rules``. A run that has any of them updates by :func:`regularised`, or
:func:`clipped`, which end with the rule.
"""

from typing import Any

from ..language.elements import as_element
from ..language.jit import kernel
from ..language.parameters import Memory, Run
from ..language.simd import Emitter
from ..products.updates import update_rule
from .elementwise import Numbers, elementwise
from .update_rules import Vectors


def _penalise(e: Emitter, run: Numbers, w: Any, g: Any) -> Vectors:
    """g += l2 * w + l1 * sign(w)."""
    return {"g": e.add(g, e.fma(run.l2, w, e.multiply(run.l1, e.sign(w))))}


def _decay(e: Emitter, run: Numbers, w: Any) -> Vectors:
    """w *= 1 - decay, biases too, as in Keras."""
    return {"w": e.fma(run.decay, w, w)}


def _scale(e: Emitter, run: Numbers, g: Any) -> Vectors:
    """g *= factor."""
    return {"g": e.multiply(run.factor, g)}


penalise, decay, scale_gradient = (elementwise(f) for f in (_penalise, _decay, _scale))


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
    total = as_element(0, memory)
    for i in range(count):
        total += memory[gradient + i] * memory[gradient + i]
    run.squares += total


@kernel
def clipped(memory: Memory, run: Run, w: int, gradient: int, count: int, is_bias: int):
    """The clipped gradient and decay, then the rule."""
    scale_gradient(memory, run, w, gradient, count, is_bias)
    if run.shrink:
        update_rule(run.shrink, memory, run, w, gradient, count, is_bias)
    update_rule(run.rule, memory, run, w, gradient, count, is_bias)
