"""What losses share: vectors of samples, and sums over them.

For each output, or for a loss of classes once, ``run.sums`` has two vectors of float64, whose lanes
add up to the sum of the losses of the samples by ``run.weights``, and of their scores by
``run.score_weights``: 1 for a correct sample, for numbers the squared error.
"""

from collections.abc import Callable
from typing import Any

from ..language.backend import ir
from ..language.simd import AS_WRITTEN, INT, Emitter, each, multiple

# Samples whose losses are summed first, as short sums round less. The cross-entropy of labels takes
# one logarithm for them: with blocks of 1, 4 and 64 it takes 1.4, 1.04 and 0.95 of the time (64
# samples, 10 classes).
BLOCK = 16


def for_each_vector(
    e: Emitter, z: Any, stride: Any, m: Any, body: Callable[[Callable[[Any], Any], Any], None]
) -> None:
    """``body(row, first)`` for each vector of samples: ``row(k)`` is its address in row k of those
    from z on, ``first`` the number of its first sample."""
    b, lanes = e.builder, ir.Constant(INT, e.lanes)
    vectors = b.sdiv(b.add(m, ir.Constant(INT, e.lanes - 1)), lanes)

    def vector(v: Any) -> None:
        first = b.mul(v, lanes)
        start = e.at(z, first)
        body(lambda k: e.at(start, b.mul(k, stride)), first)

    each(b, vectors, vector)


def add_to_sums(e: Emitter, sums: Any, number: Any, *factors: Any) -> None:
    """Add the product of some vectors, in float64, to the vector of sums of this number."""
    b, wide = e.builder, ir.VectorType(ir.DoubleType(), e.lanes)
    product, *others = (b.fpext(x, wide) if e.itemsize == 4 else x for x in factors)
    for factor in others:
        product = b.fmul(product, factor, flags=AS_WRITTEN)
    address = b.bitcast(e.at(sums, multiple(b, number, e.lanes)), wide.as_pointer())
    b.store(e.add(b.load(address, align=8), product), address, align=8)
