"""Places: a number in the bits of an element of memory, beside a fraction in the one before."""

from typing import Any

from .backend import intrinsic, ir, types
from .codegen import codegen
from .simd import INT, ZERO, Emitter, loop, multiple

_ROUNDED = ("nsz",)


def _number_at(e: Emitter, place: Any) -> Any:
    """Pointer to the number of a place."""
    bits = ir.IntType(8 * e.itemsize)
    return e.builder.bitcast(e.at(place, 1), bits.as_pointer())


def load_place(e: Emitter, place: Any) -> tuple[Any, Any]:
    """Fraction and number."""
    number = e.builder.load(_number_at(e, place))
    return e.builder.load(place), number if number.type == INT else e.builder.zext(number, INT)


@codegen
def keep_place(e, memory, target, fraction, number):
    """The place at ``memory[target]``."""
    b, place = e.builder, e.at(memory, target)
    address = _number_at(e, place)
    kind = address.type.pointee
    b.store(fraction, place)
    b.store(number if kind == INT else b.trunc(number, kind), address)


@intrinsic
def fraction_of(typing_context, x, knot, inverse):
    """(x - knot) * inverse, rounded twice, so that it is the same everywhere."""

    def emit(context, builder, sig, args):
        distance = builder.fsub(args[0], args[1], flags=_ROUNDED)
        return builder.fmul(distance, args[2], flags=_ROUNDED)

    return x(x, x, x), emit


@intrinsic
def cuts_below(typing_context, memory, x, cuts, vectors):
    """How many of the cuts, whole vectors from an address on, are not above x."""

    def emit(context, builder, sig, args):
        e = Emitter(builder, sig.args[0].dtype)
        b, (_, x, address, vectors) = builder, args
        first, bits = b.inttoptr(address, e.scalar.as_pointer()), ir.IntType(e.lanes)
        splat = e.splat(x)

        def vector(v: Any, carried: list[Any]) -> list[Any]:
            cuts = e.load(e.at(first, multiple(b, v, e.lanes)))
            mask = b.bitcast(b.fcmp_ordered("<=", cuts, splat), bits)
            return [b.add(carried[0], b.zext(b.ctpop(mask), INT))]

        return loop(b, vectors, [ZERO], vector)[0]

    return types.int64(memory, memory.dtype, types.int64, types.int64), emit
