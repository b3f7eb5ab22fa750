"""Kernels that compute new weights, gradients and state, element by element, from a formula.

A formula is a Python function of an Emitter, the :class:`Numbers` of the run, and the vectors that
it needs, by name: ``w``, ``g`` for the gradient, and others for the state, in their order. It
returns the new vectors by the same names; the others stay as they are.

The part of a vector at the end goes through the same instructions as whole ones, so a result does
not depend on where an element lies. Where the order of roundings matters, a formula says it with
the methods of the Emitter: of ``a * b + c * d`` LLVM might fuse either product.
"""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from ..language.backend import ir
from ..language.codegen import codegen
from ..language.jit import kernel
from ..language.parameters import Memory, Run
from ..language.simd import INT, ZERO, Emitter, each, multiple


class Numbers(NamedTuple):
    """What formulas find in the run, each number in every lane of a vector."""

    step: Any  # minus the step size
    momentum: Any
    beta1: Any
    rest1: Any  # 1 - beta1
    beta2: Any
    rest2: Any
    epsilon: Any
    l2: Any
    l1: Any
    decay: Any  # minus the fraction of the weights that is subtracted
    factor: Any  # of clipped gradients


def numbers_of(e: Emitter, field: Callable[[str], Any]) -> Numbers:
    """Load everything from a run: LLVM drops what a formula does not use."""
    b = e.builder
    one = ir.Constant(ir.DoubleType(), 1.0)

    def splat(number: Any) -> Any:
        return e.splat(b.fptrunc(number, e.scalar) if e.itemsize == 4 else number)

    return Numbers(
        step=splat(b.fneg(field("rate"))),
        momentum=splat(field("momentum")),
        beta1=splat(field("beta1")), rest1=splat(b.fsub(one, field("beta1"))),
        beta2=splat(field("beta2")), rest2=splat(b.fsub(one, field("beta2"))),
        epsilon=splat(field("epsilon")),
        l2=splat(field("l2")), l1=splat(field("l1")),
        decay=splat(b.fneg(field("decay"))),
        factor=splat(field("factor")),
    )  # fmt: skip


def _generate(
    e: Emitter, formula: Any, numbers: Numbers, starts: dict[str, Any], count: Any
) -> None:
    """The formula on whole vectors, and on the first lanes of what is left."""

    def vector(first: Any, mask: Any = None) -> None:
        pointers = {name: e.at(start, first) for name, start in starts.items()}
        new = formula(e, numbers, **{name: e.load(at, mask) for name, at in pointers.items()})
        for name, value in new.items():
            e.store(value, pointers[name], mask)

    in_vectors(e, count, vector)


def in_vectors(e: Emitter, count: Any, body: Callable[..., None]) -> None:
    """``body(first)`` for whole vectors of ``count`` elements, and ``body(first, mask)`` for what
    is left."""
    b = e.builder
    vectors = b.sdiv(count, ir.Constant(INT, e.lanes))
    each(b, vectors, lambda v: body(multiple(b, v, e.lanes)))
    first = multiple(b, vectors, e.lanes)
    rest = b.sub(count, first)
    with b.if_then(b.icmp_signed(">", rest, ZERO)):
        body(first, e.first_lanes(rest))


def sum_of_lanes(e: Emitter, vector: Any) -> Any:
    """The sum of the lanes of a vector, from the first to the last."""
    total, *others = (
        e.builder.extract_element(vector, ir.Constant(ir.IntType(32), lane))
        for lane in range(e.lanes)
    )
    for element in others:
        total = e.add(total, element)
    return total


def elementwise(formula: Callable[..., dict[str, Any]]) -> Any:
    """The kernel of a formula, named after it: an ``update_rule``, on (count) of each operand."""
    operands = list(inspect.signature(formula).parameters)[2:]
    state = [name for name in operands if name not in ("w", "g")]

    @codegen
    def vectors(e, memory, run, w, gradient, count):
        starts = {"w": e.at(memory, w), "g": e.at(memory, gradient)}
        distance = run("weight_count")
        for number, name in enumerate(state, start=1):
            starts[name] = e.at(starts["w"], multiple(e.builder, distance, number))
        wanted = {name: starts[name] for name in operands}
        _generate(e, formula, numbers_of(e, run), wanted, count)

    def rule(memory: Memory, run: Run, w: int, gradient: int, count: int, is_bias: int):
        vectors(memory, run, w, gradient, count)

    rule.__name__, rule.__module__, rule.__doc__ = (
        formula.__name__, formula.__module__, formula.__doc__
    )  # fmt: skip
    return kernel(rule)
