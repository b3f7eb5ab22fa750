"""Update rules: new weights and state from the gradient, over ``count`` contiguous elements.

All are units of :func:`~fastmlp.kernels.products.updates.update_rule`. To add one: the unit, its
step sizes, and a line in ``RULES``.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import types
from numba.extending import intrinsic

from ..language.elements import as_element
from ..language.jit import unit
from ..language.simd import Emitter, loop, multiple

# Constants of Adam (Kingma and Ba 2015, algorithm 1), with the epsilon of Keras.
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-7


@unit
def sgd(memory, run, w, gradient, count):
    """w -= rate * g."""
    rate = as_element(run.rate, memory)
    for i in range(count):
        memory[w + i] -= rate * memory[gradient + i]


@unit
def momentum(memory, run, w, gradient, count):
    """v = momentum * v - rate * g; w += v."""
    rate, kept = as_element(run.rate, memory), as_element(run.momentum, memory)
    v = w + run.weight_count
    for i in range(count):
        velocity = kept * memory[v + i] - rate * memory[gradient + i]
        memory[v + i] = velocity
        memory[w + i] += velocity


@unit
def nesterov(memory, run, w, gradient, count):
    """v = momentum * v - rate * g; w += momentum * v - rate * g: it goes on along the new v."""
    rate, kept = as_element(run.rate, memory), as_element(run.momentum, memory)
    v = w + run.weight_count
    for i in range(count):
        step = rate * memory[gradient + i]
        velocity = kept * memory[v + i] - step
        memory[v + i] = velocity
        memory[w + i] += kept * velocity - step


@intrinsic
def _adam(typing_context, memory, w0, g0, vectors, size, rate):
    """Adam on ``vectors`` whole vectors.

    Roots and quotients from estimates, instead of waiting for the divider: with AVX-512 an epoch of
    784-128-10 in batches of 32 takes 0.88 of the time.
    """
    i = types.int64

    def emit(context, builder, sig, args):
        e, b = Emitter(builder, sig.args[0].dtype), builder
        weights, gradient = e.at(args[0], args[1]), e.at(args[0], args[2])
        size, rate = args[4], e.splat(args[5])

        def vector(v: Any, _: list[Any]) -> list[Any]:
            start = multiple(b, v, e.lanes)
            w = e.at(weights, start)
            moments = e.at(w, size), e.at(w, multiple(b, size, 2))
            slope = e.load(e.at(gradient, start))
            first, second = (e.load(moment) for moment in moments)
            first = e.fma(e.constant(BETA1), first, b.fmul(e.constant(1 - BETA1), slope))
            square = b.fmul(b.fmul(e.constant(1 - BETA2), slope), slope)
            second = e.fma(e.constant(BETA2), second, square)
            divisor = b.fadd(e.square_root(second), e.constant(EPSILON))
            e.store(first, moments[0])
            e.store(second, moments[1])
            move = b.fmul(b.fmul(rate, first), e.inverse(divisor))
            e.store(b.fsub(e.load(w), move), w)
            return []

        loop(b, args[3], [], vector)
        return context.get_dummy_value()

    return types.void(memory, i, i, i, i, memory.dtype), emit


@unit
def adam(memory, run, w, gradient, count):
    """m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; w -= rate * m / (sqrt(v) + eps).

    The bias corrections are in the rate.
    """
    size, rate = run.weight_count, as_element(run.rate, memory)
    whole = count - count % run.lanes
    _adam(memory, w, gradient, whole // run.lanes, size, rate)
    keep1, take1 = as_element(BETA1, memory), as_element(1.0 - BETA1, memory)
    keep2, take2 = as_element(BETA2, memory), as_element(1.0 - BETA2, memory)
    epsilon = as_element(EPSILON, memory)
    for i in range(whole, count):
        slope = memory[gradient + i]
        first = keep1 * memory[w + i + size] + take1 * slope
        second = keep2 * memory[w + i + 2 * size] + take2 * slope * slope
        memory[w + i + size] = first
        memory[w + i + 2 * size] = second
        memory[w + i] -= rate * first / (math.sqrt(second) + epsilon)


def _constant_rate(learning_rate: float, steps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.full(len(steps), learning_rate)


def _corrected_rate(
    learning_rate: float, steps: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Adam's, with the corrections of both moments for their start at zero."""
    rates: npt.NDArray[np.float64] = learning_rate * np.sqrt(1 - BETA2**steps) / (1 - BETA1**steps)
    return rates


class Rule(NamedTuple):
    """An update rule."""

    unit: Any
    state_vectors: int  # vectors of state that it keeps, each as long as the weights
    step_sizes: Callable[..., npt.NDArray[np.float64]]  # by learning rate and numbers of the steps
    plain: bool = False  # whether it adds multiples of the gradient and does nothing else


RULES = {
    "sgd": Rule(sgd, 0, _constant_rate, plain=True),
    "momentum": Rule(momentum, 1, _constant_rate),
    "nesterov": Rule(nesterov, 1, _constant_rate),
    "adam": Rule(adam, 2, _corrected_rate),
}
