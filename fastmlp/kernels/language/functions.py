"""Functions of whole vectors: exponentials, a logarithm, sigmoids.

Each accepts any number, and is correct within a few units in the last place; a result below the
smallest normal number may be zero. NaN stays NaN. There are no tables and no branches.

Operations have flags against reordering. Without flags Numba lets LLVM reorder them, which may
overflow where the written order does not, and replace quotients by estimates.

The coefficients are those of interpolation at Chebyshev points, computed with 60 digits and rounded
once; beside each is the largest error that it adds, relative to the function.
"""

import math
from typing import Any, NamedTuple

from .backend import ir
from .simd import AS_WRITTEN, Emitter

# (e^r - 1 - r) / r^2 for abs(r) <= 1.0005 ln(2) / 2, error 5e-10 and 5e-19.
_EXP = {
    4: (0.5000000013498178, 0.16666666681659179, 0.04166646460202654, 0.008333310889582076,
        0.0013933685862617174, 0.00019891030654370327),
    8: (0.5, 0.1666666666666667, 0.04166666666666667, 0.008333333333326112, 0.001388888888888373,
        0.0001984126987490126, 2.4801587325605324e-05, 2.7557255297969643e-06,
        2.755727357010214e-07, 2.5105259538448494e-08, 2.0914717341716378e-09),
}  # fmt: skip

# (2 artanh(s) - 2 s) / s^3 in z = s^2 for 0 <= z <= 1.001 tan(pi/8)^4, error 3e-9 and 5e-18.
_LOG = {
    4: (0.6666668509542907, 0.39988757716604845, 0.29580985929974424),
    8: (0.666666666666667, 0.3999999999989889, 0.28571428626253836, 0.22222211089379496,
        0.1818289243253687, 0.15331611722055008, 0.14617807153417325),
}  # fmt: skip

# exp in powers of its argument.
_TAYLOR = {
    size: tuple(1.0 / math.factorial(power) for power in range(terms))
    for size, terms in ((4, 8), (8, 14))
}
# Where exp is about the smallest normal number.
_NONPOSITIVE_LOWEST = {4: -87.0, 8: -708.0}

# Where exp is 0 and where it is infinite; where -expm1 rounds to 1.
_EXP_RANGE = {4: (-105.0, 89.0), 8: (-747.0, 710.0)}
_EXPM1_LOWEST = {4: -20.0, 8: -40.0}

_LOG2_E = 1.4426950408889634
# Products of the first with numbers of 8 bits in float32 and of 11 in float64 are exact.
_LN2_HIGH, _LN2_LOW = 0.693145751953125, 1.42860682030941723212e-6
# Added before truncation, which then rounds: all targets have conversions to and from int32, some
# lack those to int64, or the rounding of vectors.
_ABOVE_ALL = 1200


def multiply(e: Emitter, x: Any, y: Any) -> Any:
    """x * y, not reordered."""
    return e.builder.fmul(x, y, flags=AS_WRITTEN)


def subtract(e: Emitter, x: Any, y: Any) -> Any:
    """x - y, not reordered."""
    return e.builder.fsub(x, y, flags=AS_WRITTEN)


def divide(e: Emitter, x: Any, y: Any) -> Any:
    """x / y, rounded once."""
    return e.builder.fdiv(x, y, flags=AS_WRITTEN)


def polynomial(e: Emitter, x: Any, coefficients: tuple[float, ...]) -> Any:
    """The polynomial with these coefficients, the constant first."""
    result = e.constant(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        result = e.fma(result, x, e.constant(coefficient))
    return result


def where_positive(e: Emitter, x: Any, chosen: Any, other: Any) -> Any:
    """``chosen`` in the lanes where x > 0, else, and where x is NaN, ``other``."""
    return e.builder.select(e.builder.fcmp_ordered(">", x, e.zeros()), chosen, other)


def at_least(e: Emitter, x: Any, bound: float) -> Any:
    """The larger of x and the bound; NaN stays NaN."""
    lowest = e.constant(bound)
    return e.builder.select(e.builder.fcmp_ordered("<", x, lowest), lowest, x)


def at_most(e: Emitter, x: Any, bound: float) -> Any:
    """The smaller of x and the bound; NaN stays NaN."""
    highest = e.constant(bound)
    return e.builder.select(e.builder.fcmp_ordered(">", x, highest), highest, x)


def _integers(e: Emitter) -> ir.VectorType:
    return ir.VectorType(ir.IntType(8 * e.itemsize), e.lanes)


def with_bits(e: Emitter, x: Any, mask: int) -> Any:
    """x without the bits that the mask lacks."""
    integers = _integers(e)
    bits = e.builder.bitcast(x, integers)
    kept = e.builder.and_(bits, ir.Constant(integers, [mask] * e.lanes))
    return e.builder.bitcast(kept, e.vector)


def absolute(e: Emitter, x: Any) -> Any:
    """abs(x)."""
    return with_bits(e, x, (1 << 8 * e.itemsize - 1) - 1)


class Scaled(NamedTuple):
    """A number ``value * 2**power``, so that it may be multiplied before it underflows."""

    value: Any
    power: Any  # a vector of int32

    def times(self, e: Emitter, factor: Any) -> "Scaled":
        """The product with a factor."""
        return Scaled(multiply(e, self.value, factor), self.power)

    def number(self, e: Emitter) -> Any:
        """The number itself, scaled in two steps, as 2**power alone may overflow."""
        half = e.builder.ashr(self.power, _int32s(e, 1))
        first = multiply(e, self.value, _power_of_2(e, half))
        return multiply(e, first, _power_of_2(e, e.builder.sub(self.power, half)))


def _int32s(e: Emitter, number: int) -> Any:
    return ir.Constant(ir.VectorType(ir.IntType(32), e.lanes), [number] * e.lanes)


def _power_of_2(e: Emitter, k: Any) -> Any:
    mantissa, bias = {4: (23, 127), 8: (52, 1023)}[e.itemsize]
    integers = _integers(e)
    exponent = e.builder.add(k, _int32s(e, bias))
    if e.itemsize == 8:
        exponent = e.builder.sext(exponent, integers)
    shift = ir.Constant(integers, [mantissa] * e.lanes)
    return e.builder.bitcast(e.builder.shl(exponent, shift), e.vector)


def _reduced(e: Emitter, x: Any, correction: Any = None) -> tuple[Any, Any]:
    """r and k of x + correction = k ln 2 + r, with abs(r) <= ln(2) / 2; NaN goes to r."""
    total = x if correction is None else e.add(x, correction)
    # The conversion of NaN to an integer is undefined.
    known = e.builder.select(e.builder.fcmp_ordered("ord", x, x), total, e.zeros())
    shifted = e.fma(known, e.constant(_LOG2_E), e.constant(_ABOVE_ALL + 0.5))
    whole = e.builder.fptosi(shifted, ir.VectorType(ir.IntType(32), e.lanes))
    k = e.builder.sub(whole, _int32s(e, _ABOVE_ALL))
    n = e.builder.sitofp(k, e.vector)
    r = e.fma(n, e.constant(-_LN2_HIGH), x)
    if correction is not None:
        r = e.add(r, correction)
    return e.fma(n, e.constant(-_LN2_LOW), r), k


def _expm1_of_reduced(e: Emitter, r: Any) -> Any:
    square = multiply(e, r, r)
    return e.fma(square, polynomial(e, r, _EXP[e.itemsize]), r)


def exp_of_sum(e: Emitter, x: Any, correction: Any = None) -> Scaled:
    """exp(x + correction) of x within the range."""
    r, k = _reduced(e, x, correction)
    return Scaled(e.add(_expm1_of_reduced(e, r), e.constant(1.0)), k)


def exp_scaled(e: Emitter, x: Any) -> Scaled:
    """exp(x), still to be scaled."""
    lowest, highest = _EXP_RANGE[e.itemsize]
    return exp_of_sum(e, at_most(e, at_least(e, x, lowest), highest))


def exp(e: Emitter, x: Any) -> Any:
    """e^x."""
    return exp_scaled(e, x).number(e)


def exp_nonpositive(e: Emitter, x: Any) -> Any:
    """e^x of x <= 0, to about one unit in the last place; :func:`exp` scales twice, this once.

    x = n ln 2 + r with abs(r) <= ln 2 / 2, and exp(r) by its Taylor series, whose first dropped
    term is below half an ulp. Below the smallest normal number the result is that of the smallest
    argument kept.
    """
    b = e.builder
    x = at_least(e, x, _NONPOSITIVE_LOWEST[e.itemsize])
    # Truncated from half below, as x <= 0.
    whole = ir.VectorType(ir.IntType(32), e.lanes)
    k = b.fptosi(e.fma(x, e.constant(_LOG2_E), e.constant(-0.5)), whole)
    n = b.sitofp(k, e.vector)
    r = e.fma(n, e.constant(-_LN2_LOW), e.fma(n, e.constant(-_LN2_HIGH), x))
    return b.fmul(polynomial(e, r, _TAYLOR[e.itemsize]), _power_of_2(e, k))


def expm1(e: Emitter, x: Any) -> Any:
    """e^x - 1, exact for small x too."""
    highest = _EXP_RANGE[e.itemsize][1]
    x = at_most(e, at_least(e, x, _EXPM1_LOWEST[e.itemsize]), highest)
    r, k = _reduced(e, x)
    reduced = _expm1_of_reduced(e, r)
    # Half of it, as 2^k may be infinite where the result is not.
    half = _power_of_2(e, e.builder.sub(k, _int32s(e, 1)))
    result = e.fma(reduced, half, subtract(e, half, e.constant(0.5)))
    # Half of the smallest numbers would be zero.
    is_small = e.builder.fcmp_ordered("==", r, x)
    return e.builder.select(is_small, reduced, e.add(result, result))


def log1p(e: Emitter, x: Any) -> Any:
    """log(1 + x) for 0 <= x <= 1."""
    b = e.builder
    # 1 + x is 1 + f, or 2 (1 + f), with 1 + f between the roots of 1/2 and 2.
    above = b.fcmp_ordered(">", x, e.constant(0.41421356237309503))
    half = e.constant(0.5)
    f = b.select(above, subtract(e, multiply(e, x, half), half), x)
    s = divide(e, f, e.add(e.constant(2.0), f))
    z = multiply(e, s, s)
    rest = multiply(e, z, polynomial(e, z, _LOG[e.itemsize]))
    # log(1 + f) = f - s (f - rest), as 2 s = f - s f: the largest part is not rounded.
    low = multiply(e, s, subtract(e, f, rest))
    high, more = e.constant(_LN2_HIGH), e.constant(_LN2_LOW)
    doubled = e.add(high, e.add(f, subtract(e, more, low)))
    return b.select(above, doubled, subtract(e, f, low))


def _falling(e: Emitter, x: Any) -> Scaled:
    """exp(-abs(x))."""
    return exp_scaled(e, e.builder.fneg(absolute(e, x)))


def logistic(e: Emitter, x: Any) -> Any:
    """1 / (1 + e^-x)."""
    one, small = e.constant(1.0), _falling(e, x).number(e)
    return divide(e, where_positive(e, x, one, small), e.add(one, small))


def tanh(e: Emitter, x: Any) -> Any:
    """The hyperbolic tangent."""
    b, size = e.builder, absolute(e, x)
    small = expm1(e, multiply(e, size, e.constant(-2.0)))
    ratio = divide(e, small, e.add(small, e.constant(2.0)))
    return where_positive(e, x, b.fneg(ratio), ratio)


def softplus(e: Emitter, x: Any) -> Any:
    """log(1 + e^x)."""
    return e.add(where_positive(e, x, x, e.zeros()), log1p(e, _falling(e, x).number(e)))
