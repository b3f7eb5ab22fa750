"""The tail of the normal distribution, for whole vectors; what ``functions`` says holds here."""

from typing import Any

from .functions import Scaled, divide, exp_of_sum, multiply, polynomial, subtract, with_bits
from .simd import Emitter

# Phi(-x) exp(x^2 / 2) (x + center) in t = (x - center) / (x + center), for 0 <= x <= 14 and 39:
# error 2e-9 and 2e-17. A center of 4 to 5 needs the fewest terms.
CENTER = 4.5
TAIL = {
    4: (0.7632305285661041, -0.6402577726076844, 0.44645256881018025, -0.2531413125824562,
        0.11138175839152835, -0.03387700597103007, 0.004226549654379854, 0.0017757497980991131,
        -0.0009113135439028582, -4.2338934316837534e-05, 7.722910379030052e-05),
    8: (0.7632305289702032, -0.6402577602526173, 0.4464525170556785, -0.2531417999509452,
        0.11138259657019556, -0.033871326177873876, 0.004223613380869944, 0.0017488305779481995,
        -0.0009177465117992581, 6.381074135105245e-06, 0.00011204276564601879,
        -1.593273069455013e-05, -1.4236104047347632e-05, 3.189195747295116e-06,
        2.1430671958163885e-06, -4.984654854755787e-07, -3.788782740440246e-07,
        6.000617529729922e-08, 6.911707060715889e-08, -2.2447686446947856e-09,
        -9.719541714313239e-09, -8.39260474554159e-10, 4.79163178460268e-10),
}  # fmt: skip

# Where Phi(-x) is 0.
TAIL_END = {4: 14.0, 8: 39.0}


def half_square(e: Emitter, x: Any) -> tuple[Any, Any]:
    """Two numbers whose sum is x^2 / 2, the first exact: its square has no more bits than fit."""
    high = with_bits(e, x, ~((1 << {4: 12, 8: 27}[e.itemsize]) - 1))
    half = e.constant(0.5)
    rest = multiply(e, subtract(e, x, high), e.add(x, high))
    return multiply(e, multiply(e, high, high), half), multiply(e, rest, half)


def normal_tail(e: Emitter, x: Any) -> tuple[Scaled, Scaled]:
    """exp(-x^2 / 2), and Phi(-x), the normal distribution's tail, of 0 <= x <= ``TAIL_END``."""
    b, center = e.builder, e.constant(CENTER)
    square, rest = half_square(e, x)
    density = exp_of_sum(e, b.fneg(square), b.fneg(rest))
    inverse = divide(e, e.constant(1.0), e.add(x, center))
    t = multiply(e, subtract(e, x, center), inverse)
    ratio = multiply(e, polynomial(e, t, TAIL[e.itemsize]), inverse)
    return density, density.times(e, ratio)
