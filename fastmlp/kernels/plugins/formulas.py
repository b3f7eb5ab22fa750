"""Activations and their derivatives as formulas of whole vectors.

Where the derivative is a function of the value, it is computed from that; where it is not, one
formula gives both, with what they have in common.

A product of x and a vanishing factor is scaled last, so that it is right until it underflows
itself; and its x is bounded where the other factor is zero, so that the limit at -inf is 0.
"""

from typing import Any

from ..language import functions as f
from ..language.normal import TAIL_END, normal_tail
from ..language.simd import Emitter

LEAK = 0.01
# Of Klambauer et al. 2017: they keep mean 0 and variance 1.
SELU_ALPHA, SELU_SCALE = 1.6732632423543772848, 1.0507009873554804934
_ROOT_2_PI = 2.5066282746310005024

# Where exp(-x) is zero, and x more than mish differs from.
_VANISHED = {4: 105.0, 8: 747.0}
_MISH_STRAIGHT = {4: 20.0, 8: 40.0}

Vector = Any


def leaky_relu(e: Emitter, x: Vector) -> Vector:
    """x, and a hundredth of it below 0."""
    return f.where_positive(e, x, x, f.multiply(e, x, e.constant(LEAK)))


def leaky_relu_slope(e: Emitter, value: Vector) -> Vector:
    """Its derivative."""
    return f.where_positive(e, value, e.constant(1.0), e.constant(LEAK))


def tanh_slope(e: Emitter, value: Vector) -> Vector:
    """1 - tanh^2."""
    return e.fma(e.builder.fneg(value), value, e.constant(1.0))


def logistic_slope(e: Emitter, value: Vector) -> Vector:
    """p (1 - p)."""
    return f.multiply(e, value, f.subtract(e, e.constant(1.0), value))


def softplus_slope(e: Emitter, value: Vector) -> Vector:
    """The logistic function, 1 - exp(-softplus)."""
    return e.builder.fneg(f.expm1(e, e.builder.fneg(value)))


def elu(e: Emitter, x: Vector) -> Vector:
    """x, and e^x - 1 below 0."""
    return f.where_positive(e, x, x, f.expm1(e, x))


def elu_slope(e: Emitter, value: Vector) -> Vector:
    """1, and e^x below 0."""
    one = e.constant(1.0)
    return f.where_positive(e, value, one, e.add(value, one))


def selu(e: Emitter, x: Vector) -> Vector:
    """Scaled x, and alpha (e^x - 1) below 0."""
    scale, depth = e.constant(SELU_SCALE), e.constant(SELU_SCALE * SELU_ALPHA)
    return f.where_positive(e, x, f.multiply(e, x, scale), f.multiply(e, f.expm1(e, x), depth))


def selu_slope(e: Emitter, value: Vector) -> Vector:
    """Its derivative."""
    scale, depth = e.constant(SELU_SCALE), e.constant(SELU_SCALE * SELU_ALPHA)
    return f.where_positive(e, value, scale, e.add(value, depth))


def _bounded(e: Emitter, x: Vector, lowest: float, highest: float) -> Vector:
    return f.at_most(e, f.at_least(e, x, lowest), highest)


def gelu(e: Emitter, x: Vector) -> tuple[Vector, Vector]:
    """x Phi(x); its derivative Phi(x) + x phi(x)."""
    end = TAIL_END[e.itemsize]
    bounded = _bounded(e, x, -end, end)
    density, tail = normal_tail(e, f.absolute(e, bounded))
    product = tail.times(e, bounded).number(e)
    value = f.where_positive(e, x, f.subtract(e, x, product), product)
    small = tail.number(e)
    below = f.where_positive(e, x, f.subtract(e, e.constant(1.0), small), small)
    factor = f.multiply(e, bounded, e.constant(1 / _ROOT_2_PI))
    return value, e.fma(factor, density.number(e), below)


def silu(e: Emitter, x: Vector) -> tuple[Vector, Vector]:
    """x p with p = 1 / (1 + e^-x); its derivative p + x p (1 - p)."""
    end = _VANISHED[e.itemsize]
    bounded = _bounded(e, x, -end, end)
    one, falling = e.constant(1.0), f.exp_scaled(e, e.builder.fneg(f.absolute(e, bounded)))
    small = falling.number(e)
    inverse = f.divide(e, one, e.add(one, small))
    product = falling.times(e, f.multiply(e, bounded, inverse)).number(e)
    value = f.where_positive(e, x, f.multiply(e, x, inverse), product)
    rest = f.multiply(e, small, inverse)  # 1 - p, or p, whichever is smaller
    p = f.where_positive(e, x, inverse, rest)
    return value, e.fma(f.multiply(e, bounded, rest), inverse, p)


def mish(e: Emitter, x: Vector) -> tuple[Vector, Vector]:
    """x t with t = tanh(log(1 + e^x)) = n / (n + 2), n = e^x (e^x + 2).

    Its derivative is t + x 4 e^x (e^x + 1) / (n + 2)^2.
    """
    bounded = _bounded(e, x, -_VANISHED[e.itemsize], _MISH_STRAIGHT[e.itemsize])
    one, two = e.constant(1.0), e.constant(2.0)
    rising = f.exp_scaled(e, bounded)
    power = rising.number(e)
    above = e.add(power, two)
    n = f.multiply(e, power, above)
    inverse = f.divide(e, one, e.add(n, two))
    ratio = f.multiply(e, n, inverse)
    product = rising.times(e, f.multiply(e, f.multiply(e, bounded, above), inverse)).number(e)
    value = f.where_positive(e, x, f.multiply(e, x, ratio), product)
    left = f.multiply(e, f.multiply(e, bounded, e.constant(4.0)), f.multiply(e, power, inverse))
    return value, e.fma(left, f.multiply(e, e.add(power, one), inverse), ratio)
