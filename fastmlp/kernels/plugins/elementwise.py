"""Kernels that take each weight, its gradient and its state to new ones, from a formula on vectors.

A formula is a Python function of an Emitter, the :class:`Numbers` of the run, and the vectors that
it needs, by name: ``w``, ``g`` for the gradient, and others for the state, in their order. It
returns the new vectors by the same names; what it does not return stays as it is.

The part of a vector at the end goes through the same instructions as whole ones, so a result does
not depend on where an element lies. Where the order of roundings matters, a formula says it with
the methods of the Emitter: of ``a * b + c * d`` LLVM might fuse either product.
"""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from ..language.backend import intrinsic, ir, types
from ..language.jit import kernel
from ..language.parameters import Memory, Run
from ..language.simd import INT, ZERO, Emitter, loop, multiple


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
    decay: Any  # minus the share of the weights that is taken away
    factor: Any  # of clipped gradients


def _numbers(e: Emitter, field: Callable[[str], Any]) -> Numbers:
    """Load everything: LLVM drops what a formula does not use."""
    b = e.builder
    one, zero = (ir.Constant(ir.DoubleType(), value) for value in (1.0, 0.0))

    def splat(number: Any) -> Any:
        return e.splat(b.fptrunc(number, e.scalar) if e.itemsize == 4 else number)

    def penalty(name: str) -> Any:
        return splat(b.select(b.icmp_signed("!=", field("biases"), ZERO), zero, field(name)))

    return Numbers(
        step=splat(b.fneg(field("rate"))),
        momentum=splat(field("momentum")),
        beta1=splat(field("beta1")), rest1=splat(b.fsub(one, field("beta1"))),
        beta2=splat(field("beta2")), rest2=splat(b.fsub(one, field("beta2"))),
        epsilon=splat(field("epsilon")),
        l2=penalty("l2"), l1=penalty("l1"),
        decay=splat(b.fneg(field("decay"))),
        factor=splat(field("factor")),
    )  # fmt: skip


def _emit(e: Emitter, formula: Any, numbers: Numbers, places: dict[str, Any], count: Any) -> None:
    """The formula on whole vectors, and on the first lanes of what is left."""
    b = e.builder

    def vector(start: Any, load: Callable[[Any], Any], store: Callable[[Any, Any], Any]) -> None:
        pointers = {name: e.at(place, start) for name, place in places.items()}
        new = formula(e, numbers, **{name: load(place) for name, place in pointers.items()})
        for name, value in new.items():
            store(value, pointers[name])

    def whole(index: Any, _: list[Any]) -> list[Any]:
        vector(multiple(b, index, e.lanes), e.load, e.store)
        return []

    vectors = b.sdiv(count, ir.Constant(INT, e.lanes))
    loop(b, vectors, [], whole)
    start = multiple(b, vectors, e.lanes)
    rest = b.sub(count, start)
    with b.if_then(b.icmp_signed(">", rest, ZERO)):
        mask = e.first_lanes(rest)
        vector(
            start,
            lambda pointer: e.load_some(pointer, mask),
            lambda value, pointer: e.store_some(value, pointer, mask),
        )


def elementwise(formula: Callable[..., dict[str, Any]]) -> Any:
    """The kernel (memory, run, w, gradient, count) of a formula, named after it."""
    operands = list(inspect.signature(formula).parameters)[2:]
    state = [name for name in operands if name not in ("w", "g")]

    @intrinsic
    def emitted(typing_context, memory, run, w, gradient, count):
        def emit(context, builder, sig, args):
            def field(name: str) -> Any:
                return context.get_getattr(sig.args[1], name)(
                    context, builder, sig.args[1], args[1], name
                )

            e = Emitter(builder, sig.args[0].dtype)
            places = {"w": e.at(args[0], args[2]), "g": e.at(args[0], args[3])}
            distance = field("weight_count")
            for number, name in enumerate(state, start=1):
                places[name] = e.at(places["w"], multiple(builder, distance, number))
            wanted = {name: places[name] for name in operands}
            _emit(e, formula, _numbers(e, field), wanted, args[4])
            return context.get_dummy_value()

        return types.void(memory, run, w, gradient, count), emit

    def rule(memory: Memory, run: Run, w: int, gradient: int, count: int):
        emitted(memory, run, w, gradient, count)

    rule.__name__, rule.__module__, rule.__doc__ = (
        formula.__name__, formula.__module__, formula.__doc__
    )  # fmt: skip
    return kernel(rule)
